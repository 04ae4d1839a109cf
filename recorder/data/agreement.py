"""Agreement between annotators: percent agreement and Krippendorff's alpha, with confidence intervals.

The paper reports that labelers agree 73 % of the time with each other and 74 % with its authors (Appendix C). Two judgements of
the same two answers agree if both prefer the same answer or both are ties; a tie and a preference agree half. Alpha
(Krippendorff 2011, *Computing Krippendorff's Alpha-Reliability*) compares the disagreement with that expected by chance: 1 is
perfect, 0 is chance. It is nominal for the preference, and ordinal and interval for the five-point final rating.

Intervals are percentiles of a bootstrap over questions, because judgements of one question are correlated. Alpha is not a mean
over questions, so the benchmark's bootstrap of means does not apply: the statistic is computed anew for each resample.
"""

import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations, product
from typing import Final, Literal

from browser_env.records import Comparison
from browser_env.records.digests import short_hash
from recorder.comparisons.pairs import answer_key

RESAMPLES: Final = 2_000
"""Number of bootstrap resamples."""
CONFIDENCE: Final = 0.95
"""Confidence level of the intervals."""
ALL: Final = ("", "")
"""Value of `Agreement.annotators` for all annotators together."""

Level = Literal["nominal", "ordinal", "interval"]
Coincidences = Mapping[tuple[float, float], float]
"""Krippendorff's coincidence matrix: weights of ordered pairs of values of one unit. A unit of m values has weight m."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A statistic with its 95 % confidence interval."""

    value: float
    low: float
    """2.5th percentile of the resamples."""
    high: float
    """97.5th percentile of the resamples."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """The agreement of annotators on pairs of answers that two or more of them judged."""

    annotators: tuple[str, str]
    """The two annotators, or `ALL`."""
    units: int
    """Number of pairs of answers with two or more judgements."""
    questions: int
    """Number of questions of these pairs."""
    percent: Measure | None
    """Mean agreement of two judgements, from 0 to 1; a tie and a preference count half. None without two judgements."""
    nominal: Measure | None
    """Alpha of the preference: first, second or tie. None if undefined, because all judgements are equal."""
    ordinal: Measure | None
    """Alpha of the five-point final rating, ordinal. None if undefined, or if answers were ranked."""
    interval: Measure | None
    """Alpha of the five-point final rating, interval. None if undefined, or if answers were ranked."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """The judgement of one annotator on two answers."""

    question: str
    """Hash of the question."""
    unit: str
    """Hash of the question and the two answers, independent of their order."""
    annotator: str
    preference: int
    """1 if the first answer of the unit is better, -1 if the second is, 0 for a tie."""
    rating: float | None
    """Five-point final rating, with the same sign. None if the answers were ranked."""


def judgements(comparisons: Iterable[Comparison]) -> list[Judgement]:
    """Return the judgements on every two answers, without flagged questions. The last judgement of an annotator counts."""
    latest: dict[tuple[str, str], Judgement] = {}
    for comparison in comparisons:
        for index, other in combinations(range(len(comparison.answers)), 2):
            judgement = _preference_and_rating(comparison, index, other)
            if judgement is None:
                continue
            preference, rating = judgement
            first, second = answer_key(comparison.answers[index]), answer_key(comparison.answers[other])
            if second < first:
                first, second, preference, rating = second, first, -preference, None if rating is None else 0.0 - rating
            question = short_hash(comparison.question.dataset, comparison.question.id, comparison.question.text)
            unit = short_hash(question, first, second)
            latest[unit, comparison.labeler] = Judgement(question, unit, comparison.labeler, preference, rating)
    return list(latest.values())


def agreements(comparisons: Iterable[Comparison], *, seed: int = 0, resamples: int = RESAMPLES) -> list[Agreement]:
    """Return the agreement of all annotators, then of each pair with common judgements, sorted by name.

    Args:
        comparisons: Comparisons by any annotators.
        seed: Seed of the bootstrap.
        resamples: Number of bootstrap resamples.
    """
    judged = judgements(comparisons)
    names = sorted({judgement.annotator for judgement in judged})
    groups = [_agreement(ALL, judged, seed, resamples)]
    for pair in combinations(names, 2):
        groups.append(_agreement(pair, [judgement for judgement in judged if judgement.annotator in pair], seed, resamples))
    return [group for group in groups if group.units]


def alpha(units: Iterable[Sequence[float]], level: Level) -> float | None:
    """Compute Krippendorff's alpha. Returns None if it is undefined.

    Args:
        units: The values of each unit, one per annotator. Units with fewer than two values are ignored.
        level: Distance between two values: *nominal* (equal or not), *ordinal* (the number of values between them), or
            *interval* (their difference).
    """
    total: dict[tuple[float, float], float] = defaultdict(float)
    for values in units:
        for pair, weight in coincidences(values).items():
            total[pair] += weight
    return alpha_of(total, level)


def coincidences(values: Sequence[float]) -> Coincidences:
    """Return the contribution of a unit to the coincidence matrix."""
    matrix: dict[tuple[float, float], float] = defaultdict(float)
    for pair in permutations(values, 2):
        matrix[pair] += 1 / (len(values) - 1)
    return matrix


def alpha_of(matrix: Coincidences, level: Level) -> float | None:
    """Compute alpha from a coincidence matrix: 1 minus the observed over the expected disagreement."""
    weights: dict[float, float] = defaultdict(float)
    for (value, _), weight in matrix.items():
        weights[value] += weight
    total = sum(weights.values())
    distance = _distances(weights, level)
    expected = sum(weights[first] * weights[second] * distance[first, second] for first in weights for second in weights)
    if total <= 1 or not expected:
        return None
    observed = sum(weight * distance[pair] for pair, weight in matrix.items())
    return 1 - (total - 1) * observed / expected


def _distances(weights: Mapping[float, float], level: Level) -> dict[tuple[float, float], float]:
    """Return the squared distance of every two values. The ordinal distance depends on the weight of each value."""
    distances = {}
    for first, second in product(weights, repeat=2):
        match level:
            case "nominal":
                distance = float(first != second)
            case "interval":
                distance = (first - second) ** 2
            case "ordinal":
                low, high = sorted((first, second))
                between = sum(weights[value] for value in sorted(weights) if low <= value <= high)
                distance = (between - (weights[first] + weights[second]) / 2) ** 2
        distances[first, second] = distance
    return distances


_Cell = tuple[Literal["agreed", "pairs", "preference", "rating"], float, float]
"""Key of a sum over the judgements of a question: the agreement, the number of pairs, or a cell of a coincidence matrix."""

_WIDTH = 96
"""Bits per sum in a packed integer."""
_SCALE = 2**40
"""Fixed-point scale of a packed sum."""


def _agreement(annotators: tuple[str, str], judged: Iterable[Judgement], seed: int, resamples: int) -> Agreement:
    units: dict[tuple[str, str], list[Judgement]] = defaultdict(list)
    for judgement in judged:
        units[judgement.question, judgement.unit].append(judgement)
    questions: dict[str, list[list[Judgement]]] = defaultdict(list)
    for (question, _), members in sorted(units.items()):
        if len(members) > 1:
            questions[question].append(members)
    percent, nominal, ordinal, interval = _measures([_tally(members) for members in questions.values()], seed, resamples)
    num_units = sum(map(len, questions.values()))
    return Agreement(annotators, num_units, len(questions), percent, nominal, ordinal, interval)


def _tally(units: Iterable[Sequence[Judgement]]) -> dict[_Cell, float]:
    total: dict[_Cell, float] = defaultdict(float)
    for judged in units:
        for judgement, other in combinations(judged, 2):
            total["agreed", 0, 0] += 1 - abs(judgement.preference - other.preference) / 2
            total["pairs", 0, 0] += 1
        preferences = [judgement.preference for judgement in judged]
        ratings = [judgement.rating for judgement in judged if judgement.rating is not None]
        for (first, second), weight in coincidences(preferences).items():
            total["preference", first, second] += weight
        for (first, second), weight in coincidences(ratings).items():
            total["rating", first, second] += weight
    return total


def _measures(tallies: Sequence[Mapping[_Cell, float]], seed: int, resamples: int) -> list[Measure | None]:
    """Return percent agreement and the three alphas, with intervals from the same resamples.

    Resamples in which a statistic is undefined are ignored for it. All sums of a question are packed into one large integer, so
    that a resample is a single sum: 5 s instead of 27 s for five annotators, 300 questions and eleven groups.
    """
    cells = sorted({cell for tally in tallies for cell in tally})
    packed = [sum(round(tally.get(cell, 0) * _SCALE) << _WIDTH * i for i, cell in enumerate(cells)) for tally in tallies]

    def statistics(total: int) -> tuple[float | None, ...]:
        field = (1 << _WIDTH) - 1
        sums = {cell: (total >> _WIDTH * i & field) / _SCALE for i, cell in enumerate(cells)}
        preferences, ratings = (
            {(first, second): weight for (kind, first, second), weight in sums.items() if kind == wanted and weight}
            for wanted in ("preference", "rating")
        )
        percent = sums["agreed", 0, 0] / sums["pairs", 0, 0] if sums else None
        return percent, alpha_of(preferences, "nominal"), alpha_of(ratings, "ordinal"), alpha_of(ratings, "interval")

    rng = random.Random(seed)
    draws = [statistics(sum(rng.choices(packed, k=len(packed)))) for _ in range(resamples if packed else 0)]
    measures: list[Measure | None] = []
    for i, value in enumerate(statistics(sum(packed))):
        resampled = sorted(number for draw in draws if (number := draw[i]) is not None)
        tail = int((1 - CONFIDENCE) / 2 * len(resampled))
        if value is None or not resampled:
            measures.append(None)
        else:
            measures.append(Measure(value, resampled[tail], resampled[-1 - tail]))
    return measures


def _preference_and_rating(comparison: Comparison, index: int, other: int) -> tuple[int, float | None] | None:
    """Return the preference and the rating of two answers, or None if there is neither."""
    if comparison.ranks is not None:
        return _sign(comparison.ranks[other] - comparison.ranks[index]), None
    if comparison.ratings is not None:
        return _sign(comparison.ratings.overall), comparison.ratings.overall
    return None


def _sign(number: float) -> int:
    return (number > 0) - (number < 0)
