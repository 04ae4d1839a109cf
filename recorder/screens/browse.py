"""The screen for browsing, as in Figure 1a of the paper: the question, a page, the quotes, and the commands."""

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual import events, on
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Static

from browser_env.actions import Click, End, EndReason, Find, ScrollDown, ScrollUp, Search, Top, format_action
from browser_env.errors import RecordError
from browser_env.pages.page import Page
from recorder.demonstrations.events import Act, EditReference, RemoveReference, Select
from recorder.demonstrations.session import Session
from recorder.demonstrations.state import View
from recorder.demonstrations.stepping import Loaded
from recorder.journal.recording import Response
from recorder.screens.change_reference import ChangeReference
from recorder.screens.work import WIDE, WorkScreen
from recorder.widgets.keys import ClickLabel
from recorder.widgets.page_lines import Marked
from recorder.widgets.page_view import GUTTER, PageView
from recorder.widgets.references import ReferenceList
from recorder.widgets.scrollbar import Scrollbar

SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


class LineInput(Input):
    """A text box. Enter moves the focus to the page at once, so that the next keys go to the page."""

    async def action_submit(self) -> None:
        """Submit the line, unless it is empty."""
        if self.value.strip():
            self.screen.set_focus(self.screen.query_one(PageView))
            await super().action_submit()


class References(ReferenceList):
    """The references, to change or remove one."""

    BINDINGS = [
        Binding(
            "e,enter",
            "screen.change_reference",
            "change",
            key_display="e",
            tooltip="Make the chosen reference longer or shorter",
        ),
        Binding("x,delete", "screen.remove_reference", "remove", key_display="x", tooltip="Remove the chosen reference"),
        Binding("escape,r", "screen.page", "to the page", key_display="esc", tooltip="Back to the page"),
    ]


class BrowseScreen(WorkScreen):
    """Everything that a model sees, with keys for its commands."""

    HORIZONTAL_BREAKPOINTS = []
    TITLE: ClassVar[str | None] = "Demonstration"
    HELP: ClassVar[str | None] = """
Find out the answer to the question: search, open pages, and quote what supports an answer. Then write the answer.

To quote with keys, move to the line with the arrows and press v. Extend the selection by lines with ↑ ↓ and by words with ← →;
tab switches to its other end. Press enter to quote. With the mouse, drag over the text, then press enter or click Quote.

To open a link, click it, or type its number and press enter, or choose it with tab.

Every step can be undone. You can leave at any time and continue later where you left off.
"""
    BINDINGS = [
        Binding("s,slash", "search", "search", key_display="s", tooltip="Search the web"),
        Binding("f", "find", "find", tooltip="Find text in this page"),
        Binding("n", "find_again", "next", tooltip="Find the next occurrence"),
        Binding("b,backspace", "back", "back", key_display="b", tooltip="Go back to the previous page"),
        Binding("d", "scroll(1)", "view", key_display="d/u", tooltip="d: scroll down by a view; u: scroll up"),
        Binding("u", "scroll(-1)", "view up", show=False, tooltip="Scroll up by a view"),
        Binding("t,home", "top", "top", key_display="t", tooltip="Go to the top of the page"),
        Binding("r", "references", "quotes", tooltip="Go to the quotes, to change or remove one"),
        Binding("a", "end('Answer')", "answer", tooltip="End browsing and write the answer"),
        Binding("N", "end('Nonsense')", "no sense", tooltip="End browsing: the question makes no sense"),
        Binding("X", "end('Controversial')", "do not answer", tooltip="End browsing: the question should not be answered"),
        Binding("escape", "escape", "cancel", key_display="esc", tooltip="Leave the text box, or cancel loading"),
    ]

    @dataclass
    class Answered(Message):
        """The result of a search or a click."""

        result: Loaded | Response
        waiting: object
        """Identity of the request, to ignore the result of a canceled one."""

    recording: Session
    _waiting: object | None = None
    _frame = 0
    _doing = ""

    def compose_work(self) -> Iterable[Widget]:
        with Horizontal(id="asked"):
            yield Static(id="question", markup=False)
            with Vertical(id="early"):
                yield ClickLabel("Makes no sense", "N", "end('Nonsense')", id="nonsense")
                yield ClickLabel("Should not be answered", "X", "end('Controversial')", id="controversial")
        with Horizontal(id="tools"):
            yield ClickLabel("← Back", "b", "back", id="back")
            yield LineInput(placeholder="Search  s", compact=True, id="search")
            yield LineInput(placeholder="Find in page  f", compact=True, id="find")
            yield ClickLabel("⇈", "t", "top", id="top")
            yield ClickLabel("↑", "u", "scroll(-1)", id="up")
            yield ClickLabel("↓", "d", "scroll(1)", id="down")
        with Horizontal(id="desk"):
            with Vertical(id="reading"):
                yield Static(id="title", markup=False)
                with Horizontal():
                    yield PageView(id="page")
                    yield Scrollbar(id="scrollbar")
            with Vertical(id="quotes"):
                with Horizontal(id="quotes-title"):
                    yield Static("Quotes", classes="dialog-title")
                    yield ClickLabel("+ Quote", "v", "quote", id="quote")
                yield References(id="references")
                yield Static(id="left")
                yield ClickLabel("Done quoting! Write an answer", "a", "end('Answer')", id="done")
        yield Static(id="counts")

    def on_mount(self) -> None:
        """Start on the page, or in the search box if there is no page yet."""
        self._spinner = self.set_interval(0.1, self._spin, pause=True)
        super().on_mount()
        if self.recording.view().page.text:
            self.set_focus(self.query_one(PageView))
        else:
            self.set_focus(self.query_one("#search", Input))

    def on_resize(self, event: events.Resize) -> None:
        """Show the page and the quotes side by side if they fit. Otherwise `r` switches between them."""
        width = self.recording.state.begin.settings.view_width
        is_wide = event.size.width >= width + WIDE - 80
        self.set_class(is_wide, "-wide")
        self.set_class(not is_wide, "-narrow")
        self.query_one("#reading").styles.width = width + GUTTER + 1 if is_wide else "1fr"

    def show(self) -> None:
        view, settings = self.recording.view(), self.recording.state.begin.settings
        self.query_one("#question", Static).update(view.question)
        page = self.query_one(PageView)
        lines = range(view.top, view.top + len(view.lines))
        page.show(view.page, settings.view_width, lines, list(_marks(view)))
        first, last = view.scrollbar
        self.query_one("#title", Static).update(_title(view.page, f"{first}-{last} %"), layout=False)
        self.query_one(Scrollbar).show(view.scrollbar)
        self.query_one(References).show(view.references)
        tokens, actions = view.reference_tokens_left, view.actions_left
        left = f"Number of quote tokens left: {tokens}\nNumber of actions left: {actions}"
        self.query_one("#left", Static).update(left, layout=False)
        counts = f"Quotes: {len(view.references)} · quote tokens left: {tokens} · actions left: {actions}"
        self.query_one("#counts", Static).update(counts, layout=False)
        self.query_one("#back").disabled = not view.can_go_back

    @on(PageView.Changed)
    def _say_selection(self) -> None:
        page = self.query_one(PageView)
        if page.selection is not None:
            words = page.page.text[slice(*page.selection)].split()
            end = "end" if page.moves_end else "start"
            number = f"{len(words)} {'word' if len(words) == 1 else 'words'}"
            self.say(Response(note=f"{number} selected; arrows move the {end}; enter quotes"))
        elif page.digits:
            self.say(Response(note=f"link {page.digits}: enter opens it"))
        elif page.chosen is not None:
            self.say(Response(note=f"{_link_target(page.page, page.link_id)}: enter opens it"))
        elif self._waiting is None:
            self.say(Response())

    @property
    def is_waiting(self) -> bool:
        """Whether a search or a click is in progress."""
        return self._waiting is not None

    def _ask(self, command: str, doing: str) -> None:
        """Search or click in a thread. A canceled result is ignored."""
        if self._waiting is not None:
            self.say(Response(problem="still loading; wait, or press Escape to cancel"))
            return
        waiting = self._waiting = object()
        self._doing = doing
        self._spinner.resume()
        self._spin()

        def load() -> None:
            try:
                result = self.recording.load(command)
            except RecordError as error:
                result = Response(problem=str(error))
            self.post_message(self.Answered(result, waiting))

        # A daemon thread: leaving the program does not wait for the web.
        threading.Thread(target=load, name="web", daemon=True).start()
        self.set_focus(self.query_one(PageView))
        self.refresh_bindings()

    @on(Answered)
    def _take(self, message: Answered) -> None:
        if message.waiting is not self._waiting:
            return
        self._stop_waiting()
        if isinstance(message.result, Response):
            self.say(message.result)
        else:
            self.do(message.result)

    def _stop_waiting(self) -> None:
        self._waiting = None
        self._spinner.pause()
        self.refresh_bindings()

    def _spin(self) -> None:
        self._frame = (self._frame + 1) % len(SPINNER)
        self.say(Response(note=f"{SPINNER[self._frame]} {self._doing} (Escape cancels)"))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Enable the keys of commands that are possible now."""
        if not self._is_ready:
            return True
        match action:
            case "escape":
                return self._waiting is not None or isinstance(self.focused, Input)
            case "back":
                return self.recording.view().can_go_back or None
            case "find_again":
                return bool(self.query_one("#find", Input).value)
        return True

    def action_search(self) -> None:
        """Go to the search box."""
        self.set_focus(self.query_one("#search", Input))

    def action_find(self) -> None:
        """Go to the find box."""
        self.set_focus(self.query_one("#find", Input))

    @on(Input.Submitted, "#search")
    def _search(self, event: Input.Submitted) -> None:
        query = event.value.strip()
        self._ask(format_action(Search(query)), f"searching for {query}")

    @on(Input.Submitted, "#find")
    def _find(self, event: Input.Submitted) -> None:
        self._find_text(event.value.strip())

    def action_find_again(self) -> None:
        """Find the next occurrence."""
        if text := self.query_one("#find", Input).value.strip():
            self._find_text(text)

    def _find_text(self, text: str) -> None:
        """Find a text and move the cursor to the line in which the match ends."""
        self._act(format_action(Find(text)))
        if end := self.recording.state.browser.visit.find_from:
            self.query_one(PageView).go_to(end - 1)

    def action_back(self) -> None:
        """Go back to the previous page."""
        self._act("Back")

    def action_top(self) -> None:
        """Go to the top of the page."""
        self._act(format_action(Top()))

    def action_scroll(self, views: int) -> None:
        """Scroll down or up by a view."""
        self._act(format_action(ScrollDown(1) if views > 0 else ScrollUp(1)))

    @on(PageView.More)
    @on(Scrollbar.More)
    def _more(self, message: PageView.More | Scrollbar.More) -> None:
        self.action_scroll(message.views)

    @on(PageView.Follow)
    def _follow(self, message: PageView.Follow) -> None:
        page = self.query_one(PageView).page
        self._ask(format_action(Click(message.link_id)), f"opening {_link_target(page, message.link_id)}")

    def action_quote(self) -> None:
        """Quote the selection, or start one."""
        page = self.query_one(PageView)
        self.set_focus(page)
        if page.selection is None:
            page.action_select()
        else:
            page.action_quote()

    @on(PageView.Quote)
    def _quote(self, message: PageView.Quote) -> None:
        start, end = message.span
        page = self.query_one(PageView)
        if self.do(Select(start=start, end=end)).is_done:
            page.action_clear()

    def action_end(self, reason: str) -> None:
        """End browsing."""
        self._act(format_action(End(EndReason(reason))))

    def action_escape(self) -> None:
        """Cancel loading, or leave a text box."""
        if self._waiting is not None:
            self._stop_waiting()
            self.say(Response(note="canceled; nothing has changed"))
        self.set_focus(self.query_one(PageView))

    def action_page(self) -> None:
        """Go to the page."""
        self.remove_class("-quotes")
        self.set_focus(self.query_one(PageView))

    def action_references(self) -> None:
        """Go to the references, which replace the page on a narrow screen."""
        self.add_class("-quotes")
        self.set_focus(self.query_one(References))

    def action_remove_reference(self) -> None:
        """Remove the chosen reference."""
        if number := self.query_one(References).number:
            self.do(RemoveReference(number=number))

    def action_change_reference(self) -> None:
        """Change the chosen reference to another span of its page."""
        number = self.query_one(References).number
        if number is None:
            return
        page = self.recording.page_of(number)
        reference = self.recording.view().references[number - 1]
        width = self.recording.state.begin.settings.view_width

        def change(span: tuple[int, int] | None) -> None:
            if span is not None:
                self.do(EditReference(number=number, start=span[0], end=span[1]))

        self.app.push_screen(ChangeReference(number, page, width, (reference.start, reference.end)), change)

    def _act(self, command: str) -> None:
        self.do(Act(command=command))


def _marks(view: View) -> Iterable[Marked]:
    for number, reference in enumerate(view.references, start=1):
        if reference.page == view.page.digest:
            yield Marked(number, (reference.start, reference.end))


def _title(page: Page, scrolled: str) -> Text:
    if not page.text and not page.title:
        return Text("Start with a search.")
    return Text.assemble((page.full_title, "bold"), f"  {scrolled}")


def _link_target(page: Page, link_id: int | None) -> str:
    if link_id is None or link_id >= len(page.link_urls):
        return f"link {link_id}"
    return f"link {link_id}, {page.link_urls[link_id]}"
