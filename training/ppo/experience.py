"""Episodes that PPO learns from: browsed with the policy in training, each answered several times.

An episode is a sequence of turns, each a prompt of its own and a completion. Where it ends in an answer, more answers are
sampled over the same references; each is an *answering-only* episode of one turn (Appendix E: "twice the sample efficiency").
Unlike `agent.rollouts.rollout` every episode has an action budget of its own, which its observations show.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, Literal, Protocol

from agent.models.tokens import prompt_ids
from agent.policy import Completion, Policy, Prompt
from agent.rollouts.rollout import MAX_FAILURE, MAX_THREADS
from agent.score import Scored
from browser_env.backends import Backend
from browser_env.env import BrowserEnv
from browser_env.errors import PolicyError
from browser_env.pages.characters import clean_line
from browser_env.records import Episode, Question, Settings, Step
from browser_env.records.digests import stable_hash
from browser_env.records.storage import storable
from browser_env.state import BrowserState, TokenCounter, count_words
from training.ppo.packing import Allowed


class Sampler(Policy, Protocol):
    """A policy that can say among which tokens it chose. `agent.models.language_model.LanguageModel` is one."""

    def allowed_tokens(self, state: BrowserState, prompt_length: int, token_ids: Sequence[int]) -> Allowed:
        """For each token of a completion the ids among which it was chosen; None: all of them.

        Args:
            state: That it was written in.
            prompt_length: Tokens of its prompt.
            token_ids: Of the completion.
        """
        ...


@dataclass(frozen=True, slots=True)
class Task:
    """An episode to be made."""

    index: int
    """Its number in the iteration, over all processes."""
    question: Question
    settings: Settings
    """With its own action budget."""
    seed: int


@dataclass(frozen=True, slots=True)
class Turn:
    """One prompt and what the policy wrote, as token ids."""

    phase: Literal["browsing", "answering"]
    prompt: tuple[int, ...]
    tokens: tuple[int, ...]
    """With its end, which is an action too."""
    logprobs: tuple[float, ...]
    """As the sampler computed them, in nats."""
    allowed: Allowed
    """For each token the ids among which it was chosen; None: all."""


@dataclass(frozen=True, slots=True)
class Experience:
    """A browsing episode and the answering-only episodes that it leads to."""

    index: int
    episode: Episode
    browsing: tuple[Turn, ...]
    answering: tuple[Turn, ...] = ()
    """Of the same prompt; the first is the episode's own. None if it gave no answer."""
    answers: tuple[Scored, ...] = ()
    """The same answers for a score to read."""

    @property
    def turns(self) -> tuple[Turn, ...]:
        """All of them, in the order in which they follow each other in `trajectories`."""
        return (*self.browsing, *self.answering)

    @property
    def trajectories(self) -> tuple[tuple[Turn, ...], ...]:
        """The episode, then the answering-only ones; none if it failed."""
        if self.episode.failure is not None:
            return ()
        return (*self.browsing, *self.answering[:1]), *((turn,) for turn in self.answering[1:])


OnProgress = Callable[[int], None]
"""Told how many episodes have finished browsing since the last call."""


def collect(
    sampler: Sampler,
    backend: Backend,
    tasks: Sequence[Task],
    tokenizer: Any,
    *,
    num_answers: int = 16,
    batch_size: int = 64,
    threads: int | None = None,
    count_tokens: TokenCounter = count_words,
    on_progress: OnProgress | None = None,
) -> list[Experience]:
    """Browse and answer; the result is in the order of the tasks and depends on each task alone, not on its batch.

    A failure (a prompt too long for the model, a defect of a page) is kept in its episode and nothing is learned from it.

    Args:
        sampler: Gives token ids and log-probabilities.
        backend: The web.
        tasks: What to do.
        tokenizer: The sampler's.
        num_answers: For each browsing episode, its own included.
        batch_size: Prompts in flight.
        threads: Threads that wait for the backend; None: one for each episode in flight, at most 16.
        count_tokens: Counts the tokens of references.
        on_progress: See `OnProgress`.
    """
    if num_answers < 1 or batch_size < 1:
        raise ValueError(f"num_answers and batch_size must be at least 1, got {num_answers} and {batch_size}")
    flights = [_Flight(task, BrowserEnv(backend, task.settings, count_tokens=count_tokens)) for task in tasks]
    flying = _Flying(sampler, tokenizer)
    threads = min(batch_size, MAX_THREADS) if threads is None else threads
    with ExitStack() as stack:
        each: Callable[..., Iterable[object]] = map
        if threads > 1:
            pool = ThreadPoolExecutor(threads, thread_name_prefix="experience")
            stack.callback(pool.shutdown, cancel_futures=True)
            each = pool.map
        waiting = iter(flights)
        going: list[_Flight] = []
        while True:
            for flight in islice(waiting, batch_size - len(going)):
                flight.begin()
                going.append(flight)
            if not going:
                break
            completions = flying.complete([flight.prompt() for flight in going])
            list(each(_Flight.act, going, completions))
            finished = [flight for flight in going if flight.has_browsed]
            going = [flight for flight in going if not flight.has_browsed]
            if on_progress and finished:
                on_progress(len(finished))
    answering = [flight for flight in flights if flight.failure is None and flight.env.state.phase == "answering"]
    at_once = max(1, batch_size // num_answers)
    for start in range(0, len(answering), at_once):
        some = answering[start : start + at_once]
        completions = flying.complete([flight.prompt(number) for flight in some for number in range(num_answers)])
        for place, flight in enumerate(some):
            flight.answer(completions[place * num_answers : (place + 1) * num_answers])
    return [flight.experience(sampler.name) for flight in flights]


@dataclass(frozen=True, slots=True)
class _Flying:
    """A sampler whose completions come as turns."""

    sampler: Sampler
    tokenizer: Any

    def complete(self, prompts: Sequence[Prompt]) -> "list[tuple[Completion, Turn] | PolicyError]":
        completions = self.sampler.complete(prompts)
        return [self._turn(prompt, completion) for prompt, completion in zip(prompts, completions, strict=True)]

    def _turn(self, prompt: Prompt, completion: Completion | PolicyError) -> "tuple[Completion, Turn] | PolicyError":
        if isinstance(completion, PolicyError):
            return completion
        tokens, logprobs = completion.token_ids, completion.logprobs
        if not tokens or logprobs is None:
            raise PolicyError(f"{self.sampler.name} gives no log-probabilities; PPO needs those of everything that is sampled")
        ids = tuple(prompt_ids(self.tokenizer, prompt.text))
        allowed = self.sampler.allowed_tokens(prompt.state, len(ids), tokens)
        return completion, Turn(
            "answering" if prompt.state.phase == "answering" else "browsing", ids, tokens, logprobs, allowed
        )


@dataclass(eq=False)
class _Flight:
    """One episode in the making."""

    task: Task
    env: BrowserEnv
    observation: str = ""
    steps: list[Step] = field(default_factory=list)
    browsing: list[Turn] = field(default_factory=list)
    answering: list[Turn] = field(default_factory=list)
    answers: list[Scored] = field(default_factory=list)
    failure: str | None = None

    @property
    def has_browsed(self) -> bool:
        return self.failure is not None or self.env.state.phase != "browsing"

    def begin(self) -> None:
        self.observation = self.env.reset(replace(self.task.question, text=storable(self.task.question.text)))

    def prompt(self, number: int = 0) -> Prompt:
        own = int(stable_hash(self.task.seed, len(self.steps), number)[:8], 16) & 0x7FFF_FFFF
        return Prompt(self.observation, self.env.state, own)

    def act(self, result: tuple[Completion, Turn] | PolicyError) -> None:
        """Carry out a command."""
        if isinstance(result, PolicyError):
            self._fail(result)
            return
        completion, turn = result
        step = _step("browsing", self.observation, completion, None)
        try:
            self.observation, _, _, _, info = self.env.step(completion.text)
        except Exception as error:  # noqa: BLE001 - any defect of a backend or a page is this episode's alone, and is recorded
            self.steps.append(step)
            self._fail(error)
            return
        problem = None if info.problem is None else storable(info.problem)
        self.steps.append(_step("browsing", step.observation, completion, problem))
        self.browsing.append(turn)

    def answer(self, results: Sequence[tuple[Completion, Turn] | PolicyError]) -> None:
        """Take the answers; the first is the episode's own."""
        for result in results:
            if isinstance(result, PolicyError):
                self._fail(result)
                return
        references = self.env.state.references
        for result in results:
            assert not isinstance(result, PolicyError)
            completion, turn = result
            self.answering.append(turn)
            self.answers.append(Scored(self.task.question.text, references, storable(completion.text)))
            if len(self.answering) == 1:
                self.steps.append(_step("answering", self.observation, completion, None))
        self.env.step(self.answers[0].answer)

    def experience(self, actor: str) -> Experience:
        state = self.env.state
        episode = Episode(
            id=stable_hash(self.task.question.id, actor, self.task.seed, self.task.index)[:12],
            question=self.task.question,
            settings=self.task.settings,
            actor=actor,
            backend=self.env.backend.name,
            seed=self.task.seed,
            steps=tuple(self.steps),
            references=state.references,
            ending=state.ending,
            failure=self.failure,
        )
        return Experience(self.task.index, episode, tuple(self.browsing), tuple(self.answering), tuple(self.answers))

    def _fail(self, error: Exception) -> None:
        self.failure = clean_line(f"{type(error).__name__}: {error}")[:MAX_FAILURE]


def _step(phase: Literal["browsing", "answering"], observation: str, completion: Completion, problem: str | None) -> Step:
    return Step(
        phase=phase,
        observation=observation,
        completion=storable(completion.text),
        problem=problem,
        token_ids=completion.token_ids,
        logprobs=completion.logprobs,
    )
