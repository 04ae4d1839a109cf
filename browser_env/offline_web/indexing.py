"""Writes collections: from a source's documents to the file that `browser_env.offline_web.collection` reads.

A build works on a copy beside the file and puts it in place at the end, whole or not at all: whoever reads the old one goes
on reading it, and a build that is killed leaves it as it was. Pages whose source has not changed are not rendered again.
"""

import hashlib
import shutil
import sqlite3
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_cache_path

from browser_env.errors import CollectionError, FetchError
from browser_env.offline_web.collection import (
    APPLICATION_ID,
    SCHEMA,
    Collection,
    address_key,
    check,
    dump_page,
    load_page,
    problem,
)
from browser_env.offline_web.query import defined_names, index_text
from browser_env.offline_web.ranking import TITLE
from browser_env.offline_web.sources import Expected, Item, Redirect, Skipped, Source
from browser_env.offline_web.sources.python_docs import PythonDocs
from browser_env.pages.document import Document
from browser_env.pages.page import Page
from browser_env.records.files import sync_file, sync_folder
from browser_env.rendering.links import is_http
from browser_env.rendering.render import RENDERER_VERSION, render

LEAD = 400
"""Characters at the beginning of a page, in which it says what it is about."""
LOCK_SECONDS = 600
"""How long a build waits for another one of the same file."""

OnItem = Callable[[Item], None]
"""Is told of every item of the source as it has been dealt with."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a build did."""

    num_pages: int
    """In the collection now."""
    num_rendered: int
    """New or changed."""
    num_removed: int
    """No longer in the source."""
    skipped: tuple[Skipped, ...]


def build(
    path: Path, source: Source, *, label: str | None = None, made_from: str = "", on_item: OnItem | None = None
) -> Report:
    """Make a collection of a source's documents, or bring an existing one up to date.

    Args:
        path: The file. Another build of it is waited for.
        source: Yields the documents.
        label: First part of its name; None: the source's.
        made_from: Kept with it, for `Collection.made_from`.
        on_item: For a progress bar.

    Raises:
        CollectionError: The file cannot be written, is not ours to replace, or there would be nothing in it.
    """
    building = path.with_name(f".{path.name}.building")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _lock(path):
            try:
                if path.exists() and not _is_ours(path):
                    raise CollectionError(f"{path} exists and is no collection; choose another file")
                with closing(_open_copy(path, building)) as connection:
                    report = _Writer(connection, source.addresses).write(source, label or source.label, made_from, on_item)
                if not report.num_pages:
                    reasons = f" ({report.skipped[0].name}: {report.skipped[0].reason})" if report.skipped else ""
                    raise CollectionError(f"there is no page to index{reasons}; {path} was left as it was")
                _put_in_place(building, path)
            finally:
                building.unlink(missing_ok=True)
    except OSError as error:
        raise CollectionError(f"{path} cannot be written: {error.strerror or error}") from error
    except sqlite3.Error as error:
        raise CollectionError(problem(path, error)) from error
    return report


def default_collection(on_item: OnItem | None = None, *, folder: Path | None = None) -> Collection:
    """The documentation of the Python that runs this, indexed on first use.

    It is kept in the platform's cache folder, and made again when another Python or another version of this program asks for
    it, or when it cannot be read.

    Raises:
        CollectionError: It cannot be made.
    """
    path = default_path(folder)
    made_from = python_version()
    try:
        collection = Collection.open(path)
        if collection.made_from == made_from:
            return collection
        collection.close()
    except CollectionError:
        if path.is_file() and not _is_ours(path):
            path.unlink()  # nobody else's file: it stands in our own cache
    build(path, PythonDocs(), made_from=made_from, on_item=on_item)
    return Collection.open(path)


def default_path(folder: Path | None = None) -> Path:
    """Where that collection is kept; None: in the platform's cache folder."""
    version = ".".join(map(str, sys.version_info[:3]))
    return (folder or user_cache_path("open-webgpt")) / f"pydoc-{version}.sqlite"


def python_version() -> str:
    """What a collection of the Python documentation is made from."""
    return f"Python {sys.version}; renderer {RENDERER_VERSION}"


def _is_ours(path: Path) -> bool:
    """Whether the head of a file is that of a collection, of whatever version, however damaged the rest."""
    with path.open("rb") as file:
        head = file.read(100)
    return not head or (head.startswith(b"SQLite format 3\0") and head[68:72] == APPLICATION_ID.to_bytes(4, "big"))


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """One build of a file at a time. The lock is SQLite's, on an empty file that stays: it ends with the process."""
    lock = path.with_name(f".{path.name}.lock")
    with closing(sqlite3.connect(lock, timeout=LOCK_SECONDS, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            raise CollectionError(f"{path} is being built by another program; wait until it is done") from error
        yield


def _open_copy(path: Path, building: Path) -> sqlite3.Connection:
    """A copy of the collection, or an empty one if there is none that is good."""
    building.unlink(missing_ok=True)
    if path.exists():
        shutil.copyfile(path, building)
        connection = _connect(building)
        if _is_good(connection, building):
            return connection
        connection.close()
        building.unlink()
    connection = _connect(building)
    connection.executescript(SCHEMA)
    return connection


def _connect(building: Path) -> sqlite3.Connection:
    return sqlite3.connect(building, isolation_level=None)


def _is_good(connection: sqlite3.Connection, building: Path) -> bool:
    try:
        check(connection, building, building.stat().st_size)
        return bool(connection.execute("PRAGMA quick_check(1)").fetchone() == ("ok",))
    except (sqlite3.DatabaseError, CollectionError):
        return False


def _put_in_place(building: Path, path: Path) -> None:
    sync_file(building)
    building.replace(path)
    sync_folder(path.parent)


class _Writer:
    """One build, in one transaction."""

    def __init__(self, connection: sqlite3.Connection, addresses: frozenset[str]) -> None:
        self._connection = connection
        self._addresses = addresses
        self._seen: set[str] = set()
        self._redirects: dict[str, str] = {}
        self._skipped: list[Skipped] = []
        self._num_rendered = 0

    def write(self, source: Source, label: str, made_from: str, on_item: OnItem | None) -> Report:
        self._connection.execute("PRAGMA journal_mode = off")  # what is torn is thrown away
        self._connection.execute("PRAGMA synchronous = off")
        self._connection.execute("BEGIN")
        for item in source:
            match item:
                case Document():
                    self._add(item)
                case Redirect(url, target):
                    self._redirects[address_key(url)] = address_key(target)
                case Skipped():
                    self._skipped.append(item)
                case Expected():
                    pass
            if on_item is not None:
                on_item(item)
        num_removed = self._remove_others()
        self._connection.execute("DELETE FROM redirects")
        self._connection.executemany(
            "INSERT INTO redirects VALUES (?, ?)",
            (
                (url, target)
                for url, target in sorted(self._redirects.items())
                if target in self._seen and url not in self._seen
            ),
        )
        self._connection.execute("INSERT INTO search (search) VALUES ('optimize')")
        self._count_terms()
        about = {"label": label, "made_from": made_from, "num_pages": str(len(self._seen)), "digest": self._digest()}
        self._connection.executemany("INSERT OR REPLACE INTO about VALUES (?, ?)", about.items())
        self._connection.execute("COMMIT")
        return Report(len(self._seen), self._num_rendered, num_removed, tuple(self._skipped))

    def _add(self, document: Document) -> None:
        url = address_key(document.url)
        if url in self._seen:
            return
        head = f"{RENDERER_VERSION}\0{document.content_type}\0{document.status}\0".encode("utf-8", "surrogatepass")
        digest = hashlib.sha256(head + document.body).hexdigest()[:32]
        known = self._connection.execute("SELECT digest FROM pages WHERE url = ?", (url,)).fetchone()
        if known != (digest,):
            try:
                page = render(document, followable=lambda url: is_http(url) or address_key(url) in self._addresses)
            except FetchError as error:
                self._skipped.append(Skipped(url, str(error)))
                return
            if known is not None:
                self._remove(url)
            self._insert(url, page, document, digest)
            self._num_rendered += 1
        self._seen.add(url)

    def _insert(self, url: str, page: Page, document: Document, digest: str) -> None:
        row = dump_page(page)
        cursor = self._connection.execute(
            "INSERT INTO pages (url, title, text, spans, notes, num_characters, num_links, num_source_bytes, source, "
            "content_type, digest) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                url,
                *row[1:],
                len(page.text),
                len(page.links),
                len(document.body),
                zlib.compress(document.body),
                document.content_type,
                digest,
            ),
        )
        number = cursor.lastrowid
        self._connection.execute(
            "INSERT INTO search (rowid, title, headings, lead, body) VALUES (?, ?, ?, ?, ?)", (number, *_columns(page))
        )
        self._connection.executemany(
            "INSERT OR IGNORE INTO names VALUES (?, ?, ?)", ((name, number, start) for name, start in _names(page))
        )

    def _remove(self, url: str) -> None:
        number, *row = self._connection.execute(
            "SELECT id, url, title, text, spans, notes FROM pages WHERE url = ?", (url,)
        ).fetchone()
        # An index without content is told what it had: the same columns, made again from the page.
        page = load_page(*row)
        self._connection.execute(
            "INSERT INTO search (search, rowid, title, headings, lead, body) VALUES ('delete', ?, ?, ?, ?, ?)",
            (number, *_columns(page)),
        )
        self._connection.executemany(
            "DELETE FROM names WHERE name = ? AND page = ? AND start = ?",
            ((name, number, start) for name, start in _names(page)),
        )
        self._connection.execute("DELETE FROM pages WHERE id = ?", (number,))

    def _remove_others(self) -> int:
        gone = [url for (url,) in self._connection.execute("SELECT url FROM pages ORDER BY id") if url not in self._seen]
        for url in gone:
            self._remove(url)
        return len(gone)

    def _count_terms(self) -> None:
        """Keep what SQLite would count anew for each query, page by page."""
        self._connection.execute("CREATE VIRTUAL TABLE temp.vocabulary USING fts5vocab(main, search, row)")
        self._connection.execute("DELETE FROM frequencies")
        self._connection.execute("INSERT INTO frequencies SELECT term, doc FROM vocabulary")

    def _digest(self) -> str:
        content = hashlib.sha256()
        for row in self._connection.execute("SELECT url, digest FROM pages UNION ALL SELECT * FROM redirects ORDER BY 1, 2"):
            content.update("\0".join(row).encode("utf-8", "surrogatepass") + b"\n")
        return content.hexdigest()[:16]


def _columns(page: Page) -> tuple[str, str, str, str]:
    """What is indexed of a page: title, headings, beginning, text."""
    headings = "\n".join(page.text[start:end] for start, end in page.headings)
    return index_text(page.title), index_text(headings), index_text(page.text[:LEAD]), index_text(page.text)


def _names(page: Page) -> Iterator[tuple[str, int]]:
    """What a page is called, and what its headings define."""
    yield page.title.lower(), TITLE
    for start, end in page.headings:
        for name in defined_names(page.text[start:end]):
            yield name, start
