"""One question from the command line: reading it, running its episode, and stopping cleanly on an interrupt."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from agent.policy import Policy
from agent.rollouts.best_of_n import Answering
from agent.rollouts.rollout import StepEvent, rollout
from browser_env.backends import Backend
from browser_env.env import check_question
from browser_env.errors import UsageError
from browser_env.records import Episode, Question, Settings
from browser_env.records.digests import stable_hash
from browser_env.records.storage import append_record, storable

MAX_STDIN = 10_000_000
"""Bytes of a question that are read before it is refused."""


def read_question(words: Sequence[str]) -> Question:
    """The question that some arguments are; ``-`` alone stands for standard input.

    Raises:
        UsageError: It is empty or too long.
    """
    text = " ".join(words)
    if text == "-":
        text = sys.stdin.buffer.read(MAX_STDIN).decode("utf-8", "replace")
    text = storable(text).strip()
    try:
        check_question(text)
    except ValueError as error:
        raise UsageError(str(error)) from error
    return Question(id=stable_hash(text)[:12], text=text)


def check_writable(file: Path | None) -> None:
    """Find out before the work whether its result can be kept.

    Raises:
        OSError: It cannot.
    """
    if file is not None:
        file.open("ab").close()


def run_episode(
    policy: Policy,
    web: Backend,
    question: Question,
    settings: Settings,
    *,
    seed: int,
    save: Path | None,
    on_step: Callable[[StepEvent], None],
    is_timed: bool = True,
    answering: Answering = rollout,
    batch_size: int = 1,
) -> Episode:
    """Answer one question. With `save`, the episode is added to that file however it ends.

    An episode that `is_timed` says how long each step took; without that, one that is replayed is the same to the byte.

    Raises:
        KeyboardInterrupt: With what was kept as its message.
    """
    if settings.token_counter != "words":
        raise UsageError(f"--token-counter must be words, got {settings.token_counter!r}")
    events: list[StepEvent] = []

    def note(event: StepEvent) -> None:
        events.append(event)
        on_step(event)

    try:
        (episode,) = answering(policy, web, [question], settings, seed=seed, batch_size=batch_size, on_step=note)
    except KeyboardInterrupt:
        if save is None:
            raise KeyboardInterrupt("nothing was saved (--save FILE keeps the steps)") from None
        if not events:
            raise KeyboardInterrupt(f"before the first step; {save} is as it was") from None
        last = [event for event in events if event.seed == events[-1].seed]  # of several samples, the one of the last step
        append_record(save, _interrupted(last, policy.name, web.name))
        raise KeyboardInterrupt(f"the {len(last)} steps until here were saved to {save}") from None
    if not is_timed:
        episode = replace(episode, steps=tuple(replace(step, seconds=None) for step in episode.steps))
    if save is not None:
        append_record(save, episode)
    return episode


def _interrupted(events: Sequence[StepEvent], actor: str, web: str) -> Episode:
    question, state, seed = events[-1].question, events[-1].state, events[-1].seed
    return Episode(
        id=stable_hash(question.id, actor, seed)[:12],
        question=question,
        settings=state.settings,
        actor=actor,
        backend=web,
        seed=seed,
        steps=tuple(event.step for event in events),
        references=state.references,
        ending=state.ending,
        failure="interrupted",
    )
