"""The state of a demonstration, computed from the events of its journal, and the view of it for a screen."""

from dataclasses import dataclass
from typing import Literal

from browser_env.actions import Action
from browser_env.pages.page import Page
from browser_env.records import Ending, Reference
from browser_env.state import BrowserState
from recorder.demonstrations.events import Begin
from recorder.demonstrations.replies import Reply


@dataclass(frozen=True, slots=True)
class Move:
    """A command that was given and not undone."""

    action: Action
    replies: tuple[Reply, ...]
    """Replies of the web to the command."""
    elapsed: float
    """Seconds of work until the command was given."""


@dataclass(frozen=True, slots=True)
class Demonstration:
    """The state of a demonstration: the commands, the browser states that they lead to, and the answer."""

    begin: Begin
    states: tuple[BrowserState, ...]
    """Browser states before each move and after the last one."""
    moves: tuple[Move, ...] = ()
    answer: str = ""
    submitted: float | None = None
    """Seconds of work at submission. None before submission."""

    @property
    def browser(self) -> BrowserState:
        """The browser state after the last move."""
        return self.states[-1]


@dataclass(frozen=True, slots=True)
class View:
    """Everything that a screen shows of a demonstration."""

    question: str
    """Text of the question as a model sees it."""
    phase: Literal["browsing", "answering", "ended", "submitted"]
    """*ended*: browsing ended without an answering phase; the demonstration can be submitted or reopened."""
    ending: Ending | None
    """Reason why browsing ended. None while browsing."""
    page: Page
    top: int
    """First line of the page that is in view, from 0."""
    lines: tuple[str, ...]
    """Lines in view, exactly as a model sees them."""
    scrollbar: tuple[int, int]
    """First and last percent of the page in view."""
    references: tuple[Reference, ...]
    actions_left: int
    reference_tokens_left: int
    answer: str
    can_go_back: bool
    undoes: str | None
    """Name of the step that undo would revert, such as *Quote*. None if there is none."""
    redoes: str | None
    """Name of the step that redo would repeat. None if there is none."""
    problem: str | None
    """Reason why the demonstration cannot be submitted yet. None if it can."""
    elapsed: float
    """Seconds of work."""


def problem_with_submission(state: Demonstration) -> str | None:
    """Return the reason why a demonstration cannot be submitted, or None if it can."""
    if state.submitted is not None:
        return "already submitted"
    match state.browser.phase:
        case "browsing":
            return "end browsing first"
        case "answering":
            return None if state.answer.strip() else "write the answer first"
        case "ended":
            return None
