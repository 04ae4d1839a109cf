"""How sure a mean is: bootstrap intervals, for many metrics of the same questions at once.

The unit that is drawn is the question, and every metric of it, under every policy, comes along: so the interval of a
difference is that of a *paired* bootstrap, which is just the interval of the question-by-question differences.

In plain Python, because nothing else here needs numpy. The values of one question become one large integer, a field of bits for
each metric, so one sum over a resample is the sum of all metrics: 60 metrics of 500 questions take 1.6 s, and 16 s if each is
summed by itself.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

RESAMPLES = 10_000
"""Draws of the questions; the ends of an interval then vary by 2 % of its width from seed to seed."""
CONFIDENCE = 0.95
_SCALE = 2**40
"""Values are kept as multiples of 1 / this."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean and where it would lie, 95 times of 100, for other questions like these."""

    mean: float
    low: float
    """2.5th percentile of the means of the resamples."""
    high: float
    """97.5th percentile."""
    n: int
    """Number of questions."""


def estimate(values: Sequence[float], *, seed: int = 0, resamples: int = RESAMPLES) -> Estimate:
    """Mean of some values, one for each question, with its interval."""
    return estimates([values], seed=seed, resamples=resamples)[0]


def estimates(columns: Sequence[Sequence[float]], *, seed: int = 0, resamples: int = RESAMPLES) -> list[Estimate]:
    """Mean and percentile interval of each metric; the same questions are drawn for all of them.

    Values that are all equal give an interval without width: that says nothing of how sure they are. With few questions (under
    about 20) percentile intervals are too narrow.

    Args:
        columns: For each metric its values, one for each question, in the same order of questions.
        seed: Of the draws.
        resamples: Number of draws.

    Raises:
        ValueError: The metrics have different numbers of questions, or none, or a value is not finite.
    """
    sizes = {len(column) for column in columns}
    if len(sizes) > 1 or 0 in sizes:
        raise ValueError(f"every metric needs a value for every question, got columns of {sorted(sizes)} values")
    if not columns:
        return []
    (n,) = sizes
    scaled = [[_fixed(value) for value in column] for column in columns]
    lowest = [min(column) for column in scaled]
    width = max(n * (max(column) - low) for column, low in zip(scaled, lowest, strict=True)).bit_length() + 1
    questions = [
        sum(value - low << width * index for index, (value, low) in enumerate(zip(row, lowest, strict=True)))
        for row in zip(*scaled, strict=True)
    ]
    generator = random.Random(seed)
    sums = [sum(generator.choices(questions, k=n)) for _ in range(resamples)]
    field = (1 << width) - 1
    tail = math.floor((1 - CONFIDENCE) / 2 * resamples)
    results = []
    for index, (column, low) in enumerate(zip(columns, lowest, strict=True)):
        ordered = sorted(total >> width * index & field for total in sums)
        ends = (ordered[tail], ordered[-1 - tail])
        first, last = ((end + n * low) / (n * _SCALE) for end in ends)
        results.append(Estimate(math.fsum(column) / n, first, last, n))
    return results


def difference(first: float, second: float) -> float:
    """Of one question; the mean of these is what a paired bootstrap is about."""
    return first - second


def preference(first: float | None, second: float | None) -> float:
    """1 if the first scored higher on a question, 0 if the second did, 0.5 for a tie; None is below every score."""
    if first is None or second is None:
        return 0.5 + 0.5 * ((first is not None) - (second is not None))
    return 0.5 + 0.5 * ((first > second) - (first < second))


def _fixed(value: float) -> int:
    if not math.isfinite(value):
        raise ValueError(f"a value is not finite: {value}")
    return round(value * _SCALE)
