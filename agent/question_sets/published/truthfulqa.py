"""TruthfulQA (Lin et al. 2021): questions that some people answer falsely, with true and false answers.

The file contains a canary and is for evaluation only: no split of it may be trained on.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter

from agent.question_sets.published.files import csv_rows
from browser_env.records import Question
from browser_env.records.digests import stable_hash


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the published CSV file; columns that are not used are left out."""

    category: Annotated[str, Field(alias="Category")]
    question: Annotated[str, Field(alias="Question", min_length=1)]
    best_answer: Annotated[str, Field(alias="Best Answer")]
    correct_answers: Annotated[str, Field(alias="Correct Answers")]
    """Separated by semicolons, like `incorrect_answers`."""
    incorrect_answers: Annotated[str, Field(alias="Incorrect Answers")]


def truthfulqa(path: Path) -> Iterator[Question]:
    """The questions of ``TruthfulQA.csv``; the kind of each is its category."""
    for _, row in csv_rows(path, TypeAdapter(Row)):
        best = row.best_answer.strip()
        yield Question(
            id=f"truthfulqa-{stable_hash(row.question)[:12]}",
            text=row.question.strip(),
            dataset="truthfulqa",
            kind=row.category,
            reference_answer=best or None,
            answers=tuple(dict.fromkeys((*filter(None, [best]), *_answers(row.correct_answers)))),
            incorrect_answers=_answers(row.incorrect_answers),
        )


def _answers(text: str) -> tuple[str, ...]:
    return tuple(filter(None, map(str.strip, text.split(";"))))
