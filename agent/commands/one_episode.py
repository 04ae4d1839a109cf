"""One episode from the command line: reading the question, running, saving, and stopping on an interrupt."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from agent.commands.options import check_token_counter
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
"""Maximum length of a question on standard input, in bytes."""


def read_question(words: Sequence[str]) -> Question:
    """Read the question from its words on the command line; a single ``-`` means standard input.

    Raises:
        UsageError: The question is empty or too long.
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
    """Check before a long run that its results can be saved.

    Raises:
        OSError: The file cannot be written.
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
    """Answer one question; the policy browses the web and calls `on_step` after each step.

    With `save`, the episode is appended to that file, even if it fails or is interrupted. Without `is_timed`, steps have no
    seconds, so that a replayed episode is equal byte for byte. `answering` is `rollout` or best-of-n, with `batch_size` samples
    at the same time.

    Raises:
        UsageError: The settings name an unknown token counter.
        KeyboardInterrupt: The run was interrupted; the message says what was saved.
    """
    check_token_counter(settings.token_counter)
    events: list[StepEvent] = []

    def record_step(event: StepEvent) -> None:
        events.append(event)
        on_step(event)

    try:
        (episode,) = answering(policy, web, [question], settings, seed=seed, batch_size=batch_size, on_step=record_step)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(_save_interrupted(events, policy.name, web.name, save)) from None
    if not is_timed:
        episode = replace(episode, steps=tuple(replace(step, seconds=None) for step in episode.steps))
    if save is not None:
        append_record(save, episode)
    return episode


def _save_interrupted(events: Sequence[StepEvent], actor: str, web: str, save: Path | None) -> str:
    """Save the steps before an interrupt, and return a message that says what was saved."""
    if save is None:
        return "nothing was saved; pass --save FILE to keep the steps"
    if not events:
        return f"before the first step; {save} is unchanged"
    last = events[-1]
    steps = tuple(event.step for event in events if event.seed == last.seed)  # best-of-n: the sample of the last step
    episode = Episode(
        id=last.episode_id,
        question=last.question,
        settings=last.state.settings,
        actor=actor,
        backend=web,
        seed=last.seed,
        steps=steps,
        references=last.state.references,
        ending=last.state.ending,
        failure="interrupted",
    )
    append_record(save, episode)
    return f"the {len(steps)} steps so far were saved to {save}"
