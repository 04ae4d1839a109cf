"""`webgpt index`: an offline web in one file, from the Python documentation, a folder or a site."""

import hashlib
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from platformdirs import user_cache_path
from tyro.conf import Positional, arg

from browser_env.command_line.open_web import build_progress
from browser_env.errors import UsageError
from browser_env.network.client import Network
from browser_env.network.settings import NetworkSettings
from browser_env.offline_web.collection import Collection
from browser_env.offline_web.default_collection import default_path, python_version
from browser_env.offline_web.index_writer import Report
from browser_env.offline_web.indexing import build
from browser_env.offline_web.sources import Source
from browser_env.offline_web.sources.folder import Folder
from browser_env.offline_web.sources.python_docs import PythonDocs
from browser_env.offline_web.sources.site import Site
from browser_env.rendering.links import is_http

MAX_NAMED = 10
"""Skipped things that are named without ``--skipped``."""


@dataclass(frozen=True, slots=True)
class Index:
    """Make an offline web in one file, or bring one up to date: pages that have not changed are not read again.

    The file is put in place whole at the end, so it can be used while it is made anew. Its path is printed on stdout.
    """

    source: Annotated[str, Positional, arg(metavar="pydoc|DIR|URL|FILE")]
    """The documentation of this Python; a folder of HTML, Markdown and text; a web address, and what it links to below; or a
    web archive (.warc, .warc.gz)."""
    out: Annotated[Path | None, arg(metavar="FILE")] = None
    """Where to write it. None: in the platform's cache folder."""
    label: Annotated[str | None, arg(metavar="NAME")] = None
    """What it is called in records. None: after the Python version, the folder or the host."""
    base_url: Annotated[str | None, arg(metavar="URL")] = None
    """Address that a folder stands for, so that its pages are cited by it. None: they have file: addresses."""
    max_pages: int = 10_000
    """Pages of a site at which to stop."""
    seconds_between: float = 0.5
    """Least time between two requests to a site; its robots.txt may ask for more."""
    allow_loopback: bool = False
    """Whether the site may be on this machine."""
    skipped: bool = False
    """Name everything that was left out, not only the first of it."""
    stats: bool = False
    """Build nothing; print what is in the file."""

    def run(self) -> int:
        """Build, and say what was done."""
        source = self._source()
        path = self.out or self._default_path(source)
        if self.stats:
            _print_stats(path)
            return 0
        began = time.monotonic()
        made_from = python_version() if isinstance(source, PythonDocs) else self.source
        with build_progress(f"Indexing {self.source}.") as on_item:
            report = build(path, source, label=self.label, made_from=made_from, on_item=on_item)
        self._tell(report, time.monotonic() - began)
        print(path)
        return 0

    def _source(self) -> Source:
        if self.max_pages < 1 or not self.seconds_between >= 0:
            raise UsageError("--max-pages must be at least 1, --seconds-between at least 0")
        if self.base_url is not None and not is_http(self.base_url):
            raise UsageError(f"--base-url must be an http or https address, not {self.base_url!r}")
        if self.source == "pydoc":
            return PythonDocs()
        if re.match(r"https?://", self.source, re.IGNORECASE):
            return self._site()
        if "://" in self.source:
            raise UsageError(f"{self.source!r} is no http or https address")
        if self.source.endswith((".warc", ".warc.gz")) and Path(self.source).is_file():
            return _archive(Path(self.source))
        folder = Path(self.source)
        if not self.source or not folder.is_dir():
            raise UsageError(f"there is no folder {self.source!r}; name one, a web address, or pydoc")
        return Folder(folder, self.base_url)

    def _site(self) -> Site:
        if not is_http(self.source):
            raise UsageError(f"{self.source!r} is no plain web address")
        ports = NetworkSettings().ports | {port for port in (urlsplit(self.source).port,) if port}
        network = Network(NetworkSettings(ports=ports, allow_loopback=self.allow_loopback))
        journal = user_cache_path("open-webgpt") / "unfinished" / f"{_short_digest(self.source)}.sqlite"
        return Site(self.source, network, self.max_pages, self.seconds_between, journal)

    def _default_path(self, source: Source) -> Path:
        match source:
            case PythonDocs():
                return default_path()
            case Folder(root):
                origin = str(root.resolve())
            case _:
                origin = self.source
        name = re.sub(r"[^\w.-]+", "-", source.label)
        return user_cache_path("open-webgpt") / f"{name}-{_short_digest(origin)}.sqlite"

    def _tell(self, report: Report, seconds: float) -> None:
        named = report.skipped if self.skipped else report.skipped[:MAX_NAMED]
        for item in named:
            print(f"skipped {item.name}: {item.reason}", file=sys.stderr)
        if len(named) < len(report.skipped):
            print(f"skipped {len(report.skipped) - len(named)} more (--skipped names them)", file=sys.stderr)
        print(
            f"{report.num_pages} pages: {report.num_rendered} new or changed, {report.num_removed} removed, "
            f"{len(report.skipped)} skipped, in {seconds:.1f} s",
            file=sys.stderr,
        )


def _archive(path: Path) -> Source:
    try:
        from browser_env.offline_web.sources.warc import Warc
    except ImportError as error:
        raise UsageError("web archives need warcio: pip install 'open-webgpt[web]'") from error
    return Warc(path)


def _print_stats(path: Path) -> None:
    with Collection.open(path) as collection:
        stats = collection.stats()
    print(f"name          {stats.name}")
    print(f"file          {path}")
    print(f"pages         {stats.num_pages}")
    print(f"characters    {stats.num_characters}")
    print(f"links         {stats.num_links}")
    print(f"source bytes  {stats.num_source_bytes}")
    print(f"file bytes    {stats.num_file_bytes}")


def _short_digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:8]
