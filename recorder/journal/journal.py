"""The append-only log of one recording: what is in it has happened, and nothing has that is not.

A line is an event; it is on the disk before its effect is shown, so whatever ends the program (a closed terminal, a kill, a
power cut) costs at most the event that was being written. A file that is cut at any byte opens: its torn last line is
dropped. Nothing is ever rewritten, undo is an event like the others, and a finished journal ends with a digest of all its
bytes, so that a later change is noticed.

::

    {"schema_version": 1, "journal": "demonstration"}
    {"elapsed": 0.0, "event": {"event": "begin", ...}}
    {"elapsed": 7.25, "event": {"event": "act", "command": "Search crows", ...}}
    {"sealed": "<sha256 of the lines above>"}
"""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Generic, Self, TypeVar

from pydantic import TypeAdapter, ValidationError

from browser_env.errors import RecordError
from browser_env.pages.characters import clean_line
from browser_env.records.files import make_folder, sync_folder
from browser_env.records.storage import storable

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

SCHEMA_VERSION: Final = 1
"""Version of the journal's format; a reader refuses others."""

E = TypeVar("E", bound="DataclassInstance")


@dataclass(frozen=True, slots=True)
class Entry(Generic[E]):
    """An event and when it happened."""

    event: E
    elapsed: float
    """Seconds of work on this recording until then; the time between two openings does not count."""


@dataclass(frozen=True, slots=True)
class Content(Generic[E]):
    """What a journal's file holds."""

    entries: tuple[Entry[E], ...]
    digest: str | None
    """Of a sealed journal; None: it goes on."""
    size: int
    """Bytes of whole lines."""
    torn: int
    """Bytes behind them, of a line that its writer was stopped in."""


class Schema(Generic[E]):
    """What kind of journal it is, and its events: a union of records that a field tells apart."""

    def __init__(self, name: str, adapter: TypeAdapter[E]) -> None:
        self.name = name
        self._adapter = adapter

    def encode(self, event: E, elapsed: float) -> bytes:
        """The line of an event. Lone surrogates become U+FFFD."""
        return _line({"elapsed": elapsed, "event": asdict(event)})

    def decode(self, line: bytes) -> Entry[E]:
        """The event of a line.

        Raises:
            ValueError: It is none.
        """
        row = json.loads(line)
        if not isinstance(row, dict) or row.keys() != {"elapsed", "event"} or type(row["elapsed"]) not in (int, float):
            raise ValueError("an event has its time and itself, and nothing else")
        return Entry(self._adapter.validate_json(json.dumps(row["event"]), strict=True), float(row["elapsed"]))


def read_journal(path: Path, schema: Schema[E]) -> Content[E]:
    """The events of a journal, which is left as it is.

    Raises:
        RecordError: It cannot be read, is of another kind or version, has a line that is no event, or was changed after it was
            sealed.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RecordError(f"{path}: cannot be read: {error.strerror}") from error
    *lines, _ = data.split(b"\n")
    if len(lines) > 1 and not _is_json(lines[-1]):
        lines.pop()  # its end came to the disk, and its middle did not
    size = sum(len(line) + 1 for line in lines)
    if not lines:
        return Content((), None, 0, len(data))
    _check_header(path, lines[0], schema.name)
    entries: list[Entry[E]] = []
    for number, line in enumerate(lines[1:], start=2):
        if line.startswith(b'{"sealed"'):
            digest = hashlib.sha256(data[: size - len(line) - 1]).hexdigest()
            if number != len(lines) or json.loads(line) != {"sealed": digest} or len(data) != size:
                raise RecordError(f"{path}: was changed after it was sealed; take it from a copy")
            return Content(tuple(entries), digest, size, 0)
        try:
            entries.append(schema.decode(line))
        except ValueError as error:  # pydantic's is one
            raise RecordError(f"{path}:{number}: is no event of a {schema.name}: {_problem(error)}") from error
    return Content(tuple(entries), None, size, len(data) - size)


class Journal(Generic[E]):
    """A journal that is open for more. A context manager; leaving it closes the file and seals nothing.

    Nothing is written before the first event, so a journal can be read where nothing can be written.
    """

    def __init__(self, path: Path, schema: Schema[E]) -> None:
        """Open a journal, or begin one. A torn last line is dropped; the next event takes its place in the file.

        Raises:
            RecordError: See `read_journal`.
        """
        self.path = path
        self._schema = schema
        self._file: FileIO | None = None
        content: Content[E] = read_journal(path, schema) if path.exists() else Content((), None, 0, 0)
        self.entries: tuple[Entry[E], ...] = content.entries
        """What was in it when it was opened."""
        self.digest = content.digest
        """Of all its lines, once it is sealed."""
        self._size, self._torn = content.size, content.torn
        self._hash = hashlib.sha256()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def as_written(self, event: E, elapsed: float) -> Entry[E]:
        """An event as it will be read again: what it does must be worked out from this.

        Raises:
            ValueError: It is no event of this journal.
        """
        return self._schema.decode(self._schema.encode(event, elapsed))

    def append(self, entry: Entry[E]) -> None:
        """Write an event; when this returns, the disk has it.

        Raises:
            RecordError: The disk does not have it, the journal is as it was, and the event must not be shown.
            ValueError: The journal is sealed.
        """
        if self.digest is not None:
            raise ValueError(f"{self.path} is sealed")
        self._write(self._schema.encode(entry.event, entry.elapsed))

    def seal(self) -> str:
        """End the journal with the digest of its lines; again does nothing."""
        if self.digest is None:
            with self._guarded():
                self._open()
            digest = self._hash.hexdigest()
            self._write(_line({"sealed": digest}))
            self.digest = digest
        return self.digest

    def close(self) -> None:
        """Close the file; again does nothing."""
        if self._file is not None:
            self._file.close()

    def _write(self, line: bytes) -> None:
        with self._guarded():
            file = self._open()
            if os.fstat(file.fileno()).st_size != self._size:
                raise RecordError(f"{self.path}: another program has written to it; close this one and open it again")
            try:
                if file.write(line) != len(line):
                    raise RecordError(f"{self.path}: cannot be written: the disk is full; make room and do it again")
                os.fsync(file.fileno())
            except (OSError, RecordError):
                file.truncate(self._size)
                raise
        self._size += len(line)
        self._hash.update(line)

    def _open(self) -> FileIO:
        """The file, ready for the next line: without a torn one, with its header."""
        if self._file is None:
            make_folder(self.path.parent)
            file = open(self.path, "a+b", buffering=0)  # noqa: PTH123, SIM115 - Path.open hides the type; `close` closes it
            if os.fstat(file.fileno()).st_size != self._size + self._torn:
                file.close()
                raise RecordError(f"{self.path}: another program has written to it; close this one and open it again")
            file.truncate(self._size)
            self._torn = 0
            file.seek(0)
            self._hash.update(file.read(self._size) or b"")
            self._file = file
            if not self._size:
                self._write(_line({"schema_version": SCHEMA_VERSION, "journal": self._schema.name}))
                sync_folder(self.path.parent)
        return self._file

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise RecordError(f"{self.path}: cannot be written: {error.strerror}") from error


def _line(row: dict[str, Any]) -> bytes:
    return storable(json.dumps(row, ensure_ascii=False, allow_nan=False)).encode() + b"\n"


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def _check_header(path: Path, line: bytes, name: str) -> None:
    header = json.loads(line) if _is_json(line) else None
    if not isinstance(header, dict) or header.keys() != {"schema_version", "journal"}:
        raise RecordError(f"{path}: is no journal of the recorder")
    if header["schema_version"] != SCHEMA_VERSION:
        raise RecordError(f"{path}: schema version {header['schema_version']!r} is not the one that this program reads")
    if header["journal"] != name:
        raise RecordError(f"{path}: is the journal of a {header['journal']}, not of a {name}")


def _problem(error: ValueError) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_context=False)[0]
        return clean_line(f"{'.'.join(map(str, first['loc'])) or 'the line'}: {first['msg']}")[:300]
    return clean_line(str(error))[:300]
