"""Comparisons as preferences, and as the published ones of the paper: both shapes of ``openai/webgpt_comparisons``.

Published are questions, quotes, answers and scores from -1 to 1 that sum to 0 (§3.2: only the final rating is used, ties are
soft labels). A line is a list of two records, as in the original file, or one row of columns, as data-set libraries have it.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from agent.models.reward_model import answering_text
from browser_env.errors import RecordError
from browser_env.pages.characters import clean_line
from browser_env.records import ComparedAnswer, Comparison, Question, Ratings, Reference
from browser_env.records.storage import storable
from training.reward_model.preferences import Candidate, PreferenceGroup

PUBLISHED: Final = "human:webgpt_comparisons"
"""The labeler of imported comparisons."""
Shape = Literal["records", "columns"]


# ---------------------------------------------------------------------------------------------------------- preferences


def levels(comparison: Comparison) -> tuple[float, ...] | None:
    """How good each answer is, the higher the better; only the order means something. None: the question was flagged."""
    if comparison.ranks is not None:
        return tuple(-float(rank) for rank in comparison.ranks)
    if comparison.ratings is not None:
        sign = _sign(comparison.ratings.overall)
        return (float(sign), 0.0)
    return None


def preference(comparison: Comparison, first: int = 0, second: int = 1) -> float | None:
    """1 if one of two answers is preferred to the other, 0 if the other is, 0.5 for a tie; None: the question was flagged.

    Much better and better are the same (Appendix C.2).

    Args:
        comparison: Of two or more answers.
        first: Index of one.
        second: Index of the other.
    """
    found = levels(comparison)
    return None if found is None else 0.5 + 0.5 * _sign(found[first] - found[second])


def preference_group(comparison: Comparison) -> PreferenceGroup | None:
    """What a reward model learns from a comparison; None if the question was flagged."""
    found = levels(comparison)
    if found is None:
        return None
    candidates = (
        Candidate(answering_text(comparison.question.text, answer.references), answer.text) for answer in comparison.answers
    )
    return PreferenceGroup(comparison.question.id, tuple(candidates), found, comparison.labeler)


def pairs_of(comparison: Comparison) -> Iterator[Comparison]:
    """Every two answers of a comparison as one of their own, all C(K, 2) of a ranking; of a flagged question none.

    A pair keeps what was noted of its two answers; the place of the two in the ranking, not the ranks between, is its own.
    """
    if comparison.flag is not None:
        return
    if len(comparison.answers) == 2:
        yield comparison
        return
    assert comparison.ranks is not None  # more than two answers are ranked
    for pair in combinations(range(len(comparison.answers)), 2):
        first, second = (comparison.ranks[index] for index in pair)
        yield replace(
            comparison,
            id=f"{comparison.id}-{pair[0]}-{pair[1]}",
            answers=tuple(comparison.answers[index] for index in pair),
            ranks=(1 + (first > second), 1 + (second > first)),
            annotations=comparison.annotations and tuple(comparison.annotations[index] for index in pair),
            shown=comparison.shown and tuple(int(one != min(pair)) for one in comparison.shown if one in pair),
        )


def _sign(number: float) -> int:
    return (number > 0) - (number < 0)


# ------------------------------------------------------------------------------------------------------ published format


class _Model(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Question(_Model):
    dataset: str = "unknown"
    id: str | None = None
    full_text: str


class _Quotes(_Model):
    """Parallel lists; some files have a list of quotes instead."""

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


_RECORDS: TypeAdapter[tuple[_Record, _Record]] = TypeAdapter(tuple[_Record, _Record])


def import_webgpt_comparisons(path: Path) -> Iterator[Comparison]:
    """The comparisons of a published file, each as soon as it is read. Empty lines are skipped.

    A title keeps the domain that stands behind it; addresses were not published, and the token ids are not kept, because they
    are the texts once more.

    Raises:
        RecordError: The file cannot be read, or a line is no such comparison; those before it have been yielded.
    """
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.isspace():
                    yield _read(line, f"{path}:{number}", number)
    except OSError as error:
        raise RecordError(f"{path}: cannot be read: {error.strerror}") from error


def webgpt_comparison(comparison: Comparison, shape: Shape = "columns") -> str:
    """A comparison of two answers as a line of the published format, without its line feed.

    The score is the final rating; of two ranked answers, a third either way or 0. Token lists are there and empty: the
    published ones are GPT-2's.

    Raises:
        ValueError: It is of more than two answers, or the question was flagged.
    """
    wanted = preference(comparison)
    if len(comparison.answers) != 2 or wanted is None:
        raise ValueError(f"comparison {comparison.id!r} is no rated pair; the format has nothing else")
    score = comparison.ratings.overall if comparison.ratings is not None else 2 * (wanted - 0.5) / 3
    question = {
        "dataset": comparison.question.dataset,
        "id": comparison.question.id,
        "full_text": comparison.question.text,
    }
    sides = [
        {
            "quotes": {
                "title": [reference.full_title for reference in answer.references],
                "extract": [reference.extract for reference in answer.references],
            },
            "answer": answer.text,
            "tokens": {"prefix": [], "completion": []},
            "score": own,
        }
        for answer, own in zip(comparison.answers, (score, 0.0 - score), strict=True)
    ]
    row: object
    if shape == "records":
        row = [{"question": question, **side} for side in sides]
    else:
        row = {"question": question} | {
            f"{key}_{number}": value for number, side in enumerate(sides) for key, value in side.items()
        }
    return storable(json.dumps(row, ensure_ascii=False, allow_nan=False))


def _read(line: bytes, where: str, number: int) -> Comparison:
    try:
        is_records = line.lstrip().startswith(b"[")
        row = _RECORDS.validate_json(line) if is_records else _Columns.model_validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise RecordError(clean_line(f"{where}: is no published comparison: {place}: {first['msg']}")[:300]) from error
    if isinstance(row, _Columns):
        asked, score, other = row.question, row.score_0, row.score_1
        answers = _answer(row.quotes_0, row.answer_0), _answer(row.quotes_1, row.answer_1)
    else:
        first_record, second = row
        if first_record.question != second.question:
            raise RecordError(f"{where}: is no published comparison: its two answers are to two questions")
        asked, score, other = first_record.question, first_record.score, second.score
        answers = _answer(first_record.quotes, first_record.answer), _answer(second.quotes, second.answer)
    if abs(score + other) > 1e-6:
        raise RecordError(f"{where}: is no published comparison: the scores {score:g} and {other:g} do not sum to 0")
    question = Question(id=asked.id or asked.full_text[:80], text=asked.full_text, dataset=asked.dataset)
    return Comparison(
        id=f"{PUBLISHED.partition(':')[2]}-{number}",
        question=question,
        answers=answers,
        labeler=PUBLISHED,
        ratings=Ratings(overall=score),
    )


def _answer(quotes: _Quotes, text: str) -> ComparedAnswer:
    references = (
        Reference(title=title, url="", extract=extract, page="", start=0, end=len(extract))
        for title, extract in zip(quotes.title, quotes.extract, strict=True)
    )
    return ComparedAnswer(text=text, references=tuple(references))
