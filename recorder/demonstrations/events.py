"""Events in the journal of a demonstration."""

from typing import Annotated, Final, Literal

from pydantic import Field, TypeAdapter

from browser_env.records import Question, Settings
from browser_env.records.record import record
from recorder.demonstrations.replies import Reply
from recorder.journal.journal import Schema
from recorder.journal.recording import Redo, Submit, Undo
from recorder.journal.text_edits import Edit

JOURNAL: Final = "demonstration.jsonl"
"""Name of the journal in the folder of a recording."""
PAGES: Final = "pages"
"""Name of the subfolder with the pages and search results that were shown."""


@record
class Begin:
    """The first event: the question, the settings and the web."""

    event: Literal["begin"] = "begin"
    question: Question
    settings: Settings
    backend: str
    """Name of the web."""
    annotator: str


@record
class Act:
    """Give one of the ten commands."""

    event: Literal["act"] = "act"
    command: str
    replies: tuple[Reply, ...] | None = None
    """Replies of the web to the command. None before the web has replied."""


@record
class Select:
    """Quote a span of the page in view. The journal contains the ``Quote:`` command for the span instead of this event."""

    start: int
    """Offset of the first character in the text of the page."""
    end: int


@record
class RemoveReference:
    """Remove a reference, as if it had not been quoted."""

    event: Literal["remove_reference"] = "remove_reference"
    number: int
    """Number of the reference, from 1."""


@record
class EditReference:
    """Replace a reference by another span of its page, as if that span had been quoted."""

    event: Literal["edit_reference"] = "edit_reference"
    number: int
    """Number of the reference, from 1."""
    start: int
    """Offset of the first character in the text of the page."""
    end: int


@record
class Reopen:
    """Return to browsing after an End command."""

    event: Literal["reopen"] = "reopen"


@record
class Write:
    """Edit the text of the answer."""

    event: Literal["write"] = "write"
    edit: Edit


Event = Begin | Act | RemoveReference | EditReference | Reopen | Write | Submit | Undo | Redo

SCHEMA: Final[Schema[Event]] = Schema("demonstration", TypeAdapter(Annotated[Event, Field(discriminator="event")]))
