"""A page on the screen: its lines as a model gets them, a cursor, links to choose, and a stretch to select.

Only the lines that are seen are drawn (Textual's Line API), so a page of 10,000 lines costs what a screenful costs. Places are
offsets in the page's text (`recorder.widgets.selection`), whatever markers and indentation a line shows.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from rich.cells import cell_len, get_character_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from browser_env.actions import MAX_LINK_DIGITS
from browser_env.pages.characters import LINK_CLOSE
from browser_env.pages.layout import lay_out
from browser_env.pages.matching import Span
from browser_env.pages.page import Link, Page
from browser_env.state import BLANK
from recorder.demonstrations.quotation import trimmed
from recorder.widgets.selection import Place, columns_of, end_moved, offset_at, spans_of_lines, start_moved

GUTTER = 3
"""Cells at the left for the number of a quote and the cursor, where the screen has room for them."""


@dataclass(frozen=True, slots=True)
class Marked:
    """A stretch that is a reference."""

    number: int
    span: Span


class PageView(ScrollView, can_focus=True):
    """Some lines of a page. It moves only in them; that more is wanted it says with messages."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES = {
        "page--link",
        "page--chosen-link",
        "page--quoted",
        "page--selected",
        "page--cursor",
        "page--gutter",
    }
    BINDINGS = [
        Binding("enter", "quote", "quote", key_display="enter", tooltip="Quote what is selected"),
        Binding("right", "word(1)", "words", key_display="→/←", tooltip="Move the end of the selection by a word, on or back"),
        Binding("left", "word(-1)", "word back", show=False, key_display="←", tooltip="Move it back by a word"),
        Binding("tab", "other_end", "other end", key_display="tab", tooltip="Let the arrows move the other end"),
        Binding("enter", "open", "open link", key_display="enter", tooltip="Open the chosen link"),
        Binding("up", "move(-1)", "line up", show=False, key_display="↑", tooltip="A line up"),
        Binding("down", "move(1)", "lines", key_display="↓/↑", tooltip="A line down or up"),
        Binding(
            "space,pagedown",
            "read(1)",
            "read on",
            key_display="space",
            tooltip="Read on by a screenful; page up: back",
        ),
        Binding("pageup,shift+space", "read(-1)", "read back", show=False, tooltip="Back by a screenful, then by a view"),
        Binding(
            "tab",
            "link(1)",
            "link",
            key_display="tab",
            tooltip="The next link; shift+tab: the one before; or type its number",
        ),
        Binding("shift+tab", "link(-1)", "link before", show=False, tooltip="Choose the link before"),
        Binding("v", "select", "select", tooltip="Select the cursor's line to quote it; arrows change the selection"),
        Binding("escape", "clear", "let go", key_display="esc", tooltip="Let go of what is selected or chosen"),
    ]

    class More(Message):
        """More of the page is wanted, in a direction."""

        def __init__(self, views: int) -> None:
            super().__init__()
            self.views = views

    class Follow(Message):
        """A link is to be opened."""

        def __init__(self, link_id: int) -> None:
            super().__init__()
            self.link_id = link_id

    class Quote(Message):
        """The selection is to be quoted."""

        def __init__(self, span: Span) -> None:
            super().__init__()
            self.span = span

    class Changed(Message):
        """What is chosen or selected has changed."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._made_styles: dict[str, Style] = {}
        self._page: Page = BLANK
        self._width = 80
        self._lines = range(0)
        self._marks: Sequence[Marked] = ()
        self._shown: list[Link] = []
        self.cursor = 0
        """Line of the page, from 0."""
        self.chosen: int | None = None
        """Place of a link among those shown."""
        self.digits = ""
        """Of a link's number that is being typed."""
        self.selection: Span | None = None
        """Stretch of the page's text that is selected."""
        self.moves_end = True
        """Whether arrows move the end of the selection; else its start."""
        self._pressed: Place | None = None
        self._mode = (False, False)

    # ---------------------------------------------------------------------------------------------------------- content

    def show(self, page: Page, width: int, lines: range, marks: Sequence[Marked] = ()) -> None:
        """Show some lines of a page.

        Args:
            page: Of which the cursor and the selection stay where they are if it is the one that was shown.
            width: In cells, as it is laid out.
            lines: Which of its lines, from 0.
            marks: Its references.
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
            self._see_cursor(to_top=not is_same or before.start < lines.start)
        self.refresh()

    @property
    def page(self) -> Page:
        """What is shown."""
        return self._page

    @property
    def num_lines(self) -> int:
        """Lines that are shown here, seen or not."""
        return len(self._lines)

    @property
    def link_id(self) -> int | None:
        """Id of the chosen link."""
        if self.digits:
            return int(self.digits)
        return None if self.chosen is None else self._page.link_ids[self._shown[self.chosen].url]

    def go_to(self, offset: int) -> None:
        """Put the cursor on the line that holds a place of the page's text."""
        self.cursor = self._line_of(offset)
        self._see_cursor()
        self.refresh()

    def select(self, span: Span) -> None:
        """Select a stretch, and see its beginning."""
        self.selection = span
        self.moves_end = True
        self.cursor = self._line_of(span[0])
        self._see_cursor()
        self._changed()

    def _extent(self, lines: range) -> Span:
        """Where lines begin and end in the page's text."""
        starts = lay_out(self._page, self._width).starts
        if not lines:
            return 0, 0
        return starts[lines.start], starts[lines.stop] if lines.stop < len(starts) else len(self._page.text) + 1

    def _line_of(self, offset: int) -> int:
        line = lay_out(self._page, self._width).line_at(offset)
        return max(self._lines.start, min(line, self._lines.stop - 1)) if self._lines else 0

    def _changed(self) -> None:
        self.refresh()
        mode = (self.selection is not None, self.link_id is not None)
        if mode != self._mode:  # working out which keys mean something takes longer than drawing the page
            self._mode = mode
            self.refresh_bindings()
        self.post_message(self.Changed())

    # ---------------------------------------------------------------------------------------------------------- drawing

    def notify_style_update(self) -> None:
        """The theme or the focus has changed what styles are."""
        self._made_styles.clear()
        super().notify_style_update()

    def _style(self, name: str) -> Style:
        """Of a part, or the widget's own; Textual works it out from the style sheet, which takes longer than drawing a line."""
        if name not in self._made_styles:
            self._made_styles[name] = self.get_component_rich_style(name, partial=True) if name else self.rich_style
        return self._made_styles[name]

    @property
    def _gutter(self) -> int:
        return GUTTER if self.size.width >= self._width + GUTTER else 0

    def on_resize(self) -> None:
        """The gutter may come or go, and the cursor must stay in sight."""
        self.virtual_size = Size(self._width + self._gutter, len(self._lines))
        self._see_cursor()

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
        styles = [base] * len(text)
        quoted = self._paint_line(number, text, styles)
        if is_cursor and not self._gutter:
            styles = [styles[0] + Style(reverse=True), *styles[1:]] if styles else [base + Style(reverse=True)]
            text = text or " "
        segments = self._gutter_segments(is_cursor, quoted)
        start = 0
        for end in range(1, len(text) + 1):
            if end == len(text) or styles[end] is not styles[start]:
                segments.append(Segment(text[start:end], styles[start]))
                start = end
        left = self.scroll_offset.x
        return Strip(segments).extend_cell_length(width + left, base).crop(left, left + width)

    def _gutter_segments(self, is_cursor: bool, quoted: int | None) -> list[Segment]:
        if not self._gutter:
            return []
        number = "" if quoted is None else f"{quoted}"
        style = self._style("") + self._style("page--gutter")
        return [Segment(f"{number[-1:]:1}{'▸' if is_cursor else ' '} ", style)]

    def _paint_line(self, number: int, text: str, styles: list[Style]) -> int | None:
        """Give the characters of a line their styles; the number of the quote in it, if there is one."""
        quoted = None
        first, last = self._extent(range(number, number + 1))

        def paint(columns: Span | None, name: str) -> None:
            if columns is None:
                return
            style = self._style(name)
            made: dict[Style, Style] = {}
            for column in range(*columns):
                before = styles[column]
                if before not in made:
                    made[before] = before + style
                styles[column] = made[before]

        for index in range(bisect_left(self._shown, first, key=lambda link: link.end), len(self._shown)):
            link = self._shown[index]
            if link.start >= last:
                break
            columns = self._marker_columns(number, link)
            paint(columns, "page--link")
            if self._is_chosen(index):
                paint(columns, "page--chosen-link")
        for mark in self._marks:
            if (
                mark.span[0] < last
                and first < mark.span[1]
                and (places := columns_of(self._page, self._width, number, mark.span))
            ):
                quoted = mark.number
                paint(places, "page--quoted")
        if self.selection is not None and self.selection[0] < last and first < self.selection[1]:
            paint(columns_of(self._page, self._width, number, self.selection), "page--selected")
        return quoted

    def _marker_columns(self, number: int, link: Link) -> Span | None:
        """Where a link's marker stands in a line, from its opening bracket to after its closing one."""
        columns = columns_of(self._page, self._width, number, (link.start, link.end))
        if columns is None:
            return None
        close = lay_out(self._page, self._width).lines[number].find(LINK_CLOSE, columns[1] - 1)
        return columns[0], max(columns[1], close + 1)

    def _is_chosen(self, index: int) -> bool:
        if self.digits:
            return self._page.link_ids[self._shown[index].url] == int(self.digits)
        return index == self.chosen

    def _see_cursor(self, *, to_top: bool = False) -> None:
        if not self._lines or not self.size.height:
            return
        row = self.cursor - self._lines.start
        if to_top:
            self.scroll_to(y=row, animate=False, immediate=True)
        else:
            self.scroll_to_region(Region(self.scroll_offset.x, row, 1, 1), animate=False, immediate=True)

    # ------------------------------------------------------------------------------------------------------------- keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Some keys are about a selection, others about links."""
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
        """Move the cursor, or the moving end of the selection, by lines; at the border more of the page is asked for."""
        if self.selection is not None:
            self._move_selection_by_lines(lines)
            return
        before, goal = self.cursor, self.cursor + lines
        if goal not in self._lines:
            self.post_message(self.More(lines))
            return
        self.cursor = goal
        self._see_cursor()
        for line in (before, goal):
            self.refresh_line(line - self._lines.start)

    def action_read(self, direction: int) -> None:
        """On or back by a screenful of what is shown, then by a view of the page."""
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
        """Choose the next link, from the cursor on if none is chosen."""
        if self.chosen is None:
            here = self._extent(range(self.cursor, self.cursor + 1))[0]
            at = bisect_left(self._shown, here, key=lambda link: link.start)
            self.chosen = (at if step > 0 else at - 1) % len(self._shown)
        else:
            self.chosen = (self.chosen + step) % len(self._shown)
        self.digits = ""
        self.cursor = self._line_of(self._shown[self.chosen].start)
        self._see_cursor()
        self._changed()

    def action_open(self) -> None:
        """Ask for the chosen link."""
        if (link_id := self.link_id) is not None:
            self.post_message(self.Follow(link_id))

    def action_select(self) -> None:
        """Begin to select with the line of the cursor."""
        texts = lay_out(self._page, self._width).lines
        line = next((line for line in range(self.cursor, self._lines.stop) if texts[line].strip()), None)
        if line is not None:
            span = trimmed(self._page, spans_of_lines(self._page, self._width, line, line))
            self.chosen, self.digits, self.moves_end, self.cursor, self.selection = None, "", True, line, span
            self._see_cursor()
            self._changed()

    def action_quote(self) -> None:
        """Ask to quote what is selected."""
        if self.selection is not None:
            self.post_message(self.Quote(self.selection))

    def action_other_end(self) -> None:
        """Let the arrows move the other end of the selection."""
        self.moves_end = not self.moves_end
        self._changed()

    def action_word(self, words: int) -> None:
        """Move the end of the selection that arrows move by words."""
        assert self.selection is not None
        start, stop = self.selection
        if self.moves_end:
            stop = end_moved(self._page, stop, words)
        else:
            start = start_moved(self._page, start, words)
        self._set_selection((start, stop))

    def action_clear(self) -> None:
        """Let go of what is selected or chosen."""
        self.selection, self.chosen, self.digits = None, None, ""
        self._changed()

    def on_key(self, event: events.Key) -> None:
        """Digits choose a link by its number."""
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
        self._see_link()
        self._changed()

    def _see_link(self) -> None:
        wanted = int(self.digits or -1)
        for link in self._shown:
            if self._page.link_ids[link.url] == wanted:
                self.cursor = self._line_of(link.start)
                self._see_cursor()
                return

    def _move_selection_by_lines(self, lines: int) -> None:
        assert self.selection is not None
        start, stop = self.selection
        line = self._line_of(stop - 1 if self.moves_end else start) + lines
        while line in self._lines and not lay_out(self._page, self._width).lines[line].strip():
            line += 1 if lines > 0 else -1
        if line not in self._lines:
            return
        first, last = spans_of_lines(self._page, self._width, line, line)
        self._set_selection((start, last) if self.moves_end else (first, stop))

    def _set_selection(self, span: Span) -> None:
        """Select a stretch that one end has moved in; it keeps at least a word."""
        start, stop = span
        first, last = self._extent(self._lines)
        start, stop = max(first, start), min(last, len(self._page.text), stop)
        if start < stop and self._page.text[start:stop].strip():
            self.selection = trimmed(self._page, (start, stop))
            self.cursor = self._line_of(stop - 1 if self.moves_end else start)
            self._see_cursor()
            self._changed()

    # ------------------------------------------------------------------------------------------------------------ mouse

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Begin to select, or to click."""
        if event.button == 1 and self._lines:
            self._pressed = self._place(event)
            self.cursor = self._pressed.line
            self.capture_mouse()
            self.action_clear()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Select from where the button was pressed to here."""
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
        """A press without a move is a click: it opens a link."""
        pressed, self._pressed = self._pressed, None
        self.release_mouse()
        if pressed is None or self.selection is not None:
            return
        for link in self._shown:
            columns = self._marker_columns(pressed.line, link)
            if columns is not None and columns[0] <= pressed.column < columns[1]:
                self.post_message(self.Follow(self._page.link_ids[link.url]))
                return

    def _place(self, event: events.MouseEvent) -> Place:
        row = max(0, min(self.scroll_offset.y + event.y, len(self._lines) - 1))
        line = self._lines.start + row
        cells = max(0, self.scroll_offset.x + event.x - self._gutter)
        ends = list(
            accumulate(get_character_cell_size(character) for character in lay_out(self._page, self._width).lines[line])
        )
        column = next((index for index, end in enumerate(ends) if end > cells), len(ends))
        return Place(line, column)

    def _offset(self, place: Place) -> int:
        return offset_at(self._page, self._width, place)
