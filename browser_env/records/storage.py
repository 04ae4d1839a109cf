"""Records on disk: JSON Lines, one record a line, read strictly and written so that nothing already there can be lost.

The columns are plain, so ``datasets.load_dataset("json")`` and every other reader of JSON Lines takes the files as they are.
"""

import gzip
import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import IO, Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from browser_env.errors import RecordError, UsageError
from browser_env.pages.characters import clean_line
from browser_env.records.comparison import Comparison
from browser_env.records.episode import Episode
from browser_env.records.question import Question

R = TypeVar("R", Episode, Question, Comparison)


def storable(text: str) -> str:
    """Text that UTF-8 can hold: every lone surrogate becomes U+FFFD, two that belong together the character they mean."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def read_records(path: Path, kind: type[R]) -> Iterator[R]:
    """The records of a file, in order, each as soon as it is read. Empty lines are skipped.

    Raises:
        RecordError: The file cannot be read, or a line is no such record: an unknown or missing key, a wrong type, another
            schema version, a line that its writer was stopped in. All records before that line have been yielded.
    """
    for number, line in read_lines(path):
        try:
            yield parse_record(line, kind)
        except RecordError as error:
            raise RecordError(f"{path}:{number}: {error}") from error


def read_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The lines of a file that are not empty, with their numbers from 1.

    Raises:
        RecordError: The file cannot be read.
    """
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.isspace():
                    yield number, line
    except OSError as error:
        raise RecordError(f"{path}: cannot be read: {error.strerror}") from error


def parse_record(line: bytes, kind: type[R]) -> R:
    """The record of a line.

    Raises:
        RecordError: It is none; the message does not say where the line is.
    """
    try:
        parsed: R = _adapter(kind.__name__).validate_json(line, strict=True)
    except ValidationError as error:
        raise RecordError(_problem(error, line, kind)) from error
    return parsed


def record_line(record: Episode | Question | Comparison) -> str:
    """A record as a line, without its line feed. Lone surrogates become U+FFFD, which is all that UTF-8 allows.

    Raises:
        ValueError: A number in the record is not finite: JSON has no such number.
    """
    return storable(json.dumps(asdict(record), ensure_ascii=False, allow_nan=False))


def text_lines(path: Path) -> Iterator[str]:
    """The lines of a text file, without their ends; a name that ends in ``.gz`` says that it is compressed.

    Raises:
        RecordError: It cannot be read, or is no UTF-8.
    """
    number = 0
    try:
        with _open_text(path) as file:
            for line in file:
                number += 1
                yield line.rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise RecordError(f"{path}:{number + 1}: is no UTF-8") from error
    except (OSError, EOFError) as error:
        raise RecordError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error


def append_record(path: Path, record: Episode | Question | Comparison, *, fsync: bool = False) -> None:
    """Add one line to a file, which is made if there is none.

    The line goes out in a single write, so writers in several processes can share a file; one that a full disk cuts is
    taken back. A line that an earlier writer was stopped in stays as it is, on a line of its own.

    Args:
        path: The file.
        record: As `record_line` writes it.
        fsync: Also wait until the disk has it.

    Raises:
        RecordError: The file cannot be written.
        ValueError: A number in the record is not finite: JSON has no such number.
    """
    line = record_line(record).encode() + b"\n"
    try:
        with path.open("a+b", buffering=0) as file:
            size = file.seek(0, os.SEEK_END)
            if size:
                file.seek(size - 1)
                if file.read(1) != b"\n":
                    line = b"\n" + line
            if file.write(line) != len(line):
                file.truncate(size)
                raise RecordError(f"{path}: cannot be written: the disk is full")
            if fsync:
                os.fsync(file.fileno())
    except OSError as error:
        raise RecordError(f"{path}: cannot be written: {error.strerror}") from error


def drop_torn_line(path: Path) -> None:
    """Take away a last line without its line feed: its writer was stopped in it. A file that does not exist is whole."""
    try:
        with path.open("r+b") as file:
            content = file.read()
            if not content.endswith(b"\n"):
                file.truncate(content.rfind(b"\n") + 1)
    except FileNotFoundError:
        return


@cache
def _adapter(name: str) -> TypeAdapter[Any]:
    """The reader of a kind of record, by its name; made once, because that takes longer than reading a line."""
    return TypeAdapter({kind.__name__: kind for kind in (Episode, Question, Comparison)}[name])


def _problem(error: ValidationError, line: bytes, kind: type[object]) -> str:
    """One line on what is wrong with a line: another version before all else, since it explains the rest."""
    problems = error.errors(include_url=False, include_context=False)
    first = min(problems, key=lambda problem: problem["loc"][:1] != ("schema_version",))
    if first["type"] == "json_invalid":
        cut = "" if line.endswith(b"\n") else "; the writer was stopped in it"
        return f"is no JSON{cut}; delete this line to read on"
    if first["loc"] == ("schema_version",):
        return f"schema version {first['input']!r} is not the one that this program reads"
    where = ".".join(map(str, first["loc"])) or "the line"
    return clean_line(f"is no {kind.__name__}: {where}: {first['msg']}")[:300]


def _open_text(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="\n")
    return path.open(encoding="utf-8-sig", newline="\n")


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """One process at a time in a folder. The lock is SQLite's, on an empty file that stays: it ends with the process.

    Raises:
        UsageError: Another one is at work in it.
    """
    with closing(sqlite3.connect(folder / ".lock", timeout=0, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            raise UsageError(f"another program is at work in {folder}; wait until it is done") from error
        yield
