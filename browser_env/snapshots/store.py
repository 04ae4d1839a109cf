"""Storage of snapshots, with which episodes can be replayed and citations checked years later.

A folder of snapshots contains one SQLite file. It stores *answers*, the results of a `Backend` for a query or a URL,
errors included, and *responses*, which servers sent to the network client. Bodies are compressed and stored once, by their
hash. SQLite makes writing safe: several processes can write at the same time, and a process that is killed leaves complete
answers. A request has one answer in a folder, which is given again to later recordings, so that every episode recorded there
can be replayed. To fetch pages again, record into another folder.
"""

import hashlib
import json
import sqlite3
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from browser_env.errors import SnapshotError
from browser_env.network.messages import Response
from browser_env.records.storage import storable
from browser_env.rendering.decoding import decode
from browser_env.rendering.render import RENDERER_VERSION
from browser_env.snapshots.answers import Answer, Kind

FILE_NAME: Final = "snapshots.sqlite"
FORMAT: Final = 1
"""Version of the tables; a file of another version is not read."""
BUSY_SECONDS: Final = 30
"""Seconds that a writer waits for other writers."""

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


@dataclass(frozen=True, slots=True)
class RecordedResponse:
    """A server's response to a GET, or a redirect."""

    response: Response
    decoder: str
    """Python codec of the body; empty if it is not text."""
    at: str
    """Time of the response, ISO 8601 in UTC."""


def utc_now() -> datetime:
    """The current time in UTC."""
    return datetime.now(UTC)


class SnapshotStore:
    """A folder of snapshots. Thread-safe, and safe for several processes.

    Args:
        folder: The folder.
        create: Whether to write, and to create the folder if it does not exist; otherwise it must exist.
        now: Returns the current time.

    Raises:
        SnapshotError: The folder does not exist, is corrupt or of another version, or cannot be written.
    """

    def __init__(self, folder: Path, *, create: bool = False, now: Callable[[], datetime] = utc_now) -> None:
        self.path = folder / FILE_NAME
        self._now = now
        self._lock = threading.Lock()
        if not create and not self.path.is_file():
            raise SnapshotError(f"there are no snapshots in {folder}; record some with --record {folder}")
        try:
            if create:
                folder.mkdir(parents=True, exist_ok=True)
            # Writable even for reading, so that SQLite can roll back what a killed writer left unfinished.
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
            raise SnapshotError(f"{self.path} is of version {version}; this program reads version {FORMAT}")

    @property
    def backend(self) -> str | None:
        """Name of the backend that was recorded; None if there is none yet."""
        with self._transaction("BEGIN"):
            row = self._connection.execute("SELECT value FROM about WHERE key = 'backend'").fetchone()
        return None if row is None else str(row[0])

    def begin(self, backend: str) -> None:
        """Begin to record a backend.

        Args:
            backend: Name of the backend.

        Raises:
            SnapshotError: The folder contains snapshots of another backend.
        """
        with self._transaction():
            self._connection.execute("INSERT OR IGNORE INTO about VALUES ('backend', ?)", (backend,))
        if (recorded := self.backend) != backend:
            raise SnapshotError(f"{self.path.parent} holds snapshots of {recorded}, not of {backend}; pass another folder")

    def answer(self, kind: Kind, request: str) -> Answer | None:
        """The answer to a query or a URL; None if it was not recorded."""
        with self._transaction("BEGIN"):
            row = self._connection.execute(
                "SELECT url, at, renderer, digest FROM answers WHERE kind = ? AND asked = ?", (kind, storable(request))
            ).fetchone()
            if row is None:
                return None
            url, at, renderer, digest = row
            return Answer(kind, request, url, at, renderer, self._content(digest))

    def keep(self, kind: Kind, request: str, url: str, body: bytes) -> Answer:
        """Store an answer and return it, or return the one that another writer stored first."""
        self.add_answer(Answer(kind, storable(request), storable(url), self._time(), RENDERER_VERSION, body))
        answer = self.answer(kind, request)
        assert answer is not None
        return answer

    def add_answer(self, answer: Answer) -> None:
        """Store an answer, unless its request has one."""
        with self._transaction():
            digest = self._store_content(answer.body)
            self._connection.execute(
                "INSERT OR IGNORE INTO answers VALUES (?, ?, ?, ?, ?, ?)",
                (answer.kind, answer.request, answer.url, answer.at, answer.renderer, digest),
            )

    def add_response(self, response: Response, at: str | None = None) -> None:
        """Store a response, unless the same is stored; the ``on_response`` callback of a `Network`.

        Args:
            response: A response to a GET.
            at: Time of the response, ISO 8601 in UTC. Default: now.
        """
        is_text = (response.content_type or "").startswith("text/") or b"\0" not in response.body[:1024]
        decoder = decode(response.body, response.content_type).encoding if is_text else ""
        headers = json.dumps(dict(response.headers))
        with self._transaction():
            digest = self._store_content(response.body)
            self._connection.execute(
                "INSERT OR IGNORE INTO responses (url, status, headers, decoder, at, digest) VALUES (?, ?, ?, ?, ?, ?)",
                (storable(response.url), response.status, headers, decoder, at or self._time(), digest),
            )

    def last_response(self, url: str) -> RecordedResponse | None:
        """The last response that was stored for a URL; None if there is none."""
        return next(self._responses("WHERE url = ? ORDER BY id DESC LIMIT 1", (storable(url),)), None)

    def responses(self) -> Iterator[RecordedResponse]:
        """All responses, in the order in which they were stored."""
        last = 0
        with self._transaction("BEGIN"):
            (last,) = self._connection.execute("SELECT coalesce(max(id), 0) FROM responses").fetchone()
        for response_id in range(1, last + 1):
            yield from self._responses("WHERE id = ?", (response_id,))

    def answers(self) -> Iterator[Answer]:
        """All answers, in the order in which they were stored."""
        with self._transaction("BEGIN"):
            keys = self._connection.execute("SELECT kind, asked FROM answers ORDER BY rowid").fetchall()
        for kind, request in keys:
            if answer := self.answer(kind, request):
                yield answer

    @property
    def counts(self) -> tuple[int, int]:
        """The numbers of answers and of responses."""
        with self._transaction("BEGIN"):
            num_answers, num_responses = self._connection.execute(
                "SELECT (SELECT count(*) FROM answers), (SELECT count(*) FROM responses)"
            ).fetchone()
        return num_answers, num_responses

    def close(self) -> None:
        """Close the file; everything has been written before."""
        with self._lock:
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _time(self) -> str:
        return self._now().strftime("%Y-%m-%dT%H:%M:%SZ")

    def _responses(self, where: str, values: tuple[object, ...]) -> Iterator[RecordedResponse]:
        with self._transaction("BEGIN"):
            rows = self._connection.execute(
                f"SELECT url, status, headers, decoder, at, digest FROM responses {where}", values
            ).fetchall()
            responses = [
                RecordedResponse(Response(url, status, json.loads(headers), self._content(digest)), decoder, at)
                for url, status, headers, decoder, at, digest in rows
            ]
        yield from responses

    def _store_content(self, body: bytes) -> str:
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
            raise SnapshotError(f"{self.path} is corrupt: content {digest[:12]} does not match its hash")
        return body

    @contextmanager
    def _transaction(self, begin: str = "BEGIN IMMEDIATE") -> Iterator[None]:
        """Run statements as one transaction, one thread at a time."""
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
