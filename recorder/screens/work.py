"""Base class of the screens for annotation: a heading with progress and time, a message line, and the active keys."""

from abc import abstractmethod
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.screen import Screen
from textual.widget import Widget

from recorder.journal.recording import Recording, Response, Submit
from recorder.screens.dialogs import Choice
from recorder.widgets.heading import SEPARATOR, Heading, MessageLine, minutes
from recorder.widgets.keys import Keys

WIDE = 118
"""Minimum width of the wide layout, in cells: a page of 80 cells and a second column."""


class WorkScreen(Screen[None]):
    """A screen that shows a recording. Subclasses compose their widgets and show the recording's view in them."""

    AUTO_FOCUS = ""
    TITLE: ClassVar[str | None] = None
    """Name of the work in the heading."""
    HELP: ClassVar[str | None] = None
    """Text of the help screen, before the list of keys."""
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (WIDE, "-wide")]

    def __init__(self, recording: Recording[Any, Any], progress: str, do: Callable[[Any], Response]) -> None:
        """Create the screen.

        Args:
            recording: The recording to show.
            progress: Progress for the heading, such as *3 of 20 done*.
            do: Carries out an event and shows the response.
        """
        super().__init__()
        self.recording = recording
        self.do = do
        self._progress = progress
        self._response = Response()
        self._is_ready = False

    def compose(self) -> ComposeResult:
        """Compose the heading, the subclass's widgets, the message line and the keys."""
        yield Heading(id="heading")
        yield from self.compose_work()
        yield MessageLine(id="message")
        yield Keys(id="keys")

    @abstractmethod
    def compose_work(self) -> Iterable[Widget]:
        """Compose the widgets of the subclass."""

    @abstractmethod
    def show(self) -> None:
        """Show the recording's view."""

    def on_mount(self) -> None:
        """Show the recording, and the time every second."""
        self._is_ready = True
        self.query_one(Heading).left = SEPARATOR.join(filter(None, (self.TITLE, self._progress)))
        self.tick()
        self.set_interval(1, self.tick)
        self.update(self._response)

    def update(self, response: Response) -> None:
        """Show the recording and the response to the last step, as soon as the screen is mounted."""
        self._response = response
        if self._is_ready:
            self.show()
            self.say(response)
            self.refresh_bindings()

    def tick(self) -> None:
        """Show the time spent."""
        self.query_one(Heading).right = minutes(self.recording.elapsed)

    def say(self, response: Response) -> None:
        """Show a response in the message line."""
        self.query_one(MessageLine).say(response)

    def confirm_submit(self, text: str) -> None:
        """Ask for confirmation and submit.

        Args:
            text: Summary of the recording, or the problems with it.
        """

        def submit(choice: str | None) -> None:
            if choice == "submit":
                self.do(Submit())

        choices = {"submit": ("enter", "submit")}
        self.app.push_screen(Choice("Submit? This cannot be undone.", text, choices), submit)
