"""Files of records: JSON Lines with one record per line, read strictly and written by appending.

The fields are plain values, so ``datasets.load_dataset("json")`` and other readers of JSON Lines can read the files.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from browser_env.errors import RecordError
from browser_env.pages.characters import clean_line
from browser_env.records.comparison import Comparison
from browser_env.records.episode import Episode
from browser_env.records.question import Question
from browser_env.records.record import SCHEMA_VERSION

Record = Episode | Question | Comparison
"""The kinds of records that have their own files."""
RecordKind = TypeVar("RecordKind", Episode, Question, Comparison)


def storable(text: str) -> str:
    """Make a text encodable as UTF-8: surrogate pairs become the characters that they encode, lone surrogates U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def read_records(path: Path, kind: type[RecordKind]) -> Iterator[RecordKind]:
    """Read the records of a file one by one; empty lines are skipped.

    Raises:
        RecordError: The file cannot be read, or a line is not such a record: an unknown or missing key, a wrong type, another
            schema version, or an incomplete line. All records before that line have been yielded.
    """
    for number, line in read_lines(path):
        try:
            yield parse_record(line, kind)
        except RecordError as error:
            raise RecordError(f"{path}:{number}: {error}") from error


def read_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Read the lines of a file that are not empty, with their line numbers from 1.

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


def parse_record(line: bytes, kind: type[RecordKind]) -> RecordKind:
    """Parse a line as a record.

    Raises:
        RecordError: The line is not such a record; the message does not name the file or the line.
    """
    try:
        parsed: RecordKind = _adapter(kind.__name__).validate_json(line, strict=True)
    except ValidationError as error:
        raise RecordError(_problem(error, line, kind)) from error
    return parsed


def record_line(record: Record) -> str:
    """Format a record as a line without its line feed; lone surrogates become U+FFFD.

    Raises:
        ValueError: A number in the record is not finite, so JSON cannot represent it.
    """
    return storable(json.dumps(asdict(record), ensure_ascii=False, allow_nan=False))


def append_record(path: Path, record: Record, *, fsync: bool = False) -> None:
    """Append a record to a file, as `append_line` does.

    Raises:
        RecordError: The file cannot be written.
        ValueError: A number in the record is not finite, so JSON cannot represent it.
    """
    append_line(path, record_line(record), fsync=fsync)


def append_line(path: Path, line: str, *, fsync: bool = False) -> None:
    """Append a line to a text file, which is created if it does not exist.

    The line is written in a single call, so several processes can append to the same file. If the disk is full, an incomplete
    line is removed again. An incomplete last line of an earlier writer stays as it is, and the line is written below it.

    Args:
        path: The file.
        line: The line, without its line feed.
        fsync: Also wait until the line is on disk.

    Raises:
        RecordError: The file cannot be written.
    """
    content = storable(line).encode() + b"\n"
    try:
        with path.open("a+b", buffering=0) as file:
            size = file.seek(0, os.SEEK_END)
            if size:
                file.seek(size - 1)
                if file.read(1) != b"\n":
                    content = b"\n" + content
            if file.write(content) != len(content):
                file.truncate(size)
                raise RecordError(f"{path}: cannot be written: the disk is full")
            if fsync:
                os.fsync(file.fileno())
    except OSError as error:
        raise RecordError(f"{path}: cannot be written: {error.strerror}") from error


def drop_torn_line(path: Path) -> None:
    """Remove an incomplete last line, such as a killed writer leaves; does nothing if there is no file."""
    try:
        with path.open("r+b") as file:
            content = file.read()
            if not content.endswith(b"\n"):
                file.truncate(content.rfind(b"\n") + 1)
    except FileNotFoundError:
        return


@cache
def _adapter(name: str) -> TypeAdapter[Any]:
    """The parser of a kind of record, by its class name. Cached, because creating it takes longer than parsing a line."""
    return TypeAdapter({kind.__name__: kind for kind in (Episode, Question, Comparison)}[name])


def _problem(error: ValidationError, line: bytes, kind: type[object]) -> str:
    """Describe in one line why a line is not a record; an unsupported schema version comes before other problems."""
    problems = error.errors(include_url=False, include_context=False)
    first = min(problems, key=lambda problem: problem["loc"][:1] != ("schema_version",))
    if first["type"] == "json_invalid":
        cut = "" if line.endswith(b"\n") else " (it is incomplete: its writer was stopped)"
        return f"is not JSON{cut}; delete this line to read the rest"
    if first["loc"] == ("schema_version",):
        return f"schema version {first['input']!r} is not supported; expected {SCHEMA_VERSION}"
    where = ".".join(map(str, first["loc"])) or "the line"
    return clean_line(f"is not a valid {kind.__name__}: {where}: {first['msg']}")[:300]
