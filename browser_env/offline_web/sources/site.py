"""A site on http(s), by following links under an address."""

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
"""Media types that are kept; a server that names none is believed to send text."""
NOT_PAGES = frozenset(
    """7z avi bz2 css csv dmg doc docx eot epub exe gif gz ico iso jar jpeg jpg js mjs mov mp3 mp4 ogg otf pdf png ppt pptx rar
    svg tar tgz tif tiff ttf wav webm webp whl woff woff2 xls xlsx xz zip""".split()  # noqa: SIM905 - a list of words reads best as text
)
"""Endings of addresses that are not asked for."""


@dataclass(frozen=True)
class Site:
    """The pages under a prefix. What the site's robots.txt forbids is left out, and it is asked no faster than it can bear."""

    start: str
    """The first page. Those under its folder are followed: ``https://example.org/docs/`` and what begins like it."""
    network: Network = field(default_factory=Network)
    max_pages: int = 10_000
    """Pages at which to stop."""
    seconds_between: float = 0.5
    """Least time between two requests; robots.txt may ask for more."""
    journal: Path | None = None
    """What was fetched is kept here until all is, so that a killed build goes on where it was; None: it is not kept."""
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    @property
    def label(self) -> str:
        """The host name."""
        return urlsplit(self.start).hostname or "site"

    @property
    def addresses(self) -> frozenset[str]:
        return frozenset()

    @property
    def prefix(self) -> str:
        """What the addresses of its pages begin with."""
        parts = urlsplit(self.start)
        return f"{parts.scheme}://{parts.netloc}{parts.path[: parts.path.rfind('/') + 1] or '/'}"

    def __iter__(self) -> Iterator[Item]:
        """Pages as they are found, nearest to the first one first.

        Raises:
            FetchError: The robots.txt cannot be had, so that nobody knows what is allowed.
        """
        robots = Robots(self.network).rules(parse_address(self.start).origin)
        wait = max(self.seconds_between, robots.crawl_delay or 0)
        start = urldefrag(self.start).url
        waiting, known = deque([start]), {start}
        num_pages, last = 0, float("-inf")
        with closing(_Journal(self.journal)) as journal:
            while waiting and num_pages < self.max_pages:
                url = waiting.popleft()
                if not robots.allow(parse_address(url).target):
                    yield Skipped(url, "robots.txt forbids it")
                    continue
                answer: Document | Skipped | None = journal.get(url)
                if answer is None:
                    self.sleep(max(0.0, last + wait - self.clock()))
                    last = self.clock()
                    answer = self._fetch(url)
                    journal.keep(url, answer)
                if isinstance(answer, Skipped):
                    yield answer
                    continue
                if answer.url != url:
                    if not robots.allow(parse_address(answer.url).target):
                        yield Skipped(url, f"robots.txt forbids {answer.url}, to which it leads")
                        continue
                    yield Redirect(url, answer.url)
                    if answer.url in known or not answer.url.startswith(self.prefix):
                        continue
                    known.add(answer.url)
                num_pages += 1
                yield answer
                for link in self._links(answer):
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
            return  # whoever indexes it will say so
        for url in page.link_urls:
            address = urldefrag(url).url
            ending = urlsplit(address).path.rpartition(".")[2].lower()
            if address.startswith(self.prefix) and ending not in NOT_PAGES:
                yield address


class _Journal:
    """What was fetched, by the address that was asked for."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(path or ":memory:", isolation_level=None)
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS fetched (asked TEXT PRIMARY KEY, url TEXT, body BLOB, content_type TEXT)"
        )

    def get(self, asked: str) -> Document | None:
        """What was fetched before. What failed is tried again."""
        row = self._connection.execute("SELECT url, body, content_type FROM fetched WHERE asked = ?", (asked,)).fetchone()
        return None if row is None else Document(row[0], zlib.decompress(row[1]), row[2])

    def keep(self, asked: str, answer: Document | Skipped) -> None:
        """Keep what was fetched, at once."""
        if self._path is not None and isinstance(answer, Document):
            row = (asked, answer.url, zlib.compress(answer.body), answer.content_type)
            self._connection.execute("INSERT OR REPLACE INTO fetched VALUES (?, ?, ?, ?)", row)

    def finish(self) -> None:
        """Everything has been fetched: nothing has to be kept any more."""
        self.close()
        if self._path is not None:
            self._path.unlink()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
