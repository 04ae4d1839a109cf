"""Source: a folder of HTML, Markdown and text files, such as an unpacked documentation package."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import quote_from_bytes

from browser_env.errors import CollectionError
from browser_env.offline_web.sources import Expected, Item, Redirect, Skipped
from browser_env.pages.document import Document

CONTENT_TYPES = {
    **dict.fromkeys((".html", ".htm", ".xhtml"), "text/html"),
    **dict.fromkeys((".md", ".markdown"), "text/markdown"),
    **dict.fromkeys((".txt", ".text", ".rst"), "text/plain"),
}
"""Media types by file name suffix. Other files are left out."""
MAX_BYTES = 20_000_000
"""Maximum size of a file in bytes."""
INDEX_PAGES = ("index.html", "index.htm")
"""Names of the file that the URL of a folder redirects to."""


@dataclass(frozen=True)
class Folder:
    """The HTML, Markdown and text files in a folder and its subfolders.

    Hidden files, links to folders and links to files outside the folder are left out.
    """

    root: Path
    """Folder to index."""
    base_url: str | None = None
    """URL that corresponds to the folder. Default: pages have ``file:`` URLs."""

    @property
    def label(self) -> str:
        """The name of the folder."""
        return self.root.resolve().name or "folder"

    @cached_property
    def addresses(self) -> frozenset[str]:
        if self.base_url is not None:
            return frozenset()
        urls = (self._url(path) for path in self._files if isinstance(path, Path))
        return frozenset((*urls, *(redirect.url for redirect in self._redirects())))

    def __iter__(self) -> Iterator[Item]:
        """Yield the files in the order of their paths, then the redirects of folders to their index pages.

        Raises:
            CollectionError: The folder does not exist.
        """
        if not self.root.is_dir():
            raise CollectionError(f"{self.root} is not a folder; pass a folder, a URL or pydoc")
        yield Expected(len(self._files))
        for path in self._files:
            yield path if isinstance(path, Skipped) else self._read(path)
        yield from self._redirects()

    @cached_property
    def _files(self) -> tuple[Path | Skipped, ...]:
        files: list[Path | Skipped] = []
        root = self.root.resolve()

        def report(error: OSError) -> None:
            files.append(_unreadable(error))

        for directory, folders, names in os.walk(root, onerror=report):
            visible = sorted(name for name in folders if not name.startswith("."))
            folders[:] = [name for name in visible if not Path(directory, name).is_symlink()]
            files += [Skipped(str(Path(directory, name)), "a link to a folder") for name in visible if name not in folders]
            for name in sorted(names):
                path = Path(directory, name)
                if name.startswith(".") or path.suffix.lower() not in CONTENT_TYPES:
                    continue
                if not path.resolve().is_relative_to(root):
                    files.append(Skipped(str(path), "a link out of the folder"))
                elif not path.is_file():
                    files.append(Skipped(str(path), "not a regular file"))
                else:
                    files.append(path)
        return tuple(files)

    def _read(self, path: Path) -> Item:
        try:
            with path.open("rb") as file:
                body = file.read(MAX_BYTES + 1)
        except OSError as error:
            return _unreadable(error)
        if len(body) > MAX_BYTES:
            return Skipped(str(path), f"larger than {MAX_BYTES // 1_000_000} MB")
        return Document(self._url(path), body, CONTENT_TYPES[path.suffix.lower()])

    def _redirects(self) -> Iterator[Redirect]:
        """Redirect the URL of each folder to its index page."""
        for path in self._files:
            if isinstance(path, Path) and path.name in INDEX_PAGES:
                target = self._url(path)
                folder = target[: target.rindex("/") + 1]
                yield Redirect(folder, target)

    def _url(self, path: Path) -> str:
        if self.base_url is None:
            return path.as_uri()
        relative = os.fsencode(path.relative_to(self.root.resolve()).as_posix())
        return f"{self.base_url.rstrip('/')}/{quote_from_bytes(relative)}"


def _unreadable(error: OSError) -> Skipped:
    return Skipped(str(error.filename), error.strerror or type(error).__name__)
