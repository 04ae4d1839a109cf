"""What every screen of work has: a heading with progress and time, a message line, and the keys of what can be done."""

from collections.abc import Iterable
from typing import ClassVar

from textual.app import ComposeResult
from textual.screen import Screen
from textual.widget import Widget

from recorder.recording import Response
from recorder.widgets import SEPARATOR, Heading, Keys, MessageLine, minutes


class WorkScreen(Screen[None]):
    """A recording on the screen. A subclass composes its parts and shows what stands; the rest is the same everywhere."""

    AUTO_FOCUS = ""
    TITLE: ClassVar[str | None] = None
    """What the work is called in the heading."""
    HELP: ClassVar[str | None] = None
    """A few sentences for the help screen; the keys follow by themselves."""

    def __init__(self, progress: str) -> None:
        """Args: progress: how far the annotator is, such as *3 of 20 done*."""
        super().__init__()
        self._progress = progress

    def compose(self) -> ComposeResult:
        """The parts that all have, around the subclass's own."""
        yield Heading(id="heading")
        yield from self.compose_work()
        yield MessageLine(id="message")
        yield Keys(id="keys")

    def compose_work(self) -> Iterable[Widget]:
        """The screen's own parts."""
        raise NotImplementedError

    def show(self) -> None:
        """Show what stands; called after every event."""
        raise NotImplementedError

    @property
    def seconds(self) -> float:
        """Of work on this recording."""
        raise NotImplementedError

    def on_mount(self) -> None:
        """Show what stands, and the time from now on."""
        self.query_one(Heading).left = SEPARATOR.join(filter(None, (self.TITLE, self._progress)))
        self.tick()
        self.set_interval(1, self.tick)
        self.show()

    def tick(self) -> None:
        """Show the time of work."""
        self.query_one(Heading).right = minutes(self.seconds)

    def say(self, response: Response) -> None:
        """Show what came of a step."""
        self.query_one(MessageLine).say(response)
