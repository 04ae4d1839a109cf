"""What every screen of work has: a heading with progress and time, a message line, and the keys of what can be done."""

from abc import abstractmethod
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.screen import Screen
from textual.widget import Widget

from recorder.journal.recording import Recording, Response
from recorder.widgets.common import SEPARATOR, Heading, Keys, MessageLine, minutes

WIDE = 118
"""Cells from which on there is room for a page of 80 beside something else."""


class WorkScreen(Screen[None]):
    """A recording on the screen. A subclass composes its parts and shows what stands; the rest is the same everywhere."""

    AUTO_FOCUS = ""
    TITLE: ClassVar[str | None] = None
    """What the work is called in the heading."""
    HELP: ClassVar[str | None] = None
    """A few sentences for the help screen; the keys follow by themselves."""
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (WIDE, "-wide")]

    def __init__(self, recording: Recording[Any, Any], progress: str, do: Callable[[Any], Response]) -> None:
        """Make the screen.

        Args:
            recording: What it shows.
            progress: How far the annotator is, such as *3 of 20 done*.
            do: Carries out an event and shows what came of it.
        """
        super().__init__()
        self.recording = recording
        self.do = do
        self._progress = progress
        self._response = Response()
        self._is_ready = False

    def compose(self) -> ComposeResult:
        """The parts that all have, around the subclass's own."""
        yield Heading(id="heading")
        yield from self.compose_work()
        yield MessageLine(id="message")
        yield Keys(id="keys")

    @abstractmethod
    def compose_work(self) -> Iterable[Widget]:
        """The screen's own parts."""

    @abstractmethod
    def show(self) -> None:
        """Show what stands."""

    def on_mount(self) -> None:
        """Show what stands, and the time from now on."""
        self._is_ready = True
        self.query_one(Heading).left = SEPARATOR.join(filter(None, (self.TITLE, self._progress)))
        self.tick()
        self.set_interval(1, self.tick)
        self.update(self._response)

    def update(self, response: Response) -> None:
        """Show what stands, and what there is to say about the last step; as soon as there is something to show it on."""
        self._response = response
        if self._is_ready:
            self.show()
            self.say(response)
            self.refresh_bindings()

    def tick(self) -> None:
        """Show the time of work."""
        self.query_one(Heading).right = minutes(self.recording.elapsed)

    def say(self, response: Response) -> None:
        """Say what came of a step."""
        self.query_one(MessageLine).say(response)
