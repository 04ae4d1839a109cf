"""Confidence intervals of means by the bootstrap, for many metrics of the same questions at once.

Resamples draw questions, and all metrics of a drawn question under all policies together. The interval of a difference is
therefore that of the *paired* bootstrap: the interval of the question-by-question differences.

The implementation is plain Python, so that evaluation does not need NumPy. The values of a question are packed into one large
integer, a bit field for each metric, so the sum over a resample adds up all metrics at once: 60 metrics of 500 questions take
1.6 s, instead of 16 s one by one.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

RESAMPLES = 10_000
"""Number of resamples; with it, the ends of an interval vary by 2 % of its width from seed to seed."""
CONFIDENCE = 0.95
"""Confidence level of the intervals."""
_SCALE = 2**40
"""Values are rounded to multiples of ``1 / _SCALE`` and computed as integers."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over questions with its 95 % confidence interval."""

    mean: float
    low: float
    """2.5th percentile of the resampled means."""
    high: float
    """97.5th percentile of the resampled means."""
    n: int
    """Number of questions."""


def estimate(values: Sequence[float], *, seed: int = 0, resamples: int = RESAMPLES) -> Estimate:
    """Mean and percentile interval of one metric, from its value for each question."""
    return estimates([values], seed=seed, resamples=resamples)[0]


def estimates(columns: Sequence[Sequence[float]], *, seed: int = 0, resamples: int = RESAMPLES) -> list[Estimate]:
    """Mean and percentile interval of each metric, from the same resamples of questions.

    If all values are equal, the interval has no width, which does not mean that the mean is certain. With fewer than about 20
    questions, percentile intervals are too narrow.

    Args:
        columns: The values of each metric, one for each question, with the questions in the same order.
        seed: Seed of the resamples.
        resamples: Number of resamples.

    Raises:
        ValueError: The metrics have different numbers of values, or none, or a value is not finite.
    """
    sizes = {len(column) for column in columns}
    if len(sizes) > 1 or 0 in sizes:
        raise ValueError(f"every metric needs a value for every question, got columns of {sorted(sizes)} values")
    if not columns:
        return []
    (n,) = sizes
    scaled = [[_scaled(value) for value in column] for column in columns]
    sums = _resampled_sums(scaled, n, seed, resamples)
    tail = math.floor((1 - CONFIDENCE) / 2 * resamples)
    results = []
    for column, column_sums in zip(columns, sums, strict=True):
        column_sums.sort()
        low, high = (end / (n * _SCALE) for end in (column_sums[tail], column_sums[-1 - tail]))
        results.append(Estimate(math.fsum(column) / n, low, high, n))
    return results


def _resampled_sums(columns: list[list[int]], n: int, seed: int, resamples: int) -> list[list[int]]:
    """For each column, its sum over each resample of the n questions."""
    lowest = [min(column) for column in columns]
    width = max(n * (max(column) - low) for column, low in zip(columns, lowest, strict=True)).bit_length() + 1
    questions = [
        sum(value - low << width * index for index, (value, low) in enumerate(zip(row, lowest, strict=True)))
        for row in zip(*columns, strict=True)
    ]
    generator = random.Random(seed)
    sums = [sum(generator.choices(questions, k=n)) for _ in range(resamples)]
    bits = (1 << width) - 1
    return [[(total >> width * index & bits) + n * low for total in sums] for index, low in enumerate(lowest)]


def difference(first: float, second: float) -> float:
    """The difference of two values of one question; the mean of differences gives the paired bootstrap."""
    return first - second


def preference(first: float | None, second: float | None) -> float:
    """The preference between two scores: 1 if the first is higher, 0 if the second is, 0.5 for a tie.

    None, for a question without an answer, is below every score.
    """
    if first is None or second is None:
        return 0.5 + 0.5 * ((first is not None) - (second is not None))
    return 0.5 + 0.5 * ((first > second) - (first < second))


def _scaled(value: float) -> int:
    if not math.isfinite(value):
        raise ValueError(f"a value is not finite: {value}")
    return round(value * _SCALE)
