"""The append-only event log of one recording.

Each line is an event, which is on the disk before its effect is shown. A closed terminal, a killed process or a power cut
therefore loses at most the event that was being written. A file truncated at any byte still opens: the incomplete last line is
dropped. Lines are never rewritten; undo is an event like any other. A finished journal is sealed with the SHA-256 digest of
its bytes, so that later changes are detected.

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
"""Version of the journal format. Journals of another version are rejected."""

E = TypeVar("E", bound="DataclassInstance")


@dataclass(frozen=True, slots=True)
class Entry(Generic[E]):
    """An event and the time at which it happened."""

    event: E
    elapsed: float
    """Seconds spent on the recording before the event, without the time during which it was closed."""


@dataclass(frozen=True, slots=True)
class Content(Generic[E]):
    """The content of a journal file."""

    entries: tuple[Entry[E], ...]
    digest: str | None
    """Digest of a sealed journal. None if the journal is not sealed."""
    size: int
    """Number of bytes in complete lines."""
    torn: int
    """Number of bytes in an incomplete last line."""


class Schema(Generic[E]):
    """The kind of a journal and its event types, a union of records with a discriminator field."""

    def __init__(self, name: str, adapter: TypeAdapter[E]) -> None:
        self.name = name
        self._adapter = adapter

    def encode(self, event: E, elapsed: float) -> bytes:
        """Return an event as a line of JSON. Lone surrogates become U+FFFD."""
        return _line({"elapsed": elapsed, "event": asdict(event)})

    def decode(self, line: bytes) -> Entry[E]:
        """Parse a line of a journal.

        Raises:
            ValueError: The line is not an event of this schema.
        """
        row = json.loads(line)
        if not isinstance(row, dict) or row.keys() != {"elapsed", "event"} or type(row["elapsed"]) not in (int, float):
            raise ValueError("expected the keys elapsed (a number) and event, and no others")
        return Entry(self._adapter.validate_json(json.dumps(row["event"]), strict=True), float(row["elapsed"]))


def read_journal(path: Path, schema: Schema[E]) -> Content[E]:
    """Read a journal without changing it.

    Raises:
        RecordError: The file cannot be read, is of another kind or version, contains a line that is not an event, or was
            changed after it was sealed.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RecordError(f"{path}: cannot be read: {error.strerror}") from error
    *lines, _ = data.split(b"\n")
    if len(lines) > 1 and not _is_json(lines[-1]):
        lines.pop()  # the end of the line is on the disk, but its middle is not
    size = sum(len(line) + 1 for line in lines)
    if not lines:
        return Content((), None, 0, len(data))
    _check_header(path, lines[0], schema.name)
    entries: list[Entry[E]] = []
    for number, line in enumerate(lines[1:], start=2):
        if line.startswith(b'{"sealed"'):
            digest = hashlib.sha256(data[: size - len(line) - 1]).hexdigest()
            if number != len(lines) or json.loads(line) != {"sealed": digest} or len(data) != size:
                raise RecordError(f"{path}: was changed after it was sealed; restore it from a backup")
            return Content(tuple(entries), digest, size, 0)
        try:
            entries.append(schema.decode(line))
        except ValueError as error:  # includes pydantic.ValidationError
            raise RecordError(f"{path}:{number}: is not an event of a {schema.name}: {_problem(error)}") from error
    return Content(tuple(entries), None, size, len(data) - size)


def sealed_journals(folder: Path, name: str, schema: Schema[Any]) -> Iterator[Path]:
    """Yield the paths of the sealed journals with a given file name in a folder and its subfolders, sorted.

    Raises:
        RecordError: See `read_journal`.
    """
    for path in sorted(folder.rglob(name)):
        if read_journal(path, schema).digest is not None:
            yield path


class Journal(Generic[E]):
    """A journal that is open for appending. A context manager: leaving it closes the file without sealing it.

    Nothing is written before the first event, so a journal can also be opened in a read-only folder.
    """

    def __init__(self, path: Path, schema: Schema[E]) -> None:
        """Open or begin a journal. The next event replaces an incomplete last line.

        Raises:
            RecordError: See `read_journal`.
        """
        self.path = path
        self._schema = schema
        self._file: FileIO | None = None
        content: Content[E] = read_journal(path, schema) if path.exists() else Content((), None, 0, 0)
        self.entries: tuple[Entry[E], ...] = content.entries
        """The events that the file contained when it was opened."""
        self.digest = content.digest
        """SHA-256 digest of all lines. None until the journal is sealed."""
        self._size, self._torn = content.size, content.torn
        self._hash = hashlib.sha256()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def as_written(self, event: E, elapsed: float) -> Entry[E]:
        """Return an event as it will be read back. Compute its effect from this value, so that a replay gives the same state.

        Raises:
            ValueError: The event does not belong to the journal's schema.
        """
        return self._schema.decode(self._schema.encode(event, elapsed))

    def append(self, entry: Entry[E]) -> None:
        """Write an event and wait until it is on the disk.

        Raises:
            RecordError: The event cannot be written. The journal is unchanged, and the event's effect must not be shown.
            ValueError: The journal is sealed.
        """
        if self.digest is not None:
            raise ValueError(f"{self.path} is sealed")
        self._write(self._schema.encode(entry.event, entry.elapsed))

    def seal(self) -> str:
        """Finish the journal with the digest of its lines and return the digest. Sealing it twice has no effect."""
        if self.digest is None:
            with self._guarded():
                self._open()
            digest = self._hash.hexdigest()
            self._write(_line({"sealed": digest}))
            self.digest = digest
        return self.digest

    def close(self) -> None:
        """Close the file. Closing it twice has no effect."""
        if self._file is not None:
            self._file.close()

    def _write(self, line: bytes) -> None:
        with self._guarded():
            file = self._open()
            if os.fstat(file.fileno()).st_size != self._size:
                raise RecordError(f"{self.path}: another program has written to this file; leave and start again")
            try:
                if file.write(line) != len(line):
                    raise RecordError(f"{self.path}: cannot be written: the disk is full; free some space and try again")
                os.fsync(file.fileno())
            except (OSError, RecordError):
                file.truncate(self._size)
                raise
        self._size += len(line)
        self._hash.update(line)

    def _open(self) -> FileIO:
        """Open the file for the next line: drop an incomplete last line and write the header of a new file."""
        if self._file is None:
            make_folder(self.path.parent)
            file = open(self.path, "a+b", buffering=0)  # noqa: PTH123, SIM115 - Path.open hides the type; `close` closes it
            if os.fstat(file.fileno()).st_size != self._size + self._torn:
                file.close()
                raise RecordError(f"{self.path}: another program has written to this file; leave and start again")
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
        raise RecordError(f"{path}: is not a journal of the recorder")
    if header["schema_version"] != SCHEMA_VERSION:
        raise RecordError(f"{path}: expected schema version {SCHEMA_VERSION}, got {header['schema_version']!r}")
    if header["journal"] != name:
        raise RecordError(f"{path}: expected the journal of a {name}, got that of a {header['journal']}")


def _problem(error: ValueError) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_context=False)[0]
        return clean_line(f"{'.'.join(map(str, first['loc'])) or 'the line'}: {first['msg']}")[:300]
    return clean_line(str(error))[:300]
