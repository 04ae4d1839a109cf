"""Events of a demonstration's journal, and the state that they lead to."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, TypeAdapter

from browser_env.actions import Action
from browser_env.pages.page import Page
from browser_env.records import Ending, Question, Reference, Settings
from browser_env.records.record import record
from browser_env.state import BrowserState
from recorder.demonstrations.replies import Reply
from recorder.journal.journal import Schema, read_journal
from recorder.journal.recording import Redo, Submit, Undo
from recorder.journal.text_edits import Edit

JOURNAL: Final = "demonstration.jsonl"


PAGES: Final = "pages"
"""Names in the folder of a recording."""


@record
class Begin:
    """The first event: what is asked, in which format, on which web."""

    event: Literal["begin"] = "begin"
    question: Question
    settings: Settings
    backend: str
    """Name of the web."""
    annotator: str


@record
class Act:
    """One of the ten commands."""

    event: Literal["act"] = "act"
    command: str
    replies: tuple[Reply, ...] | None = None
    """What the web said to it; None: it has not been asked yet."""


@record
class Select:
    """Quote a stretch of the page in view; the journal has the command that it becomes."""

    start: int
    """Offset in the page's text."""
    end: int


@record
class RemoveReference:
    """Take a reference away, as if it had not been quoted."""

    event: Literal["remove_reference"] = "remove_reference"
    number: int
    """From 1."""


@record
class EditReference:
    """Let a reference be another stretch of its page, as if that had been quoted."""

    event: Literal["edit_reference"] = "edit_reference"
    number: int
    """From 1."""
    start: int
    """Offset in the text of its page."""
    end: int


@record
class Reopen:
    """Go on browsing after an End command."""

    event: Literal["reopen"] = "reopen"


@record
class Write:
    """A change of the answer."""

    event: Literal["write"] = "write"
    edit: Edit


Event = Begin | Act | RemoveReference | EditReference | Reopen | Write | Submit | Undo | Redo


SCHEMA: Final[Schema[Event]] = Schema("demonstration", TypeAdapter(Annotated[Event, Field(discriminator="event")]))


@dataclass(frozen=True, slots=True)
class Move:
    """A command that stands."""

    action: Action
    replies: tuple[Reply, ...]
    """What the web said to it."""
    elapsed: float
    """Seconds of work until it was done."""


@dataclass(frozen=True, slots=True)
class Demonstration:
    """What stands of a session."""

    begin: Begin
    states: tuple[BrowserState, ...]
    """Before each move and after the last."""
    moves: tuple[Move, ...] = ()
    answer: str = ""
    submitted: float | None = None
    """Seconds of work until it was; None: it is not."""

    @property
    def browser(self) -> BrowserState:
        """Where the commands have led."""
        return self.states[-1]


@dataclass(frozen=True, slots=True)
class View:
    """All that a screen shows."""

    question: str
    """As a model gets it."""
    phase: Literal["browsing", "answering", "ended", "submitted"]
    """*ended* is browsing that ended without an answering phase: it can be submitted or undone."""
    ending: Ending | None
    """Why browsing ended."""
    page: Page
    top: int
    """First line of the page that is in view, from 0."""
    lines: tuple[str, ...]
    """Those in view, exactly as a model gets them."""
    num_lines: int
    """Of the whole page."""
    scrollbar: tuple[int, int]
    """First and last percent of the page in view."""
    references: tuple[Reference, ...]
    actions_left: int
    reference_tokens_left: int
    answer: str
    can_go_back: bool
    undoes: str | None
    """What undo takes back, such as *Quote*; None: there is nothing."""
    redoes: str | None
    problem: str | None
    """Why it cannot be submitted yet."""
    elapsed: float
    """Seconds of work."""


def has_begun(folder: Path) -> bool:
    """Whether a recording is in a folder."""
    path = folder / JOURNAL
    return path.exists() and bool(read_journal(path, SCHEMA).entries)
