"""The rollout engine: runs a policy on many tasks at once and yields one episode for each.

Episodes advance in lockstep: every episode in progress is asked for its next action in one batch, then every action is carried
out, and an episode that ends makes room for the next task at once. An episode depends on its task and the policy alone, never
on the rest of its batch. A failure is recorded on its own episode, here and nowhere else, and the other episodes go on.
"""

import math
import time
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

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
from browser_env.state import answer as answered

MAX_COMPLETION = 20_000
"""Longest completion that a record keeps, in characters: twice the longest command, eight times the longest answer of the
paper's comparisons."""
MAX_FAILURE = 500
"""Longest failure message that a record keeps, in characters."""
MAX_THREADS = 16
"""Default limit on the threads that wait for the backend."""


@dataclass(frozen=True, slots=True)
class Task:
    """One episode to run."""

    question: Question
    seed: int
    """Seed of all completions of the episode."""
    settings: Settings
    """Format and budgets of the episode, which its observations show."""
    id: str | None = None
    """Id of the episode. Default: the hash of question, policy and seed that `episode_id` computes."""


@dataclass(frozen=True, slots=True)
class StepEvent:
    """One finished step of one episode, as `on_step` callbacks receive it."""

    episode_id: str
    question: Question
    seed: int
    """Seed of the episode."""
    index: int
    """Number of the step, from 0."""
    before: BrowserState
    """State that the policy acted on."""
    completion: Completion
    """Output of the policy in full, with its token ids and log-probabilities if it has any."""
    step: Step
    """Record of the step."""
    info: Info
    state: BrowserState
    """State after the step."""


def hashed_seed(*parts: object) -> int:
    """A seed that is a stable hash of the parts: 31 bits, the most that model servers accept."""
    return int(stable_hash(*parts)[:8], 16) & 0x7FFF_FFFF


def step_seed(task: Task, index: int) -> int:
    """The seed of the completion of step `index` of a task."""
    return hashed_seed(task.seed, task.question.id, index)


def episode_id(question: Question, actor: str, seed: int) -> str:
    """The id of the episode that a policy named `actor` makes of a question with a seed."""
    return stable_hash(question.id, actor, seed)[:12]


# ------------------------------------------------------------------------------------------------------------ whole episodes


def rollout(
    policy: Policy,
    backend: Backend,
    tasks: Iterable[Question | Task],
    settings: Settings | None = None,
    *,
    seed: int = 0,
    batch_size: int = 16,
    count_tokens: TokenCounter = count_words,
    on_step: Callable[[StepEvent], None] | None = None,
    threads: int | None = None,
    prompt_seed: Callable[[Task, int], int] = step_seed,
    clock: Callable[[], float] | None = time.monotonic,
) -> Iterator[Episode]:
    """Run a policy on tasks; yields each episode when it ends.

    Args:
        policy: The policy to run.
        backend: The web, shared by all episodes.
        tasks: Tasks or plain questions, taken when there is room. If the iterable raises a `WebGPTError`, the episodes in
            progress are finished before it is raised here.
        settings: Format and budgets of plain questions. Default: the paper's.
        seed: Seed of plain questions. Results do not depend on the batch size or the order of the tasks.
        batch_size: Number of episodes in progress at a time.
        count_tokens: Counts the tokens of references.
        on_step: Called with every step, in the calling thread, before the step's episode is yielded.
        threads: Threads that wait for the backend; 1 is the calling thread. Default: one per episode in progress, at most 16.
        prompt_seed: Maps a task and the number of a step to the seed of its completion.
        clock: A monotonic clock in seconds, for `Step.seconds`. None leaves steps untimed.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
    queue = _Queue(task if isinstance(task, Task) else Task(task, seed, settings or Settings()) for task in tasks)
    running: list[_Run] = []
    with _parallel_map(min(batch_size, MAX_THREADS) if threads is None else threads) as parallel_map:
        while True:
            room = batch_size - len(running)
            running += (_Run(task, policy.name, backend, count_tokens, prompt_seed) for task in queue.take(room))
            if not running:
                break
            _advance(running, policy, parallel_map, on_step, clock)
            yield from (run.episode() for run in running if run.has_ended)
            running = [run for run in running if not run.has_ended]
    if queue.error:
        raise queue.error


def _advance(
    running: "Sequence[_Run]",
    policy: Policy,
    parallel_map: Callable[..., Iterable[Any]],
    on_step: Callable[[StepEvent], None] | None,
    clock: Callable[[], float] | None,
) -> None:
    """Take one step of every episode that has not ended."""
    active = [run for run in running if not run.has_ended]
    completions, seconds = _complete([run.prompt() for run in active], policy, clock)
    for event in parallel_map(_Run.act, active, completions, [seconds] * len(active)):
        if event is not None and on_step:
            on_step(event)


@contextmanager
def _parallel_map(threads: int) -> Iterator[Callable[..., Iterable[Any]]]:
    """`map` on a pool of threads, or the builtin for a single thread."""
    if threads <= 1:
        yield map
        return
    pool = ThreadPoolExecutor(threads, thread_name_prefix="rollout")
    try:
        yield pool.map
    finally:
        pool.shutdown(cancel_futures=True)


@dataclass
class _Queue:
    """Tasks that have not begun, and the error that ended their iterator."""

    tasks: Iterator[Task]
    error: WebGPTError | None = None

    def take(self, number: int) -> Iterator[Task]:
        """The next tasks, at most `number`."""
        while number > 0 and self.error is None:
            try:
                task = next(self.tasks)
            except StopIteration:
                return
            except WebGPTError as error:
                self.error = error
                return
            yield replace(task, question=replace(task.question, text=storable(task.question.text)))
            number -= 1


class _Run:
    """One episode in progress."""

    def __init__(
        self, task: Task, actor: str, backend: Backend, count_tokens: TokenCounter, prompt_seed: Callable[[Task, int], int]
    ) -> None:
        self.id = task.id or episode_id(task.question, actor, task.seed)
        self.task = task
        self.actor = actor
        self.env = BrowserEnv(backend, task.settings, count_tokens=count_tokens)
        self.prompt_seed = prompt_seed
        self.steps: list[Step] = []
        self.failure: str | None = None
        try:
            self.observation = self.env.reset(task.question)
        except ValueError as error:
            self.failure = _failure(error)

    @property
    def has_ended(self) -> bool:
        return self.failure is not None or self.env.state.phase == "ended"

    def prompt(self) -> Prompt:
        return Prompt(self.observation, self.env.state, self.prompt_seed(self.task, len(self.steps)))

    def act(self, completion: Completion | Exception, seconds: float | None) -> StepEvent | None:
        """Carry out a completion; returns None if the episode failed instead."""
        if isinstance(completion, Exception):
            self.failure = _failure(completion)
            return None
        before, index = self.env.state, len(self.steps)
        step, text = _step(before.phase, self.observation, completion, seconds)
        try:
            self.observation, _, _, _, info = self.env.step(text)
        except UsageError:
            raise  # the web is not set up correctly, so no episode can go on
        except Exception as error:  # noqa: BLE001 - any defect of a backend or a page is recorded on this episode alone
            self.steps.append(step)
            self.failure = _failure(error)
            return None
        problem = "; ".join(filter(None, (info.problem, step.problem))) or None
        self.steps.append(replace(step, problem=problem and storable(problem)))
        question, seed = self.task.question, self.task.seed
        return StepEvent(self.id, question, seed, index, before, completion, self.steps[-1], info, self.env.state)

    def episode(self) -> Episode:
        """The record of the episode."""
        state = self.env.state if self.steps else None  # a refused question has no state
        return Episode(
            id=self.id,
            question=self.task.question,
            settings=self.task.settings,
            actor=self.actor,
            backend=self.env.backend.name,
            seed=self.task.seed,
            steps=tuple(self.steps),
            references=state.references if state else (),
            ending=state.ending if state else None,
            failure=self.failure,
        )


# ------------------------------------------------------------------------------------------------- answering-only episodes


def answer(
    policy: Policy,
    episodes: Iterable[Episode],
    num: int,
    *,
    seed: int = 0,
    skip: Container[str] = (),
    batch_size: int = 16,
    count_tokens: TokenCounter = count_words,
    on_step: Callable[[StepEvent], None] | None = None,
    prompt_seed: Callable[[Episode, int], int] | None = None,
    clock: Callable[[], float] | None = time.monotonic,
) -> Iterator[Episode]:
    """Answer again from the references of finished episodes: answering-only episodes of one step (Appendix E).

    Each has the references and the ending of its browsing episode, and that episode's id with a number appended.

    Args:
        policy: The policy to run.
        episodes: Finished episodes; those without an answering phase are skipped.
        num: Number of answers for each episode.
        seed: Seed of the answers. They do not depend on the batch size.
        skip: Ids of answers that exist already.
        batch_size: Number of answers in progress at a time.
        count_tokens: Counts the tokens of references.
        on_step: Called with every step before its episode is yielded.
        prompt_seed: Maps an episode and the number of an answer, from 1, to the seed of the answer. Default: a hash of `seed`,
            the episode's id and the number.
        clock: A monotonic clock in seconds, for `Step.seconds`. None leaves steps untimed.
    """
    seed_of = prompt_seed or (lambda episode, number: hashed_seed(seed, episode.id, number))
    waiting = _missing_answers(episodes, num, skip)
    while batch := list(islice(waiting, batch_size)):
        states = [_answering_state(episode, count_tokens) for episode, _ in batch]
        seeds = [seed_of(episode, number) for episode, number in batch]
        prompts = [Prompt(observe(state), state, answer_seed) for state, answer_seed in zip(states, seeds, strict=True)]
        completions, seconds = _complete(prompts, policy, clock)
        for (browsed, number), prompt, completion in zip(batch, prompts, completions, strict=True):
            episode = replace(browsed, id=answer_id(browsed, number), actor=policy.name, seed=seed, steps=(), failure=None)
            yield _answered(episode, prompt, completion, seconds, on_step)


def _missing_answers(episodes: Iterable[Episode], num: int, skip: Container[str]) -> Iterator[tuple[Episode, int]]:
    """Pairs of an episode and the number of an answer that does not exist yet."""
    for episode in episodes:
        if has_answering_phase(episode):
            yield from ((episode, number) for number in range(1, num + 1) if answer_id(episode, number) not in skip)


def _answered(
    episode: Episode,
    prompt: Prompt,
    completion: Completion | Exception,
    seconds: float | None,
    on_step: Callable[[StepEvent], None] | None,
) -> Episode:
    """An answering-only episode with its step, or with the failure in place of one."""
    if isinstance(completion, Exception):
        return replace(episode, failure=_failure(completion))
    step, _ = _step("answering", prompt.text, completion, seconds)
    if on_step:
        before, after, seed = prompt.state, answered(prompt.state), episode.seed or 0
        on_step(StepEvent(episode.id, episode.question, seed, 0, before, completion, step, Info(None), after))
    return replace(episode, steps=(step,))


def has_answering_phase(episode: Episode) -> bool:
    """Whether browsing ended with references to answer from."""
    return episode.failure is None and _answering_state(episode, count_words).phase == "answering"


def answer_id(episode: Episode, number: int) -> str:
    """The id of a further answer to an episode's question; numbers count from 1."""
    return f"{episode.id}-{number}"


def _answering_state(episode: Episode, count_tokens: TokenCounter) -> BrowserState:
    return BrowserState(episode.question, episode.settings, count_tokens, references=episode.references, ending=episode.ending)


# --------------------------------------------------------------------------------------------------- completions and records


def _complete(
    prompts: Sequence[Prompt], policy: Policy, clock: Callable[[], float] | None
) -> tuple[list[Completion | Exception], float | None]:
    """A completion or an error for each prompt, and the seconds that each took on average."""
    if clock is None:
        return _completions(policy, prompts), None
    start = clock()
    completions = _completions(policy, prompts)
    return completions, (clock() - start) / max(1, len(prompts))


def _completions(policy: Policy, prompts: Sequence[Prompt]) -> list[Completion | Exception]:
    """A completion or an error for each prompt. After an error of a whole batch, each prompt is tried alone."""
    if not prompts:
        return []
    try:
        completions = list(policy.complete(prompts))
        if len(completions) == len(prompts):
            return [_checked(completion) for completion in completions]
        problem: Exception = PolicyError(f"{policy.name} gave {len(completions)} completions for {len(prompts)} prompts")
    except Exception as error:  # noqa: BLE001 - any defect of a policy is recorded on the episode that it struck
        problem = error
    if len(prompts) == 1:
        return [problem]
    return [completion for prompt in prompts for completion in _completions(policy, [prompt])]


def _checked(completion: Completion | PolicyError) -> Completion | PolicyError:
    """The completion, or an error if a record cannot hold it."""
    if isinstance(completion, Completion) and completion.logprobs is not None:
        if len(completion.logprobs) != len(completion.token_ids or ()):
            return PolicyError(f"{len(completion.logprobs)} logprobs for {len(completion.token_ids or ())} tokens")
        if not all(map(math.isfinite, completion.logprobs)):
            return PolicyError("a log-probability is not finite")
    if not isinstance(completion, (Completion, PolicyError)):
        return PolicyError(f"a completion is a {type(completion).__name__}")  # type: ignore[unreachable]
    return completion


def _step(phase: str, observation: str, completion: Completion, seconds: float | None) -> tuple[Step, str]:
    """The record of a completion, and the text for the environment.

    The environment gets a command in full, so that it can say how long it was; the record keeps `MAX_COMPLETION` characters.
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


def _failure(error: Exception) -> str:
    return clean_line(f"{type(error).__name__}: {error}")[:MAX_FAILURE]
