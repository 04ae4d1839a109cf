"""From a finished demonstration to its episode, and the check that it replays byte for byte."""

from browser_env.actions import format_action
from browser_env.backends import Backend
from browser_env.env import BrowserEnv
from browser_env.observation import observe
from browser_env.records import Episode, Step
from browser_env.records.digests import short_hash
from browser_env.state import TokenCounter, count_words
from recorder.demonstrations.events import Demonstration


def episode_of(state: Demonstration) -> Episode:
    """What stands, as the record that a policy's rollout is too."""
    begin, browser, actor = state.begin, state.browser, f"human:{state.begin.annotator}"
    steps, before = [], 0.0
    for move, seen in zip(state.moves, state.states, strict=False):
        seconds = round(move.elapsed - before, 3)
        steps.append(Step(phase="browsing", observation=observe(seen), completion=format_action(move.action), seconds=seconds))
        before = move.elapsed
    if state.submitted is not None and browser.phase == "answering":
        seconds = round(state.submitted - before, 3)
        steps.append(Step(phase="answering", observation=observe(browser), completion=state.answer, seconds=seconds))
    return Episode(
        id=short_hash(begin.question.dataset, begin.question.id, actor),
        question=begin.question,
        settings=begin.settings,
        actor=actor,
        backend=begin.backend,
        steps=tuple(steps),
        references=browser.references,
        ending=browser.ending,
        failure=None if state.submitted is not None else "not finished",
    )


def replay(episode: Episode, backend: Backend, *, count_tokens: TokenCounter = count_words) -> str | None:
    """Do an episode's commands again; the first difference from its record, or None: every observation is byte-equal.

    Args:
        episode: A demonstration or a rollout.
        backend: The web it was made on, or what was kept of it (`Session.web`).
        count_tokens: Counts the tokens of references.

    Raises:
        RecordError: The backend is a recording, and lacks what a command needs.
    """
    env = BrowserEnv(backend, episode.settings, count_tokens=count_tokens)
    observation = env.reset(episode.question)
    for number, step in enumerate(episode.steps):
        if env.state.phase != step.phase:
            return f"step {number} is of the phase {step.phase}, not of {env.state.phase}"
        if observation != step.observation:
            return f"step {number} was shown another observation"
        observation = env.step(step.completion if step.command is None else step.command).observation
    for what, kept, found in (
        ("ending", episode.ending, env.state.ending),
        ("references", episode.references, env.state.references),
    ):
        if kept != found:
            return f"its {what} are others" if what == "references" else f"it ended with {found}, not {kept}"
    return None
