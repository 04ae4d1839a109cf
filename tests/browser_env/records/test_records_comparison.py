"""The record of a comparison: what it stores and which values it rejects."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from browser_env.errors import RecordError
from browser_env.records import Annotation, Claim, ComparedAnswer, Comparison, Question, Ratings, Reference
from browser_env.records.storage import append_record, read_records

ANSWERS = (
    ComparedAnswer(
        text="Crows bring gifts [1].",
        references=(Reference(title="T", url="http://a.org/", extract="x", page="0", start=0, end=1),),
        actor="scripted",
        episode="e1",
    ),
    ComparedAnswer(text=""),
)
PAIR = Comparison(
    id="c1", question=Question(id="q", text="Why?"), answers=ANSWERS, labeler="human:ann", ratings=Ratings(overall=0.5)
)
FULL = replace(
    PAIR,
    id="c2",
    ratings=Ratings(overall=-1, unsupported=0.5, irrelevant=0, strong_support=1, weak_support=0, no_support=-0.5, coherence=-1),
    annotations=(
        Annotation(
            trust=("trustworthy",),
            claims=(Claim(start=0, end=5, support="strong", relevance="core"), Claim(start=6, end=9, support="citation_error")),
        ),
        Annotation(),
    ),
    notes="The first is too long.",
    seed=7,
    shown=(1, 0),
    seconds=95.5,
)
RANKING = replace(PAIR, id="c3", answers=(*ANSWERS, *ANSWERS), ratings=None, ranks=(1, 2, 2, 4), labeler="script")
FLAGGED = replace(PAIR, id="c4", ratings=None, flag="controversial")


def test_reading_returns_the_written_comparisons(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    for comparison in (PAIR, FULL, RANKING, FLAGGED):
        append_record(path, comparison)
    assert list(read_records(path, Comparison)) == [PAIR, FULL, RANKING, FLAGGED]


@pytest.mark.parametrize("number", [0, 1])
def test_ratings_may_be_integers(number: int, tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    append_record(path, replace(PAIR, ratings=Ratings(overall=number)))
    assert list(read_records(path, Comparison)) == [replace(PAIR, ratings=Ratings(overall=number))]


INCONSISTENT: dict[str, tuple[dict[str, Any], str]] = {
    "one answer": ({"answers": ANSWERS[:1]}, "two or more answers, got 1"),
    "ratings of three": ({"answers": (*ANSWERS, ANSWERS[0])}, "ratings compare two answers, got 3"),
    "a rank too few": ({"ratings": None, "ranks": (1,)}, "expected 2 ranks of at least 1"),
    "a rank of 0": ({"ratings": None, "ranks": (0, 1)}, "expected 2 ranks of at least 1"),
    "nothing said": ({"ratings": None}, "ratings, ranks or a flag"),
    "an annotation too many": ({"annotations": (Annotation(),) * 3}, "expected 2 annotations, one for each answer, got 3"),
    "an answer shown twice": ({"shown": (0, 0)}, "shown must contain the index of each of the 2 answers once"),
}


@pytest.mark.parametrize("name", INCONSISTENT)
def test_inconsistent_comparisons_are_rejected(name: str) -> None:
    changes, problem = INCONSISTENT[name]
    with pytest.raises(ValueError, match=problem):
        replace(PAIR, **changes)


@pytest.mark.parametrize("name", ["overall", "unsupported", "coherence"])
@pytest.mark.parametrize("value", [1.5, -2, float("nan")])
def test_ratings_outside_minus_1_to_1_are_rejected(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name} must be from -1 to 1"):
        Ratings(**{"overall": 0.0, name: value})


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"schema_version": 2}, "schema version 2 is not supported"),
        ({"winner": 1}, "winner"),
        ({"ratings": {"overall": 4}}, "overall must be from -1 to 1, got 4"),
        ({"flag": "boring"}, "flag"),
    ],
    ids=["another version", "an unknown key", "a rating out of range", "an unknown flag"],
)
def test_reading_is_strict(change: dict[str, Any], problem: str, tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    append_record(path, PAIR)
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | change) + "\n", "utf-8")
    with pytest.raises(RecordError, match=problem):
        list(read_records(path, Comparison))
