"""Base class of demonstrations and comparisons in progress: a journal, a state, undo and redo.

The state of a recording is computed from the events of its journal alone, so opening the journal again gives the same state.
`Recording.do` is the only function that changes it: it computes the effect of an event, writes the event, waits for the disk,
and only then changes the state. An event that cannot be carried out is refused with the reason and not written.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Literal, Protocol, Self, TypeVar

from browser_env.errors import RecordError, UsageError
from browser_env.records.record import record
from recorder.journal.journal import Entry, Journal, Schema
from recorder.journal.text_edits import Edit, joins

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


class State(Protocol):
    """The state of a recording, an immutable value."""

    @property
    def submitted(self) -> float | None:
        """Seconds of work at submission. None before submission."""


E = TypeVar("E", bound="DataclassInstance")
S = TypeVar("S", bound=State)


@record
class Undo:
    """Undo the last step."""

    event: Literal["undo"] = "undo"


@record
class Redo:
    """Redo the step that was undone last."""

    event: Literal["redo"] = "redo"


@record
class Submit:
    """Finish the recording. It cannot be changed afterwards."""

    event: Literal["submit"] = "submit"


@dataclass(frozen=True, slots=True)
class Response:
    """The answer to an event, for the message line of a screen."""

    problem: str | None = None
    """Reason why the event was not carried out. None if it was."""
    note: str | None = None
    """Remark about an event that was carried out."""

    @property
    def is_done(self) -> bool:
        """Whether the event was carried out."""
        return self.problem is None


@dataclass(frozen=True, slots=True)
class Refusal:
    """An event that cannot be carried out."""

    reason: str
    """One line for the annotator."""


@dataclass(frozen=True, slots=True)
class Change(Generic[S]):
    """The effect of an event."""

    state: S
    """The state after the event."""
    label: str
    """Name of the step for undo and redo, such as *Quote*."""
    note: str | None = None
    """Remark for the annotator."""


@dataclass(frozen=True, slots=True)
class _HistoryEntry(Generic[S]):
    """A state in the undo history, and the step that led to it."""

    state: S
    label: str = ""
    edit: Edit | None = None
    """The text edit of the step, which an edit that continues it joins. None for any other step."""


class Recording(ABC, Generic[E, S]):
    """A recording in progress. A context manager: leaving it closes the journal; the recording can be continued later.

    Not thread-safe: use it in one thread.
    """

    def __init__(
        self, path: Path, schema: Schema[E], begin: E | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Continue the recording of a journal, or begin a new one.

        Args:
            path: The journal.
            schema: Event types of the journal.
            begin: The first event of a new journal. An existing journal must be about the same item. None to continue an
                existing one.
            clock: A monotonic clock, in seconds.

        Raises:
            RecordError: The journal cannot be read or written, or contains an event that is not possible.
            UsageError: There is nothing to continue, or the journal is about another item.
        """
        self.folder = path.parent
        self._clock = clock
        self._opened = clock()
        self._journal = Journal(path, schema)
        try:
            if begin is None and not self._journal.entries:
                raise UsageError(f"{self.folder}: there is no {schema.name} to continue")
            self._replay(begin, schema.name)
        except BaseException:
            self._journal.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the journal. Closing it twice has no effect."""
        self._journal.close()

    @property
    def state(self) -> S:
        """The current state."""
        return self._history[self._position].state

    @property
    def elapsed(self) -> float:
        """Seconds spent on this recording, without the time during which it was closed."""
        return self._before + (0.0 if self.is_submitted else self._clock() - self._opened)

    @property
    def undoes(self) -> str | None:
        """Name of the step that undo would revert, such as *Quote*. None if there is none."""
        return self._history[self._position].label if self._position and not self.is_submitted else None

    @property
    def redoes(self) -> str | None:
        """Name of the step that redo would repeat. None if there is none."""
        return (
            self._history[self._position + 1].label
            if self._position + 1 < len(self._history) and not self.is_submitted
            else None
        )

    @property
    def digest(self) -> str | None:
        """Digest of the sealed journal. None before submission."""
        return self._journal.digest

    @property
    def is_submitted(self) -> bool:
        """Whether the recording is finished."""
        return self.state.submitted is not None

    def do(self, event: E) -> Response:
        """Carry out an event, or return the reason why it is not possible. The event is on the disk when this returns.

        Raises:
            RecordError: The journal cannot be written. The state is unchanged.
        """
        entry = self._journal.as_written(event, self.elapsed)
        change = self._change(entry.event, entry.elapsed)
        if isinstance(change, Refusal):
            return Response(problem=change.reason)
        self._journal.append(entry)
        self._commit(entry, change)
        if self.is_submitted:
            self._before = entry.elapsed
            self._journal.seal()
        return Response(note=change.note)

    @abstractmethod
    def _initial_state(self, begin: E) -> S:
        """Return the state after the first event."""

    @abstractmethod
    def _item_id(self, begin: E) -> str:
        """Return the id of the question or task in the first event."""

    @abstractmethod
    def _apply(self, state: S, event: E, elapsed: float) -> Change[S] | Refusal:
        """Return the effect of an event other than undo and redo. The result depends on the arguments alone."""

    @abstractmethod
    def _text_edit(self, event: E) -> Edit | None:
        """Return the text edit of an event, or None if it is not one."""

    def _replay(self, begin: E | None, kind: str) -> None:
        """Compute the state from the journal. Writes the first event to an empty journal."""
        entries = self._journal.entries
        self._before = entries[-1].elapsed if entries else 0.0
        if not entries:
            assert begin is not None
            entries = (self._journal.as_written(begin, 0.0),)
            self._journal.append(entries[0])
        item = self._item_id(entries[0].event)
        if begin is not None and item != self._item_id(begin):
            raise UsageError(f"{self.folder}: contains the {kind} of another item: {item!r}")
        self._history: list[_HistoryEntry[S]] = [_HistoryEntry(self._initial_state(entries[0].event))]
        self._position = 0
        self._is_typing = False
        for entry in entries[1:]:
            change = self._change(entry.event, entry.elapsed)
            if isinstance(change, Refusal):
                raise RecordError(f"{self._journal.path}: contains an event that is not possible: {change.reason}")
            self._commit(entry, change)
        if self.is_submitted:
            self._journal.seal()  # the program may have been stopped between the last event and the seal

    def _change(self, event: E, elapsed: float) -> Change[S] | Refusal:
        if self.is_submitted:
            return Refusal("already submitted; it cannot be changed")
        match event:
            case Undo():
                if not self._position:
                    return Refusal("there is nothing to undo")
                return Change(self._history[self._position - 1].state, "", f"undone: {self._history[self._position].label}")
            case Redo():
                if self._position + 1 == len(self._history):
                    return Refusal("there is nothing to redo")
                return Change(self._history[self._position + 1].state, "", f"redone: {self._history[self._position + 1].label}")
            case _:
                return self._apply(self.state, event, elapsed)

    def _commit(self, entry: Entry[E], change: Change[S]) -> None:
        match entry.event:
            case Undo():
                self._position -= 1
                self._is_typing = False
            case Redo():
                self._position += 1
                self._is_typing = False
            case event:
                edit = self._text_edit(event)
                previous = self._history[self._position].edit
                del self._history[self._position + 1 :]
                if self._is_typing and edit is not None and previous is not None and joins(previous, edit):
                    self._history.pop()
                self._history.append(_HistoryEntry(change.state, change.label, edit))
                self._position = len(self._history) - 1
                self._is_typing = edit is not None
