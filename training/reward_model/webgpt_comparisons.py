"""The published comparisons of the paper: both shapes of ``openai/webgpt_comparisons``, read and written.

A comparison has a question, and two answers with their quotes and scores. Scores are final ratings from -1 to 1 that sum to 0
(§3.2). A line is a list of two records, as in the original file, or one row of columns, as data-set libraries have it.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from browser_env.errors import RecordError
from browser_env.pages.characters import clean_line
from browser_env.records import ComparedAnswer, Comparison, Question, Ratings, Reference
from browser_env.records.storage import storable
from training.reward_model.comparisons import preference

DATASET: Final = "webgpt_comparisons"
Shape = Literal["records", "columns"]


class _Model(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Question(_Model):
    dataset: str = "unknown"
    id: str | None = None
    full_text: str


class _Quotes(_Model):
    """Quotes as parallel lists of titles and extracts; some files have a list of quotes instead."""

    title: tuple[str, ...] = ()
    extract: tuple[str, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _from_list(cls, value: object) -> object:
        if isinstance(value, list):
            return {key: [quote[key] for quote in value] for key in ("title", "extract")}
        return value

    @model_validator(mode="after")
    def _are_parallel(self) -> "_Quotes":
        if len(self.title) != len(self.extract):
            raise ValueError(f"{len(self.title)} titles for {len(self.extract)} extracts")
        return self


Score = Annotated[float, Field(ge=-1, le=1)]


class _Record(_Model):
    question: _Question
    quotes: _Quotes
    answer: str
    score: Score


class _Columns(_Model):
    question: _Question
    quotes_0: _Quotes
    answer_0: str
    score_0: Score
    quotes_1: _Quotes
    answer_1: str
    score_1: Score

    def records(self) -> tuple[_Record, _Record]:
        """The comparison in the other shape, as two records."""
        return (
            _Record(question=self.question, quotes=self.quotes_0, answer=self.answer_0, score=self.score_0),
            _Record(question=self.question, quotes=self.quotes_1, answer=self.answer_1, score=self.score_1),
        )


_RECORDS: TypeAdapter[tuple[_Record, _Record]] = TypeAdapter(tuple[_Record, _Record])


# -------------------------------------------------------------------------------------------------------------- reading


def import_webgpt_comparisons(path: Path) -> Iterator[Comparison]:
    """Yield the comparisons of a published file. Empty lines are skipped.

    Titles keep the domain at their end, since URLs were not published. Token ids are dropped; they repeat the texts.

    Raises:
        RecordError: The file cannot be read, or a line is not such a comparison; comparisons before it have been yielded.
    """
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.isspace():
                    yield _comparison(_records(line, f"{path}:{number}"), number)
    except OSError as error:
        raise RecordError(f"{path}: cannot be read: {error.strerror}") from error


def _records(line: bytes, place: str) -> tuple[_Record, _Record]:
    try:
        if line.lstrip().startswith(b"["):
            first, second = _RECORDS.validate_json(line)
        else:
            first, second = _Columns.model_validate_json(line).records()
    except ValidationError as error:
        problem = error.errors(include_url=False, include_context=False)[0]
        field = ".".join(map(str, problem["loc"]))
        raise RecordError(clean_line(f"{place}: is not a published comparison: {field}: {problem['msg']}")[:300]) from error
    if first.question != second.question:
        raise RecordError(f"{place}: is not a published comparison: its two answers are to two questions")
    if abs(first.score + second.score) > 1e-6:
        scores = f"{first.score:g} and {second.score:g}"
        raise RecordError(f"{place}: is not a published comparison: the scores {scores} do not sum to 0")
    return first, second


def _comparison(records: tuple[_Record, _Record], number: int) -> Comparison:
    question = records[0].question
    return Comparison(
        id=f"{DATASET}-{number}",
        question=Question(id=question.id or question.full_text[:80], text=question.full_text, dataset=question.dataset),
        answers=tuple(_answer(record.quotes, record.answer) for record in records),
        labeler=f"human:{DATASET}",
        ratings=Ratings(overall=records[0].score),
    )


def _answer(quotes: _Quotes, text: str) -> ComparedAnswer:
    references = (
        Reference(title=title, url="", extract=extract, page="", start=0, end=len(extract))
        for title, extract in zip(quotes.title, quotes.extract, strict=True)
    )
    return ComparedAnswer(text=text, references=tuple(references))


# -------------------------------------------------------------------------------------------------------------- writing


def webgpt_comparison(comparison: Comparison, shape: Shape = "columns") -> str:
    """A comparison of two answers as a line of the published format, without its line feed.

    The score is the final rating, or for ranked answers a third in favor of the better one, 0 for a tie. The lists of token
    ids are empty: the published ones are GPT-2's.

    Raises:
        ValueError: The comparison has more than two answers, or its question was flagged.
    """
    preferred = preference(comparison)
    if len(comparison.answers) != 2 or preferred is None:
        raise ValueError(f"comparison {comparison.id!r} is not a rated pair; the format has no other comparisons")
    score = comparison.ratings.overall if comparison.ratings is not None else 2 * (preferred - 0.5) / 3
    question = {
        "dataset": comparison.question.dataset,
        "id": comparison.question.id,
        "full_text": comparison.question.text,
    }
    sides = [
        _side(answer, answer_score)
        for answer, answer_score in zip(comparison.answers, (score, 0.0 - score), strict=True)  # 0 rather than -0
    ]
    row: object
    if shape == "records":
        row = [{"question": question, **side} for side in sides]
    else:
        row = {"question": question} | {
            f"{key}_{number}": value for number, side in enumerate(sides) for key, value in side.items()
        }
    return storable(json.dumps(row, ensure_ascii=False, allow_nan=False))


def _side(answer: ComparedAnswer, score: float) -> dict[str, object]:
    return {
        "quotes": {
            "title": [reference.full_title for reference in answer.references],
            "extract": [reference.extract for reference in answer.references],
        },
        "answer": answer.text,
        "tokens": {"prefix": [], "completion": []},
        "score": score,
    }
