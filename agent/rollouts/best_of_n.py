"""Best-of-n: sample several, keep the one that scores highest (§3.2), and what that gains (Appendix I).

Either whole episodes are sampled or answers over the references of one. All samples share batches, so there are as many prompts
in flight for one question as for many, and each sample is the episode that `rollout` gives with the seed in its record.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from agent.intervals import RESAMPLES, Estimate, estimates
from agent.policy import Policy
from agent.rollouts.rollout import StepEvent, answer, rollout, rollout_seeds
from agent.score import Score, Scored
from browser_env.backends import Backend
from browser_env.records import Episode, Question, Settings
from browser_env.records.digests import stable_hash
from browser_env.state import TokenCounter, count_words

Mode = Literal["episodes", "answers"]
"""What is sampled n times."""


class Answering(Protocol):
    """How questions become episodes, one each: `rollout`, or `best_of_n` of some n and score."""

    def __call__(
        self,
        policy: Policy,
        backend: Backend,
        questions: Iterable[Question],
        settings: Settings,
        *,
        seed: int = ...,
        batch_size: int = ...,
        on_step: Callable[[StepEvent], None] | None = ...,
    ) -> Iterator[Episode]:
        """See `rollout`."""
        ...


# ------------------------------------------------------------------------------------------------------------- sampling


def best_of_n(
    policy: Policy,
    backend: Backend,
    questions: Iterable[Question],
    settings: Settings,
    score: Score,
    n: int,
    *,
    mode: Mode = "episodes",
    seed: int = 0,
    batch_size: int = 16,
    count_tokens: TokenCounter = count_words,
    on_step: Callable[[StepEvent], None] | None = None,
    threads: int | None = None,
) -> Iterator[Episode]:
    """Answer questions, each by the best of n samples; yields each question's episode when it is chosen.

    Args:
        policy: What acts; it must sample, or all n are the same.
        backend: The web.
        questions: Taken one by one, when there is room.
        settings: Format and budgets.
        score: What decides.
        n: Number of samples.
        mode: *episodes*: n are browsed from the start. *answers*: one is browsed and answered n times.
        seed: The same seed gives the same episodes.
        batch_size: Prompts in flight.
        count_tokens: Counts the tokens of references.
        on_step: Told of every step of every sample; of mode *answers* the further answers are not told.
        threads: Threads that wait for the backend.
    """
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    if mode == "episodes":
        groups: Iterator[tuple[Episode, ...]] = sample_episodes(
            policy,
            backend,
            questions,
            settings,
            n,
            seed=seed,
            batch_size=batch_size,
            count_tokens=count_tokens,
            on_step=on_step,
            threads=threads,
        )
    else:
        browsed = rollout(
            policy,
            backend,
            questions,
            settings,
            seed=seed,
            batch_size=batch_size,
            count_tokens=count_tokens,
            on_step=on_step,
            threads=threads,
        )
        groups = (sample_answers(policy, one, n, batch_size=batch_size, count_tokens=count_tokens) for one in browsed)
    for samples in groups:
        yield best(samples, score)


def best(samples: Sequence[Episode], score: Score) -> Episode:
    """The sample whose answer scores highest; the first of equals, and any with an answer before those without."""
    answered = [(episode, item) for episode in samples if (item := Scored.of(episode)) is not None]
    if not answered:
        return next((episode for episode in samples if episode.failure is None), samples[0])
    scores = score([item for _, item in answered])
    return answered[max(range(len(scores)), key=lambda index: (scores[index], -index))][0]


def sample_seed(seed: int, sample: int) -> int:
    """Seed of the episodes that are sample number `sample` of their questions; the first has the seed itself."""
    return seed if sample == 0 else int(stable_hash(seed, "sample", sample)[:8], 16) & 0x7FFF_FFFF


def sample_episodes(
    policy: Policy,
    backend: Backend,
    questions: Iterable[Question],
    settings: Settings,
    n: int,
    *,
    seed: int = 0,
    batch_size: int = 16,
    count_tokens: TokenCounter = count_words,
    on_step: Callable[[StepEvent], None] | None = None,
    threads: int | None = None,
) -> Iterator[tuple[Episode, ...]]:
    """Several episodes of each question, in the order of their samples; yields a question's when its last has ended.

    Takes what `best_of_n` takes.
    """
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    seeds = [sample_seed(seed, sample) for sample in range(n)]
    ended: dict[str, dict[int, list[Episode]]] = {}  # lists, since a set may hold a question twice
    for episode in rollout_seeds(
        policy,
        backend,
        ((question, own) for question in questions for own in seeds),
        settings,
        batch_size=batch_size,
        count_tokens=count_tokens,
        on_step=on_step,
        threads=threads,
    ):
        assert episode.seed is not None  # rollouts have one
        own = ended.setdefault(episode.question.id, {})
        own.setdefault(episode.seed, []).append(episode)
        if all(own.get(one) for one in seeds):
            samples = tuple(own[one].pop(0) for one in seeds)
            if not any(own.values()):
                del ended[episode.question.id]
            yield samples


def sample_answers(
    policy: Policy, episode: Episode, n: int, *, batch_size: int = 16, count_tokens: TokenCounter = count_words
) -> tuple[Episode, ...]:
    """An episode and n - 1 more that browsed the same and answered anew; the episode alone if it has no answer.

    Args:
        policy: What gave the episode.
        episode: Ended.
        n: Number of answers.
        batch_size: Prompts in flight.
        count_tokens: Counts the tokens of references.
    """
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    if Scored.of(episode) is None:
        return (episode,)
    again = answer(policy, [episode], n - 1, seed=episode.seed or 0, batch_size=batch_size, count_tokens=count_tokens)
    return (episode, *(replace(one, steps=(*episode.steps[:-1], *one.steps)) for one in again))


# ------------------------------------------------------------------------------------------------------- what it gains


def expected_best(scores: Sequence[float], values: Sequence[float], n: int) -> float:
    """Unbiased estimate of the value of the best of n, from N >= n samples (Appendix I).

    The mean over all subsets of n samples of the value of the one that scores highest. Of samples with equal scores, any is as
    likely to be taken.

    Args:
        scores: What is chosen by, for each sample.
        values: What the chosen one is worth: the scores of a second, validation reward model, or of a judge.
        n: From 1 to the number of samples.
    """
    number = len(scores)
    if len(values) != number:
        raise ValueError(f"{number} scores and {len(values)} values")
    if not 1 <= n <= number:
        raise ValueError(f"n must be from 1 to the {number} samples, got {n}")
    order = sorted(range(number), key=lambda index: scores[index])
    subsets = math.comb(number, n)
    terms = []
    start = 0
    while start < number:
        end = start
        while end < number and scores[order[end]] == scores[order[start]]:
            end += 1
        # C(i-1, n-1) over i = start+1..end sums to C(end, n) - C(start, n): subsets whose highest is one of these equals
        share = (math.comb(end, n) - math.comb(start, n)) / subsets
        terms.append(share * math.fsum(values[index] for index in order[start:end]) / (end - start))
        start = end
    return math.fsum(terms)


def best_of_n_kl(n: int) -> float:
    """KL divergence of best-of-n from its policy, in nats: log n - (n - 1) / n."""
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    return math.log(n) - (n - 1) / n


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """What best-of-n is worth at one n."""

    n: int
    kl: float
    """From the policy, in nats."""
    values: Mapping[str, Estimate]
    """By who judged: the mean over questions."""


def best_of_n_curve(
    scores: Sequence[Sequence[float]],
    values: Mapping[str, Sequence[Sequence[float]]],
    numbers: Sequence[int] = (1, 2, 4, 8, 16, 32, 64),
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> list[CurvePoint]:
    """The value of the best of n for several n, with 95 % bootstrap intervals over questions.

    Args:
        scores: For each question the score of each of its samples, which is chosen by.
        values: For each judge (the same model, a validation model, the gold labels) the same shape.
        numbers: Values of n; those above the number of samples of any question are left out.
        seed: Of the bootstrap.
        resamples: Of the bootstrap.
    """
    most = min(map(len, scores), default=0)
    kept = [n for n in numbers if n <= most]
    cells = [(n, judge) for n in kept for judge in values]
    columns = [[expected_best(own, valued, n) for own, valued in zip(scores, values[judge], strict=True)] for n, judge in cells]
    found = dict(zip(cells, estimates(columns, seed=seed, resamples=resamples), strict=True))
    return [CurvePoint(n, best_of_n_kl(n), {judge: found[n, judge] for judge in values}) for n in kept]
