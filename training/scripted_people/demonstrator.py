"""A scripted person who demonstrates: a policy that knows the gold evidence and browses to it as a person would.

The paper's first policy learned from 6,209 demonstrations by people (§3.1, Table 4). The demonstrator replaces them for
questions with gold evidence, so that every step of the method can be run and measured; its records have the actor
``script``.

A small model learns from these demonstrations, and it sees the observation alone. `training.scripted_people.planning` therefore
takes only actions that follow from the observation. A share of the episodes, the *noise*, makes the mistakes that a model
will make too, and recovers from them (`training.scripted_people.detours`); `training.behavior_cloning.mistakes` identifies
those steps.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from agent.evaluation.metrics import UNANSWERABLE, final_answer, is_correct
from agent.policy import Completion, Prompt
from browser_env.actions import format_action
from browser_env.errors import PolicyError
from browser_env.pages.characters import clean_line
from browser_env.pages.matching import MAX_PLAIN_WORDS
from browser_env.records import Episode, Question, Reference
from browser_env.state import BrowserState
from training.scripted_people.detours import Detours
from training.scripted_people.planning import Planner
from training.scripted_people.targets import asks_for_name

NAME: Final = "script"
"""Actor and labeler in the records of scripted people."""
NOISE: Final = 0.15
"""Default noise of a demonstrator."""


@dataclass(frozen=True, slots=True)
class Demonstrator:
    """A policy that knows the gold evidence of its questions.

    Args:
        noise: Probability of detours, from 0 (the shortest demonstrations) to 1.
        seed: Random seed of the detours.
        max_quote_words: Longer quotes are abbreviated as ``start━end``.
    """

    noise: float = NOISE
    seed: int = 0
    max_quote_words: int = MAX_PLAIN_WORDS

    @property
    def name(self) -> str:
        return NAME

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion | PolicyError]:
        return [self._complete(prompt.state) for prompt in prompts]

    def _complete(self, state: BrowserState) -> Completion | PolicyError:
        question = state.question
        if not can_demonstrate(question):
            return PolicyError(f"question {question.id!r} has no gold evidence, and the demonstrator knows nothing else")
        if state.phase == "answering":
            return Completion(write_answer(question, state.references))
        planner = Planner(state, Detours(self.noise, self.seed, question.id), self.max_quote_words)
        return Completion(format_action(planner.next_action()))


def can_demonstrate(question: Question) -> bool:
    """Whether a question has gold evidence or is known to have no answer."""
    return question.kind == UNANSWERABLE or any(page.sentences for page in question.evidence)


def is_demonstration(episode: Episode) -> bool:
    """Whether an episode is correct by the gold evidence and has no invalid command."""
    if episode.failure is not None or episode.ending is None or any(step.problem for step in episode.steps):
        return False
    return episode.ending != "max_actions" and bool(is_correct(episode.question, final_answer(episode), episode.references))


def write_answer(question: Question, references: Sequence[Reference]) -> str:
    """The gold sentences of the references, each with its citation, after the name if the question asks for one."""
    gold = [clean_line(sentence) for page in question.evidence for sentence in page.sentences]
    sentences = []
    for number, reference in enumerate(references, start=1):
        extract = clean_line(reference.extract)
        name = _DEFINED_NAME.match(extract)
        sentence = next((sentence for sentence in gold if sentence in extract), extract)
        subject = f"{name[1]}: " if asks_for_name(question) and name and sentence != extract else ""
        sentences.append(f"{subject}{sentence}{'' if sentence.endswith(('.', '!', '?')) else '.'} [{number}]")
    return " ".join(sentences)


_DEFINED_NAME = re.compile(r"(?:class |async |def )*([A-Za-z_]\w*)")
