"""Reading records from files and from folders of recordings.

A folder contains finished recordings (sealed journals), unfinished ones, and possibly files of records; a file contains one
record per line. `read_sources` yields problems as values beside the records, so that one pass finds all of them, as for
`webgpt data check`. `records` raises an error for the first problem.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from browser_env.errors import RecordError, UsageError
from browser_env.records import Comparison, Episode, Question
from browser_env.records.files import write_atomically
from browser_env.records.storage import Record, RecordKind, parse_record, read_lines
from recorder.comparisons.events import JOURNAL as COMPARISON
from recorder.comparisons.events import SCHEMA as COMPARISON_SCHEMA
from recorder.comparisons.rating import Rating
from recorder.demonstrations.events import JOURNAL as DEMONSTRATION
from recorder.demonstrations.events import SCHEMA as DEMONSTRATION_SCHEMA
from recorder.demonstrations.export import replay
from recorder.demonstrations.session import finished
from recorder.journal.journal import read_journal

NAMES: Final[dict[type[Record], str]] = {Episode: "episode", Comparison: "comparison", Question: "question"}
"""Names of the kinds of records in messages."""


@dataclass(frozen=True, slots=True)
class LocatedRecord:
    """A record and its location."""

    location: str
    """``FILE:LINE``, or the path of the journal."""
    record: Record


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A recording that is not submitted."""

    location: str
    """Path of the journal."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem with a record or a recording."""

    location: str
    """``FILE:LINE``, or the path of a journal or page."""
    message: str
    """The problem in one line, with advice where there is any."""

    def __str__(self) -> str:
        return f"{self.location}: {self.message}"


def read_sources(sources: Sequence[Path]) -> Iterator[LocatedRecord | Unfinished | Problem]:
    """Yield all records, unfinished recordings and problems in files and folders, in order. Nothing is written.

    Finished recordings are checked against their digest, and their records are computed from the events. The episode of a
    demonstration is also replayed in the environment, which must show the same text at every step.

    Raises:
        UsageError: A source does not exist or contains no records.
    """
    for source in sources:
        if source.is_dir():
            yield from _read_folder(source)
        elif source.name in (DEMONSTRATION, COMPARISON) and source.exists():
            yield _read_recording(source)
        elif source.exists():
            yield from _read_file(source)
        else:
            raise UsageError(f"{source}: no such file or folder")


def records(sources: Sequence[Path], kind: type[RecordKind]) -> list[RecordKind]:
    """Return the records of a kind in files and folders, without unfinished recordings and other kinds.

    Raises:
        RecordError: A record or recording has a problem.
        UsageError: There are no records of this kind.
    """
    wanted = [entry.record for entry in without_problems(read_sources(sources)) if isinstance(entry.record, kind)]
    if not wanted:
        raise UsageError(f"there is no {NAMES[kind]} in {', '.join(map(str, sources))}")
    return wanted


def without_problems(entries: Iterable[LocatedRecord | Unfinished | Problem]) -> Iterator[LocatedRecord]:
    """Yield the records among some entries.

    Raises:
        RecordError: An entry is a problem.
    """
    for entry in entries:
        if isinstance(entry, Problem):
            raise RecordError(f"{entry} (webgpt data check lists all problems)")
        if isinstance(entry, LocatedRecord):
            yield entry


def write_lines(out: Path, lines: Iterable[str]) -> int:
    """Write lines to a new file atomically, and return their number.

    Raises:
        UsageError: The file exists.
        RecordError: The file cannot be written.
    """
    if out.exists():
        raise UsageError(f"{out} exists already; choose another --out")
    written = list(lines)
    try:
        write_atomically(out, "".join(f"{line}\n" for line in written).encode())
    except OSError as error:
        raise RecordError(f"{out}: cannot be written: {error.strerror}") from error
    return len(written)


def _read_folder(folder: Path) -> Iterator[LocatedRecord | Unfinished | Problem]:
    paths = sorted(folder.rglob("*.jsonl"))
    if not paths:
        raise UsageError(f"{folder}: contains no recordings")
    for path in paths:
        if path.name in (DEMONSTRATION, COMPARISON):
            yield _read_recording(path)
        else:
            yield from _read_file(path)


def _read_recording(path: Path) -> LocatedRecord | Unfinished | Problem:
    try:
        if path.name == COMPARISON:
            if read_journal(path, COMPARISON_SCHEMA).digest is None:
                return Unfinished(str(path))
            with Rating(path.parent) as compared:
                return LocatedRecord(str(path), compared.comparison())
        if read_journal(path, DEMONSTRATION_SCHEMA).digest is None:
            return Unfinished(str(path))
        [demonstration] = finished(path.parent)
        episode = demonstration.episode()
        difference = replay(episode, demonstration.web())
    except RecordError as error:
        return Problem(*_split(path, error))
    return Problem(str(path), f"does not replay: {difference}") if difference else LocatedRecord(str(path), episode)


def _read_file(path: Path) -> Iterator[LocatedRecord | Problem]:
    try:
        for number, line in read_lines(path):
            location = f"{path}:{number}"
            kind = _kind(line)
            if kind is None:
                yield Problem(location, _not_a_record(line))
                continue
            try:
                yield LocatedRecord(location, parse_record(line, kind))  # type: ignore[type-var]  # one of the three
            except RecordError as error:
                yield Problem(location, str(error))
    except RecordError as error:
        yield Problem(*_split(path, error))


def _split(path: Path, error: RecordError) -> tuple[str, str]:
    """Split a message that begins with a path, perhaps with a line number, into the location and the problem."""
    location, colon, message = str(error).partition(": ")
    return (location, message) if colon and location.startswith(str(path.parent)) else (str(path), str(error))


def _kind(line: bytes) -> type[Record] | None:
    """Return the kind of the record in a line, from a key that only this kind has. None if it is not a record."""
    try:
        row = json.loads(line)
    except ValueError:
        return Episode if line.lstrip().startswith(b"{") else None  # a truncated record: parsing it reports the problem
    if not isinstance(row, dict):
        return None
    if "labeler" in row:
        return Comparison
    if "actor" in row:
        return Episode
    return Question if {"id", "text"} <= row.keys() else None


def _not_a_record(line: bytes) -> str:
    published = line.lstrip().startswith(b"[") or b'"score_0"' in line
    if published:
        return "is a published comparison; convert it with webgpt data import"
    return "is not an episode, comparison or question"
