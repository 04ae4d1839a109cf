"""How far annotators agree: the share of judgements, Krippendorff's alpha, and how sure both are.

The paper reports that labelers agree 73 % of the time with each other and 74 % with its authors (Appendix C): two judgements of
the same two answers agree if they prefer the same one or both call it a tie, and half if one of them calls it a tie.
Alpha (Krippendorff 2011, *Computing Krippendorff's Alpha-Reliability*) compares the disagreement with what chance would give:
1 is perfect, 0 is chance. Nominal and of the preference alone; ordinal and interval over the five points of the final rating.

Intervals are percentiles of a bootstrap over questions, because judgements of one question hang together. Alpha is no mean of
values of questions, so the bootstrap of means that the benchmark uses cannot give it; what is drawn here are questions, and
what is computed from a draw is the whole statistic.
"""

import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations
from typing import Final, Literal

from browser_env.records import Comparison
from browser_env.records.digests import short_hash
from recorder.comparisons.pairs import answer_key

RESAMPLES: Final = 2_000
CONFIDENCE: Final = 0.95
EVERYBODY: Final = ("", "")
"""Stands for all annotators together."""

Level = Literal["nominal", "ordinal", "interval"]
Coincidences = Mapping[tuple[float, float], float]
"""How often two values were given to one unit, as Krippendorff counts: each pair both ways, a unit of m values weighing m."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A figure and where it would lie, 95 times of 100, for other questions like these."""

    value: float
    low: float
    """2.5th percentile of the resamples."""
    high: float
    """97.5th percentile."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far some annotators agree on what they have all judged."""

    annotators: tuple[str, str]
    """`EVERYBODY`: all of them together."""
    units: int
    """Pairs of answers that two or more of them judged."""
    questions: int
    percent: Measure | None
    """Mean agreement of two judgements, 0 to 1, a tie against a preference counted half; None: there are no two."""
    nominal: Measure | None
    """Alpha of the preference: first, second or tie; None: no two judgements, or all are the same, here and below."""
    ordinal: Measure | None
    """Alpha of the final rating by the order of its five points; rankings have none."""
    interval: Measure | None
    """The same with equal distances between the points."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one annotator said of two answers."""

    question: str
    unit: str
    """The two answers, in whatever order."""
    annotator: str
    preference: int
    """1: the first of the unit is better, -1: the second, 0: a tie."""
    rating: float | None
    """The final rating on its five points, in the same direction; None: they were ranked."""


def judgements(comparisons: Iterable[Comparison]) -> list[Judgement]:
    """What was said of every two answers; flagged questions say nothing. Of one annotator's, the last judgement counts."""
    found: dict[tuple[str, str], Judgement] = {}
    for comparison in comparisons:
        for one, other in combinations(range(len(comparison.answers)), 2):
            said = _said(comparison, one, other)
            if said is None:
                continue
            preference, rating = said
            first, second = answer_key(comparison.answers[one]), answer_key(comparison.answers[other])
            if second < first:
                first, second, preference, rating = second, first, -preference, None if rating is None else 0.0 - rating
            question = short_hash(comparison.question.dataset, comparison.question.id, comparison.question.text)
            unit = short_hash(question, first, second)
            found[unit, comparison.labeler] = Judgement(question, unit, comparison.labeler, preference, rating)
    return list(found.values())


def agreements(comparisons: Iterable[Comparison], *, seed: int = 0, resamples: int = RESAMPLES) -> list[Agreement]:
    """How far everybody agrees, then each two annotators who have judged the same, by name.

    Args:
        comparisons: Of any annotators.
        seed: Of the bootstrap.
        resamples: Draws of the bootstrap.
    """
    said = judgements(comparisons)
    names = sorted({one.annotator for one in said})
    found = [_agreement(EVERYBODY, said, seed, resamples)]
    found.extend(
        _agreement((first, second), [one for one in said if one.annotator in (first, second)], seed, resamples)
        for first, second in combinations(names, 2)
    )
    return [one for one in found if one.units]


def alpha(units: Iterable[Sequence[float]], level: Level) -> float | None:
    """Krippendorff's alpha of the values that each unit was given; None where it is undefined.

    Args:
        units: The values of each unit, one for each annotator who gave one; those with fewer than two say nothing.
        level: How far apart two values are: *nominal* (the same or not), *ordinal* (by how many values were given between
            them), *interval* (their difference).
    """
    total: dict[tuple[float, float], float] = defaultdict(float)
    for values in units:
        for pair, weight in coincidences(values).items():
            total[pair] += weight
    return alpha_of(total, level)


def coincidences(values: Sequence[float]) -> Coincidences:
    """What one unit adds to the matrix of coincidences."""
    found: dict[tuple[float, float], float] = defaultdict(float)
    for one, other in permutations(values, 2):
        found[one, other] += 1 / (len(values) - 1)
    return found


def alpha_of(matrix: Coincidences, level: Level) -> float | None:
    """Alpha of a matrix of coincidences: 1 minus the disagreement that was observed over the one that is expected."""
    given: dict[float, float] = defaultdict(float)
    for (one, _), weight in matrix.items():
        given[one] += weight
    total = sum(given.values())
    distance = _distances(given, level)
    expected = sum(given[one] * given[other] * distance[one, other] for one in given for other in given)
    if total <= 1 or not expected:
        return None
    observed = sum(weight * distance[pair] for pair, weight in matrix.items())
    return 1 - (total - 1) * observed / expected


def _distances(given: Mapping[float, float], level: Level) -> dict[tuple[float, float], float]:
    ordered = sorted(given)
    found = {}
    for first, one in enumerate(ordered):
        for second, other in enumerate(ordered):
            match level:
                case "nominal":
                    apart = float(one != other)
                case "interval":
                    apart = (one - other) ** 2
                case "ordinal":
                    between = ordered[min(first, second) : max(first, second) + 1]
                    apart = (sum(given[value] for value in between) - (given[one] + given[other]) / 2) ** 2
            found[one, other] = apart
    return found


_Cell = tuple[Literal["agreed", "pairs", "preference", "rating"], float, float]
"""What the judgements of a question add up to: agreement, the number of two judgements, and two matrices of coincidences."""

_WIDTH, _SCALE = 96, 2**40
"""Bits of one sum, and what its unit is split into."""


def _agreement(annotators: tuple[str, str], said: Iterable[Judgement], seed: int, resamples: int) -> Agreement:
    units: dict[tuple[str, str], list[Judgement]] = defaultdict(list)
    for one in said:
        units[one.question, one.unit].append(one)
    questions: dict[str, list[list[Judgement]]] = defaultdict(list)
    for (question, _), judged in sorted(units.items()):
        if len(judged) > 1:
            questions[question].append(judged)
    percent, nominal, ordinal, interval = _measures([_tally(judged) for judged in questions.values()], seed, resamples)
    num_units = sum(map(len, questions.values()))
    return Agreement(annotators, num_units, len(questions), percent, nominal, ordinal, interval)


def _tally(units: Iterable[Sequence[Judgement]]) -> dict[_Cell, float]:
    total: dict[_Cell, float] = defaultdict(float)
    for judged in units:
        for one, other in combinations(judged, 2):
            total["agreed", 0, 0] += 1 - abs(one.preference - other.preference) / 2
            total["pairs", 0, 0] += 1
        for (first, second), weight in coincidences([one.preference for one in judged]).items():
            total["preference", first, second] += weight
        for (first, second), weight in coincidences([one.rating for one in judged if one.rating is not None]).items():
            total["rating", first, second] += weight
    return total


def _measures(tallies: Sequence[Mapping[_Cell, float]], seed: int, resamples: int) -> list[Measure | None]:
    """Percent agreement and the three alphas, with their intervals; the same questions are drawn for all.

    A draw in which a figure is undefined does not count for it. All sums of a question are the fields of one large integer, so
    that a draw is one sum: five annotators with 300 questions take 5 s for all eleven rows, and 27 s if each cell is summed.
    """
    cells = sorted({cell for tally in tallies for cell in tally})
    packed = [sum(round(tally.get(cell, 0) * _SCALE) << _WIDTH * at for at, cell in enumerate(cells)) for tally in tallies]

    def figures(total: int) -> tuple[float | None, ...]:
        field = (1 << _WIDTH) - 1
        sums = {cell: (total >> _WIDTH * at & field) / _SCALE for at, cell in enumerate(cells)}
        preferences, ratings = (
            {(first, second): weight for (kind, first, second), weight in sums.items() if kind == wanted and weight}
            for wanted in ("preference", "rating")
        )
        percent = sums["agreed", 0, 0] / sums["pairs", 0, 0] if sums else None
        return percent, alpha_of(preferences, "nominal"), alpha_of(ratings, "ordinal"), alpha_of(ratings, "interval")

    chance = random.Random(seed)
    draws = [figures(sum(chance.choices(packed, k=len(packed)))) for _ in range(resamples if packed else 0)]
    found: list[Measure | None] = []
    for at, value in enumerate(figures(sum(packed))):
        seen = sorted(one for draw in draws if (one := draw[at]) is not None)
        tail = int((1 - CONFIDENCE) / 2 * len(seen))
        found.append(Measure(value, seen[tail], seen[-1 - tail]) if value is not None and seen else None)
    return found


def _said(comparison: Comparison, one: int, other: int) -> tuple[int, float | None] | None:
    if comparison.ranks is not None:
        return _sign(comparison.ranks[other] - comparison.ranks[one]), None
    if comparison.ratings is not None:
        return _sign(comparison.ratings.overall), comparison.ratings.overall
    return None


def _sign(number: float) -> int:
    return (number > 0) - (number < 0)
