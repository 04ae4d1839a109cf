"""The record of a comparison: answers to one question, their annotations, and their ratings or ranking."""

from dataclasses import fields
from typing import Literal

from browser_env.records.episode import Reference
from browser_env.records.question import Question
from browser_env.records.record import SCHEMA_VERSION, record


@record
class ComparedAnswer:
    """An answer with its references, and its origin, which labelers do not see."""

    text: str
    """The answer, with citations."""
    references: tuple[Reference, ...] = ()
    """References that the answer cites."""
    actor: str | None = None
    """Policy or person that gave the answer, as in `Episode.actor`. None: unknown."""
    episode: str | None = None
    """Id of the episode that gave the answer. None: unknown."""


@record
class Claim:
    """A claim that a labeler marked in an answer (Appendix C.2)."""

    start: int
    """Offset of the first character in the answer."""
    end: int
    """Offset after the last character."""
    support: Literal["strong", "weak", "none", "citation_error"]
    """Support of the claim by the cited references."""
    relevance: Literal["core", "side", "irrelevant"] | None = None
    """Relevance of the claim to the question. None: not rated."""


@record
class Annotation:
    """A labeler's annotation of one answer, made before comparing the answers."""

    trust: tuple[Literal["trustworthy", "neutral", "suspicious"] | None, ...] = ()
    """Trustworthiness of each reference, in order; None where it was not rated. Empty: no reference was rated."""
    claims: tuple[Claim, ...] = ()
    """Claims in the answer, in the order of the text."""


@record
class Ratings:
    """Ratings of the first of two answers against the second: 1 (much better), 0.5, 0 (equal), -0.5 or -1 (much worse).

    Published comparisons contain other fractions as well. None: not rated.
    """

    overall: float
    """Overall usefulness; the rating that reward models are trained on."""
    unsupported: float | None = None
    """1: the first answer has less unsupported information."""
    irrelevant: float | None = None
    """1: the first answer has less irrelevant information."""
    strong_support: float | None = None
    """1: the information with strong support is more useful in the first answer."""
    weak_support: float | None = None
    """1: the information with weak support is more useful in the first answer."""
    no_support: float | None = None
    """1: the information without support is more useful in the first answer."""
    coherence: float | None = None
    """1: the first answer is more coherent."""

    def __post_init__(self) -> None:
        for name in (field.name for field in fields(self)):
            value = getattr(self, name)
            if value is not None and not -1 <= value <= 1:
                raise ValueError(f"{name} must be from -1 to 1, got {value}")


@record
class Comparison:
    """A labeler's comparison of two or more answers to a question.

    Two answers are rated or ranked, more are ranked. A flagged question needs neither.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    id: str
    """Identifier, unique among comparisons."""
    question: Question
    """The question that was answered."""
    answers: tuple[ComparedAnswer, ...]
    """The compared answers, two or more."""
    labeler: str
    """``human:NAME``, or ``script`` for the scripted labeler."""
    ratings: Ratings | None = None
    """Ratings of two answers. None: the answers were ranked."""
    ranks: tuple[int, ...] | None = None
    """Rank of each answer, in order: 1 is the best, equal ranks are ties. None: the answers were rated."""
    flag: Literal["nonsense", "controversial"] | None = None
    """Problem of the question: it makes no sense, or it should not be answered. None: the question is fine."""
    annotations: tuple[Annotation, ...] | None = None
    """Annotation of each answer, in order. None: the answers were not annotated."""
    notes: str = ""
    """Remarks of the labeler."""
    seed: int | None = None
    """Seed with which the answers and their order were drawn."""
    shown: tuple[int, ...] | None = None
    """Indices of the answers in the order in which they were shown. None: unknown."""
    seconds: float | None = None
    """Seconds that the labeler took."""

    def __post_init__(self) -> None:
        num = len(self.answers)
        if num < 2:
            raise ValueError(f"a comparison needs two or more answers, got {num}")
        if self.ratings is not None and num > 2:
            raise ValueError(f"ratings compare two answers, got {num}; rank more than two with ranks")
        if self.ranks is not None and (len(self.ranks) != num or min(self.ranks) < 1):
            raise ValueError(f"expected {num} ranks of at least 1, got {self.ranks}")
        if self.ratings is None and self.ranks is None and self.flag is None:
            raise ValueError("a comparison needs ratings, ranks or a flag")
        if self.annotations is not None and len(self.annotations) != num:
            raise ValueError(f"expected {num} annotations, one for each answer, got {len(self.annotations)}")
        if self.shown is not None and sorted(self.shown) != list(range(num)):
            raise ValueError(f"shown must contain the index of each of the {num} answers once, got {self.shown}")
