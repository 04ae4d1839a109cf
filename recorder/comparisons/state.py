"""The state of a comparison, computed from the events of its journal, and the view of it for a screen."""

from dataclasses import dataclass

from browser_env.records import Claim, ComparedAnswer, Reference
from recorder.comparisons.events import RATED, Begin, FlagKind, ScoreOf, TrustLevel


@dataclass(frozen=True, slots=True)
class RatingState:
    """The state of a comparison. Answers are in the order in which they are shown."""

    begin: Begin
    trust: tuple[tuple[TrustLevel | None, ...], ...]
    """Trust in each reference of each answer. None if not rated."""
    claims: tuple[tuple[Claim, ...], ...]
    """Claims of each answer, in text order."""
    scores: tuple[tuple[ScoreOf, float], ...] = ()
    """Ratings given so far, in the order of `RATED`."""
    places: tuple[tuple[int, ...], ...] = ()
    """The ranking, best first. Answers at one place are tied."""
    flag: FlagKind | None = None
    notes: str = ""
    submitted: float | None = None
    """Seconds of work at submission. None before submission."""

    @property
    def answers(self) -> tuple[ComparedAnswer, ...]:
        """The answers in the order in which they are shown."""
        task = self.begin.task
        return tuple(task.answers[index] for index in task.shown)

    @property
    def unplaced(self) -> tuple[int, ...]:
        """The answers without a place in the ranking. Empty if answers are rated."""
        if not self.begin.task.is_ranking:
            return ()
        return tuple(answer for answer in range(len(self.answers)) if self.place_of(answer) is None)

    def place_of(self, answer: int) -> int | None:
        """Return the index of an answer's place in the ranking, or None if it has none."""
        return next((index for index, place in enumerate(self.places) if answer in place), None)


@dataclass(frozen=True, slots=True)
class ShownAnswer:
    """An answer as a screen shows it, without its origin."""

    text: str
    references: tuple[Reference, ...]
    trust: tuple[TrustLevel | None, ...]
    """Trust in each reference. None if not rated."""
    claims: tuple[Claim, ...]
    """Marked claims, in text order."""


@dataclass(frozen=True, slots=True)
class View:
    """Everything that a screen shows of a comparison."""

    question: str
    answers: tuple[ShownAnswer, ...]
    is_full: bool
    """Whether the full form is required."""
    is_ranking: bool
    """Whether answers are ranked. Otherwise two are rated."""
    scores: dict[ScoreOf, float]
    """Ratings given so far, from 1 (A much better) to -1 (B much better)."""
    places: tuple[tuple[int, ...], ...]
    """The ranking so far, best first, as indices of answers. Answers at one place are tied."""
    unplaced: tuple[int, ...]
    """Answers without a place in the ranking."""
    flag: FlagKind | None
    notes: str
    missing: tuple[str, ...]
    """Missing parts that are required before submission, in the order of Appendix C.2."""
    undoes: str | None
    """Name of the step that undo would revert. None if there is none."""
    redoes: str | None
    """Name of the step that redo would repeat. None if there is none."""
    is_submitted: bool
    elapsed: float
    """Seconds of work."""


def answer_name(index: int) -> str:
    """Return the name of an answer on the screen: A, B, ..."""
    return chr(ord("A") + index)


def missing_parts(state: RatingState) -> tuple[str, ...]:
    """Return the missing parts that are required before submission (Appendix C.2).

    The full form requires everything; the short form requires the final rating or the ranking. A flagged question requires
    nothing.
    """
    task = state.begin.task
    if state.flag is not None:
        return ()
    missing = _missing_annotations(state) if task.is_full else []
    if not task.is_ranking:
        needed = RATED if task.is_full else RATED[-1:]
        missing.extend(f"rating: {words}" for name, words in needed if name not in dict(state.scores))
    elif state.unplaced:
        noun = "answers" if len(state.unplaced) > 1 else "answer"
        missing.append(f"the place of {noun} {', '.join(map(answer_name, state.unplaced))}")
    return tuple(missing)


def _missing_annotations(state: RatingState) -> list[str]:
    missing = []
    for index, (trust, claims) in enumerate(zip(state.trust, state.claims, strict=True)):
        name = answer_name(index)
        unrated = [f"[{number}]" for number, level in enumerate(trust, start=1) if level is None]
        if unrated:
            missing.append(f"trust in the sources of answer {name}: {' '.join(unrated)}")
        if not claims:
            missing.append(f"the claims of answer {name}")
        elif any(claim.relevance is None for claim in claims):
            missing.append(f"the relevance of claims of answer {name}")
    return missing
