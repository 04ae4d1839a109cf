"""Reading files of published data sets: rows become dataclasses, and errors name the file, the line and the field.

A row's dataclass has only the fields that are used; other fields of a file are ignored, because its authors may add some.
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
    """The rows of a JSON Lines file, each with its line number. Empty lines are skipped.

    Raises:
        RecordError: The file cannot be read, or a line is not such a row; raised after the rows before it.
    """
    for number, line in enumerate(read_text_lines(path), start=1):
        if line.strip():
            yield number, _row(adapter, f"{path}:{number}", line, is_json=True)


def json_rows(path: Path, key: str, adapter: TypeAdapter[Row]) -> Iterator[Row]:
    """The rows in a list of a JSON object.

    Args:
        path: File of the object.
        key: Key of the list.
        adapter: Validator of a row.

    Raises:
        RecordError: The file cannot be read or is not JSON, or an entry is not such a row; raised after the rows before it.
    """
    try:
        content = json.loads("\n".join(read_text_lines(path)))
    except json.JSONDecodeError as error:
        raise RecordError(f"{path}:{error.lineno}: is not JSON: {error.msg}") from error
    entries = content.get(key) if isinstance(content, dict) else None
    if not isinstance(entries, list):
        raise RecordError(f"{path}:1: has no list {key!r}")
    for number, entry in enumerate(entries):
        yield _row(adapter, f"{path}: {key}[{number}]", entry, is_json=False)


def csv_rows(path: Path, adapter: TypeAdapter[Row]) -> Iterator[tuple[int, Row]]:
    """The rows of a CSV file with a header, each with the number of its first line.

    Raises:
        RecordError: The file cannot be read, or a row lacks a column; raised after the rows before it.
    """
    table = csv.DictReader((f"{line}\n" for line in read_text_lines(path)), strict=True)
    first = 2
    try:
        for row in table:
            values = {column: value for column, value in row.items() if value is not None}
            yield first, _row(adapter, f"{path}:{first}", values, is_json=False)
            first = table.line_num + 1
    except csv.Error as error:
        raise RecordError(f"{path}:{first}: is not CSV: {error}") from error


def _row(adapter: TypeAdapter[Row], where: str, value: object, *, is_json: bool) -> Row:
    try:
        return adapter.validate_json(str(value)) if is_json else adapter.validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"]))
        problem = "is not JSON" if first["type"] == "json_invalid" else f"{place}: {first['msg']}" if place else first["msg"]
        raise RecordError(clean_line(f"{where}: {problem}")[:300]) from error
