"""The heading of a screen and its message line."""

from rich.cells import cell_len
from rich.text import Text
from textual.reactive import reactive
from textual.widgets import Static

from recorder.journal.recording import Response

SEPARATOR = " · "
"""Separates the parts of a heading."""


def minutes(seconds: float) -> str:
    """Format a duration as minutes and seconds, such as ``2:05``, or as ``1:02:05`` from one hour."""
    minute, second = divmod(int(seconds), 60)
    hour, minute = divmod(minute, 60)
    return f"{hour}:{minute:02}:{second:02}" if hour else f"{minute}:{second:02}"


class Heading(Static):
    """The first line of a screen: the kind of work and the progress, and the time at the right."""

    ALLOW_SELECT = False
    left: reactive[str] = reactive("")
    right: reactive[str] = reactive("")

    def render(self) -> Text:
        room = max(0, self.size.width - cell_len(self.right) - 1)
        left = Text(self.left, no_wrap=True)
        left.truncate(room, overflow="ellipsis", pad=True)
        return left.append(f" {self.right}")


class MessageLine(Static):
    """The response to the last step: ``!`` and the problem, or ``·`` and a note."""

    ALLOW_SELECT = False

    def say(self, response: Response) -> None:
        """Show a response. An empty response clears the line."""
        self.set_class(response.problem is not None, "-problem")
        message = response.problem or response.note
        mark = "!" if response.problem else "·"
        self.update(Text(f"{mark} {message}" if message else "", no_wrap=True, overflow="ellipsis"), layout=False)
