"""Events in the journal of a comparison, and the task to be judged (Appendix C.2)."""

from typing import Annotated, Final, Literal

from pydantic import Field, TypeAdapter

from browser_env.records import ComparedAnswer, Question
from browser_env.records.record import record
from recorder.journal.journal import Schema
from recorder.journal.recording import Redo, Submit, Undo
from recorder.journal.text_edits import Edit

JOURNAL: Final = "comparison.jsonl"
"""Name of the journal in the folder of a recording."""

ScoreOf = Literal["overall", "unsupported", "irrelevant", "strong_support", "weak_support", "no_support", "coherence"]
TrustLevel = Literal["trustworthy", "neutral", "suspicious"]
SupportLevel = Literal["strong", "weak", "none", "citation_error"]
RelevanceLevel = Literal["core", "side", "irrelevant"]
FlagKind = Literal["nonsense", "controversial"]

SCORES: Final[tuple[float, ...]] = (1, 0.5, 0, -0.5, -1)
"""The rating scale: A much better, A better, equally good, B better, B much better."""

RATED: Final[tuple[tuple[ScoreOf, str], ...]] = (
    ("unsupported", "less unsupported information"),
    ("irrelevant", "less irrelevant information"),
    ("strong_support", "more useful information with strong support"),
    ("weak_support", "more useful information with weak support"),
    ("no_support", "more useful information with no support"),
    ("coherence", "more coherent"),
    ("overall", "more useful overall"),
)
"""The ratings in the order of Appendix C.2, with texts that complete *Which is or has …*. The last is the final rating."""


@record
class Task:
    """A question with the answers to be compared."""

    id: str
    question: Question
    answers: tuple[ComparedAnswer, ...]
    """The answers in the order in which they were drawn."""
    shown: tuple[int, ...]
    """Indices of the answers in the order in which they are shown."""
    seed: int | None = None
    """Seed with which the answers and their order were drawn."""
    is_full: bool = False
    """Whether the full form is required: trust, claims and all ratings. Otherwise only the final rating or the ranking is."""
    is_ranking: bool = False
    """Whether the answers are ranked. Otherwise two answers are rated."""

    def __post_init__(self) -> None:
        if sorted(self.shown) != list(range(len(self.answers))):
            raise ValueError(f"shown must contain each index of the {len(self.answers)} answers once, got {self.shown}")
        if len(self.answers) < 2 or (len(self.answers) > 2 and not self.is_ranking):
            raise ValueError(f"expected two answers to rate, or two or more to rank; got {len(self.answers)}")


@record
class Begin:
    """The first event: the task and the annotator."""

    event: Literal["begin"] = "begin"
    task: Task
    annotator: str


@record
class Flag:
    """Flag the question, or remove its flag."""

    event: Literal["flag"] = "flag"
    flag: FlagKind | None
    """None removes the flag."""


@record
class Trust:
    """Rate the trust in a source."""

    event: Literal["trust"] = "trust"
    answer: int
    """Index of the answer in the order shown, from 0, as in all events."""
    reference: int
    """Number of the reference, from 1."""
    level: TrustLevel | None
    """None removes the rating."""


@record
class Mark:
    """Mark a claim in an answer."""

    event: Literal["mark"] = "mark"
    answer: int
    start: int
    """Offset of the first character in the text of the answer."""
    end: int
    support: SupportLevel


@record
class Unmark:
    """Remove the mark of a claim."""

    event: Literal["unmark"] = "unmark"
    answer: int
    claim: int
    """Index among the claims of the answer in text order, from 0, as in all events."""


@record
class Support:
    """Rate the support of a marked claim."""

    event: Literal["support"] = "support"
    answer: int
    claim: int
    level: SupportLevel


@record
class Relevance:
    """Rate the relevance of a marked claim."""

    event: Literal["relevance"] = "relevance"
    answer: int
    claim: int
    level: RelevanceLevel | None
    """None removes the rating."""


@record
class Rate:
    """Compare the two answers in one aspect."""

    event: Literal["rate"] = "rate"
    of: ScoreOf
    """Aspect, from `RATED`."""
    score: float | None
    """One of `SCORES`. None removes the rating."""


@record
class Place:
    """Place an answer in the ranking."""

    event: Literal["place"] = "place"
    answer: int
    place: int
    """Index among the places of the other answers, from 0."""
    is_tied: bool = False
    """Whether the answer is tied with the answers at this place. Otherwise it gets a new place before them."""


@record
class WriteNotes:
    """Edit the notes."""

    event: Literal["write_notes"] = "write_notes"
    edit: Edit


Event = Begin | Flag | Trust | Mark | Unmark | Support | Relevance | Rate | Place | WriteNotes | Submit | Undo | Redo

SCHEMA: Final[Schema[Event]] = Schema("comparison", TypeAdapter(Annotated[Event, Field(discriminator="event")]))
