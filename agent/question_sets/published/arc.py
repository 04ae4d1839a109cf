"""ARC (Clark et al. 2018): multiple-choice questions, in the wording of the paper's Appendix B."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from string import ascii_uppercase
from typing import Annotated

from pydantic import Field, TypeAdapter

from agent.question_sets.published.files import jsonl_rows
from browser_env.errors import RecordError
from browser_env.records import Question


@dataclass(frozen=True, slots=True)
class Choice:
    """An option of a question."""

    text: str
    label: str


@dataclass(frozen=True, slots=True)
class MultipleChoice:
    """A question and its options."""

    stem: Annotated[str, Field(min_length=1)]
    choices: Annotated[list[Choice], Field(min_length=2, max_length=26)]


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the published file."""

    id: str
    question: MultipleChoice
    answer_key: Annotated[str, Field(alias="answerKey")]


def arc(path: Path) -> Iterator[Question]:
    """The questions of a file such as ``ARC-Challenge-Test.jsonl``.

    Options get new letters, because some published ones are numbered. Accepted answers are the letter, the option, or both.

    Raises:
        RecordError: A line does not have ARC's format, or its key is not one of its options.
    """
    for number, row in jsonl_rows(path, TypeAdapter(Row)):
        options = {letter: choice.text for letter, choice in zip(ascii_uppercase, row.question.choices, strict=False)}
        keys = [letter for letter, choice in zip(options, row.question.choices, strict=True) if choice.label == row.answer_key]
        if not keys:
            raise RecordError(f"{path}:{number}: answerKey: {row.answer_key!r} is not the label of an option")
        key = keys[0]
        yield Question(
            id=f"arc-{row.id}",
            text="\n".join((row.question.stem, *(f"{letter}. {option}" for letter, option in options.items()))),
            dataset="arc",
            answers=(f"{key}. {options[key]}", options[key], key),
            incorrect_answers=tuple(option for letter, option in options.items() if letter != key),
        )
