"""Agreement: Krippendorff's examples, the paper's measure, and invariances."""

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from browser_env.records import ComparedAnswer, Comparison, Question, Ratings
from recorder.data.agreement import ALL, Agreement, Level, agreements, alpha

FOUR_OBSERVERS = """
1 2 3 3 2 1 4 1 2 . . .
1 2 3 3 2 2 4 1 2 5 . 3
. 3 3 3 2 3 4 2 2 5 1 .
1 2 3 3 2 4 4 1 2 5 1 .
"""
BINARY = """
0 1 0 0 0 0 0 0 1 0
1 1 1 0 0 1 0 0 0 0
"""
LETTERS = """
1 1 2 2 4 3 3 3 5 4 4 1
2 1 2 2 2 3 3 3 5 4 4 4
"""


def units(table: str) -> list[list[float]]:
    rows = [line.split() for line in table.split("\n") if line]
    return [[float(value) for value in column if value != "."] for column in zip(*rows, strict=True)]


@pytest.mark.parametrize(
    ("table", "level", "published"),
    [
        (BINARY, "nominal", 0.095),
        (LETTERS, "nominal", 0.692),
        (FOUR_OBSERVERS, "nominal", 0.743),
        (FOUR_OBSERVERS, "ordinal", 0.815),
        (FOUR_OBSERVERS, "interval", 0.849),
    ],
    ids=["A: two observers, binary", "B: two observers, nominal", "C: missing data", "C: ordinal", "C: interval"],
)
def test_alpha_equals_krippendorffs_examples(table: str, level: Level, published: float) -> None:
    assert alpha(units(table), level) == pytest.approx(published, abs=5e-4)


@pytest.mark.parametrize("values", [[], [[1.0]], [[1.0, 1.0], [1.0, 1.0]], [[1.0], [2.0]]], ids=repr)
def test_alpha_is_none_if_undefined(values: list[list[float]]) -> None:
    assert alpha(values, "nominal") is None


VALUES = st.lists(st.lists(st.sampled_from([-1.0, -0.5, 0.0, 0.5, 1.0]), min_size=2, max_size=4), min_size=1, max_size=20)


@given(VALUES, st.randoms())
def test_alpha_does_not_depend_on_order_and_is_at_most_one(values: list[list[float]], chance: random.Random) -> None:
    shuffled = [chance.sample(unit, len(unit)) for unit in chance.sample(values, len(values))]
    levels: tuple[Level, ...] = ("nominal", "ordinal", "interval")
    for level in levels:
        value, other = alpha(values, level), alpha(shuffled, level)
        assert (value is None) == (other is None)
        if value is not None:
            assert value == pytest.approx(other)
            assert value <= 1
            assert (value == pytest.approx(1)) == all(len(set(unit)) == 1 for unit in values)


ANSWERS = ComparedAnswer(text="A"), ComparedAnswer(text="B"), ComparedAnswer(text="C")


def rated(labeler: str, question: int, overall: float, *, is_swapped: bool = False) -> Comparison:
    answers = ANSWERS[1::-1] if is_swapped else ANSWERS[:2]
    overall = -overall if is_swapped else overall
    return Comparison(
        id=f"{labeler}{question}",
        question=Question(id=str(question), text="Why?"),
        answers=answers,
        labeler=labeler,
        ratings=Ratings(overall=overall),
    )


def agreement_of(groups: list[Agreement], *names: str) -> Agreement:
    return next(group for group in groups if group.annotators == (names or ALL))


@pytest.mark.parametrize(
    ("ann", "bob", "percent"),
    [([1, 0.5, 0, -1], [0.5, 1, 0, -0.5], 1), ([1, -1], [-1, 1], 0), ([1, 0, -1, 0], [0, 1, 0, 0], 0.625)],
    ids=["much better is better", "opposite", "ties count half"],
)
def test_percent_agreement_follows_the_paper(ann: list[float], bob: list[float], percent: float) -> None:
    comparisons = [rated("ann", number, value) for number, value in enumerate(ann)]
    comparisons += [rated("bob", number, value, is_swapped=number % 2 == 1) for number, value in enumerate(bob)]
    both = agreement_of(agreements(comparisons), "ann", "bob")
    assert both.percent is not None
    assert both.percent.value == percent
    assert both.percent.low <= percent <= both.percent.high
    assert (both.units, both.questions) == (len(ann), len(ann))
    assert replace(agreement_of(agreements(comparisons)), annotators=both.annotators) == both


def test_agreement_is_computed_for_each_pair_of_annotators() -> None:
    chance = random.Random(0)
    truth = [chance.choice([-1, -0.5, 0, 0.5, 1]) for _ in range(100)]
    comparisons = [rated(name, number, value) for name in ("ann", "bob") for number, value in enumerate(truth)]
    comparisons += [rated("cy", number, chance.choice([-1, -0.5, 0, 0.5, 1])) for number in range(100)]
    comparisons += [rated("dee", 500, 1)]
    groups = agreements(comparisons, resamples=300)
    assert [group.annotators for group in groups] == [ALL, ("ann", "bob"), ("ann", "cy"), ("bob", "cy")]
    same, different = agreement_of(groups, "ann", "bob"), agreement_of(groups, "bob", "cy")
    for measure in (same.percent, same.nominal, same.ordinal, same.interval):
        assert measure is not None
        assert (measure.value, measure.low, measure.high) == pytest.approx((1, 1, 1))
    for measure in (different.nominal, different.ordinal, different.interval):
        assert measure is not None
        assert measure.low < 0 < measure.high
        assert 0.2 < measure.high - measure.low < 0.6
    assert groups == agreements(comparisons, resamples=300)


def test_rankings_are_compared_pair_by_pair() -> None:
    def ranked(labeler: str, *ranks: int) -> Comparison:
        return Comparison(id=labeler, question=Question(id="0", text="Why?"), answers=ANSWERS, labeler=labeler, ranks=ranks)

    both = agreement_of(agreements([ranked("ann", 1, 2, 3), ranked("bob", 1, 3, 3)]), "ann", "bob")
    assert both.percent is not None
    assert (both.units, both.questions) == (3, 1)
    assert both.percent.value == pytest.approx(2.5 / 3)
    assert both.ordinal is None
    mixed = agreement_of(agreements([ranked("ann", 1, 2, 3), rated("bob", 0, 1)]), "ann", "bob")
    assert mixed.percent is not None
    assert (mixed.units, mixed.percent.value) == (1, 1)


def test_flagged_questions_are_ignored_and_the_last_judgement_counts() -> None:
    flagged = replace(rated("ann", 0, 1), ratings=None, flag="nonsense")
    assert agreements([flagged, rated("bob", 0, 1)]) == []
    again = agreement_of(agreements([rated("ann", 0, -1), rated("bob", 0, 1), rated("ann", 0, 1)]), "ann", "bob")
    assert again.percent is not None
    assert again.percent.value == 1
