"""The record of a comparison: answers to one question, their annotations, and the ratings or ranking given."""

from dataclasses import fields
from typing import Literal

from browser_env.records.episode import Reference
from browser_env.records.question import Question
from browser_env.records.record import SCHEMA_VERSION, record


@record
class ComparedAnswer:
    """An answer as somebody who compares sees it, and where it came from, which they do not see."""

    text: str
    references: tuple[Reference, ...] = ()
    actor: str | None = None
    """As in `Episode`; None: unknown."""
    episode: str | None = None
    """Id of the episode that gave it; None: none is known."""


@record
class Claim:
    """What somebody marked in an answer (Appendix C.2)."""

    start: int
    """Offset in the answer's text."""
    end: int
    support: Literal["strong", "weak", "none", "citation_error"]
    relevance: Literal["core", "side", "irrelevant"] | None = None
    """None: it was not rated."""


@record
class Annotation:
    """What somebody noted of one answer before comparing it with others."""

    trust: tuple[Literal["trustworthy", "neutral", "suspicious"] | None, ...] = ()
    """Of each reference, in order; None: it was not rated. Empty: none was."""
    claims: tuple[Claim, ...] = ()


@record
class Ratings:
    """How the first of two answers compares with the second, from 1 (much better) over 0.5, 0 and -0.5 to -1 (much worse).

    Published comparisons have other fractions too.
    """

    overall: float
    """Overall usefulness: what a reward model learns from."""
    unsupported: float | None = None
    """Which has less unsupported information; None: not rated, here and below."""
    irrelevant: float | None = None
    """Which has less irrelevant information."""
    strong_support: float | None = None
    """Which has the more useful information with strong support."""
    weak_support: float | None = None
    no_support: float | None = None
    coherence: float | None = None

    def __post_init__(self) -> None:
        for name in (field.name for field in fields(self)):
            value = getattr(self, name)
            if value is not None and not -1 <= value <= 1:
                raise ValueError(f"{name} must be from -1 to 1, got {value}")


@record
class Comparison:
    """Two or more answers to a question, and what somebody thinks of them.

    Two are rated, more are ranked; a pair may be ranked too. A question that was flagged needs neither.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    id: str
    question: Question
    answers: tuple[ComparedAnswer, ...]
    labeler: str
    """``human:NAME``, or ``script``."""
    ratings: Ratings | None = None
    """Of two answers."""
    ranks: tuple[int, ...] | None = None
    """Of each answer, in order: 1 is the best, equal ones are tied."""
    flag: Literal["nonsense", "controversial"] | None = None
    """The question makes no sense, or should not be answered."""
    annotations: tuple[Annotation, ...] | None = None
    """Of each answer, in order; None: there are none."""
    notes: str = ""
    seed: int | None = None
    """What the answers and their order were drawn with."""
    shown: tuple[int, ...] | None = None
    """Indices of the answers in the order in which they were shown; None: unknown."""
    seconds: float | None = None
    """Time the labeler took."""

    def __post_init__(self) -> None:
        num = len(self.answers)
        if num < 2:
            raise ValueError(f"a comparison is of two or more answers, got {num}")
        if self.ratings is not None and num > 2:
            raise ValueError(f"ratings compare two answers, got {num}; more are ranked")
        if self.ranks is not None and (len(self.ranks) != num or min(self.ranks) < 1):
            raise ValueError(f"ranks must be {num} numbers from 1, got {self.ranks}")
        if self.ratings is None and self.ranks is None and self.flag is None:
            raise ValueError("a comparison has ratings, ranks or a flag")
        if self.annotations is not None and len(self.annotations) != num:
            raise ValueError(f"annotations must be {num}, got {len(self.annotations)}")
        if self.shown is not None and sorted(self.shown) != list(range(num)):
            raise ValueError(f"shown must have each of {num} answers once, got {self.shown}")
