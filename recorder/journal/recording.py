"""What a demonstration and a comparison have in common while a person makes them: a journal, a state, undo and redo.

A recording is a fold: its state is made from the events of its journal and from nothing else, so opening the journal again
gives the same state. `Recording.do` is the only way to change one. It works out what an event would do, writes the event,
waits for the disk, and only then lets the state change; an event that cannot be carried out is answered with the reason
and never written.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Literal, Self, TypeVar

from browser_env.errors import RecordError
from browser_env.records.record import record
from recorder.journal.journal import Entry, Journal
from recorder.journal.text_edits import Edit, joins

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

E = TypeVar("E", bound="DataclassInstance")
S = TypeVar("S")


@record
class Undo:
    """Take back the last step that stands."""

    event: Literal["undo"] = "undo"


@record
class Redo:
    """Do again what was taken back last."""

    event: Literal["redo"] = "redo"


@record
class Submit:
    """Finish: nothing can be changed any more."""

    event: Literal["submit"] = "submit"


@dataclass(frozen=True, slots=True)
class Response:
    """What a screen has to say about an event."""

    problem: str | None = None
    """Why it was not done; nothing was written and nothing has changed."""
    note: str | None = None
    """What a person should know of an event that was done, or of one that would have moved nothing."""

    @property
    def is_done(self) -> bool:
        """Whether something has changed."""
        return self.problem is None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an event cannot be carried out: one line for a person."""

    reason: str


@dataclass(frozen=True, slots=True)
class Change(Generic[S]):
    """What an event would do."""

    state: S
    label: str
    """What undo and redo call it, such as *Quote*."""
    note: str | None = None


@dataclass(frozen=True, slots=True)
class _Past(Generic[S]):
    """A state and what led to it."""

    state: S
    label: str = ""
    edit: Edit | None = None
    """What was typed, if it was: more of the same word joins it."""


class Recording(ABC, Generic[E, S]):
    """One recording in progress. A context manager; leaving it closes the journal, and opening it again goes on exactly there.

    For one thread: the one that shows it.
    """

    def __init__(self, journal: Journal[E], begin: E | None, clock: Callable[[], float] = time.monotonic) -> None:
        """Replay a journal, or begin an empty one.

        Args:
            journal: Its events.
            begin: The first event of an empty journal.
            clock: Seconds that only grow.

        Raises:
            RecordError: The journal holds what cannot have happened.
        """
        self._journal = journal
        self._clock = clock
        self._opened = clock()
        self._before = journal.entries[-1].elapsed if journal.entries else 0.0
        entries = journal.entries
        if not entries:
            assert begin is not None  # whoever opens a recording for reading has looked whether there is one
            entries = (journal.as_written(begin, 0.0),)
            journal.append(entries[0])
        self._past: list[_Past[S]] = [_Past(self._first(entries[0].event))]
        self._place = 0
        self._is_typing = False
        for entry in entries[1:]:
            self._replay(entry)
        if self.is_submitted:
            journal.seal()  # the program was ended right before it would have done so

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the journal; again does nothing."""
        self._journal.close()

    @property
    def state(self) -> S:
        """What stands."""
        return self._past[self._place].state

    @property
    def elapsed(self) -> float:
        """Seconds of work on this recording; the time between two openings does not count."""
        return self._before + (0.0 if self.is_submitted else self._clock() - self._opened)

    @property
    def undoes(self) -> str | None:
        """What undo would take back, such as *Quote*; None: nothing."""
        return self._past[self._place].label if self._place and not self.is_submitted else None

    @property
    def redoes(self) -> str | None:
        """What redo would do again; None: nothing."""
        return self._past[self._place + 1].label if self._place + 1 < len(self._past) and not self.is_submitted else None

    @property
    def digest(self) -> str | None:
        """Of the finished journal; None: it is not finished."""
        return self._journal.digest

    @property
    def is_submitted(self) -> bool:
        """Whether it is finished."""
        return self._is_final(self.state)

    def do(self, event: E) -> Response:
        """Carry out an event, or say why not. When this returns, the disk has it.

        Raises:
            RecordError: The journal cannot be written; nothing has changed, and the message says what to do.
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
    def _first(self, begin: E) -> S:
        """The state that the first event makes."""

    @abstractmethod
    def _apply(self, state: S, event: E, elapsed: float) -> Change[S] | Refusal:
        """What an event does that is neither undo nor redo. Pure: the same arguments, the same result."""

    @abstractmethod
    def _is_final(self, state: S) -> bool:
        """Whether a state is a finished one."""

    @abstractmethod
    def _edit(self, event: E) -> Edit | None:
        """The typing that an event is, if it is any."""

    def _change(self, event: E, elapsed: float) -> Change[S] | Refusal:
        if self.is_submitted:
            return Refusal("it is submitted, and stays as it is")
        match event:
            case Undo():
                if not self._place:
                    return Refusal("there is nothing to undo")
                return Change(self._past[self._place - 1].state, "", f"undone: {self._past[self._place].label}")
            case Redo():
                if self._place + 1 == len(self._past):
                    return Refusal("there is nothing to redo")
                return Change(self._past[self._place + 1].state, "", f"done again: {self._past[self._place + 1].label}")
            case _:
                return self._apply(self.state, event, elapsed)

    def _commit(self, entry: Entry[E], change: Change[S]) -> None:
        match entry.event:
            case Undo():
                self._place -= 1
                self._is_typing = False
            case Redo():
                self._place += 1
                self._is_typing = False
            case event:
                edit = self._edit(event)
                previous = self._past[self._place].edit
                del self._past[self._place + 1 :]
                if self._is_typing and edit is not None and previous is not None and joins(previous, edit):
                    self._past.pop()
                self._past.append(_Past(change.state, change.label, edit))
                self._place = len(self._past) - 1
                self._is_typing = edit is not None

    def _replay(self, entry: Entry[E]) -> None:
        change = self._change(entry.event, entry.elapsed)
        if isinstance(change, Refusal):
            raise RecordError(f"{self._journal.path}: holds an event that cannot have happened: {change.reason}")
        self._commit(entry, change)
