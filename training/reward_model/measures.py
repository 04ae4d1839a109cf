"""Accuracy, log-loss and calibration of a reward model on comparisons, with bootstrap intervals."""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from agent.intervals import Estimate, estimate, preference
from training.reward_model.preferences import Candidate, PreferenceGroup

RESAMPLES = 2_000
"""Number of bootstrap resamples; few enough for thousands of questions."""
BINS = 10
"""Number of calibration bins, of equal width in confidence from 0.5 to 1."""


@dataclass(frozen=True, slots=True)
class Bin:
    """A calibration bin: pairs that were predicted with similar confidence."""

    low: float
    """Lower bound of the confidence."""
    high: float
    """Upper bound of the confidence."""
    n: int
    """Number of pairs."""
    confidence: float
    """Mean predicted probability of the answer with the higher score."""
    accuracy: float
    """Share of the pairs in which that answer was preferred; a tie counts half."""


@dataclass(frozen=True, slots=True)
class PreferenceFigures:
    """Accuracy, log-loss and calibration of scores as predictions of preferences."""

    groups: int
    pairs: int
    ties: int
    """Number of tied pairs."""
    accuracy: Estimate | None
    """Share of the pairs without a tie whose preferred answer scores higher; equal scores count half. The interval is over
    questions. None: every pair is a tie."""
    log_loss: float
    """Mean over groups, ties included, in nats. A model without information has log 2 = 0.693."""
    calibration_error: float
    """Expected calibration error: mean distance of confidence and accuracy over the bins, weighted by their size. Ties are
    included."""
    bins: tuple[Bin, ...]
    agreement: float | None
    """Share of the repeated ratings of a pair, without ties, that agree: an upper bound of accuracy in practice. None: no pair
    was rated twice."""
    repeated: int
    """Number of repeated ratings."""


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two answers of a group: the preference between them, and the difference of their scores."""

    question: str
    preference: float
    difference: float

    @property
    def is_tie(self) -> bool:
        return self.preference == 0.5

    @property
    def confidence(self) -> float:
        """Predicted probability of the answer with the higher score."""
        return 1 / (1 + math.exp(-abs(self.difference)))

    @property
    def hit(self) -> float:
        """1 if the prediction is right, 0 if it is wrong, 0.5 for a tie or equal scores."""
        predicted = preference(self.difference, 0.0)
        return 0.5 if 0.5 in (predicted, self.preference) else float(predicted == self.preference)

    @property
    def log_loss(self) -> float:
        """Cross-entropy of the preference in nats, finite for any difference."""
        return max(self.difference, 0.0) - self.difference * self.preference + math.log1p(math.exp(-abs(self.difference)))


def figures(
    groups: Sequence[PreferenceGroup], scores: Sequence[Sequence[float]], *, resamples: int = RESAMPLES
) -> PreferenceFigures:
    """Measure how well scores predict preferences.

    Args:
        groups: The preferences.
        scores: The score of each candidate of each group; differences are read as logits.
        resamples: Number of bootstrap resamples.
    """
    if not groups:
        raise ValueError("expected at least one group to measure")
    pairs_by_group = [list(_pairs(group, values)) for group, values in zip(groups, scores, strict=True)]
    losses = [_mean([pair.log_loss for pair in pairs]) for pairs in pairs_by_group]
    pairs = [pair for group_pairs in pairs_by_group for pair in group_pairs]
    hits: dict[str, list[float]] = defaultdict(list)
    for pair in pairs:
        if not pair.is_tie:
            hits[pair.question].append(pair.hit)
    bins = _bins(pairs)
    agreement, repeated = labeler_agreement(groups)
    return PreferenceFigures(
        groups=len(groups),
        pairs=len(pairs),
        ties=sum(pair.is_tie for pair in pairs),
        accuracy=_accuracy(hits, resamples) if hits else None,
        log_loss=_mean(losses),
        calibration_error=math.fsum(part.n * abs(part.confidence - part.accuracy) for part in bins) / len(pairs),
        bins=bins,
        agreement=agreement,
        repeated=repeated,
    )


def _pairs(group: PreferenceGroup, scores: Sequence[float]) -> Iterator[_Pair]:
    for first, second in combinations(range(len(scores)), 2):
        wanted = preference(group.levels[first], group.levels[second])
        yield _Pair(group.question, wanted, scores[first] - scores[second])


def _bins(pairs: Iterable[_Pair]) -> tuple[Bin, ...]:
    """The bins that have pairs, by confidence."""
    members: dict[int, list[_Pair]] = defaultdict(list)
    for pair in pairs:
        members[min(BINS - 1, int((pair.confidence - 0.5) * 2 * BINS))].append(pair)
    return tuple(
        Bin(
            low=0.5 + index / 2 / BINS,
            high=0.5 + (index + 1) / 2 / BINS,
            n=len(binned),
            confidence=_mean([pair.confidence for pair in binned]),
            accuracy=_mean([pair.hit for pair in binned]),
        )
        for index, binned in sorted(members.items())
    )


def _accuracy(hits: Mapping[str, Sequence[float]], resamples: int) -> Estimate:
    """The share of hits over all pairs, with the interval of a bootstrap over questions.

    Args:
        hits: The hits of the pairs of each question.
        resamples: Number of bootstrap resamples.
    """
    number = sum(map(len, hits.values()))
    mean = number / len(hits)
    share = math.fsum(hit for values in hits.values() for hit in values) / number
    # Deviations from the share, not hits, are summed: the number of a question's pairs alone adds no variance.
    values = [share + math.fsum(hit - share for hit in values) / mean for values in hits.values()]
    interval = estimate(values, resamples=resamples)
    return Estimate(interval.mean, max(0.0, interval.low), min(1.0, interval.high), interval.n)


def labeler_agreement(groups: Iterable[PreferenceGroup]) -> tuple[float | None, int]:
    """The agreement of repeated ratings of the same two answers, where neither is a tie.

    Returns:
        The share that agree (None: there are none), and the number of pairs of such ratings.
    """
    ratings: dict[tuple[Candidate, Candidate], list[float]] = defaultdict(list)
    for group in groups:
        for (a, level_a), (b, level_b) in combinations(zip(group.candidates, group.levels, strict=True), 2):
            if (preferred := preference(level_a, level_b)) != 0.5:
                is_swapped = (b.text, b.answer) < (a.text, a.answer)
                ratings[(b, a) if is_swapped else (a, b)].append(1 - preferred if is_swapped else preferred)
    agreed = [float(first == second) for repeated in ratings.values() for first, second in combinations(repeated, 2)]
    return (_mean(agreed) if agreed else None), len(agreed)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
