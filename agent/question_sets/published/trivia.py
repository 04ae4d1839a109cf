"""Short factual questions with accepted answers: TriviaQA, Natural Questions and SQuAD, in their published formats."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from agent.question_sets.published.files import json_rows, jsonl_rows
from browser_env.records import Question
from browser_env.records.digests import stable_hash

_TAG = re.compile(r"<[^<>\s]+>")


@dataclass(frozen=True, slots=True)
class TriviaAnswer:
    """An answer in TriviaQA, with its aliases."""

    value: Annotated[str, Field(alias="Value")]
    aliases: Annotated[list[str], Field(alias="Aliases")]
    normalized_aliases: Annotated[list[str], Field(alias="NormalizedAliases")]


@dataclass(frozen=True, slots=True)
class TriviaRow:
    """An entry of ``Data`` in TriviaQA's JSON."""

    question: Annotated[str, Field(alias="Question", min_length=1)]
    question_id: Annotated[str, Field(alias="QuestionId")]
    answer: Annotated[TriviaAnswer, Field(alias="Answer")]


def triviaqa(path: Path) -> Iterator[Question]:
    """The questions of a TriviaQA file (Joshi et al. 2017), such as ``unfiltered-web-dev.json``."""
    for row in json_rows(path, "Data", TypeAdapter(TriviaRow)):
        answer = row.answer
        yield Question(
            id=f"triviaqa-{row.question_id}",
            text=row.question.strip(),
            dataset="triviaqa",
            reference_answer=answer.value,
            answers=_unique((answer.value, *answer.aliases, *answer.normalized_aliases)),
        )


@dataclass(frozen=True, slots=True)
class OpenRow:
    """A line of NQ-open."""

    question: Annotated[str, Field(min_length=1)]
    answer: list[str]


@dataclass(frozen=True, slots=True)
class TokenSpan:
    """A span of a document, in tokens."""

    start_token: int
    end_token: int


@dataclass(frozen=True, slots=True)
class Annotation:
    """The answers that one annotator marked in a document."""

    short_answers: list[TokenSpan]
    yes_no_answer: Literal["YES", "NO", "NONE"] = "NONE"


@dataclass(frozen=True, slots=True)
class SimplifiedRow:
    """A line of the simplified Natural Questions."""

    question_text: Annotated[str, Field(min_length=1)]
    example_id: int | str
    document_text: str
    """TokenSpan separated by spaces, HTML tags included."""
    annotations: list[Annotation]


def natural_questions(path: Path) -> Iterator[Question]:
    """The questions of a Natural Questions file (Kwiatkowski et al. 2019), in the format of NQ-open or the simplified set."""
    adapter: TypeAdapter[OpenRow | SimplifiedRow] = TypeAdapter(OpenRow | SimplifiedRow)
    for _, row in jsonl_rows(path, adapter):
        match row:
            case OpenRow(text, answers):
                name = stable_hash(text)[:12]
            case SimplifiedRow(text, example_id, document, annotations):
                name = str(example_id)
                answers = [answer for annotation in annotations for answer in _annotated(document.split(" "), annotation)]
        yield Question(id=f"nq-{name}", text=text.strip(), dataset="nq", answers=_unique(answers))


def _annotated(tokens: list[str], annotation: Annotation) -> Iterator[str]:
    if annotation.yes_no_answer != "NONE":
        yield annotation.yes_no_answer.lower()
    for span in annotation.short_answers:
        yield " ".join(_TAG.sub("", " ".join(tokens[span.start_token : span.end_token])).split())


@dataclass(frozen=True, slots=True)
class SquadAnswer:
    """An answer in SQuAD."""

    text: str


@dataclass(frozen=True, slots=True)
class SquadQuestion:
    """A question about a paragraph."""

    id: str
    question: Annotated[str, Field(min_length=1)]
    answers: list[SquadAnswer] = field(default_factory=list)
    is_impossible: bool = False


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph of an article."""

    qas: list[SquadQuestion]


@dataclass(frozen=True, slots=True)
class Article:
    """An entry of ``data`` in SQuAD's JSON."""

    paragraphs: list[Paragraph]


def squad(path: Path) -> Iterator[Question]:
    """The questions of a file in SQuAD's format, 1.1 or 2.0; questions without an answer have the kind *unanswerable*."""
    for article in json_rows(path, "data", TypeAdapter(Article)):
        for paragraph in article.paragraphs:
            for row in paragraph.qas:
                yield Question(
                    id=f"squad-{row.id}",
                    text=row.question.strip(),
                    dataset="squad",
                    kind="unanswerable" if row.is_impossible else None,
                    answers=_unique(answer.text for answer in row.answers),
                )


def _unique(answers: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, map(str.strip, answers))))
