"""Reading of records from files and from folders of recordings.

A folder contains finished recordings (sealed journals), unfinished ones, and possibly files of records; a file contains one
record per line. `look` yields problems as values beside the records, so that one pass finds all of them (`webgpt data check`).
`records` raises an error for the first problem.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from browser_env.errors import RecordError, UsageError
from browser_env.records import Comparison, Episode, Question
from browser_env.records.files import write_whole
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
class Found:
    """A record and its location."""

    where: str
    """``FILE:LINE``, or the path of the journal."""
    record: Record


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A recording that is not submitted."""

    where: str
    """Path of the journal."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem with a record or a recording."""

    where: str
    """``FILE:LINE``, or the path of a journal or page."""
    what: str
    """One line: the problem, and what to do about it if known."""

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


def look(sources: Sequence[Path]) -> Iterator[Found | Unfinished | Problem]:
    """Yield everything in files and folders, in their order. Nothing is written.

    Finished recordings are checked against their digest and computed again from their events. The episode of a demonstration is
    also replayed in the environment, which must show the same text at every step.

    Raises:
        UsageError: A source does not exist or contains no records.
    """
    for source in sources:
        if source.is_dir():
            yield from _look_in_folder(source)
        elif source.name in (DEMONSTRATION, COMPARISON) and source.exists():
            yield _look_at_journal(source)
        elif source.exists():
            yield from _look_at_file(source)
        else:
            raise UsageError(f"{source}: no such file or folder")


def records(sources: Sequence[Path], kind: type[RecordKind]) -> list[RecordKind]:
    """Return the records of a kind in files and folders, without unfinished recordings and other kinds.

    Raises:
        RecordError: A record or recording has a problem.
        UsageError: There are no records of this kind.
    """
    wanted = [found.record for found in without_problems(look(sources)) if isinstance(found.record, kind)]
    if not wanted:
        raise UsageError(f"there is no {NAMES[kind]} in {', '.join(map(str, sources))}")
    return wanted


def without_problems(entries: Iterable[Found | Unfinished | Problem]) -> Iterator[Found]:
    """Yield the records alone.

    Raises:
        RecordError: An entry is a problem.
    """
    for entry in entries:
        if isinstance(entry, Problem):
            raise RecordError(f"{entry} (webgpt data check lists all problems)")
        if isinstance(entry, Found):
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
        write_whole(out, "".join(f"{line}\n" for line in written).encode())
    except OSError as error:
        raise RecordError(f"{out}: cannot be written: {error.strerror}") from error
    return len(written)


def _look_in_folder(folder: Path) -> Iterator[Found | Unfinished | Problem]:
    paths = sorted(folder.rglob("*.jsonl"))
    if not paths:
        raise UsageError(f"{folder}: contains no recordings")
    for path in paths:
        if path.name in (DEMONSTRATION, COMPARISON):
            yield _look_at_journal(path)
        else:
            yield from _look_at_file(path)


def _look_at_journal(path: Path) -> Found | Unfinished | Problem:
    try:
        if path.name == COMPARISON:
            if read_journal(path, COMPARISON_SCHEMA).digest is None:
                return Unfinished(str(path))
            with Rating(path.parent) as compared:
                return Found(str(path), compared.comparison())
        if read_journal(path, DEMONSTRATION_SCHEMA).digest is None:
            return Unfinished(str(path))
        [demonstration] = finished(path.parent)
        episode = demonstration.episode()
        difference = replay(episode, demonstration.web())
    except RecordError as error:
        return Problem(*_split(path, error))
    return Problem(str(path), f"does not replay: {difference}") if difference else Found(str(path), episode)


def _look_at_file(path: Path) -> Iterator[Found | Problem]:
    try:
        for number, line in read_lines(path):
            where = f"{path}:{number}"
            kind = _kind(line)
            if kind is None:
                yield Problem(where, _not_a_record(line))
                continue
            try:
                yield Found(where, parse_record(line, kind))  # type: ignore[type-var]  # it is one of the three
            except RecordError as error:
                yield Problem(where, str(error))
    except RecordError as error:
        yield Problem(*_split(path, error))


def _split(path: Path, error: RecordError) -> tuple[str, str]:
    """Split a message that begins with a path, perhaps with a line number, into the location and the problem."""
    where, colon, what = str(error).partition(": ")
    return (where, what) if colon and where.startswith(str(path.parent)) else (str(path), str(error))


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
