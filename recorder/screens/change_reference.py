"""The screen for changing a reference within its page."""

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.screen import ModalScreen

from browser_env.pages.layout import lay_out
from browser_env.pages.matching import Span
from browser_env.pages.page import Page
from recorder.journal.recording import Response
from recorder.widgets.heading import Heading, MessageLine
from recorder.widgets.keys import Keys
from recorder.widgets.page_view import PageView


class ChangeReference(ModalScreen[Span | None]):
    """A reference in its page, to make it longer or shorter. Returns the new span, or None to keep the reference."""

    BINDINGS = [Binding("escape", "dismiss(None)", "cancel", key_display="esc")]
    HELP = "Move the ends of the reference with the arrows, then press enter. Or drag the mouse over the new text."

    def __init__(self, number: int, page: Page, width: int, span: Span) -> None:
        super().__init__()
        self._number, self._page, self._width, self._span = number, page, width, span

    def compose(self) -> ComposeResult:
        """Compose the page and the keys."""
        yield Heading(id="heading")
        yield PageView(id="page")
        yield MessageLine(id="message")
        yield Keys()

    def on_mount(self) -> None:
        """Select the text of the reference."""
        self.query_one(Heading).left = f"Change [{self._number}] · {self._page.full_title}"
        page = self.query_one(PageView)
        page.show(self._page, self._width, range(len(lay_out(self._page, self._width).lines)))
        page.focus()
        self.call_after_refresh(page.select, self._span)

    @on(PageView.Changed)
    def _say(self) -> None:
        page = self.query_one(PageView)
        if page.selection is not None:
            number = len(self._page.text[slice(*page.selection)].split())
            end = "end" if page.moves_end else "start"
            self.query_one(MessageLine).say(Response(note=f"{number} words; arrows move the {end}; enter saves"))

    @on(PageView.Quote)
    def _take(self, message: PageView.Quote) -> None:
        self.dismiss(message.span)
