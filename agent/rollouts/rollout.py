"""Running a policy: questions in, episodes out, many at once.

Episodes go in lockstep: every one in flight is asked for its next action in one batch, then every action is carried out, and
an episode that ends is replaced by the next question at once. What an episode does depends on its question, the policy and
the seed alone, never on what else is in its batch. A failure is a value of the episode that it struck; the others go on.
"""

import math
import time
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import islice

from agent.policy import Completion, Policy, Prompt
from browser_env.backends import Backend
from browser_env.env import BrowserEnv, Info
from browser_env.errors import PolicyError, UsageError, WebGPTError
from browser_env.observation import observe
from browser_env.pages.characters import clean_line
from browser_env.records import Episode, Question, Settings, Step
from browser_env.records.digests import stable_hash
from browser_env.records.storage import storable
from browser_env.state import BrowserState, TokenCounter, count_words

MAX_COMPLETION = 20_000
"""Longest completion that is kept, in characters: twice the longest command, eight times the longest answer of the paper's
comparisons."""
MAX_FAILURE = 500
"""Longest failure that is kept, in characters."""
MAX_THREADS = 16
"""Most threads that wait for a backend, unless told otherwise."""


@dataclass(frozen=True, slots=True)
class StepEvent:
    """One step of one episode, told when it was done."""

    question: Question
    index: int
    """Number of the step, from 0."""
    step: Step
    info: Info
    state: BrowserState
    """After the step."""
    seed: int
    """Of the episode, which tells several of one question apart."""


def rollout(
    policy: Policy,
    backend: Backend,
    questions: Iterable[Question],
    settings: Settings,
    *,
    seed: int = 0,
    batch_size: int = 16,
    count_tokens: TokenCounter = count_words,
    on_step: Callable[[StepEvent], None] | None = None,
    threads: int | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Episode]:
    """Answer questions with a policy; yields each episode when it ends.

    Args:
        policy: What acts.
        backend: The web, shared by all episodes.
        questions: Taken one by one, when there is room. If taking one raises an error of this project, the episodes in
            flight are finished first.
        settings: Format and budgets.
        seed: The same seed gives the same episodes, whatever the batch size and the order of the questions.
        batch_size: Episodes in flight.
        count_tokens: Counts the tokens of references.
        on_step: Told of every step, in this thread, before its episode is yielded.
        threads: Threads that wait for the backend; 1: none but this. None: one for each episode in flight, at most 16.
        clock: Seconds that only grow.
    """
    return rollout_seeds(
        policy,
        backend,
        ((question, seed) for question in questions),
        settings,
        batch_size=batch_size,
        count_tokens=count_tokens,
        on_step=on_step,
        threads=threads,
        clock=clock,
    )


def rollout_seeds(
    policy: Policy,
    backend: Backend,
    asked: Iterable[tuple[Question, int]],
    settings: Settings,
    *,
    batch_size: int = 16,
    count_tokens: TokenCounter = count_words,
    on_step: Callable[[StepEvent], None] | None = None,
    threads: int | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Episode]:
    """`rollout` of questions each with a seed of its own, so that many episodes of one question share a batch."""
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
    threads = min(batch_size, MAX_THREADS) if threads is None else threads
    waiting = _Waiting(iter(asked))
    running: list[_Run] = []
    with ExitStack() as stack:
        each: Callable[..., Iterable[object]] = map
        if threads > 1:
            pool = ThreadPoolExecutor(threads, thread_name_prefix="rollout")
            stack.callback(pool.shutdown, cancel_futures=True)
            each = pool.map
        while True:
            for question, seed in waiting.take(batch_size - len(running)):
                running.append(_Run(question, seed, BrowserEnv(backend, settings, count_tokens=count_tokens)))
                running[-1].begin()
            if not running:
                break
            going = [run for run in running if not run.has_ended]
            before = clock()
            completions = _complete(policy, [run.prompt() for run in going])
            seconds = (clock() - before) / max(1, len(going))
            infos = each(_Run.act, going, completions, [seconds] * len(going))
            for run, info in zip(going, infos, strict=True):
                if isinstance(info, Info) and on_step:
                    on_step(StepEvent(run.question, len(run.steps) - 1, run.steps[-1], info, run.env.state, run.seed))
            yield from (run.episode(policy.name) for run in running if run.has_ended)
            running = [run for run in running if not run.has_ended]
    if waiting.error:
        raise waiting.error


def answer(
    policy: Policy,
    episodes: Iterable[Episode],
    num: int,
    *,
    seed: int = 0,
    skip: Container[str] = (),
    batch_size: int = 16,
    count_tokens: TokenCounter = count_words,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Episode]:
    """Answer again from what was browsed: episodes of the answering phase alone (Appendix E has 15 more of them).

    Each has the references and the ending of the episode it goes back to, that one's id with a number behind it, and one step.

    Args:
        policy: What answers.
        episodes: Finished ones; those without an answering phase are skipped.
        num: Answers for each.
        seed: The same seed gives the same answers, whatever the batch size.
        skip: Ids of further answers that there are already.
        batch_size: Answers asked for at a time.
        count_tokens: Counts the tokens of references.
        clock: Seconds that only grow.
    """
    waiting = (
        (episode, number)
        for episode in episodes
        if has_answering_phase(episode)
        for number in range(1, num + 1)
        if answer_id(episode, number) not in skip
    )
    while batch := list(islice(waiting, batch_size)):
        states = [_answering_state(episode, count_tokens) for episode, _ in batch]
        prompts = [
            Prompt(observe(state), state, _prompt_seed(seed, episode.id, number))
            for (episode, number), state in zip(batch, states, strict=True)
        ]
        before = clock()
        completions = _complete(policy, prompts)
        seconds = (clock() - before) / len(batch)
        for (episode, number), prompt, completion in zip(batch, prompts, completions, strict=True):
            again = replace(episode, id=answer_id(episode, number), actor=policy.name, seed=seed, steps=(), failure=None)
            if isinstance(completion, Exception):
                yield replace(again, failure=_failure(completion))
            else:
                yield replace(again, steps=(_step("answering", prompt.text, completion, seconds)[0],))


def has_answering_phase(episode: Episode) -> bool:
    """Whether browsing ended with something to answer from."""
    return episode.failure is None and _answering_state(episode, count_words).phase == "answering"


def episode_id(question: Question, actor: str, seed: int) -> str:
    """The id of the episode that a rollout makes."""
    return stable_hash(question.id, actor, seed)[:12]


def answer_id(episode: Episode, number: int) -> str:
    """The id of a further answer over an episode's references; numbers count from 1."""
    return f"{episode.id}-{number}"


def _answering_state(episode: Episode, count_tokens: TokenCounter) -> BrowserState:
    return BrowserState(episode.question, episode.settings, count_tokens, references=episode.references, ending=episode.ending)


def _prompt_seed(*parts: object) -> int:
    return int(stable_hash(*parts)[:8], 16) & 0x7FFF_FFFF  # servers take 31 bits


@dataclass
class _Waiting:
    """The questions and seeds that no episode has begun with, and the error that ended them."""

    asked: Iterator[tuple[Question, int]]
    error: WebGPTError | None = None

    def take(self, number: int) -> Iterator[tuple[Question, int]]:
        while number > 0 and self.error is None:
            try:
                question, seed = next(self.asked)
            except StopIteration:
                return
            except WebGPTError as error:
                self.error = error
                return
            yield replace(question, text=storable(question.text)), seed
            number -= 1


@dataclass(eq=False)
class _Run:
    """One episode in flight."""

    question: Question
    seed: int
    env: BrowserEnv
    observation: str = ""
    steps: list[Step] = field(default_factory=list)
    failure: str | None = None

    @property
    def has_ended(self) -> bool:
        return self.failure is not None or self.env.state.phase == "ended"

    def begin(self) -> None:
        try:
            self.observation = self.env.reset(self.question)
        except ValueError as error:
            self._fail(error)

    def prompt(self) -> Prompt:
        return Prompt(self.observation, self.env.state, _prompt_seed(self.seed, self.question.id, len(self.steps)))

    def act(self, completion: Completion | Exception, seconds: float) -> Info | None:
        """Carry out a completion; None if there was none or it ended in a failure."""
        if isinstance(completion, Exception):
            self._fail(completion)
            return None
        phase = self.env.state.phase
        assert phase != "ended"  # only episodes that go on are asked
        step, text = _step(phase, self.observation, completion, seconds)
        try:
            self.observation, _, _, _, info = self.env.step(text)
        except UsageError:
            raise  # the web was not set up as it has to be, so no episode can go on
        except Exception as error:  # noqa: BLE001 - any defect of a backend or a page is this episode's alone, and is recorded
            self.steps.append(step)
            self._fail(error)
            return None
        problem = "; ".join(filter(None, (info.problem, step.problem))) or None
        self.steps.append(replace(step, problem=problem and storable(problem)))
        return info

    def episode(self, actor: str) -> Episode:
        state = self.env.state if self.steps else None  # nothing happened before the first step
        return Episode(
            id=episode_id(self.question, actor, self.seed),
            question=self.question,
            settings=self.env.settings,
            actor=actor,
            backend=self.env.backend.name,
            seed=self.seed,
            steps=tuple(self.steps),
            references=state.references if state else (),
            ending=state.ending if state else None,
            failure=self.failure,
        )

    def _fail(self, error: Exception) -> None:
        self.failure = _failure(error)


def _failure(error: Exception) -> str:
    return clean_line(f"{type(error).__name__}: {error}")[:MAX_FAILURE]


def _complete(policy: Policy, prompts: Sequence[Prompt]) -> list[Completion | Exception]:
    """A completion or an error for each prompt. What strikes a whole batch is tried again prompt by prompt."""
    if not prompts:
        return []
    try:
        completions = list(policy.complete(prompts))
        if len(completions) == len(prompts):
            return [_checked(completion) for completion in completions]
        problem: Exception = PolicyError(f"{policy.name} gave {len(completions)} completions for {len(prompts)} prompts")
    except Exception as error:  # noqa: BLE001 - any defect of a policy strikes one episode, and is recorded on it
        problem = error
    if len(prompts) == 1:
        return [problem]
    return [completion for prompt in prompts for completion in _complete(policy, [prompt])]


def _checked(completion: Completion | PolicyError) -> Completion | PolicyError:
    """The completion, or an error if no record can hold it."""
    if isinstance(completion, Completion) and completion.logprobs is not None:
        if len(completion.logprobs) != len(completion.token_ids or ()):
            return PolicyError(f"{len(completion.logprobs)} logprobs for {len(completion.token_ids or ())} tokens")
        if not all(map(math.isfinite, completion.logprobs)):
            return PolicyError("a log-probability is not finite")
    if not isinstance(completion, (Completion, PolicyError)):
        return PolicyError(f"a completion is a {type(completion).__name__}")  # type: ignore[unreachable]
    return completion


def _step(phase: str, observation: str, completion: Completion, seconds: float) -> tuple[Step, str]:
    """The record of a completion, and what the environment is given.

    The environment sees a command in full, so that it can say how long it was; an answer is what the record keeps.
    """
    given = completion.text if completion.command is None else completion.command
    text = storable(completion.text)
    command = None if completion.command is None else storable(completion.command)
    is_cut = len(text) > MAX_COMPLETION
    step = Step(
        phase="answering" if phase == "answering" else "browsing",
        observation=observation,
        completion=text[:MAX_COMPLETION],
        command=None if command is None else command[:MAX_COMPLETION],
        problem=f"of {len(text):,} characters the first {MAX_COMPLETION:,} were kept" if is_cut else None,
        token_ids=None if is_cut else completion.token_ids,
        logprobs=None if is_cut else completion.logprobs,
        seconds=seconds,
    )
    return step, storable(given)
