"""Best-of-n: sample several episodes, keep the one that scores highest (§3.2), and estimate the gain (Appendix I).

The samples are either whole episodes or answers over the references of one episode. All samples share batches, so one question
fills a batch as well as many do, and each sample is the episode that `rollout` makes with the seed in its record.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol, TypedDict, Unpack

from agent.intervals import RESAMPLES, Estimate, estimates
from agent.policy import Policy
from agent.rollouts.rollout import StepEvent, Task, answer, hashed_seed, rollout
from agent.score import Score, Scored
from browser_env.backends import Backend
from browser_env.records import Episode, Question, Settings
from browser_env.state import TokenCounter, count_words

Mode = Literal["episodes", "answers"]
"""Whether whole episodes are sampled, or answers over the references of one episode."""


class Answering(Protocol):
    """A function that makes one episode of each question: `rollout`, or `best_of_n` with some n and score."""

    def __call__(
        self,
        policy: Policy,
        backend: Backend,
        questions: Iterable[Question],
        settings: Settings,
        /,
        *,
        seed: int = ...,
        batch_size: int = ...,
        on_step: Callable[[StepEvent], None] | None = ...,
    ) -> Iterator[Episode]:
        """Answer questions; the parameters are those of `rollout`."""
        ...


class RolloutOptions(TypedDict, total=False):
    """Keyword arguments that are passed on to `rollout`."""

    batch_size: int
    count_tokens: TokenCounter
    on_step: Callable[[StepEvent], None] | None
    threads: int | None


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
    **options: Unpack[RolloutOptions],
) -> Iterator[Episode]:
    """Answer questions, each by the best of n samples; yields the best episode of a question when all are sampled.

    Args:
        policy: The policy to sample from. A greedy one gives n equal samples.
        backend: The web.
        questions: Questions, taken one at a time when there is room in the batch.
        settings: Format and budgets.
        score: The score that chooses.
        n: Number of samples of each question.
        mode: *episodes* samples n whole episodes; *answers* browses once and samples n answers.
        seed: Seed of the samples.
        options: See `rollout`. In mode *answers*, `on_step` is not called for answers after the first.
    """
    _check_number(n)
    if mode == "episodes":
        groups: Iterator[tuple[Episode, ...]] = sample_episodes(policy, backend, questions, settings, n, seed=seed, **options)
    else:
        batch_size, count_tokens = options.get("batch_size", 16), options.get("count_tokens", count_words)
        episodes = rollout(policy, backend, questions, settings, seed=seed, **options)
        groups = (sample_answers(policy, episode, n, batch_size=batch_size, count_tokens=count_tokens) for episode in episodes)
    for samples in groups:
        yield best(samples, score)


def best(samples: Sequence[Episode], score: Score) -> Episode:
    """The sample whose answer scores highest.

    Of equal scores the first wins. Samples with an answer come before those without, and failed ones come last.
    """
    answered = [(episode, item) for episode in samples if (item := Scored.of(episode)) is not None]
    if not answered:
        return next((episode for episode in samples if episode.failure is None), samples[0])
    scores = score([item for _, item in answered])
    return answered[max(range(len(scores)), key=lambda index: (scores[index], -index))][0]


def sample_seed(seed: int, sample: int) -> int:
    """The seed of sample number `sample` of every question; sample 0 has `seed` itself."""
    return seed if sample == 0 else hashed_seed(seed, "sample", sample)


def sample_episodes(
    policy: Policy,
    backend: Backend,
    questions: Iterable[Question],
    settings: Settings,
    n: int,
    *,
    seed: int = 0,
    **options: Unpack[RolloutOptions],
) -> Iterator[tuple[Episode, ...]]:
    """Sample n episodes of each question; yields a question's samples, in order, when the last has ended.

    The arguments are those of `best_of_n`.
    """
    _check_number(n)
    seeds = [sample_seed(seed, sample) for sample in range(n)]
    tasks = (Task(question, episode_seed, settings) for question in questions for episode_seed in seeds)
    ended: dict[str, dict[int, list[Episode]]] = {}  # question id, seed, episodes: a set of questions may repeat one
    for episode in rollout(policy, backend, tasks, **options):
        assert episode.seed is not None  # rollouts have one
        by_seed = ended.setdefault(episode.question.id, {})
        by_seed.setdefault(episode.seed, []).append(episode)
        if all(by_seed.get(episode_seed) for episode_seed in seeds):
            samples = tuple(by_seed[episode_seed].pop(0) for episode_seed in seeds)
            if not any(by_seed.values()):
                del ended[episode.question.id]
            yield samples


def sample_answers(
    policy: Policy, episode: Episode, n: int, *, batch_size: int = 16, count_tokens: TokenCounter = count_words
) -> tuple[Episode, ...]:
    """An episode and n - 1 copies of it with other answers; the episode alone if it has no answer.

    Args:
        policy: The policy that made the episode.
        episode: A finished episode.
        n: Number of answers, the episode's own included.
        batch_size: Number of answers in progress at a time.
        count_tokens: Counts the tokens of references.
    """
    _check_number(n)
    if Scored.of(episode) is None:
        return (episode,)
    answers = answer(policy, [episode], n - 1, seed=episode.seed or 0, batch_size=batch_size, count_tokens=count_tokens)
    browsing = episode.steps[:-1]
    return (episode, *(replace(answered, steps=(*browsing, *answered.steps)) for answered in answers))


def _check_number(n: int) -> None:
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")


# ------------------------------------------------------------------------------------------------------------ estimates


def expected_best(scores: Sequence[float], values: Sequence[float], n: int) -> float:
    """Unbiased estimate of the value of the best of n, from N >= n samples (Appendix I).

    It is the mean, over all subsets of n samples, of the value of the highest-scoring sample. Samples with equal scores are
    equally likely to be chosen.

    Args:
        scores: The score of each sample, by which the best is chosen.
        values: The value of each sample: its score by a second, validation reward model, or by a judge.
        n: Size of the subsets, from 1 to the number of samples.
    """
    number = len(scores)
    if len(values) != number:
        raise ValueError(f"expected as many values as scores, got {len(values)} and {number}")
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
    _check_number(n)
    return math.log(n) - (n - 1) / n


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """The value of best-of-n at one n."""

    n: int
    kl: float
    """KL divergence from the policy, in nats."""
    values: Mapping[str, Estimate]
    """Mean value over questions, by judge."""


def best_of_n_curve(
    scores: Sequence[Sequence[float]],
    values: Mapping[str, Sequence[Sequence[float]]],
    numbers: Sequence[int] = (1, 2, 4, 8, 16, 32, 64),
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> list[CurvePoint]:
    """The value of best-of-n for several n, with 95 % bootstrap intervals over questions.

    Args:
        scores: For each question the score of each of its samples, by which the best is chosen.
        values: For each judge (the same reward model, a validation model, the gold labels) values of the same shape.
        numbers: Values of n. Those above the number of samples of any question are skipped.
        seed: Seed of the bootstrap.
        resamples: Number of bootstrap resamples.
    """
    most = min(map(len, scores), default=0)
    numbers = [n for n in numbers if n <= most]
    cells = [(n, judge) for n in numbers for judge in values]
    columns = [[expected_best(*pair, n) for pair in zip(scores, values[judge], strict=True)] for n, judge in cells]
    by_cell = dict(zip(cells, estimates(columns, seed=seed, resamples=resamples), strict=True))
    return [CurvePoint(n, best_of_n_kl(n), {judge: by_cell[n, judge] for judge in values}) for n in numbers]
