"""Scores of answers: the number that best-of-n maximizes and that rewards PPO.

A score reads the question, the references and the answer, not the browsing (§4.1). A reward model reads the observation of the
answering phase, then the answer and its end. The same functions make this text in training and here, so the tokens agree.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from browser_env.records import Episode, Reference


@dataclass(frozen=True, slots=True)
class Scored:
    """The input of a score: an answer with its question and references."""

    question: str
    references: tuple[Reference, ...]
    answer: str

    @classmethod
    def of(cls, episode: Episode) -> "Scored | None":
        """The answer of an episode; None if the episode failed or gave no answer."""
        if episode.failure is not None or episode.answer is None:
            return None
        return cls(episode.question.text, episode.references, episode.answer)


class Score(Protocol):
    """A function from answers to numbers; a higher number is a better answer."""

    @property
    def name(self) -> str:
        """Name of the score in records and reports."""
        ...

    def __call__(self, items: Sequence[Scored]) -> list[float]:
        """The score of each item, in order."""
        ...
