"""Reading the files of other people's data sets: rows as dataclasses of the published shape, or one line on what is wrong.

A row's dataclass has the fields that are used and no others; what else a file has is ignored, as its authors may add to it.
"""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from browser_env.errors import RecordError
from browser_env.pages.characters import clean_line
from browser_env.records.files import read_text_lines

Row = TypeVar("Row")


def jsonl_rows(path: Path, adapter: TypeAdapter[Row]) -> Iterator[tuple[int, Row]]:
    """The rows of a file of JSON Lines, each with the number of its line. Empty lines are skipped.

    Raises:
        RecordError: The file cannot be read, or a line is no such row; the rows before it have been yielded.
    """
    for number, line in enumerate(read_text_lines(path), start=1):
        if line.strip():
            yield number, _row(adapter, f"{path}:{number}", line, is_json=True)


def json_rows(path: Path, key: str, adapter: TypeAdapter[Row]) -> Iterator[Row]:
    """The rows of a JSON object's list.

    Raises:
        RecordError: The file cannot be read or is no JSON, or an entry is no such row; the rows before it have been yielded.
    """
    try:
        whole = json.loads("\n".join(read_text_lines(path)))
    except json.JSONDecodeError as error:
        raise RecordError(f"{path}:{error.lineno}: is no JSON: {error.msg}") from error
    entries = whole.get(key) if isinstance(whole, dict) else None
    if not isinstance(entries, list):
        raise RecordError(f"{path}:1: has no list {key!r}")
    for number, entry in enumerate(entries):
        yield _row(adapter, f"{path}: {key}[{number}]", entry, is_json=False)


def csv_rows(path: Path, adapter: TypeAdapter[Row]) -> Iterator[tuple[int, Row]]:
    """The rows of a CSV file with a header, each with the number of its first line.

    Raises:
        RecordError: The file cannot be read, or a row lacks a column; the rows before it have been yielded.
    """
    table = csv.DictReader((f"{line}\n" for line in read_text_lines(path)), strict=True)
    first = 2
    try:
        for row in table:
            there = {column: value for column, value in row.items() if value is not None}
            yield first, _row(adapter, f"{path}:{first}", there, is_json=False)
            first = table.line_num + 1
    except csv.Error as error:
        raise RecordError(f"{path}:{first}: is no CSV: {error}") from error


def _row(adapter: TypeAdapter[Row], where: str, value: object, *, is_json: bool) -> Row:
    try:
        return adapter.validate_json(str(value)) if is_json else adapter.validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"]))
        what = "is no JSON" if first["type"] == "json_invalid" else f"{place}: {first['msg']}" if place else first["msg"]
        raise RecordError(clean_line(f"{where}: {what}")[:300]) from error
