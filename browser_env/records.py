"""What is kept: questions, episodes with their steps, and comparisons, as JSON Lines that anybody can load.

A person's demonstration and a policy's rollout are the same record. A record holds what cannot be computed from the rest of
it and nothing else: no counts, no parsed commands, no answer beside the step that gave it. Reading is strict: an unknown key
is an error, because a silently dropped one is lost data (`browser_env.storage` reads and writes).
"""

from dataclasses import dataclass, fields
from typing import Final, Literal, TypeVar, dataclass_transform

from browser_env.page import domain_of

SCHEMA_VERSION: Final = 1
"""Version of the record format; a reader refuses others."""

Phase = Literal["browsing", "answering", "ended"]
Ending = Literal["answer", "nonsense", "controversial", "max_actions", "max_references"]
"""Why browsing ended: the three End commands and the two budgets (Appendix A)."""

T = TypeVar("T")


@dataclass_transform(frozen_default=True, kw_only_default=True)
def record(cls: type[T]) -> type[T]:
    """A frozen dataclass that pydantic reads strictly."""
    cls.__pydantic_config__ = {"extra": "forbid"}  # type: ignore[attr-defined]
    return dataclass(frozen=True, slots=True, kw_only=True)(cls)


@record
class Evidence:
    """Where the answer to a question stands."""

    url: str
    """Address of the page."""
    sentences: tuple[str, ...]
    """Exact sentences of the page; the answer needs all of them."""


@record
class Question:
    """What is asked, and what is known of its answer."""

    id: str
    """Unique in its data set."""
    text: str
    dataset: str = "own"
    """Where it comes from."""
    reference_answer: str | None = None
    """An answer that is known to be right; pages that repeat it are censored when the setting says so."""
    kind: str | None = None
    """What sort of question it is in its data set: a category, or how it was made."""
    answers: tuple[str, ...] = ()
    """Acceptable answers and their variants."""
    incorrect_answers: tuple[str, ...] = ()
    """Answers that are known to be wrong (TruthfulQA)."""
    evidence: tuple[Evidence, ...] = ()
    """Where it is answered; each page is needed."""


@record
class Settings:
    """The format and the budgets of an episode; a trained policy carries those it was trained on."""

    view_width: int = 80
    """Terminal cells in a line of the view."""
    view_height: int = 40
    """Lines of a page in view."""
    max_actions: int = 100
    """Commands before browsing ends (100 at evaluation, Appendix A)."""
    max_reference_tokens: int = 512
    """Tokens of all references, titles included, at which browsing ends (Figure 1a)."""
    token_counter: str = "words"
    """Name of what counts those tokens."""
    blocked_domains: tuple[str, ...] = ("reddit.com", "quora.com")
    """Search hits and links to these and their subdomains are removed (Appendix A)."""
    censor: bool = False
    """Replace pages that share ten words in a row with the question or its reference answer by an error (Appendix A)."""

    def __post_init__(self) -> None:
        for name, least in (("view_width", 20), ("view_height", 1), ("max_actions", 1), ("max_reference_tokens", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")


@record
class Reference:
    """A stretch of a page that was quoted."""

    title: str
    """Title of the page, without its domain."""
    url: str
    """Address of the page."""
    extract: str
    """The page's own text from `start` to `end`."""
    page: str
    """Digest of the snapshot that was quoted."""
    start: int
    """Offset in the text of that snapshot."""
    end: int

    @property
    def full_title(self) -> str:
        """``<title> (<domain>)``, as it is cited."""
        domain = domain_of(self.url)
        return f"{self.title} ({domain})" if domain else self.title


@record
class Step:
    """One observation and what was done on it."""

    phase: Literal["browsing", "answering"]
    observation: str
    """Exactly the text that was shown."""
    completion: str
    """Exactly the text that came back; its first line is the command, or all of it the answer."""
    command: str | None = None
    """The command (or answer) that was read leniently out of the completion; None: its first line (or all of it)."""
    problem: str | None = None
    """Why it was invalid."""
    token_ids: tuple[int, ...] | None = None
    """The completion in the policy's tokens."""
    logprobs: tuple[float, ...] | None = None
    """Log-probability of each token under the policy that sampled it, in nats."""
    seconds: float | None = None
    """Time the actor took."""


@record
class Episode:
    """One question, browsed and answered."""

    schema_version: Literal[1] = SCHEMA_VERSION
    id: str
    question: Question
    settings: Settings
    actor: str
    """Name of the policy, or ``human:NAME``."""
    backend: str
    """Name of the web that was browsed."""
    seed: int | None = None
    steps: tuple[Step, ...] = ()
    references: tuple[Reference, ...] = ()
    ending: Ending | None = None
    """None: browsing did not end (a failure, or an interrupt)."""
    failure: str | None = None
    """What went wrong outside the policy's commands; None: nothing."""

    @property
    def answer(self) -> str | None:
        """The answer, if there is one."""
        if self.steps and self.steps[-1].phase == "answering":
            last = self.steps[-1]
            return last.completion if last.command is None else last.command
        return None


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
