"""`webgpt index`: build an offline web in one file, from the Python documentation, a folder, a site or a web archive."""

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

MAX_LISTED = 10
"""Maximum number of skipped pages that are listed without ``--skipped``."""


@dataclass(frozen=True, slots=True)
class Index:
    """Build an offline web in one file, or update one: pages that have not changed are not rendered again.

    The file is replaced in one step at the end, so an existing one can be used meanwhile. Its path is printed to stdout; pass
    it to other commands as --collection.

    Exit codes: 0 done, 1 failure, 2 usage, 130 interrupted.
    """

    source: Annotated[str, Positional, arg(metavar="pydoc|DIR|URL|FILE")]
    """pydoc (documentation of this Python), a folder of HTML, Markdown and text, the URL of a site, or a .warc file."""
    out: Annotated[Path | None, arg(metavar="FILE")] = None
    """File to write. Default: a file in the platform's cache folder."""
    label: Annotated[str | None, arg(metavar="NAME")] = None
    """Name of the web in records. Default: the Python version, the folder's name or the host."""
    base_url: Annotated[str | None, arg(metavar="URL")] = None
    """URL that a folder is published at, by which its pages are cited. Default: file: URLs."""
    max_pages: int = 10_000
    """Maximum number of pages to fetch from a site."""
    seconds_between: float = 0.5
    """Minimum time between two requests to a site, in seconds; its robots.txt may ask for more."""
    allow_loopback: bool = False
    """Allow a site on this machine."""
    skipped: bool = False
    """List everything that was skipped, not only the first ten items."""
    stats: bool = False
    """Print statistics of an existing file instead of building it."""

    def run(self) -> int:
        """Build the file; prints its path to stdout and a summary to stderr."""
        source = self._source()
        path = self.out or self._default_path(source)
        if self.stats:
            _print_stats(path)
            return 0
        began = time.monotonic()
        made_from = python_version() if isinstance(source, PythonDocs) else self.source
        with build_progress(f"Indexing {self.source}.") as on_item:
            report = build(path, source, label=self.label, made_from=made_from, on_item=on_item)
        self._print_summary(report, time.monotonic() - began)
        print(path)
        return 0

    def _source(self) -> Source:
        if self.max_pages < 1 or not self.seconds_between >= 0:
            raise UsageError("--max-pages must be at least 1 and --seconds-between at least 0")
        if self.base_url is not None and not is_http(self.base_url):
            raise UsageError(f"--base-url must be an http or https URL, got {self.base_url!r}")
        if self.source == "pydoc":
            return PythonDocs()
        if re.match(r"https?://", self.source, re.IGNORECASE):
            return self._site()
        if "://" in self.source:
            raise UsageError(f"{self.source!r} is not an http or https URL")
        if self.source.endswith((".warc", ".warc.gz")) and Path(self.source).is_file():
            return _archive(Path(self.source))
        folder = Path(self.source)
        if not self.source or not folder.is_dir():
            raise UsageError(f"{self.source!r} is not a folder; pass pydoc, a folder, the URL of a site, or a web archive")
        return Folder(folder, self.base_url)

    def _site(self) -> Site:
        if not is_http(self.source):
            raise UsageError(f"{self.source!r} is not a valid URL")
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

    def _print_summary(self, report: Report, seconds: float) -> None:
        listed = report.skipped if self.skipped else report.skipped[:MAX_LISTED]
        for item in listed:
            print(f"skipped {item.name}: {item.reason}", file=sys.stderr)
        if len(listed) < len(report.skipped):
            print(f"skipped {len(report.skipped) - len(listed)} more (pass --skipped to list them)", file=sys.stderr)
        print(
            f"{report.num_pages} pages: {report.num_rendered} new or changed, {report.num_removed} removed, "
            f"{len(report.skipped)} skipped, in {seconds:.1f} s",
            file=sys.stderr,
        )


def _archive(path: Path) -> Source:
    try:
        from browser_env.offline_web.sources.warc import Warc
    except ImportError as error:
        raise UsageError("web archives need the package warcio; install it with: make install EXTRAS=web") from error
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
