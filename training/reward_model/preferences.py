"""Preferences among answers to a question, the training data of a reward model.

A group covers a pair (two answers), a tie (two with equal levels) and a ranking of K answers.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Candidate:
    """An answer that was compared with others."""

    text: str
    """The observation before the answer: question and references (`agent.models.reward_model.answering_text`)."""
    answer: str


@dataclass(frozen=True, slots=True)
class PreferenceGroup:
    """Compared answers to one question."""

    question: str
    """Id or text of the question. Splits keep all groups of a question together."""
    candidates: tuple[Candidate, ...]
    levels: tuple[float, ...]
    """Preference level of each candidate: the higher is preferred, equal levels are a tie. Only their order matters."""
    labeler: str = ""

    def __post_init__(self) -> None:
        if len(self.candidates) < 2 or len(self.candidates) != len(self.levels):
            raise ValueError(
                f"expected two or more candidates with a level for each, got {len(self.candidates)} candidates and "
                f"{len(self.levels)} levels"
            )

    @property
    def is_tie(self) -> bool:
        """Whether all candidates have the same level."""
        return len(set(self.levels)) == 1
