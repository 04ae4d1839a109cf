"""What a web answered, kept to be seen again: to replay an episode, to train on it, to check a citation years later.

A folder of snapshots is one SQLite file. It holds *answers*, what a `Backend` returned for a query or an address, errors
included, and *responses*, what servers sent to make those; bodies are compressed and stored once, under the hash of their
content. SQLite is what makes it safe: writers in several processes take turns, and one that is killed leaves what it had
finished. An address has one answer in a folder: whoever records into it again is given that one, so all episodes recorded
there can be replayed. For a new look at the web, take a new folder.
"""

import hashlib
import json
import sqlite3
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self

from browser_env.errors import FetchError, SnapshotError
from browser_env.network.messages import Response
from browser_env.pages.page import Link, Page
from browser_env.records.storage import storable
from browser_env.rendering.decoding import decode
from browser_env.rendering.render import RENDERER_VERSION

FILE_NAME: Final = "snapshots.sqlite"
FORMAT: Final = 1
"""Version of the file's tables."""
BUSY_SECONDS: Final = 30
"""How long a writer waits for others."""
MAX_REDIRECTS: Final = 10

_SCHEMA = """
CREATE TABLE about (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE content (digest TEXT PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE answers (
    kind TEXT NOT NULL, asked TEXT NOT NULL, url TEXT NOT NULL, at TEXT NOT NULL, renderer INTEGER NOT NULL,
    digest TEXT NOT NULL, PRIMARY KEY (kind, asked)
);
CREATE TABLE responses (
    id INTEGER PRIMARY KEY, url TEXT NOT NULL, status INTEGER NOT NULL, headers TEXT NOT NULL, decoder TEXT NOT NULL,
    at TEXT NOT NULL, digest TEXT NOT NULL, UNIQUE (url, status, digest)
);
"""

Kind = Literal["search", "page"]
"""What was asked: a query, or an address."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a backend returned."""

    kind: Kind
    asked: str
    """The query or the address."""
    url: str
    """Where the page was finally found; the address that was asked for where there is none, empty for a search."""
    at: str
    """When, as ISO 8601 in UTC."""
    renderer: int
    """`RENDERER_VERSION` of the program that made it."""
    body: bytes
    """JSON: ``{"hits": [...]}``, ``{"page": {...}}`` or ``{"error": "..."}``."""


@dataclass(frozen=True, slots=True)
class Received:
    """What a server sent to a GET, a redirect included."""

    response: Response
    decoder: str
    """Encoding that its body is read in; empty for what is no text."""
    at: str


def utc_now() -> datetime:
    """The time, with its zone."""
    return datetime.now(UTC)


class SnapshotStore:
    """A folder of snapshots; for many threads, and many processes beside each other.

    Args:
        folder: Where it is.
        create: Make it if there is none, and write into it; otherwise it must be there and is only read.
        now: Tells the time.

    Raises:
        SnapshotError: There is none, it is corrupt or of another version, or it cannot be written.
    """

    def __init__(self, folder: Path, *, create: bool = False, now: Callable[[], datetime] = utc_now) -> None:
        self.path = folder / FILE_NAME
        self._now = now
        self._lock = threading.Lock()
        if not create and not self.path.is_file():
            raise SnapshotError(f"there are no snapshots in {folder}; --record {folder} makes some")
        try:
            if create:
                folder.mkdir(parents=True, exist_ok=True)
            # Writable also to read: what a killed writer left half done is then taken back.
            self._connection = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        except (OSError, sqlite3.Error) as error:
            raise SnapshotError(f"{folder} cannot be used for snapshots: {error}") from error
        try:
            with self._transaction("BEGIN IMMEDIATE" if create else "BEGIN"):
                self._prepare(create)
        except SnapshotError:
            self._connection.close()
            raise

    def _prepare(self, create: bool) -> None:
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        if version == 0 and create:
            for statement in _SCHEMA.split(";"):
                self._connection.execute(statement)
            self._connection.execute(f"PRAGMA user_version = {FORMAT}")
        elif version != FORMAT:
            raise SnapshotError(f"{self.path} is of version {version}, and this program reads version {FORMAT}")

    @property
    def backend(self) -> str | None:
        """Name of the backend that was recorded; None before the first."""
        with self._transaction("BEGIN"):
            row = self._connection.execute("SELECT value FROM about WHERE key = 'backend'").fetchone()
        return None if row is None else str(row[0])

    def begin(self, backend: str) -> None:
        """Say what is going to be recorded.

        Raises:
            SnapshotError: It holds snapshots of another web.
        """
        with self._transaction():
            self._connection.execute("INSERT OR IGNORE INTO about VALUES ('backend', ?)", (backend,))
        if (known := self.backend) != backend:
            raise SnapshotError(f"{self.path.parent} holds snapshots of {known}, not of {backend}; name another folder")

    def answer(self, kind: Kind, asked: str) -> Answer | None:
        """What was returned for a query or an address."""
        with self._transaction("BEGIN"):
            row = self._connection.execute(
                "SELECT url, at, renderer, digest FROM answers WHERE kind = ? AND asked = ?", (kind, storable(asked))
            ).fetchone()
            if row is None:
                return None
            url, at, renderer, digest = row
            return Answer(kind, asked, url, at, renderer, self._content(digest))

    def keep(self, kind: Kind, asked: str, url: str, body: bytes) -> Answer:
        """Keep an answer and return it; or return the one that somebody else has kept in the meantime."""
        self.add(Answer(kind, storable(asked), storable(url), self._time(), RENDERER_VERSION, body))
        kept = self.answer(kind, asked)
        assert kept is not None
        return kept

    def add(self, answer: Answer) -> None:
        """Keep an answer, unless there is one."""
        with self._transaction():
            digest = self._keep_content(answer.body)
            self._connection.execute(
                "INSERT OR IGNORE INTO answers VALUES (?, ?, ?, ?, ?, ?)",
                (answer.kind, answer.asked, answer.url, answer.at, answer.renderer, digest),
            )

    def receive(self, response: Response, at: str | None = None) -> None:
        """Keep what a server sent; the same once. This is what a `Network` calls."""
        is_text = (response.content_type or "").startswith("text/") or b"\0" not in response.body[:1024]
        decoder = decode(response.body, response.content_type).encoding if is_text else ""
        headers = json.dumps(dict(response.headers))
        with self._transaction():
            digest = self._keep_content(response.body)
            self._connection.execute(
                "INSERT OR IGNORE INTO responses (url, status, headers, decoder, at, digest) VALUES (?, ?, ?, ?, ?, ?)",
                (
                    storable(response.url),
                    response.status,
                    headers,
                    decoder,
                    at or self._time(),
                    digest,
                ),
            )

    def received(self, url: str) -> Received | None:
        """The last thing that a server sent at an address."""
        return next(self._received("WHERE url = ? ORDER BY id DESC LIMIT 1", (storable(url),)), None)

    def all_received(self) -> Iterator[Received]:
        """All that servers sent, in order."""
        last = 0
        with self._transaction("BEGIN"):
            (last,) = self._connection.execute("SELECT coalesce(max(id), 0) FROM responses").fetchone()
        for number in range(1, last + 1):
            yield from self._received("WHERE id = ?", (number,))

    def all_answers(self) -> Iterator[Answer]:
        """All answers, in order."""
        with self._transaction("BEGIN"):
            keys = self._connection.execute("SELECT kind, asked FROM answers ORDER BY rowid").fetchall()
        for kind, asked in keys:
            if answer := self.answer(kind, asked):
                yield answer

    @property
    def counts(self) -> tuple[int, int]:
        """Numbers of answers and of responses."""
        with self._transaction("BEGIN"):
            num_answers, num_responses = self._connection.execute(
                "SELECT (SELECT count(*) FROM answers), (SELECT count(*) FROM responses)"
            ).fetchone()
        return num_answers, num_responses

    def close(self) -> None:
        """Close the file; everything is in it."""
        with self._lock:
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _time(self) -> str:
        return self._now().strftime("%Y-%m-%dT%H:%M:%SZ")

    def _received(self, where: str, values: tuple[object, ...]) -> Iterator[Received]:
        with self._transaction("BEGIN"):
            rows = self._connection.execute(
                f"SELECT url, status, headers, decoder, at, digest FROM responses {where}", values
            ).fetchall()
            found = [
                Received(Response(url, status, json.loads(headers), self._content(digest)), decoder, at)
                for url, status, headers, decoder, at, digest in rows
            ]
        yield from found

    def _keep_content(self, body: bytes) -> str:
        digest = hashlib.sha256(body).hexdigest()
        self._connection.execute("INSERT OR IGNORE INTO content VALUES (?, ?)", (digest, zlib.compress(body)))
        return digest

    def _content(self, digest: str) -> bytes:
        row = self._connection.execute("SELECT body FROM content WHERE digest = ?", (digest,)).fetchone()
        try:
            body = zlib.decompress(row[0])
        except (TypeError, zlib.error) as error:
            raise SnapshotError(f"{self.path} is corrupt: content {digest[:12]} cannot be read") from error
        if hashlib.sha256(body).hexdigest() != digest:
            raise SnapshotError(f"{self.path} is corrupt: content {digest[:12]} is not what was kept")
        return body

    @contextmanager
    def _transaction(self, begin: str = "BEGIN IMMEDIATE") -> Iterator[None]:
        """All or nothing, one thread at a time."""
        with self._lock:
            try:
                self._connection.execute(begin)
                try:
                    yield
                except BaseException:
                    self._connection.execute("ROLLBACK")
                    raise
                self._connection.execute("COMMIT")
            except sqlite3.Error as error:
                raise SnapshotError(f"{self.path} cannot be used: {error}") from error


def load_page(value: Mapping[str, Any]) -> Page:
    """A page from what `dataclasses.asdict` made of it, and JSON of that."""
    spans = {name: tuple(map(tuple, value[name])) for name in ("anchors", "headings")}
    links = tuple(Link(**link) for link in value["links"])
    return Page(**{**value, **spans, "links": links, "notes": tuple(value["notes"])})


def _dumped(value: Mapping[str, object]) -> bytes:
    return storable(json.dumps(value, ensure_ascii=False, separators=(",", ":"))).encode()


def _loaded(answer: Answer) -> dict[str, Any]:
    """The hits or the page of an answer.

    Raises:
        FetchError: It is an error.
    """
    value: dict[str, Any] = json.loads(answer.body)
    if "error" in value:
        raise FetchError(value["error"])
    return value
