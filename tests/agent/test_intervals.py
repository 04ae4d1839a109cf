import itertools
import math
import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.intervals import Estimate, difference, estimate, estimates, preference

values = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=12)


def exact(sample: Sequence[float]) -> tuple[float, float]:
    """2.5th and 97.5th percentile over all possible resamples."""
    means = sorted(sum(resample) / len(sample) for resample in itertools.product(sample, repeat=len(sample)))
    tail = math.floor(0.025 * len(means))
    return means[tail], means[-1 - tail]


BY_HAND: list[tuple[str, list[float], Estimate]] = [
    ("single", [3.0], Estimate(3.0, 3.0, 3.0, 1)),
    ("all-equal", [0.25] * 7, Estimate(0.25, 0.25, 0.25, 7)),
    # Four coins: 0 and 4 heads each have 1/16 = 6.25 % of the resamples, so both tails reach the ends.
    ("four-coins", [0.0, 0.0, 1.0, 1.0], Estimate(0.5, 0.0, 1.0, 4)),
    # Eight coins: P(0) = 0.4 %, P(<= 1) = 3.5 %: the 2.5th percentile is one head of eight.
    ("eight-coins", [0.0, 1.0] * 4, Estimate(0.5, 0.125, 0.875, 8)),
    # One of ten: P(0 draws of it) = 35 %, P(<= 3) = 98.7 %, P(<= 2) = 93 %.
    ("one-of-ten", [1.0] + [0.0] * 9, Estimate(0.1, 0.0, 0.3, 10)),
    ("negative", [-1.0, 1.0] * 4, Estimate(0.0, -0.75, 0.75, 8)),
]


@pytest.mark.parametrize(("sample", "expected"), [case[1:] for case in BY_HAND], ids=[case[0] for case in BY_HAND])
def test_intervals_agree_with_those_computed_by_hand(sample: list[float], expected: Estimate) -> None:
    assert estimate(sample) == expected


def test_the_interval_approximates_that_of_all_resamples() -> None:
    sample = [0.0, 0.1, 0.25, 0.5, 0.8, 1.0]
    interval = estimate(sample, resamples=40_000)
    assert (interval.low, interval.high) == pytest.approx(exact(sample), abs=0.02)


def test_about_95_of_100_intervals_contain_the_true_mean() -> None:
    generator = random.Random(5)
    hits = 0
    for trial in range(400):
        interval = estimate([float(generator.random() < 0.3) for _ in range(60)], seed=trial, resamples=500)
        hits += interval.low <= 0.3 <= interval.high
    assert 0.90 <= hits / 400 <= 0.98


def test_the_interval_of_a_paired_difference_is_narrower() -> None:
    generator = random.Random(1)
    hard = [generator.gauss(0, 10) for _ in range(100)]
    first, second = [value + 1 + generator.gauss(0, 0.5) for value in hard], hard
    paired = estimate(list(map(difference, first, second)))
    assert 0 < paired.low < 1 < paired.high < 1.3
    unpaired = estimate(first)
    assert unpaired.high - unpaired.low > 10 * (paired.high - paired.low)


@given(values, st.randoms(use_true_random=False))
def test_swapping_the_policies_flips_the_signs(sample: list[float], generator: random.Random) -> None:
    other = [generator.uniform(-1, 1) for _ in sample]
    forward, backward = (estimate(list(map(difference, *pair)), resamples=200) for pair in ((sample, other), (other, sample)))
    assert (forward.mean, forward.low, forward.high) == (-backward.mean, -backward.high, -backward.low)


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(0, 1), st.floats(-1e-3, 1e-3)), min_size=1, max_size=12))
def test_metrics_estimated_together_equal_those_estimated_separately(rows: list[tuple[float, float, float]]) -> None:
    columns = list(zip(*rows, strict=True))
    assert estimates(columns, resamples=200) == [estimate(column, resamples=200) for column in columns]


@given(values, st.floats(-100, 100))
def test_adding_a_constant_shifts_the_interval(sample: list[float], constant: float) -> None:
    before, after = estimate(sample, resamples=200), estimate([value + constant for value in sample], resamples=200)
    moved = (before.mean + constant, before.low + constant, before.high + constant)
    assert (after.mean, after.low, after.high) == pytest.approx(moved, abs=1e-6)
    assert after.n == len(sample)


@given(values, st.integers(0, 9))
def test_the_interval_is_within_the_range_of_values_and_depends_on_the_seed_alone(sample: list[float], seed: int) -> None:
    interval = estimate(sample, seed=seed, resamples=200)
    assert min(sample) - 1e-6 <= interval.low <= interval.high <= max(sample) + 1e-6
    assert interval == estimate(sample, seed=seed, resamples=200)


PREFERENCES: list[tuple[str, float | None, float | None, float]] = [
    ("higher", 1.0, 0.0, 1.0),
    ("lower", 0.0, 1.0, 0.0),
    ("tie", 0.5, 0.5, 0.5),
    ("no-answer-loses-to-any-score", None, -9.0, 0.0),
    ("any-score-beats-no-answer", -9.0, None, 1.0),
    ("neither-answered", None, None, 0.5),
]


@pytest.mark.parametrize(("first", "second", "expected"), [case[1:] for case in PREFERENCES], ids=[c[0] for c in PREFERENCES])
def test_a_preference_is_1_or_0_or_a_half(first: float | None, second: float | None, expected: float) -> None:
    assert preference(first, second) == expected


@given(st.none() | st.floats(-1, 1), st.none() | st.floats(-1, 1))
def test_preferences_of_the_swapped_policies_add_up_to_1(first: float | None, second: float | None) -> None:
    assert preference(first, second) + preference(second, first) == 1


INVALID: list[tuple[str, list[list[float]], str]] = [
    ("no-question", [[]], r"columns of \[0\] values"),
    ("different-numbers", [[1.0, 2.0], [1.0]], r"columns of \[1, 2\] values"),
    ("not-a-number", [[math.nan]], "a value is not finite: nan"),
    ("infinite", [[1.0, math.inf]], "a value is not finite: inf"),
]


@pytest.mark.parametrize(("columns", "message"), [case[1:] for case in INVALID], ids=[case[0] for case in INVALID])
def test_values_without_a_mean_are_an_error(columns: list[list[float]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        estimates(columns)


def test_no_metrics_give_no_estimates() -> None:
    assert estimates([]) == []
