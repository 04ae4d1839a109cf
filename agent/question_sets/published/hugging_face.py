"""Questions from any data set that the package `datasets` can load, with a mapping from its columns to the question's fields.

The mapping is part of the name, as in ``hf:NAME?text=question&answers=answers.text``: each field names a column, or a dotted
path into one. The package `datasets` is imported only here, when it is needed.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any
from urllib.parse import parse_qsl

from browser_env.errors import RecordError, UsageError
from browser_env.records import Question
from browser_env.records.digests import stable_hash

FIELDS = ("id", "text", "kind", "reference_answer", "answers", "incorrect_answers")
"""Fields of a question that a column can fill."""


@dataclass(frozen=True, slots=True)
class Source:
    """A data set and the mapping of its columns."""

    name: str
    columns: Mapping[str, str]
    """Name of the column for each field."""
    config: str | None
    """Configuration of the data set; None: its only one."""
    split: str
    """The data set's own split."""

    @classmethod
    def parse(cls, spec: str) -> "Source":
        """Read ``NAME?text=question&split=validation``.

        Raises:
            UsageError: It names a field that a question does not have.
        """
        name, _, query = spec.partition("?")
        options = dict(parse_qsl(query, keep_blank_values=True))
        config, split = options.pop("config", None), options.pop("split", "train")
        if unknown := sorted(options.keys() - set(FIELDS)):
            raise UsageError(f"hf:{name}: {unknown[0]!r} is not a field; the fields are config, split, {', '.join(FIELDS)}")
        return cls(name, {"text": "question"} | options, config, split)


def hugging_face(spec: str) -> Iterator[Question]:
    """Load a data set from the hub or a folder, by its name and mapping.

    Raises:
        UsageError: `datasets` is not installed, or cannot load the data set.
        RecordError: A row lacks a column.
    """
    source = Source.parse(spec)
    try:
        datasets = import_module("datasets")
    except ImportError as error:
        raise UsageError(f"hf:{source.name} needs the package datasets; install it with: pip install datasets") from error
    try:
        rows: Iterable[Mapping[str, Any]] = datasets.load_dataset(source.name, source.config, split=source.split)
    except (OSError, ValueError) as error:
        raise UsageError(f"hf:{source.name} cannot be loaded: {error}") from error
    yield from questions_of_rows(rows, source)


def questions_of_rows(rows: Iterable[Mapping[str, Any]], source: Source) -> Iterator[Question]:
    """A question for each row.

    Raises:
        RecordError: A row lacks a column; raised after the rows before it.
    """
    for number, row in enumerate(rows):
        texts = {field: _texts(row, column, f"hf:{source.name}[{number}]") for field, column in source.columns.items()}
        (text, *_) = texts["text"] or ("",)
        if not text.strip():
            raise RecordError(f"hf:{source.name}[{number}]: its text is empty")
        (name, *_) = texts.get("id") or (stable_hash(text)[:12],)
        yield Question(
            id=name,
            text=text.strip(),
            dataset=source.name,
            kind=next(iter(texts.get("kind", ())), None),
            reference_answer=next(iter(texts.get("reference_answer", ())), None),
            answers=texts.get("answers", ()),
            incorrect_answers=texts.get("incorrect_answers", ()),
        )


def _texts(row: Mapping[str, Any], column: str, where: str) -> tuple[str, ...]:
    """The values of a column as texts: a dotted path leads into nested tables, and lists are flattened."""
    values: list[Any] = [row]
    for key in column.split("."):
        values = _flat(values)
        if any(not isinstance(value, Mapping) or key not in value for value in values):
            raise RecordError(f"{where}: has no column {column!r}")
        values = [value[key] for value in values]
    return tuple(str(value) for value in _flat(values) if value is not None)


def _flat(values: list[Any]) -> list[Any]:
    return [inner for value in values for inner in (value if isinstance(value, list) else [value])]
