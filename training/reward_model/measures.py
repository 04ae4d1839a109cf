"""Accuracy, log-loss and calibration of a reward model on comparisons, with bootstrap intervals."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

from agent.intervals import Estimate, estimate
from training.reward_model.preferences import Candidate, PreferenceGroup, preference

RESAMPLES = 2_000
"""Of the bootstrap: there may be thousands of questions."""


BINS = 10
"""Of the calibration: confidences from a half to one in equal steps."""


@dataclass(frozen=True, slots=True)
class Bin:
    """Predictions of about the same confidence."""

    low: float
    high: float
    n: int
    confidence: float
    """Mean probability of the answer that was predicted to be preferred."""
    accuracy: float
    """How often it was; a tie is half."""


@dataclass(frozen=True, slots=True)
class PreferenceFigures:
    """How well scores predict preferences."""

    groups: int
    pairs: int
    ties: int
    accuracy: Estimate | None
    """Share of the pairs, ties apart, whose preferred answer scores higher; equal scores are half. The interval is over
    questions. None: every pair is a tie."""
    log_loss: float
    """Mean over groups, ties included, in nats; log 2 = 0.693 is knowing nothing."""
    calibration_error: float
    """Mean distance of confidence and accuracy over the bins, weighted by their size (ECE); ties included."""
    bins: tuple[Bin, ...]
    agreement: float | None
    """Share of the repeated ratings of the same pair, ties apart, that agree: what accuracy can hope for. None: no pair was
    rated twice."""
    repeated: int
    """Number of such repetitions."""


def figures(
    groups: Sequence[PreferenceGroup], scores: Sequence[Sequence[float]], *, resamples: int = RESAMPLES
) -> PreferenceFigures:
    """Figures of some scores.

    Args:
        groups: What was preferred.
        scores: One for each candidate of each group; their differences are read as logits.
        resamples: Of the bootstrap.
    """
    if not groups:
        raise ValueError("there is nothing to measure on")
    right: dict[str, list[float]] = defaultdict(list)
    binned: dict[int, list[tuple[float, float]]] = defaultdict(list)
    losses = []
    pairs = ties = 0
    for group, own in zip(groups, scores, strict=True):
        found = []
        for first, second in combinations(range(len(own)), 2):
            wanted, difference = preference(group.levels[first], group.levels[second]), own[first] - own[second]
            found.append(_cross_entropy(difference, wanted))
            given = preference(difference, 0.0)
            confidence = 1 / (1 + math.exp(-abs(difference)))
            hit = 0.5 if 0.5 in (given, wanted) else float(given == wanted)
            binned[min(BINS - 1, int((confidence - 0.5) * 2 * BINS))].append((confidence, hit))
            pairs += 1
            if wanted == 0.5:
                ties += 1
            else:
                right[group.question].append(hit)
        losses.append(math.fsum(found) / len(found))
    bins = tuple(
        Bin(
            0.5 + index / 2 / BINS,
            0.5 + (index + 1) / 2 / BINS,
            len(hits),
            *(math.fsum(column) / len(hits) for column in zip(*hits, strict=True)),
        )
        for index, hits in sorted(binned.items())
    )
    agreement, repeated = labeler_agreement(groups)
    return PreferenceFigures(
        groups=len(groups),
        pairs=pairs,
        ties=ties,
        accuracy=_share(right, resamples) if right else None,
        log_loss=math.fsum(losses) / len(losses),
        calibration_error=math.fsum(one.n * abs(one.confidence - one.accuracy) for one in bins) / pairs,
        bins=bins,
        agreement=agreement,
        repeated=repeated,
    )


def labeler_agreement(groups: Iterable[PreferenceGroup]) -> tuple[float | None, int]:
    """How often two ratings of the same two answers agree, where neither is a tie, and how many such there are."""
    ratings: dict[tuple[Candidate, Candidate], list[float]] = defaultdict(list)
    for group in groups:
        for (a, level_a), (b, level_b) in combinations(zip(group.candidates, group.levels, strict=True), 2):
            if (wanted := preference(level_a, level_b)) != 0.5:
                is_swapped = (b.text, b.answer) < (a.text, a.answer)
                ratings[(b, a) if is_swapped else (a, b)].append(1 - wanted if is_swapped else wanted)
    agreed = [float(one == other) for said in ratings.values() for one, other in combinations(said, 2)]
    return (math.fsum(agreed) / len(agreed) if agreed else None), len(agreed)


def _cross_entropy(difference: float, wanted: float) -> float:
    """Of a preference under a score difference, in nats; for any size of difference."""
    return max(difference, 0.0) - difference * wanted + math.log1p(math.exp(-abs(difference)))


def _share(right: dict[str, list[float]], resamples: int) -> Estimate:
    """Share of all pairs, with the interval of a bootstrap over questions.

    Each question counts with its pairs: its value is that of its pairs, times their number over the mean number.
    """
    mean = sum(map(len, right.values())) / len(right)
    share = math.fsum(hit for hits in right.values() for hit in hits) / sum(map(len, right.values()))
    # Values are taken about the share, so that the number of pairs of a question varies nothing by itself.
    values = [share + math.fsum(hit - share for hit in hits) / mean for hits in right.values()]
    found = estimate(values, resamples=resamples)
    return Estimate(found.mean, max(0.0, found.low), min(1.0, found.high), found.n)
