"""How good an answer is, as one number: what best-of-n chooses by and what PPO is rewarded with.

A score sees the question, the references and the answer, never the browsing (§4.1). The text that a reward model reads is the
observation of the answering phase followed by the answer and its end, made by the same functions in training and here, so the
ids are the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from browser_env.records import Episode, Reference

if TYPE_CHECKING:
    pass


@dataclass(frozen=True, slots=True)
class Scored:
    """An answer as a score sees it."""

    question: str
    references: tuple[Reference, ...]
    answer: str

    @classmethod
    def of(cls, episode: Episode) -> "Scored | None":
        """What an episode ended with; None if it failed or gave no answer."""
        if episode.failure is not None or episode.answer is None:
            return None
        return cls(episode.question.text, episode.references, episode.answer)


class Score(Protocol):
    """Maps answers to numbers; higher is better."""

    @property
    def name(self) -> str:
        """What records and reports call it."""
        ...

    def __call__(self, items: Sequence[Scored]) -> list[float]:
        """One number for each item, in order."""
        ...
