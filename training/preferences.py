"""What people preferred, the loss that learns it, and how well a model predicts it.

One group of answers to a question carries everything: a pair (two answers), a tie (two of equal level) and a ranking of K.
"""

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.intervals import Estimate, estimate
from agent.rollout import stable_hash
from browser_env.characters import END_OF_FIELD, clean, clean_line
from browser_env.errors import RecordError

if TYPE_CHECKING:
    from torch import Tensor

RESAMPLES = 2_000
"""Of the bootstrap: there may be thousands of questions."""
BINS = 10
"""Of the calibration: confidences from a half to one in equal steps."""


# --------------------------------------------------------------------------------------------------------------- groups


@dataclass(frozen=True, slots=True)
class Candidate:
    """One answer that was compared."""

    text: str
    """What was shown when it was asked for: question and references (`agent.score.answering_text`)."""
    answer: str


@dataclass(frozen=True, slots=True)
class PreferenceGroup:
    """Answers to one question that somebody compared."""

    question: str
    """Its id or text; groups of a question are all trained on or all held out."""
    candidates: tuple[Candidate, ...]
    levels: tuple[float, ...]
    """How good each is; the higher is preferred, equal ones are tied. Only their order matters."""
    labeler: str = ""
    """Who said so."""

    def __post_init__(self) -> None:
        if len(self.candidates) < 2 or len(self.candidates) != len(self.levels):
            raise ValueError(f"a group has two or more candidates and a level for each, got {len(self.candidates)}")

    @property
    def is_tie(self) -> bool:
        """Whether nothing in it is preferred to anything."""
        return len(set(self.levels)) == 1


def preference(first: float, second: float) -> float:
    """1 if the first level is preferred, 0 if the second is, 0.5 for a tie."""
    return 0.5 + 0.5 * ((first > second) - (first < second))


def read_trl_preferences(path: Path) -> Iterator[PreferenceGroup]:
    """The pairs of a preference file in TRL's format: JSON Lines of ``chosen``, ``rejected`` and mostly ``prompt``.

    Each is a text or a list of messages; without a prompt, what both lists begin with is it. A prompt that ends like the
    observation of the answering phase is taken as it is, another one as a question without references.

    Raises:
        RecordError: The file cannot be read, or a line is no such pair.
    """
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if line.isspace():
                    continue
                try:
                    yield _trl_pair(json.loads(line))
                except (ValueError, KeyError, TypeError) as error:
                    problem = f"lacks {error}" if isinstance(error, KeyError) else clean_line(str(error))[:200]
                    raise RecordError(f"{path}:{number}: is no preference of TRL: {problem}") from error
    except OSError as error:
        raise RecordError(f"{path}: cannot be read: {error.strerror}") from error


def trl_preferences(group: PreferenceGroup) -> Iterator[dict[str, str]]:
    """The preferences of a group as rows of TRL's format; ties have none.

    The prompt is what was shown before the answer. Two answers with references of their own share the question alone: the
    references then begin what was chosen and what was rejected, so prompt and answer together are the same text either way.
    """
    for first, second in combinations(range(len(group.candidates)), 2):
        if group.levels[first] == group.levels[second]:
            continue
        better, worse = (first, second) if group.levels[first] > group.levels[second] else (second, first)
        chosen, rejected = group.candidates[better], group.candidates[worse]
        prompt = chosen.text
        if chosen.text != rejected.text:
            prompt = f"{chosen.text.partition(END_OF_FIELD)[0]}{END_OF_FIELD}"
        yield {
            "prompt": prompt,
            "chosen": f"{chosen.text}{chosen.answer}".removeprefix(prompt),
            "rejected": f"{rejected.text}{rejected.answer}".removeprefix(prompt),
        }


def _trl_pair(row: Any) -> PreferenceGroup:
    chosen, rejected = _messages(row["chosen"]), _messages(row["rejected"])
    if "prompt" in row:
        prompt = "\n\n".join(_messages(row["prompt"]))
    else:
        if chosen[:-1] != rejected[:-1] or len(chosen) < 2:
            raise ValueError("there is no prompt, and chosen and rejected do not begin with the same messages")
        prompt = "\n\n".join(chosen[:-1])
    text = prompt if prompt.endswith(END_OF_FIELD) else f"{clean(prompt).strip()}{END_OF_FIELD}"
    candidates = tuple(Candidate(text, end.removesuffix(END_OF_FIELD)) for end in (chosen[-1], rejected[-1]))
    return PreferenceGroup(text.partition(END_OF_FIELD)[0], candidates, (1.0, 0.0))


def _messages(value: Any) -> list[str]:
    texts = [value] if isinstance(value, str) else [message["content"] for message in value]
    if not texts or not all(isinstance(text, str) for text in texts):
        raise ValueError("a side is neither a text nor a list of messages")
    return texts


def in_part(question: str, share: float, seed: int = 0, *, salt: str = "held out") -> bool:
    """Whether a question is in a random share of all questions; the same for whoever asks, in every process.

    Shares of the same seed and salt are nested.
    """
    return int(stable_hash(salt, seed, question)[:12], 16) < share * 16**12


# --------------------------------------------------------------------------------------------------------------- losses


def comparison_loss(score_a: "Tensor", score_b: "Tensor", preference: "Tensor") -> "Tensor":
    """Cross-entropy of human preference under the score difference (§3.2).

    The difference of two scores is the logit of the probability that A is preferred.

    Args:
        score_a: Reward-model scores of answers A, shape (B,).
        score_b: Scores of answers B, shape (B,).
        preference: Probability that A is better: 1, 0, or 0.5 for a tie, shape (B,).

    Returns:
        Mean over the batch, in nats.
    """
    from torch.nn.functional import binary_cross_entropy_with_logits

    return binary_cross_entropy_with_logits(score_a - score_b, preference)


def group_preference_loss(scores: "Tensor", levels: "Tensor", mask: "Tensor") -> "Tensor":
    """Mean comparison loss of all pairs in a group, for each group (InstructGPT, equation 1, with ties as a soft half).

    All pairs of a group are one element of the batch, so that an answer compared K - 1 times is not K - 1 times as important.

    Args:
        scores: Of the candidates, shape (B, K).
        levels: How good they are, shape (B, K); the higher of two is preferred, equal ones are tied.
        mask: Which candidates there are, shape (B, K); at least two in each group.

    Returns:
        In nats, shape (B,).
    """
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits

    difference = scores[:, :, None] - scores[:, None, :]
    target = 0.5 + 0.5 * (levels[:, :, None] - levels[:, None, :]).sign()
    pairs = torch.triu(mask[:, :, None] & mask[:, None, :], diagonal=1)
    losses = binary_cross_entropy_with_logits(difference, target.to(difference.dtype), reduction="none")
    return torch.where(pairs, losses, 0.0).sum((1, 2)) / pairs.sum((1, 2))


# -------------------------------------------------------------------------------------------------------------- figures


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
