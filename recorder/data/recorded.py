"""What was recorded, wherever it lies: files of records, and folders in which people record, read as one.

A folder holds finished recordings (sealed journals), unfinished ones, and perhaps files of records; a file holds a record a
line. Everything that is wrong comes out as a value beside what is right, so that one look finds all of it
(`webgpt data check`); whoever needs whole data asks `records` and gets an error instead.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from browser_env.errors import RecordError, UsageError
from browser_env.records import Comparison, Episode, Question
from browser_env.records.files import write_whole
from browser_env.records.storage import parse_record, read_lines
from recorder.comparisons.events import JOURNAL as COMPARISON
from recorder.comparisons.events import SCHEMA as COMPARISON_SCHEMA
from recorder.comparisons.rating import Rating
from recorder.demonstrations.events import JOURNAL as DEMONSTRATION
from recorder.demonstrations.events import SCHEMA as DEMONSTRATION_SCHEMA
from recorder.demonstrations.export import replay
from recorder.demonstrations.session import finished
from recorder.journal.journal import read_journal

Record = Episode | Comparison | Question
R = TypeVar("R", Episode, Comparison, Question)

NAMES: Final[dict[type[Record], str]] = {Episode: "episode", Comparison: "comparison", Question: "question"}


@dataclass(frozen=True, slots=True)
class Found:
    """A record and where it stands."""

    where: str
    """``FILE:LINE``, or the journal that it comes from."""
    record: Record


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A recording that somebody has not submitted."""

    where: str


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is not as it should be."""

    where: str
    what: str
    """One line, and what to do about it where that is known."""

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


def look(sources: Sequence[Path]) -> Iterator[Found | Unfinished | Problem]:
    """All that is in some files and folders, in their order; nothing is written.

    A finished recording is held against its digest and done again from its events; of a demonstration, the episode is then
    replayed in the environment, which must show the same text at every step.

    Raises:
        UsageError: A source is not there, or nothing is recorded in it.
    """
    for source in sources:
        if source.is_dir():
            yield from _look_in_folder(source)
        elif source.name in (DEMONSTRATION, COMPARISON) and source.exists():
            yield _look_at_journal(source)
        elif source.exists():
            yield from _look_at_file(source)
        else:
            raise UsageError(f"there is no file or folder {source}")


def records(sources: Sequence[Path], kind: type[R]) -> list[R]:
    """The records of a kind in some files and folders; unfinished recordings and records of other kinds are left out.

    Raises:
        RecordError: Something cannot be read, or is not as it was recorded; the first such thing.
        UsageError: There is none of that kind.
    """
    found = [one.record for one in whole(look(sources)) if isinstance(one.record, kind)]
    if not found:
        raise UsageError(f"there is no {NAMES[kind]} in {', '.join(map(str, sources))}")
    return found


def whole(looked: Iterable[Found | Unfinished | Problem]) -> Iterator[Found]:
    """The records alone.

    Raises:
        RecordError: One of them is not as it should be.
    """
    for one in looked:
        if isinstance(one, Problem):
            raise RecordError(f"{one} (webgpt data check lists everything)")
        if isinstance(one, Found):
            yield one


def write_lines(out: Path, lines: Iterable[str]) -> int:
    """Write a new file of some lines, whole or not at all; the number of lines.

    Raises:
        UsageError: The file is there already.
        RecordError: It cannot be written.
    """
    if out.exists():
        raise UsageError(f"{out} is there already; choose another --out")
    written = list(lines)
    try:
        write_whole(out, "".join(f"{line}\n" for line in written).encode())
    except OSError as error:
        raise RecordError(f"{out}: cannot be written: {error.strerror}") from error
    return len(written)


def _look_in_folder(folder: Path) -> Iterator[Found | Unfinished | Problem]:
    paths = sorted(folder.rglob("*.jsonl"))
    if not paths:
        raise UsageError(f"nothing is recorded in {folder}")
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
                yield Problem(where, _no_record(line))
                continue
            try:
                yield Found(where, parse_record(line, kind))  # type: ignore[type-var]  # it is one of the three
            except RecordError as error:
                yield Problem(where, str(error))
    except RecordError as error:
        yield Problem(*_split(path, error))


def _split(path: Path, error: RecordError) -> tuple[str, str]:
    """Where it is and what it is, of a message that begins with a path and perhaps a line."""
    where, colon, what = str(error).partition(": ")
    return (where, what) if colon and where.startswith(str(path.parent)) else (str(path), str(error))


def _kind(line: bytes) -> type[Record] | None:
    """Which record a line is by a key that only that one has; None: none of them."""
    try:
        row = json.loads(line)
    except ValueError:
        return Episode if line.lstrip().startswith(b"{") else None  # its reader says what is wrong with it
    if not isinstance(row, dict):
        return None
    if "labeler" in row:
        return Comparison
    if "actor" in row:
        return Episode
    return Question if {"id", "text"} <= row.keys() else None


def _no_record(line: bytes) -> str:
    published = line.lstrip().startswith(b"[") or b'"score_0"' in line
    if published:
        return "is a published comparison; webgpt data import makes a comparison of it"
    return "is no episode, comparison or question"
