"""The file format of collections: tables, checks when a file is opened, and the conversion of pages to rows and back."""

import json
import sqlite3
import zlib
from pathlib import Path
from typing import Final
from urllib.parse import quote

from browser_env.errors import CollectionError
from browser_env.offline_web.ranking import SET_UP, TOKENIZER
from browser_env.pages.page import Link, Page

APPLICATION_ID: Final = 0x57475054
"""SQLite application id that marks a file as a collection."""
SCHEMA_VERSION: Final = 1
"""Version of the tables. Readers reject other versions; a build replaces them."""
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
CREATE TABLE names (            -- titles of pages and the names that their headings define
    name TEXT NOT NULL,
    page INTEGER NOT NULL,
    start INTEGER NOT NULL,     -- offset in the text; -1 for the title
    PRIMARY KEY (name, page, start)
) WITHOUT ROWID;
CREATE VIRTUAL TABLE search USING fts5 (
    title, headings, lead, body, content='', tokenize='{TOKENIZER}'
);
CREATE TABLE frequencies (      -- number of pages that contain each term of the index
    term TEXT PRIMARY KEY,
    num_pages INTEGER NOT NULL
) WITHOUT ROWID;
"""

LOCK_SECONDS = 2
"""Seconds to wait for a program that has locked the file."""


def address_key(url: str) -> str:
    """Normalize a URL for look-ups: no fragment, non-ASCII characters percent-encoded."""
    return quote(url.partition("#")[0], safe="!$%&'()*+,/:;=?@[]~", errors="replace")


def connect(path: Path) -> sqlite3.Connection:
    """Open a collection file for reading.

    Raises:
        CollectionError: There is no file, it cannot be read, or it is not a collection of this version.
    """
    while True:
        if not path.is_file():
            raise CollectionError(f"there is no collection {path}; make one with: webgpt index pydoc --out {path}")
        before = path.stat()
        connection = None
        try:
            uri = f"{path.absolute().as_uri()}?mode=ro"
            connection = sqlite3.connect(uri, uri=True, check_same_thread=False, timeout=LOCK_SECONDS, isolation_level=None)
            check_file(connection, path, before.st_size)
            connection.executescript(SET_UP)
            return connection
        except (sqlite3.Error, CollectionError) as error:
            if connection is not None:
                connection.close()
            if path.is_file() and path.stat().st_ino != before.st_ino:
                continue  # a build has replaced the file while it was being opened
            if isinstance(error, CollectionError):
                raise
            raise CollectionError(describe_error(path, error)) from error


def check_file(connection: sqlite3.Connection, path: Path, file_size: int) -> None:
    """Check that a file is a complete collection of this version.

    Raises:
        CollectionError: The file is not a collection, or it is of another version or incomplete.
    """
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    if application != APPLICATION_ID:
        raise CollectionError(f"{path} is not a collection; make one with: webgpt index SOURCE --out FILE")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version != SCHEMA_VERSION:
        raise CollectionError(
            f"{path} is a collection of version {version}, but this program reads version {SCHEMA_VERSION}; index it again"
        )
    (size,) = connection.execute("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size").fetchone()
    if size != file_size or not connection.execute("SELECT 1 FROM about WHERE key = 'digest'").fetchone():
        raise CollectionError(f"{path} is incomplete; delete it and index again")


def describe_error(path: Path, error: Exception) -> str:
    """Describe a SQLite error in one line, with advice what to do."""
    if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
        return f"{path} is locked by another program; close that program and try again"
    if isinstance(error, sqlite3.OperationalError) and "unable to open" in str(error):
        return f"{path} cannot be opened; check its permissions"
    return f"{path} is damaged or not a collection ({error}); delete it and index again"


def load_page(url: str, title: str, text: bytes, spans: bytes, notes: str) -> Page:
    """Convert a row of the table ``pages`` to a page."""
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
    """Convert a page to url, title, text, spans and notes of its row; the inverse of `load_page`."""
    spans = [[(link.start, link.end, link.url) for link in page.links], page.anchors, page.headings]
    return (
        page.url,
        page.title,
        zlib.compress(page.text.encode()),
        zlib.compress(json.dumps(spans, separators=(",", ":")).encode()),
        json.dumps(page.notes),
    )
