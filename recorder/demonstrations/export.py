"""Export of a demonstration to an episode, and the check that an episode replays byte for byte."""

from browser_env.actions import format_action
from browser_env.backends import Backend
from browser_env.env import BrowserEnv
from browser_env.observation import observe
from browser_env.records import Episode, Step
from browser_env.records.digests import short_hash
from browser_env.state import TokenCounter, count_words
from recorder.demonstrations.state import Demonstration


def episode_of(state: Demonstration) -> Episode:
    """Return the episode of a demonstration, the same record as that of a rollout. An unfinished one has a failure."""
    begin, browser, actor = state.begin, state.browser, f"human:{state.begin.annotator}"
    steps, before = [], 0.0
    for move, browser_before in zip(state.moves, state.states, strict=False):
        seconds = round(move.elapsed - before, 3)
        observation = observe(browser_before)
        steps.append(Step(phase="browsing", observation=observation, completion=format_action(move.action), seconds=seconds))
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
    """Replay an episode and return the first difference from its record, or None if every observation is byte-equal.

    Args:
        episode: A demonstration or a rollout.
        backend: The web on which the episode was made, or its recording (`Session.web`).
        count_tokens: Counts the tokens of references.

    Raises:
        RecordError: The backend is a recording without a reply that a command needs.
    """
    env = BrowserEnv(backend, episode.settings, count_tokens=count_tokens)
    observation = env.reset(episode.question)
    for number, step in enumerate(episode.steps):
        if env.state.phase != step.phase:
            return f"step {number}: the phase is {step.phase} in the record and {env.state.phase} in the replay"
        if observation != step.observation:
            return f"step {number}: the replay shows another observation"
        observation = env.step(step.completion if step.command is None else step.command).observation
    if episode.ending != env.state.ending:
        return f"the ending is {episode.ending} in the record and {env.state.ending} in the replay"
    if episode.references != env.state.references:
        return "the replay has other references"
    return None
