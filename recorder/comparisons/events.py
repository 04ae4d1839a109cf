"""Events of a comparison's journal, and the state that they lead to."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, TypeAdapter

from browser_env.records import Claim, ComparedAnswer, Question, Reference
from browser_env.records.record import record
from recorder.journal.journal import Schema, read_journal
from recorder.journal.recording import Redo, Submit, Undo
from recorder.journal.text_edits import Edit

JOURNAL: Final = "comparison.jsonl"
"""Name in the folder of a recording."""


ScoreOf = Literal["overall", "unsupported", "irrelevant", "strong_support", "weak_support", "no_support", "coherence"]


TrustLevel = Literal["trustworthy", "neutral", "suspicious"]


SupportLevel = Literal["strong", "weak", "none", "citation_error"]


RelevanceLevel = Literal["core", "side", "irrelevant"]


FlagKind = Literal["nonsense", "controversial"]


SCORES: Final[tuple[float, ...]] = (1, 0.5, 0, -0.5, -1)
"""A much better, A better, equally good, B better, B much better."""


RATED: Final[tuple[tuple[ScoreOf, str], ...]] = (
    ("unsupported", "less unsupported information"),
    ("irrelevant", "less irrelevant information"),
    ("strong_support", "more useful information with strong support"),
    ("weak_support", "more useful information with weak support"),
    ("no_support", "more useful information with no support"),
    ("coherence", "more coherent"),
    ("overall", "more useful overall"),
)
"""What is rated, in the order of Appendix C.2; the last is the final rating. Each asks which of the two has, or is, that."""


@record
class Task:
    """What is to be compared."""

    id: str
    question: Question
    answers: tuple[ComparedAnswer, ...]
    """As they were drawn."""
    shown: tuple[int, ...]
    """Indices of the answers in the order in which they are shown."""
    seed: int | None = None
    """Of the draw."""
    is_full: bool = False
    """Whether every part is required, or just the final rating."""
    is_ranking: bool = False
    """Whether answers are ranked, or two are rated."""

    def __post_init__(self) -> None:
        if sorted(self.shown) != list(range(len(self.answers))):
            raise ValueError(f"shown must have each of {len(self.answers)} answers once, got {self.shown}")
        if len(self.answers) < 2 or (len(self.answers) > 2 and not self.is_ranking):
            raise ValueError(f"two answers are rated, two or more ranked; got {len(self.answers)}")


@record
class Begin:
    """The first event."""

    event: Literal["begin"] = "begin"
    task: Task
    annotator: str


@record
class Flag:
    """Flag the question."""

    event: Literal["flag"] = "flag"
    flag: FlagKind | None
    """None: it is fine after all."""


@record
class Trust:
    """Rate a source."""

    event: Literal["trust"] = "trust"
    answer: int
    reference: int
    """From 1, as it is cited."""
    level: TrustLevel | None


@record
class Mark:
    """Mark a claim in an answer."""

    event: Literal["mark"] = "mark"
    answer: int
    start: int
    """Offset in the answer's text."""
    end: int
    support: SupportLevel


@record
class Unmark:
    """Take a mark away."""

    event: Literal["unmark"] = "unmark"
    answer: int
    claim: int
    """Among the answer's claims in the order of its text, from 0; here and below."""


@record
class Support:
    """Say how well a marked claim is supported."""

    event: Literal["support"] = "support"
    answer: int
    claim: int
    level: SupportLevel


@record
class Relevance:
    """Say how relevant a marked claim is."""

    event: Literal["relevance"] = "relevance"
    answer: int
    claim: int
    level: RelevanceLevel | None


@record
class Rate:
    """Compare the two answers in one respect."""

    event: Literal["rate"] = "rate"
    of: ScoreOf
    score: float | None
    """One of `SCORES`; None: not rated after all."""


@record
class Place:
    """Give an answer its place in the ranking."""

    event: Literal["place"] = "place"
    answer: int
    place: int
    """From 0, among the places that the others have without it."""
    is_tied: bool = False
    """Whether it joins the answers in that place, or stands before them in one of its own."""


@record
class WriteNotes:
    """A change of the notes."""

    event: Literal["write_notes"] = "write_notes"
    edit: Edit


Event = Begin | Flag | Trust | Mark | Unmark | Support | Relevance | Rate | Place | WriteNotes | Submit | Undo | Redo


SCHEMA: Final[Schema[Event]] = Schema("comparison", TypeAdapter(Annotated[Event, Field(discriminator="event")]))


@dataclass(frozen=True, slots=True)
class Opinion:
    """What stands of a rating; answers in the order in which they are shown."""

    begin: Begin
    trust: tuple[tuple[TrustLevel | None, ...], ...]
    """Of each reference of each answer."""
    claims: tuple[tuple[Claim, ...], ...]
    """Of each answer, in the order of its text."""
    scores: tuple[tuple[ScoreOf, float], ...] = ()
    places: tuple[tuple[int, ...], ...] = ()
    """The answers that are ranked, the best first; those in one place are tied."""
    flag: FlagKind | None = None
    notes: str = ""
    submitted: float | None = None
    """Seconds of work until it was; None: it is not."""

    @property
    def answers(self) -> tuple[ComparedAnswer, ...]:
        """As they are shown."""
        task = self.begin.task
        return tuple(task.answers[index] for index in task.shown)


@dataclass(frozen=True, slots=True)
class ShownAnswer:
    """An answer as a screen shows it."""

    text: str
    references: tuple[Reference, ...]
    trust: tuple[TrustLevel | None, ...]
    """Of each reference."""
    claims: tuple[Claim, ...]
    """In the order of the text."""


@dataclass(frozen=True, slots=True)
class View:
    """All that a screen shows."""

    question: str
    answers: tuple[ShownAnswer, ...]
    is_full: bool
    is_ranking: bool
    scores: dict[ScoreOf, float]
    """What is rated so far, from 1 (A much better) to -1 (B much better)."""
    places: tuple[tuple[int, ...], ...]
    """The ranking so far: answers from 0, the best first; those in one place are tied."""
    unplaced: tuple[int, ...]
    """Answers that are not ranked yet."""
    flag: FlagKind | None
    notes: str
    missing: tuple[str, ...]
    """What is needed before it can be submitted, in the order of Appendix C.2; empty: nothing."""
    undoes: str | None
    """What undo takes back; None: there is nothing."""
    redoes: str | None
    is_submitted: bool
    elapsed: float
    """Seconds of work."""


def _place_of(state: Opinion, answer: int) -> int | None:
    return next((index for index, place in enumerate(state.places) if answer in place), None)


def _unplaced(state: Opinion) -> tuple[int, ...]:
    if not state.begin.task.is_ranking:
        return ()
    return tuple(answer for answer in range(len(state.answers)) if _place_of(state, answer) is None)


def has_begun(folder: Path) -> bool:
    """Whether a rating is in a folder."""
    path = folder / JOURNAL
    return path.exists() and bool(read_journal(path, SCHEMA).entries)
