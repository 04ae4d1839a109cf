"""The record of an episode: a question, the settings, every step, and the references collected.

A person's demonstration and a policy's rollout are the same record. It stores nothing that can be computed from its other
fields: no counts, no parsed commands, and the answer only in the step that gave it. Reading is strict, so that unknown keys
are errors and not lost data (`browser_env.records.storage` reads and writes records).
"""

from typing import Literal

from browser_env.pages.page import domain_of
from browser_env.records.question import Question
from browser_env.records.record import SCHEMA_VERSION, record

Phase = Literal["browsing", "answering", "ended"]
Ending = Literal["answer", "nonsense", "controversial", "max_actions", "max_references"]
"""Reason that browsing ended: one of the three End commands, or one of the two budgets (Appendix A)."""


@record
class Settings:
    """The observation format and the budgets of an episode; a trained policy stores those of its training data."""

    view_width: int = 80
    """Width of the page view in terminal cells."""
    view_height: int = 40
    """Height of the page view in lines."""
    max_actions: int = 100
    """Number of commands after which browsing ends (the paper: 100 at evaluation, Appendix A)."""
    max_reference_tokens: int = 512
    """Number of tokens in all references, titles included, at which browsing ends (Figure 1a)."""
    token_counter: str = "words"
    """Name of the function that counts the tokens of references; only words is available."""
    blocked_domains: tuple[str, ...] = ("reddit.com", "quora.com")
    """Domains whose search results and links are removed, with their subdomains (Appendix A)."""
    censor: bool = False
    """Show an error page instead of pages that share ten consecutive words with the question or its reference answer
    (Appendix A)."""

    def __post_init__(self) -> None:
        for name, least in (("view_width", 20), ("view_height", 1), ("max_actions", 1), ("max_reference_tokens", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")


@record
class Reference:
    """A quoted passage of a page."""

    title: str
    """Title of the page, without its domain."""
    url: str
    """URL of the page."""
    extract: str
    """Text of the page from `start` to `end`."""
    page: str
    """Digest of the page snapshot that was quoted."""
    start: int
    """Offset of the first character in the text of that snapshot."""
    end: int
    """Offset after the last character."""

    @property
    def full_title(self) -> str:
        """``<title> (<domain>)``, as shown in citations."""
        domain = domain_of(self.url)
        return f"{self.title} ({domain})" if domain else self.title


@record
class Step:
    """One observation and the reply to it."""

    phase: Literal["browsing", "answering"]
    """Phase of the episode in which the observation was shown."""
    observation: str
    """The observation, exactly as shown."""
    completion: str
    """The reply, exactly as given: its first line is the command, or all of it is the answer."""
    command: str | None = None
    """Command or answer, if it was extracted from a longer reply. Default: the first line, or all of the completion."""
    problem: str | None = None
    """Reason that the command was invalid. None: it was valid."""
    token_ids: tuple[int, ...] | None = None
    """Token ids of the completion, in the policy's vocabulary."""
    logprobs: tuple[float, ...] | None = None
    """Log-probability of each token under the policy that sampled it, in nats."""
    seconds: float | None = None
    """Seconds that the policy or person took to reply."""


@record
class Episode:
    """One question, browsed and answered by a policy or a person."""

    schema_version: Literal[1] = SCHEMA_VERSION
    id: str
    """Identifier, unique among episodes."""
    question: Question
    """The question that was asked."""
    settings: Settings
    """Observation format and budgets."""
    actor: str
    """Name of the policy, or ``human:NAME`` for a person."""
    backend: str
    """Name of the web that was browsed."""
    seed: int | None = None
    """Seed of the episode. None: a demonstration."""
    steps: tuple[Step, ...] = ()
    """All steps, in order."""
    references: tuple[Reference, ...] = ()
    """References at the end of browsing; citation [1] is the first."""
    ending: Ending | None = None
    """Reason that browsing ended. None: it did not, because of a failure or an interrupt."""
    failure: str | None = None
    """Error that stopped the episode, such as a server that did not reply. None: there was none."""

    @property
    def answer(self) -> str | None:
        """The answer of the last step. None: the episode has no answer."""
        if self.steps and self.steps[-1].phase == "answering":
            last = self.steps[-1]
            return last.completion if last.command is None else last.command
        return None
