"""Source: the pages of a web site below a URL, found by following links."""

import re
import sqlite3
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urldefrag, urlsplit

from browser_env.errors import FetchError
from browser_env.network.addresses import parse_address
from browser_env.network.client import Network
from browser_env.network.robots import Robots
from browser_env.offline_web.sources import Item, Redirect, Skipped
from browser_env.pages.document import Document
from browser_env.rendering.render import render

TEXT_TYPES = re.compile(r"text/.*|application/(?:.*\+)?(?:json|xml)|")
"""Media types that are indexed; a response without a type is assumed to be text."""
NOT_PAGES = frozenset(
    """7z avi bz2 css csv dmg doc docx eot epub exe gif gz ico iso jar jpeg jpg js mjs mov mp3 mp4 ogg otf pdf png ppt pptx rar
    svg tar tgz tif tiff ttf wav webm webp whl woff woff2 xls xlsx xz zip""".split()  # noqa: SIM905 - a list of words reads best as text
)
"""File name extensions of URLs that are not requested."""


@dataclass(frozen=True)
class Site:
    """The pages of a site below a URL. Its robots.txt and its crawl delay are respected."""

    start: str
    """URL of the first page. Links to URLs in its folder, such as ``https://example.org/docs/``, are followed."""
    network: Network = field(default_factory=Network)
    """Client for all requests."""
    max_pages: int = 10_000
    """Maximum number of pages."""
    seconds_between: float = 0.5
    """Minimum number of seconds between two requests; a longer crawl delay in robots.txt takes precedence."""
    journal: Path | None = None
    """File for fetched pages, so that a killed build can continue; deleted at the end. Default: they are not stored."""
    clock: Callable[[], float] = time.monotonic
    """Returns the time in seconds, from any origin."""
    sleep: Callable[[float], None] = time.sleep
    """Waits for a number of seconds."""

    @property
    def label(self) -> str:
        """The host name of the site."""
        return urlsplit(self.start).hostname or "site"

    @property
    def addresses(self) -> frozenset[str]:
        return frozenset()

    @property
    def prefix(self) -> str:
        """Common prefix of the URLs of all pages."""
        parts = urlsplit(self.start)
        return f"{parts.scheme}://{parts.netloc}{parts.path[: parts.path.rfind('/') + 1] or '/'}"

    def __iter__(self) -> Iterator[Item]:
        """Yield pages in breadth-first order from the first page.

        Raises:
            FetchError: The robots.txt cannot be fetched, so it is not known which pages are allowed.
        """
        robots = Robots(self.network).rules(parse_address(self.start).origin)
        wait = max(self.seconds_between, robots.crawl_delay or 0)
        start = urldefrag(self.start).url
        waiting, known = deque([start]), {start}
        num_pages, last_request = 0, float("-inf")
        with closing(_Journal(self.journal)) as journal:
            while waiting and num_pages < self.max_pages:
                url = waiting.popleft()
                if not robots.allow(parse_address(url).target):
                    yield Skipped(url, "robots.txt forbids it")
                    continue
                response: Document | Skipped | None = journal.get(url)
                if response is None:
                    self.sleep(max(0.0, last_request + wait - self.clock()))
                    last_request = self.clock()
                    response = self._fetch(url)
                    journal.keep(url, response)
                if isinstance(response, Skipped):
                    yield response
                    continue
                if response.url != url:
                    if not robots.allow(parse_address(response.url).target):
                        yield Skipped(url, f"robots.txt forbids {response.url}, to which it redirects")
                        continue
                    yield Redirect(url, response.url)
                    if response.url in known or not response.url.startswith(self.prefix):
                        continue
                    known.add(response.url)
                num_pages += 1
                yield response
                for link in self._links(response):
                    if link not in known:
                        known.add(link)
                        waiting.append(link)
            journal.finish()

    def _fetch(self, url: str) -> Document | Skipped:
        try:
            document = self.network.get(url, wanted=lambda media_type: TEXT_TYPES.fullmatch(media_type) is not None)
        except FetchError as error:
            return Skipped(url, str(error))
        return document if document.status < 400 else Skipped(url, f"HTTP {document.status}")

    def _links(self, document: Document) -> Iterator[str]:
        try:
            page = render(document)
        except FetchError:
            return  # the build reports pages that cannot be rendered
        for url in page.link_urls:
            address = urldefrag(url).url
            ending = urlsplit(address).path.rpartition(".")[2].lower()
            if address.startswith(self.prefix) and ending not in NOT_PAGES:
                yield address


class _Journal:
    """Fetched pages by requested URL, in a SQLite file or in memory."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(path or ":memory:", isolation_level=None)
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS fetched (asked TEXT PRIMARY KEY, url TEXT, body BLOB, content_type TEXT)"
        )

    def get(self, requested: str) -> Document | None:
        """The stored page of a requested URL, or None."""
        row = self._connection.execute("SELECT url, body, content_type FROM fetched WHERE asked = ?", (requested,)).fetchone()
        return None if row is None else Document(row[0], zlib.decompress(row[1]), row[2])

    def keep(self, requested: str, response: Document | Skipped) -> None:
        """Store a fetched page on disk at once. Failed requests are not stored, so a continued build repeats them."""
        if self._path is not None and isinstance(response, Document):
            row = (requested, response.url, zlib.compress(response.body), response.content_type)
            self._connection.execute("INSERT OR REPLACE INTO fetched VALUES (?, ?, ?, ?)", row)

    def finish(self) -> None:
        """Delete the file after all pages have been fetched."""
        self.close()
        if self._path is not None:
            self._path.unlink()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
