"""Writing the documents of a source to the tables of a collection."""

import hashlib
import sqlite3
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from browser_env.errors import FetchError
from browser_env.offline_web.file_format import address_key, dump_page, load_page
from browser_env.offline_web.query import defined_names, index_text
from browser_env.offline_web.ranking import TITLE
from browser_env.offline_web.sources import Expected, Item, Redirect, Skipped, Source
from browser_env.pages.document import Document
from browser_env.pages.page import Page
from browser_env.rendering.links import is_http
from browser_env.rendering.render import RENDERER_VERSION, render

LEAD = 400
"""Characters at the beginning of a page that are indexed as its lead, which usually introduces its subject."""

OnItem = Callable[[Item], None]
"""Called with each item of a source after it has been indexed."""


@dataclass(frozen=True, slots=True)
class Report:
    """Numbers of pages after a build, and the skipped items."""

    num_pages: int
    """Pages in the collection."""
    num_rendered: int
    """Pages that are new or have changed."""
    num_removed: int
    """Pages that the source no longer has."""
    skipped: tuple[Skipped, ...]
    """Items that are not in the collection, with reasons."""


class IndexWriter:
    """Writes one build of a collection in one transaction.

    Args:
        connection: The database.
        addresses: `Source.addresses` of the source.
    """

    def __init__(self, connection: sqlite3.Connection, addresses: frozenset[str]) -> None:
        self._connection = connection
        self._addresses = addresses
        self._seen: set[str] = set()
        self._redirects: dict[str, str] = {}
        self._skipped: list[Skipped] = []
        self._num_rendered = 0

    def write(self, source: Source, label: str, made_from: str, on_item: OnItem | None) -> Report:
        """Index all items of a source and remove the pages that it no longer has."""
        self._connection.execute("PRAGMA journal_mode = off")  # the file is a copy, deleted if the build fails
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
        self._replace_redirects()
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
        page_id = cursor.lastrowid
        self._connection.execute(
            "INSERT INTO search (rowid, title, headings, lead, body) VALUES (?, ?, ?, ?, ?)", (page_id, *_columns(page))
        )
        self._connection.executemany(
            "INSERT OR IGNORE INTO names VALUES (?, ?, ?)", ((name, page_id, start) for name, start in _names(page))
        )

    def _remove(self, url: str) -> None:
        page_id, *row = self._connection.execute(
            "SELECT id, url, title, text, spans, notes FROM pages WHERE url = ?", (url,)
        ).fetchone()
        # The index does not store its columns, so SQLite needs them to delete a row.
        page = load_page(*row)
        self._connection.execute(
            "INSERT INTO search (search, rowid, title, headings, lead, body) VALUES ('delete', ?, ?, ?, ?, ?)",
            (page_id, *_columns(page)),
        )
        self._connection.executemany(
            "DELETE FROM names WHERE name = ? AND page = ? AND start = ?",
            ((name, page_id, start) for name, start in _names(page)),
        )
        self._connection.execute("DELETE FROM pages WHERE id = ?", (page_id,))

    def _remove_others(self) -> int:
        """Remove the pages that the source no longer has; returns their number."""
        removed = [url for (url,) in self._connection.execute("SELECT url FROM pages ORDER BY id") if url not in self._seen]
        for url in removed:
            self._remove(url)
        return len(removed)

    def _replace_redirects(self) -> None:
        rows = [row for row in sorted(self._redirects.items()) if row[1] in self._seen and row[0] not in self._seen]
        self._connection.execute("DELETE FROM redirects")
        self._connection.executemany("INSERT INTO redirects VALUES (?, ?)", rows)

    def _count_terms(self) -> None:
        """Store the document frequencies of all terms, which SQLite would otherwise count for every query."""
        self._connection.execute("CREATE VIRTUAL TABLE temp.vocabulary USING fts5vocab(main, search, row)")
        self._connection.execute("DELETE FROM frequencies")
        self._connection.execute("INSERT INTO frequencies SELECT term, doc FROM vocabulary")

    def _digest(self) -> str:
        content = hashlib.sha256()
        for row in self._connection.execute("SELECT url, digest FROM pages UNION ALL SELECT * FROM redirects ORDER BY 1, 2"):
            content.update("\0".join(row).encode("utf-8", "surrogatepass") + b"\n")
        return content.hexdigest()[:16]


def _columns(page: Page) -> tuple[str, str, str, str]:
    """The indexed columns of a page: title, headings, lead and text."""
    headings = "\n".join(page.text[start:end] for start, end in page.headings)
    return index_text(page.title), index_text(headings), index_text(page.text[:LEAD]), index_text(page.text)


def _names(page: Page) -> Iterator[tuple[str, int]]:
    """The title of a page and the names that its headings define, with their offsets."""
    yield page.title.lower(), TITLE
    for start, end in page.headings:
        for name in defined_names(page.text[start:end]):
            yield name, start
