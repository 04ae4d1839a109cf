"""The widget that shows a page: its lines as a model sees them, with a cursor, a choice of links, and a selection.

Only visible lines are drawn (Textual's Line API), so a page of 10,000 lines costs no more than a screenful. Positions are
offsets in the page's text (`recorder.widgets.selection`), independent of the markers and indentation in a line.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from browser_env.actions import MAX_LINK_DIGITS
from browser_env.pages.layout import lay_out
from browser_env.pages.matching import Span
from browser_env.pages.page import Link, Page
from browser_env.state import BLANK
from recorder.demonstrations.quotation import trimmed
from recorder.widgets.page_lines import Highlight, Marked, highlights, marker_columns, segments
from recorder.widgets.selection import (
    Place,
    column_at,
    extent,
    move_by_lines,
    move_end,
    move_start,
    offset_at,
    spans_of_lines,
)

GUTTER = 3
"""Width of the left margin with the number of a quote and the cursor, in cells. Hidden on narrow screens."""


class PageView(ScrollView, can_focus=True):
    """Some lines of a page. The cursor moves within them; `More` asks for other lines of the page."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES = {
        "page--link",
        "page--chosen-link",
        "page--quoted",
        "page--selected",
        "page--cursor",
        "page--cursor-letter",
        "page--gutter",
    }
    BINDINGS = [
        Binding("enter", "quote", "quote", key_display="enter", tooltip="Quote the selection"),
        Binding("right", "word(1)", "words", key_display="→/←", tooltip="Move the end of the selection by a word"),
        Binding("left", "word(-1)", "word back", show=False, key_display="←", tooltip="Move the end back by a word"),
        Binding("tab", "other_end", "other end", key_display="tab", tooltip="Switch to the other end of the selection"),
        Binding("enter", "open", "open link", key_display="enter", tooltip="Open the chosen link"),
        Binding("up", "move(-1)", "line up", show=False, key_display="↑", tooltip="Up one line"),
        Binding("down", "move(1)", "lines", key_display="↓/↑", tooltip="Down or up one line"),
        Binding(
            "space,pagedown",
            "read(1)",
            "read on",
            key_display="space",
            tooltip="Next screenful; page up: previous",
        ),
        Binding("pageup,shift+space", "read(-1)", "read back", show=False, tooltip="Previous screenful"),
        Binding(
            "tab",
            "link(1)",
            "link",
            key_display="tab",
            tooltip="Choose the next link; shift+tab: the previous one; or type its number",
        ),
        Binding("shift+tab", "link(-1)", "link before", show=False, tooltip="Choose the previous link"),
        Binding("v", "select", "select", tooltip="Select the line at the cursor, to quote it; arrows change the selection"),
        Binding("escape", "clear", "deselect", key_display="esc", tooltip="Clear the selection or the chosen link"),
    ]

    class More(Message):
        """Request to scroll the page by a view."""

        def __init__(self, views: int) -> None:
            super().__init__()
            self.views = views
            """1: down, -1: up."""

    class Follow(Message):
        """Request to open a link."""

        def __init__(self, link_id: int) -> None:
            super().__init__()
            self.link_id = link_id

    class Quote(Message):
        """Request to quote the selection."""

        def __init__(self, span: Span) -> None:
            super().__init__()
            self.span = span

    class Changed(Message):
        """The selection or the chosen link has changed."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._style_cache: dict[str, Style] = {}
        self._page: Page = BLANK
        self._width = 80
        self._lines = range(0)
        self._marks: Sequence[Marked] = ()
        self._shown: list[Link] = []
        self.cursor = 0
        """Line of the page, from 0."""
        self.chosen: int | None = None
        """Index of the chosen link among those in view. None if none is chosen."""
        self.digits = ""
        """Digits of a link's number that have been typed so far."""
        self.selection: Span | None = None
        """Selected span of the page's text. None if nothing is selected."""
        self.moves_end = True
        """Whether arrows move the end of the selection. Otherwise they move its start."""
        self._pressed: Place | None = None
        self._mode = (False, False)

    def show(self, page: Page, width: int, lines: range, marks: Sequence[Marked] = ()) -> None:
        """Show some lines of a page.

        Args:
            page: The page. If it is shown already, the cursor and the selection are kept.
            width: Width of the layout, in cells.
            lines: Lines of the page to show, from 0.
            marks: Quotes from the page.
        """
        is_same = page is self._page
        before = self._lines
        self._page, self._width, self._lines, self._marks = page, width, lines, marks
        layout = lay_out(page, width)
        if not is_same:
            self.selection = None
        if not is_same or before != lines:
            self.chosen, self.digits = None, ""
            first, last = self._extent(lines)
            self._shown = [link for link in page.links if first <= link.start < last]
            if not is_same or self.cursor not in lines:
                self.cursor = max(lines.start, min(self.cursor, lines.stop - 1)) if is_same else lines.start
            widest = max((cell_len(layout.lines[line]) for line in lines), default=0)
            self.virtual_size = Size(widest + self._gutter, len(lines))
            self._scroll_to_cursor(to_top=not is_same or before.start < lines.start)
        self.refresh()

    @property
    def page(self) -> Page:
        """The page that is shown."""
        return self._page

    @property
    def link_id(self) -> int | None:
        """Id of the chosen link, or the number being typed. None if there is neither."""
        if self.digits:
            return int(self.digits)
        return None if self.chosen is None else self._page.link_ids[self._shown[self.chosen].url]

    def go_to(self, offset: int) -> None:
        """Move the cursor to the line that contains an offset of the page's text."""
        self.cursor = self._line_of(offset)
        self._scroll_to_cursor()
        self.refresh()

    def select(self, span: Span) -> None:
        """Select a span and scroll to its start."""
        self.selection = span
        self.moves_end = True
        self.cursor = self._line_of(span[0])
        self._scroll_to_cursor()
        self._changed()

    def _extent(self, lines: range) -> Span:
        return extent(self._page, self._width, lines)

    def _line_of(self, offset: int) -> int:
        line = lay_out(self._page, self._width).line_at(offset)
        return max(self._lines.start, min(line, self._lines.stop - 1)) if self._lines else 0

    def _changed(self) -> None:
        self.refresh()
        mode = (self.selection is not None, self.link_id is not None)
        if mode != self._mode:  # computing the active keys takes longer than drawing the page
            self._mode = mode
            self.refresh_bindings()
        self.post_message(self.Changed())

    def notify_style_update(self) -> None:
        """Clear the cached styles; they depend on the theme and the focus."""
        self._style_cache.clear()
        super().notify_style_update()

    def _style(self, name: str) -> Style:
        """Return the style of a component class, or of the widget for an empty name. Cached, because computing it is slow."""
        if name not in self._style_cache:
            self._style_cache[name] = self.get_component_rich_style(name, partial=True) if name else self.rich_style
        return self._style_cache[name]

    @property
    def _gutter(self) -> int:
        return GUTTER if self.size.width >= self._width + GUTTER else 0

    def on_resize(self) -> None:
        """Update the size, which depends on the margin, and keep the cursor visible."""
        self.virtual_size = Size(self._width + self._gutter, len(self._lines))
        self._scroll_to_cursor()

    def render_line(self, y: int) -> Strip:
        row = self.scroll_offset.y + y
        width = self.size.width
        if row >= len(self._lines):
            return Strip.blank(width, self._style(""))
        number = self._lines.start + row
        text = lay_out(self._page, self._width).lines[number]
        base = self._style("")
        is_cursor = self.has_focus and number == self.cursor
        if is_cursor:
            base += self._style("page--cursor")
        parts = list(self._highlights(number))
        if is_cursor and not self._gutter:
            text = text or " "
            parts.append(Highlight((0, 1), "page--cursor-letter"))
        quoted = next((part.number for part in reversed(parts) if part.number is not None), None)
        line = [*self._gutter_segments(is_cursor, quoted), *segments(text, base, parts, self._style)]
        left = self.scroll_offset.x
        return Strip(line).extend_cell_length(width + left, base).crop(left, left + width)

    def _gutter_segments(self, is_cursor: bool, quoted: int | None) -> list[Segment]:
        if not self._gutter:
            return []
        number = "" if quoted is None else f"{quoted}"
        style = self._style("") + self._style("page--gutter")
        return [Segment(f"{number[-1:]:1}{'▸' if is_cursor else ' '} ", style)]

    def _highlights(self, line: int) -> Iterator[Highlight]:
        return highlights(
            self._page,
            self._width,
            line,
            links=self._shown,
            is_chosen=self._is_chosen,
            marks=self._marks,
            selection=self.selection,
        )

    def _is_chosen(self, index: int) -> bool:
        if self.digits:
            return self._page.link_ids[self._shown[index].url] == int(self.digits)
        return index == self.chosen

    def _scroll_to_cursor(self, *, to_top: bool = False) -> None:
        if not self._lines or not self.size.height:
            return
        row = self.cursor - self._lines.start
        if to_top:
            self.scroll_to(y=row, animate=False, immediate=True)
        else:
            self.scroll_to_region(Region(self.scroll_offset.x, row, 1, 1), animate=False, immediate=True)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Enable keys that apply to a selection or to links only where there is one."""
        is_selecting = self.selection is not None
        match action:
            case "quote" | "word" | "other_end":
                return is_selecting
            case "link":
                return bool(self._shown) and not is_selecting
            case "open":
                return self.link_id is not None and not is_selecting
            case "clear":
                return is_selecting or self.link_id is not None
            case "select":
                return self._page.kind != "error" and not is_selecting
        return True

    def action_move(self, lines: int) -> None:
        """Move the cursor or an end of the selection by one line. After the last line, the page is scrolled."""
        if self.selection is not None:
            self._move_selection_by_lines(lines)
            return
        before, goal = self.cursor, self.cursor + lines
        if goal not in self._lines:
            self.post_message(self.More(lines))
            return
        self.cursor = goal
        self._scroll_to_cursor()
        for line in (before, goal):
            self.refresh_line(line - self._lines.start)

    def action_read(self, direction: int) -> None:
        """Move by a screenful. After the last line, the page is scrolled."""
        screenful = max(1, self.size.height - 2)
        bottom = max(0, len(self._lines) - self.size.height)
        row = self.scroll_offset.y
        if (direction > 0 and row >= bottom) or (direction < 0 and row <= 0):
            self.post_message(self.More(direction))
            return
        row = max(0, min(bottom, row + direction * screenful))
        self.scroll_to(y=row, animate=False, immediate=True)
        self.cursor = self._lines.start + row
        self._changed()

    def action_link(self, step: int) -> None:
        """Choose the next or previous link, starting at the cursor if none is chosen."""
        if self.chosen is None:
            here = self._extent(range(self.cursor, self.cursor + 1))[0]
            at = bisect_left(self._shown, here, key=lambda link: link.start)
            self.chosen = (at if step > 0 else at - 1) % len(self._shown)
        else:
            self.chosen = (self.chosen + step) % len(self._shown)
        self.digits = ""
        self.cursor = self._line_of(self._shown[self.chosen].start)
        self._scroll_to_cursor()
        self._changed()

    def action_open(self) -> None:
        """Open the chosen link."""
        if (link_id := self.link_id) is not None:
            self.post_message(self.Follow(link_id))

    def action_select(self) -> None:
        """Start a selection with the line at the cursor, or the next one with text."""
        texts = lay_out(self._page, self._width).lines
        line = next((line for line in range(self.cursor, self._lines.stop) if texts[line].strip()), None)
        if line is not None:
            span = trimmed(self._page, spans_of_lines(self._page, self._width, line, line))
            self.chosen, self.digits, self.moves_end, self.cursor, self.selection = None, "", True, line, span
            self._scroll_to_cursor()
            self._changed()

    def action_quote(self) -> None:
        """Quote the selection."""
        if self.selection is not None:
            self.post_message(self.Quote(self.selection))

    def action_other_end(self) -> None:
        """Switch the end of the selection that arrows move."""
        self.moves_end = not self.moves_end
        self._changed()

    def action_word(self, words: int) -> None:
        """Move an end of the selection by words."""
        assert self.selection is not None
        start, stop = self.selection
        if self.moves_end:
            stop = move_end(self._page, stop, words)
        else:
            start = move_start(self._page, start, words)
        self._set_selection((start, stop))

    def action_clear(self) -> None:
        """Clear the selection and the chosen link."""
        self.selection, self.chosen, self.digits = None, None, ""
        self._changed()

    def on_key(self, event: events.Key) -> None:
        """Choose a link by typing its number."""
        if self.selection is not None:
            return
        if event.character and event.character in "0123456789" and len(self.digits) < MAX_LINK_DIGITS:
            self.digits += event.character
        elif event.key == "backspace" and self.digits:
            self.digits = self.digits[:-1]
        else:
            return
        event.stop()
        event.prevent_default()
        self.chosen = None
        self._go_to_typed_link()
        self._changed()

    def _go_to_typed_link(self) -> None:
        wanted = int(self.digits or -1)
        for link in self._shown:
            if self._page.link_ids[link.url] == wanted:
                self.cursor = self._line_of(link.start)
                self._scroll_to_cursor()
                return

    def _move_selection_by_lines(self, lines: int) -> None:
        assert self.selection is not None
        line = self._line_of(self.selection[1] - 1 if self.moves_end else self.selection[0])
        span = move_by_lines(
            self._page, self._width, self.selection, line, lines=self._lines, step=lines, moves_end=self.moves_end
        )
        if span is not None:
            self._set_selection(span)

    def _set_selection(self, span: Span) -> None:
        """Select a span within the lines in view. A span without text is ignored."""
        start, stop = span
        first, last = self._extent(self._lines)
        start, stop = max(first, start), min(last, len(self._page.text), stop)
        if start < stop and self._page.text[start:stop].strip():
            self.selection = trimmed(self._page, (start, stop))
            self.cursor = self._line_of(stop - 1 if self.moves_end else start)
            self._scroll_to_cursor()
            self._changed()

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Start a selection or a click."""
        if event.button == 1 and self._lines:
            self._pressed = self._place(event)
            self.cursor = self._pressed.line
            self.capture_mouse()
            self.action_clear()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Select from the position where the button was pressed to the mouse."""
        if self._pressed is None:
            return
        here = self._place(event)
        if here == self._pressed:
            return
        ends = sorted((self._offset(self._pressed), self._offset(here)))
        span = trimmed(self._page, (ends[0], ends[1]))
        self.selection = span if span[0] < span[1] else None
        self._changed()

    def on_mouse_up(self, event: events.MouseUp) -> None:
        """Open the link under the mouse if the mouse was not moved."""
        pressed, self._pressed = self._pressed, None
        self.release_mouse()
        if pressed is None or self.selection is not None:
            return
        for link in self._shown:
            columns = marker_columns(self._page, self._width, pressed.line, link)
            if columns is not None and columns[0] <= pressed.column < columns[1]:
                self.post_message(self.Follow(self._page.link_ids[link.url]))
                return

    def _place(self, event: events.MouseEvent) -> Place:
        row = max(0, min(self.scroll_offset.y + event.y, len(self._lines) - 1))
        line = self._lines.start + row
        cell = max(0, self.scroll_offset.x + event.x - self._gutter)
        return Place(line, column_at(lay_out(self._page, self._width).lines[line], cell))

    def _offset(self, place: Place) -> int:
        return offset_at(self._page, self._width, place)
