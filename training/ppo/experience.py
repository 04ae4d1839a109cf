"""Collection of experience: episodes of the policy in training, each answered several times.

An episode is a sequence of turns, each with a prompt of its own and a completion. If it ends in an answer, more answers
are sampled over the same references; each is an *answering-only* episode of one turn (Appendix E: "twice the sample
efficiency"). Episodes run on `agent.rollouts.rollout`; its step events become the turns.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

from agent.models.tokens import prompt_ids
from agent.policy import Policy
from agent.rollouts.rollout import StepEvent, Task, answer, answer_id, hashed_seed, rollout
from agent.score import Scored
from browser_env.backends import Backend
from browser_env.errors import PolicyError
from browser_env.records import Episode
from browser_env.records.digests import stable_hash
from browser_env.state import BrowserState, TokenCounter, count_words
from training.ppo.packing import Allowed


class Sampler(Policy, Protocol):
    """A policy that can report the choices of constrained decoding, such as `agent.models.language_model.LanguageModel`."""

    def allowed_tokens(self, state: BrowserState, prompt_length: int, token_ids: Sequence[int]) -> Allowed:
        """The token ids that were allowed at each position of a completion, or None where all were.

        Args:
            state: State that the completion was sampled in.
            prompt_length: Number of tokens in its prompt.
            token_ids: The completion.
        """
        ...


@dataclass(frozen=True, slots=True)
class Turn:
    """One prompt and its completion, as token ids."""

    phase: Literal["browsing", "answering"]
    prompt: tuple[int, ...]
    tokens: tuple[int, ...]
    """The completion with its end token, which is an action too."""
    logprobs: tuple[float, ...]
    """Log-probability of each token according to the sampler, in nats."""
    allowed: Allowed
    """For each token the ids that were allowed at its position; None where all were."""


@dataclass(frozen=True, slots=True)
class Experience:
    """A browsing episode with the answering-only episodes that follow from it."""

    index: int
    """Number of the episode in its iteration, over all processes."""
    episode: Episode
    browsing: tuple[Turn, ...]
    answering: tuple[Turn, ...] = ()
    """Turns with one prompt in common; the first is the episode's own answer. Empty if it has no answer."""
    answers: tuple[Scored, ...] = ()
    """The answers of these turns, as a score reads them."""

    @property
    def turns(self) -> tuple[Turn, ...]:
        """All turns, in the order in which `trajectories` has them."""
        return (*self.browsing, *self.answering)

    @property
    def trajectories(self) -> tuple[tuple[Turn, ...], ...]:
        """The turns of the browsing episode, then those of each answering-only episode; empty if the episode failed."""
        if self.episode.failure is not None:
            return ()
        return (*self.browsing, *self.answering[:1]), *((turn,) for turn in self.answering[1:])


def collect(
    sampler: Sampler,
    backend: Backend,
    tasks: Mapping[int, Task],
    tokenizer: Any,
    *,
    num_answers: int = 16,
    batch_size: int = 64,
    threads: int | None = None,
    count_tokens: TokenCounter = count_words,
    on_episode: Callable[[Episode], None] | None = None,
) -> list[Experience]:
    """Run browsing episodes, then sample more answers over their references; returns experiences in the order of the tasks.

    An experience depends on its task alone, not on its batch. Failed episodes are recorded; nothing is learned from them.

    Args:
        sampler: A policy that returns token ids and log-probabilities.
        backend: The web.
        tasks: Tasks by their number in the iteration.
        tokenizer: Tokenizer of the sampler.
        num_answers: Number of answers for each browsing episode, its own included.
        batch_size: Number of completions sampled at a time.
        threads: See `rollout`.
        count_tokens: Counts the tokens of references.
        on_episode: Called with each browsing episode when it ends.
    """
    if num_answers < 1:
        raise ValueError(f"num_answers must be at least 1, got {num_answers}")
    ids = {index: _episode_id(task, sampler.name, index) for index, task in tasks.items()}
    collector = _Collector(sampler, tokenizer, batch_size, count_tokens)
    browsed: dict[str, Episode] = {}
    for episode in collector.browse(backend, [replace(tasks[index], id=ids[index]) for index in tasks], threads):
        browsed[episode.id] = episode
        if on_episode:
            on_episode(episode)
    answered = collector.answer_again([browsed[ids[index]] for index in tasks], num_answers - 1)
    return [collector.experience(index, browsed[ids[index]], answered[ids[index]]) for index in tasks]


@dataclass(frozen=True, slots=True)
class _Collector:
    """Runs episodes and makes training turns of their step events."""

    sampler: Sampler
    tokenizer: Any
    batch_size: int
    count_tokens: TokenCounter
    turns: defaultdict[str, list[Turn]] = field(default_factory=lambda: defaultdict(list))
    """The turns of each episode, by its id."""

    def browse(self, backend: Backend, tasks: Sequence[Task], threads: int | None) -> Iterator[Episode]:
        """Run browsing episodes, each with its own answer."""
        return rollout(
            self.sampler,
            backend,
            tasks,
            batch_size=self.batch_size,
            count_tokens=self.count_tokens,
            on_step=self._record,
            threads=threads,
            prompt_seed=lambda task, step: hashed_seed(task.seed, step, 0),
            clock=None,
        )

    def answer_again(self, episodes: Sequence[Episode], num: int) -> dict[str, list[Episode]]:
        """Run `num` answering-only episodes for each episode with an answer; returns them by the id of that episode."""
        further = answer(
            self.sampler,
            episodes,
            num,
            batch_size=max(1, self.batch_size // max(1, num)) * num,  # a batch computes a shared prompt once
            count_tokens=self.count_tokens,
            on_step=self._record,
            prompt_seed=lambda episode, number: hashed_seed(episode.seed, len(episode.steps) - 1, number),
            clock=None,
        )
        by_id = {episode.id: episode for episode in further}
        ids = {episode.id: [answer_id(episode, number) for number in range(1, num + 1)] for episode in episodes}
        return {
            browsed: [by_id[answered] for answered in answer_ids if answered in by_id] for browsed, answer_ids in ids.items()
        }

    def experience(self, index: int, episode: Episode, further: Sequence[Episode]) -> Experience:
        """The experience of a browsing episode and its answering-only episodes; failed if any of them failed."""
        episodes = (episode, *further)
        turns = [turn for answered in episodes for turn in self.turns[answered.id]]
        browsing = tuple(turn for turn in turns if turn.phase == "browsing")
        failure = next((answered.failure for answered in episodes if answered.failure is not None), None)
        if failure is not None:
            return Experience(index, replace(episode, failure=failure), browsing)
        answers = tuple(item for answered in episodes if (item := Scored.of(answered)) is not None)
        return Experience(index, episode, browsing, tuple(turns[len(browsing) :]), answers)

    def _record(self, event: StepEvent) -> None:
        """Add the turn of a step to those of its episode."""
        tokens, logprobs = event.completion.token_ids, event.completion.logprobs
        if not tokens or logprobs is None:
            raise PolicyError(f"{self.sampler.name} returned no log-probabilities; PPO needs those of every sampled token")
        prompt = tuple(prompt_ids(self.tokenizer, event.step.observation))
        allowed = self.sampler.allowed_tokens(event.before, len(prompt), tokens)
        self.turns[event.episode_id].append(Turn(event.step.phase, prompt, tokens, logprobs, allowed))


def _episode_id(task: Task, actor: str, index: int) -> str:
    return stable_hash(task.question.id, actor, task.seed, index)[:12]
