"""Collections: offline webs in one SQLite file with search, written by `browser_env.offline_web.indexing`.

A finished file is never changed, only replaced. Pages and search results are therefore cached, and fetching a URL twice
gives the same object.
"""

import queue
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from browser_env.backends import SearchHit
from browser_env.cache import Cache
from browser_env.errors import CollectionError, NotInCollection
from browser_env.offline_web.file_format import address_key, connect, describe_error, load_page
from browser_env.offline_web.query import Query, read_query
from browser_env.offline_web.ranking import Relevance, rank
from browser_env.offline_web.snippets import snippet
from browser_env.pages.page import Page

MAX_PAGE_CHARACTERS = 16_000_000
"""Capacity of the page cache, in characters. Find and Quote need about 9 more bytes a character of the pages they search."""
MAX_RESULT_CHARACTERS = 4_000_000
"""Capacity of the cache of search results, in characters."""
RESULT_OVERHEAD = 500
"""Characters that a cached list of results counts for, in addition to its snippets."""
NUM_CONNECTIONS = 4
"""Number of threads that can read the file at the same time."""


@dataclass(frozen=True, slots=True)
class Stats:
    """Totals over the pages of a collection."""

    name: str
    num_pages: int
    num_characters: int
    num_links: int
    num_source_bytes: int
    """Bytes of all source documents, before compression."""
    num_file_bytes: int


class Collection:
    """A `browser_env.backends.Backend` that reads one file, opened with `Collection.open`. Thread-safe."""

    def __init__(self, path: Path, connections: list[sqlite3.Connection], about: dict[str, str]) -> None:
        self.path = path
        self.label = about["label"]
        """First part of the name, chosen when the collection was built."""
        self.digest = about["digest"]
        """Hash of the URLs and contents of all pages, 16 hexadecimal digits."""
        self.made_from = about["made_from"]
        """Description of the origin of the pages, given to `build`; a change of it means that the collection is out of date."""
        self._all = connections
        self._idle: queue.LifoQueue[sqlite3.Connection] = queue.LifoQueue()
        for connection in connections:
            self._idle.put(connection)
        self._pages: Cache[str, Page] = Cache(MAX_PAGE_CHARACTERS, lambda page: len(page.url) + len(page.text))
        self._results: Cache[str, tuple[SearchHit, ...]] = Cache(
            MAX_RESULT_CHARACTERS, lambda hits: RESULT_OVERHEAD + sum(len(hit.snippet) for hit in hits)
        )

    @classmethod
    def open(cls, path: Path | str) -> "Collection":
        """Open a collection for reading.

        Raises:
            CollectionError: There is no such file, or it is not a readable collection.
        """
        path = Path(path)
        while True:
            connections = [connect(path) for _ in range(NUM_CONNECTIONS)]
            about = [dict(connection.execute("SELECT key, value FROM about")) for connection in connections]
            if all(other == about[0] for other in about):
                return cls(path, connections, about[0])
            for connection in connections:  # a build has replaced the file between two connections
                connection.close()

    @property
    def name(self) -> str:
        """The label and eight digits of the digest; collections of the same name have the same content."""
        return f"{self.label}-{self.digest[:8]}"

    def search(self, query: str) -> tuple[SearchHit, ...]:
        hits = self._results.get(query)
        return self._results.keep(query, self._search(read_query(query))) if hits is None else hits

    def fetch(self, url: str) -> Page:
        """Fetch the page at a URL.

        Raises:
            NotInCollection: The collection has no such page.
        """
        url = address_key(url)
        page = self._pages.get(url)
        return self._pages.keep(url, self._load(url)) if page is None else page

    def stats(self) -> Stats:
        """Count pages, characters, links and bytes."""
        with self._connection() as connection:
            pages, characters, links, source_bytes = connection.execute(
                "SELECT count(*), sum(num_characters), sum(num_links), sum(num_source_bytes) FROM pages"
            ).fetchone()
        return Stats(self.name, pages, characters, links, source_bytes, self.path.stat().st_size)

    def urls(self) -> tuple[str, ...]:
        """The URLs of all pages, in alphabetical order."""
        with self._connection() as connection:
            return tuple(url for (url,) in connection.execute("SELECT url FROM pages ORDER BY url"))

    def close(self) -> None:
        """Close the file; pages that were fetched remain valid."""
        for connection in self._all:
            connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        connection = self._idle.get()
        try:
            yield connection
        except (sqlite3.Error, zlib.error) as error:
            raise CollectionError(describe_error(self.path, error)) from error
        finally:
            self._idle.put(connection)

    def _load(self, url: str) -> Page:
        with self._connection() as connection:
            row = connection.execute(
                "SELECT url, title, text, spans, notes FROM pages WHERE url = "
                "coalesce((SELECT target FROM redirects WHERE url = ?1), ?1)",
                (url,),
            ).fetchone()
            if row is None:
                raise NotInCollection(f"{url[:200]} is not in this offline web; search it, or go back to a page that is")
            return load_page(*row)

    def _search(self, query: Query) -> tuple[SearchHit, ...]:
        if not query.words:
            return ()
        with self._connection() as connection:
            return tuple(_hit(connection, url, relevance) for url, relevance in rank(connection, query))


def _hit(connection: sqlite3.Connection, url: str, relevance: Relevance) -> SearchHit:
    # Links are not loaded: few results are opened, and loading them takes half of the time of a search.
    title, text = connection.execute("SELECT title, text FROM pages WHERE url = ?", (url,)).fetchone()
    return SearchHit(url, title, snippet(zlib.decompress(text).decode(), relevance))
