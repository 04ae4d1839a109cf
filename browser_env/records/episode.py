"""What is kept: questions, episodes with their steps, and comparisons, as JSON Lines that anybody can load.

A person's demonstration and a policy's rollout are the same record. A record holds what cannot be computed from the rest of
it and nothing else: no counts, no parsed commands, no answer beside the step that gave it. Reading is strict: an unknown key
is an error, because a silently dropped one is lost data (`browser_env.records.storage` reads and writes).
"""

from typing import Literal

from browser_env.pages.page import domain_of
from browser_env.records.question import Question
from browser_env.records.record import SCHEMA_VERSION, record

Phase = Literal["browsing", "answering", "ended"]
Ending = Literal["answer", "nonsense", "controversial", "max_actions", "max_references"]
"""Why browsing ended: the three End commands and the two budgets (Appendix A)."""


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
