"""The widget for judging an answer: its text with the marked claims, its sources with their ratings, and the choice of one.

A span of the text (a marked claim, or a sentence or part of one between claims) or a source can be chosen. Both ends of a
chosen span can be moved by words, with keys or by dragging the mouse.
"""

from typing import Any, ClassVar, Final

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from recorder.comparisons.events import RelevanceLevel, SupportLevel, TrustLevel
from recorder.comparisons.state import ShownAnswer
from recorder.widgets.answer_layout import (
    Choice,
    Line,
    Source,
    Span,
    answer_lines,
    choices,
    move_end,
    move_start,
    source_at,
    words_between,
)

SCROLLBAR: Final = 1
"""Cells at the right that are reserved for the scrollbar, so that text does not move when it appears."""
MIN_WIDTH: Final = 20
"""Width of a line before the size of the screen is known, in cells."""


class AnswerView(ScrollView, can_focus=True):
    """One answer. Keys post `Judged` messages; the screen carries them out and shows the changed answer."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "answer--tag",
        "answer--claim",
        "answer--citation",
        "answer--unknown",
        "answer--chosen",
        "answer--title",
        "answer--extract",
        "answer--plain",
    }
    BINDINGS = [
        Binding(
            "down,j",
            "choose(1)",
            "choose",
            key_display="↑↓",
            tooltip="Choose the next sentence, claim or source; ↑ or k: previous",
        ),
        Binding("up,k", "choose(-1)", show=False),
        Binding("shift+right,full_stop", "end(1)", "its end", key_display="⇧←→", tooltip="Move the end by a word; or . and ,"),
        Binding("shift+left,comma", "end(-1)", show=False),
        Binding(
            "ctrl+right,greater_than_sign",
            "start(1)",
            "its start",
            key_display="^←→",
            tooltip="Move the start by a word; or > and <",
        ),
        Binding("ctrl+left,less_than_sign", "start(-1)", show=False),
        Binding("1", "mark('strong')", "strong", tooltip="Strong support: the sources say it, or everybody knows it"),
        Binding("2", "mark('weak')", "weak", tooltip="Weak support"),
        Binding("3", "mark('none')", "none", tooltip="No support"),
        Binding("4", "mark('citation_error')", "citation error", tooltip="Citation error: another source says it"),
        Binding("c", "relevance('core')", "core", tooltip="The claim answers the question"),
        Binding("s", "relevance('side')", "side", tooltip="The claim helps, but does not answer the question"),
        Binding("i", "relevance('irrelevant')", "irrelevant", tooltip="The claim has nothing to do with the question"),
        Binding("x,delete", "unmark", "unmark", tooltip="Remove the mark"),
        Binding("1", "trust('trustworthy')", "trustworthy", tooltip="The source is reliable"),
        Binding("2", "trust('neutral')", "neutral", tooltip="Neither reliable nor unreliable"),
        Binding("3", "trust('suspicious')", "suspicious", tooltip="The source is unreliable"),
        Binding("x,delete", "trust(None)", "not rated", tooltip="Remove the rating of the source"),
    ]

    class Judged(Message):
        """Request to judge the chosen span or source."""

        def __init__(self, view: "AnswerView", kind: str, level: Any = None) -> None:
            super().__init__()
            self.view = view
            self.kind = kind
            """*mark*, *relevance*, *unmark* or *trust*."""
            self.level = level
            """Level of support, relevance or trust. None removes it."""

    def __init__(self, index: int, *, id: str | None = None) -> None:
        """Create the view of the answer with an index, from 0 in the order shown."""
        super().__init__(id=id)
        self.index = index
        self.answer = ShownAnswer("", (), (), ())
        self.chosen: Choice = Span(0, 0)
        self._lines: list[Line] = []
        self._width = MIN_WIDTH
        self._dragged_from: int | None = None

    def show(self, answer: ShownAnswer) -> None:
        """Show an answer. The choice is kept if the text is the same."""
        if answer.text != self.answer.text:
            self.chosen = next(iter(choices(answer)), Span(0, 0))
            self.scroll_home(animate=False)
        self.answer = answer
        self._lay_out()

    @property
    def claim(self) -> int | None:
        """Index of the chosen claim. None if no claim is chosen."""
        spans = [Span(claim.start, claim.end) for claim in self.answer.claims]
        return spans.index(self.chosen) if isinstance(self.chosen, Span) and self.chosen in spans else None

    def on_resize(self, event: events.Resize) -> None:
        """Wrap the lines again. While the view is hidden it has no width, and keeps the previous one."""
        if event.size.width > SCROLLBAR:
            self._width = event.size.width - SCROLLBAR
            self._lay_out()

    def _lay_out(self) -> None:
        self._lines = answer_lines(self.answer, self.chosen, self._width)
        self.virtual_size = Size(self._width, len(self._lines))
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Return a line of the answer."""
        number = y + round(self.scroll_offset.y)
        base = self.rich_style
        if number >= len(self._lines):
            return Strip.blank(self.size.width, base)
        segments = [Segment(piece.text, base + self._style(piece.style)) for piece in self._lines[number]]
        return Strip(segments).adjust_cell_length(self.size.width, base)

    def _style(self, names: str) -> Style:
        return Style.combine(self.get_component_rich_style(name, partial=True) for name in names.split())

    def choose(self, choice: Choice) -> None:
        """Choose a span or a source and scroll to it."""
        self.chosen = choice
        self._lay_out()
        self.refresh_bindings()
        rows = [row for row, line in enumerate(self._lines) if any("answer--chosen" in piece.style for piece in line)]
        if rows:
            self.scroll_to_region(Region(0, rows[0], 1, min(rows[-1] - rows[0] + 3, self.size.height)), animate=False)

    def action_choose(self, by: int) -> None:
        """Choose the next or previous span or source."""
        options = choices(self.answer)
        if self.chosen in options:
            index = options.index(self.chosen) + by
        else:
            assert isinstance(self.chosen, Span)  # sources are always among the options
            index = sum(isinstance(option, Span) and option.start <= self.chosen.start for option in options) + min(by, 0)
        if 0 <= index < len(options):
            self.choose(options[index])
        elif index < 0:
            self.scroll_home(animate=False)
        else:
            self.scroll_end(animate=False)

    def action_end(self, by: int) -> None:
        """Move the end of the chosen span by a word."""
        if isinstance(self.chosen, Span):
            self.choose(move_end(self.answer.text, self.chosen, by))

    def action_start(self, by: int) -> None:
        """Move the start of the chosen span by a word."""
        if isinstance(self.chosen, Span):
            self.choose(move_start(self.answer.text, self.chosen, by))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Enable the keys that apply to the chosen span or source."""
        match action:
            case "mark" | "end" | "start":
                return isinstance(self.chosen, Span)
            case "relevance" | "unmark":
                return self.claim is not None
            case "trust":
                return isinstance(self.chosen, Source)
            case _:
                return True

    def action_mark(self, level: SupportLevel) -> None:
        """Mark the span as a claim, or change the support of the claim."""
        self.post_message(self.Judged(self, "mark", level))

    def action_relevance(self, level: RelevanceLevel) -> None:
        """Rate the relevance of the claim."""
        self.post_message(self.Judged(self, "relevance", level))

    def action_unmark(self) -> None:
        """Remove the mark of the claim."""
        self.post_message(self.Judged(self, "unmark"))

    def action_trust(self, level: TrustLevel | None) -> None:
        """Rate the source."""
        self.post_message(self.Judged(self, "trust", level))

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Choose the span or source under the mouse. Dragging chooses words."""
        row = event.y + round(self.scroll_offset.y)
        offset = self._offset_at(event.x, row)
        if offset is not None:
            self._dragged_from = offset
            self.capture_mouse()
            spans = (choice for choice in choices(self.answer) if isinstance(choice, Span))
            if span := next((span for span in spans if span.start <= offset < span.end), None):
                self.choose(span)
        elif (source := source_at(self._lines, row)) is not None:
            self.choose(source)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Choose the words from where the button was pressed to the mouse."""
        if self._dragged_from is None:
            return
        offset = self._offset_at(event.x, event.y + round(self.scroll_offset.y))
        if offset is not None and offset != self._dragged_from:
            first, last = sorted((self._dragged_from, offset))
            if span := words_between(self.answer.text, first, last):
                self.choose(span)

    def on_mouse_up(self) -> None:
        """End dragging."""
        if self._dragged_from is not None:
            self._dragged_from = None
            self.release_mouse()

    def _offset_at(self, x: int, row: int) -> int | None:
        """Return the offset in the answer's text of the character in a cell, or None if the cell shows other text."""
        column = 0
        for piece in self._lines[row] if 0 <= row < len(self._lines) else ():
            width = cell_len(piece.text)
            if column <= x < column + width and piece.start is not None:
                cells = 0
                for offset, character in enumerate(piece.text):
                    cells += cell_len(character)
                    if x < column + cells:
                        return piece.start + offset
            column += width
        return None
