"""An offline web in one SQLite file: its pages, and a search over them. Written by `browser_env.offline_web.indexing`.

The file is never changed once it stands under its name (a new one replaces it whole), so what is read from it can be kept:
pages and results are cached, and the same visit gives the same object.
"""

import json
import queue
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.parse import quote

from browser_env.backends import SearchHit
from browser_env.cache import Cache
from browser_env.errors import CollectionError, NotInCollection
from browser_env.offline_web.query import Query, read_query
from browser_env.offline_web.ranking import SET_UP, TOKENIZER, Sought, rank
from browser_env.offline_web.snippets import snippet
from browser_env.pages.page import Link, Page

APPLICATION_ID: Final = 0x57475054
"""Stands in the head of the file, and says what it is."""
SCHEMA_VERSION: Final = 1
"""Version of what follows; a reader refuses others, a builder starts anew."""
SCHEMA: Final = f"""
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {SCHEMA_VERSION};
CREATE TABLE about (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE pages (
    id INTEGER PRIMARY KEY,
    url TEXT NOT NULL UNIQUE,
    title TEXT NOT NULL,
    text BLOB NOT NULL,         -- zlib; so are spans and source
    spans BLOB NOT NULL,        -- JSON: links, anchors, headings
    notes TEXT NOT NULL,        -- JSON
    num_characters INTEGER NOT NULL,
    num_links INTEGER NOT NULL,
    num_source_bytes INTEGER NOT NULL,
    source BLOB NOT NULL,
    content_type TEXT,
    digest TEXT NOT NULL        -- of source, content type and renderer
);
CREATE TABLE redirects (url TEXT PRIMARY KEY, target TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE names (            -- what a page is called, and what its headings define
    name TEXT NOT NULL,
    page INTEGER NOT NULL,
    start INTEGER NOT NULL,     -- where in its text; -1: the title
    PRIMARY KEY (name, page, start)
) WITHOUT ROWID;
CREATE VIRTUAL TABLE search USING fts5 (
    title, headings, lead, body, content='', tokenize='{TOKENIZER}'
);
CREATE TABLE frequencies (      -- in how many pages the index has each of its terms
    term TEXT PRIMARY KEY,
    num_pages INTEGER NOT NULL
) WITHOUT ROWID;
"""

MAX_PAGE_CHARACTERS = 16_000_000
"""Size of the cache of pages; what find and quote derive from a page takes about nine bytes a character more."""
MAX_RESULT_CHARACTERS = 4_000_000
"""Size of the cache of search results."""
RESULT_OVERHEAD = 500
"""Characters that a list of results counts for besides its snippets."""
NUM_CONNECTIONS = 4
"""Threads that can read the file at the same time."""

LOCK_SECONDS = 2
"""How long to wait for another program that changes the file."""


@dataclass(frozen=True, slots=True)
class Stats:
    """What is in a collection."""

    name: str
    num_pages: int
    num_characters: int
    num_links: int
    num_source_bytes: int
    """As found, before compression."""
    num_file_bytes: int


class Collection:
    """A `browser_env.backends.Backend` that reads one file; made by `open`, shared by many threads."""

    def __init__(self, path: Path, connections: list[sqlite3.Connection], about: dict[str, str]) -> None:
        self.path = path
        self.label = about["label"]
        """What it was called when it was built."""
        self.digest = about["digest"]
        """Of the addresses and contents of all its pages, 16 hexadecimal digits."""
        self.made_from = about["made_from"]
        """What its builder kept about its origin, to know when to build it again."""
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
            CollectionError: There is none, or it cannot be read; the message says what to do.
        """
        path = Path(path)
        while True:
            connections = [connect(path) for _ in range(NUM_CONNECTIONS)]
            about = [dict(connection.execute("SELECT key, value FROM about")) for connection in connections]
            if all(other == about[0] for other in about):
                return cls(path, connections, about[0])
            for connection in connections:  # replaced by a new one while it was opened
                connection.close()

    @property
    def name(self) -> str:
        """The label and the first digits of the digest: the same name means the same content."""
        return f"{self.label}-{self.digest[:8]}"

    def search(self, query: str) -> tuple[SearchHit, ...]:
        hits = self._results.get(query)
        return self._results.keep(query, self._search(read_query(query))) if hits is None else hits

    def fetch(self, url: str) -> Page:
        """The page at an address of the collection.

        Raises:
            NotInCollection: There is no such page.
        """
        url = address_key(url)
        page = self._pages.get(url)
        return self._pages.keep(url, self._load(url)) if page is None else page

    def stats(self) -> Stats:
        """Totals over all pages."""
        with self._connection() as connection:
            pages, characters, links, source_bytes = connection.execute(
                "SELECT count(*), sum(num_characters), sum(num_links), sum(num_source_bytes) FROM pages"
            ).fetchone()
        return Stats(self.name, pages, characters, links, source_bytes, self.path.stat().st_size)

    def urls(self) -> tuple[str, ...]:
        """The addresses of all pages, sorted."""
        with self._connection() as connection:
            return tuple(url for (url,) in connection.execute("SELECT url FROM pages ORDER BY url"))

    def close(self) -> None:
        """Close the file. Pages that were fetched stay good."""
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
            raise CollectionError(problem(self.path, error)) from error
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
            return tuple(_hit(connection, url, sought) for url, sought in rank(connection, query))


def _hit(connection: sqlite3.Connection, url: str, sought: Sought) -> SearchHit:
    # Its links are not read: few results are opened, and they are half of the time.
    title, text = connection.execute("SELECT title, text FROM pages WHERE url = ?", (url,)).fetchone()
    return SearchHit(url, title, snippet(zlib.decompress(text).decode(), sought))


def address_key(url: str) -> str:
    """An address as it is looked up: without its fragment, in ASCII."""
    return quote(url.partition("#")[0], safe="!$%&'()*+,/:;=?@[]~", errors="replace")


def connect(path: Path) -> sqlite3.Connection:
    """A read-only connection to a file that is a collection of this version.

    Raises:
        CollectionError: It is not, or it cannot be read.
    """
    while True:
        if not path.is_file():
            raise CollectionError(f"there is no collection {path}; make one with: webgpt index pydoc --out {path}")
        before = path.stat()
        connection = None
        try:
            uri = f"{path.absolute().as_uri()}?mode=ro"
            connection = sqlite3.connect(uri, uri=True, check_same_thread=False, timeout=LOCK_SECONDS, isolation_level=None)
            check(connection, path, before.st_size)
            connection.executescript(SET_UP)
            return connection
        except (sqlite3.Error, CollectionError) as error:
            if connection is not None:
                connection.close()
            if path.is_file() and path.stat().st_ino != before.st_ino:
                continue  # a builder has put a new file in its place while it was opened
            if isinstance(error, CollectionError):
                raise
            raise CollectionError(problem(path, error)) from error


def check(connection: sqlite3.Connection, path: Path, file_size: int) -> None:
    """Refuse what is no collection, is one of another version, or is cut off."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    if application != APPLICATION_ID:
        raise CollectionError(f"{path} is no collection; make one with: webgpt index SOURCE --out FILE")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version != SCHEMA_VERSION:
        raise CollectionError(
            f"{path} is a collection of version {version}, this program reads version {SCHEMA_VERSION}; index it again"
        )
    (size,) = connection.execute("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size").fetchone()
    if size != file_size or not connection.execute("SELECT 1 FROM about WHERE key = 'digest'").fetchone():
        raise CollectionError(f"{path} is incomplete; delete it and index again")


def problem(path: Path, error: Exception) -> str:
    """One line for what SQLite says about a file."""
    if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
        return f"{path} is locked by another program; close that program and try again"
    if isinstance(error, sqlite3.OperationalError) and "unable to open" in str(error):
        return f"{path} cannot be opened; check its permissions"
    return f"{path} is corrupt or no collection ({error}); delete it and index again"


def load_page(url: str, title: str, text: bytes, spans: bytes, notes: str) -> Page:
    """A page from its row."""
    links, anchors, headings = json.loads(zlib.decompress(spans))
    return Page(
        url=url,
        title=title,
        text=zlib.decompress(text).decode(),
        links=tuple(Link(*link) for link in links),
        anchors=tuple((name, offset) for name, offset in anchors),
        headings=tuple((start, end) for start, end in headings),
        notes=tuple(json.loads(notes)),
    )


def dump_page(page: Page) -> tuple[str, str, bytes, bytes, str]:
    """The row of a page: `load_page` undoes it."""
    spans = [[(link.start, link.end, link.url) for link in page.links], page.anchors, page.headings]
    return (
        page.url,
        page.title,
        zlib.compress(page.text.encode()),
        zlib.compress(json.dumps(spans, separators=(",", ":")).encode()),
        json.dumps(page.notes),
    )
