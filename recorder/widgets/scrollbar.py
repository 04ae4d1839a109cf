"""A scrollbar for the view of a page."""

from rich.text import Text
from textual import events
from textual.app import RenderResult
from textual.message import Message
from textual.widget import Widget


class Scrollbar(Widget):
    """The position of the view in the page. A click above or below the thumb scrolls by a view."""

    ALLOW_SELECT = False
    scrolled: tuple[int, int] = (0, 100)
    """First and last percent of the page in view."""

    class More(Message):
        """Request to scroll by a view."""

        def __init__(self, views: int) -> None:
            super().__init__()
            self.views = views
            """1: down, -1: up."""

    def show(self, scrolled: tuple[int, int]) -> None:
        """Show the position of the view, as its first and last percent of the page."""
        self.scrolled = scrolled
        self.refresh()

    def render(self) -> RenderResult:
        first, last = self._thumb()
        return Text("\n".join("█" if first <= row < last else "│" for row in range(self.size.height)))

    def on_click(self, event: events.Click) -> None:
        """Request to scroll, unless the thumb was clicked."""
        first, last = self._thumb()
        if not first <= event.y < last:
            self.post_message(self.More(1 if event.y >= last else -1))

    def _thumb(self) -> tuple[int, int]:
        height = self.size.height
        first, last = (percent * height // 100 for percent in self.scrolled)
        return min(first, height - 1), max(first + 1, last)
