"""An answer to judge: its text with the claims that are marked, its sources with the trust in them, and what is chosen.

What can be chosen are the stretches of the text (each marked claim, each sentence or part of one that is not marked) and the
sources. A chosen stretch can be changed word by word at both ends, with keys or by dragging the mouse.

Every mark is written out beside the words that it is about, so that colours only repeat it::

    ‹strong, core: Crows bring keys. [1]› And glass. [2]
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any, ClassVar, Final, NamedTuple

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from browser_env.records.citations import citation_spans, split_sentences, without_citations
from recorder.comparisons.events import RelevanceLevel, SupportLevel, TrustLevel
from recorder.comparisons.state import ShownAnswer

SUPPORT: Final[dict[SupportLevel, str]] = {
    "strong": "strong",
    "weak": "weak",
    "none": "none",
    "citation_error": "citation error",
}
RELEVANCE: Final[dict[RelevanceLevel, str]] = {"core": "core", "side": "side", "irrelevant": "irrelevant"}
TRUST: Final[dict[TrustLevel, str]] = {"trustworthy": "trustworthy", "neutral": "neutral", "suspicious": "suspicious"}

SCROLLBAR: Final = 1
"""Cells at the right that are the scrollbar's, whether it is there or not: text does not move when it comes."""
MIN_WIDTH: Final = 20
"""Cells of a line before the screen has said how many there are."""

_WORD = re.compile(r"\S+")


class Span(NamedTuple):
    """A stretch of the answer's text."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Source:
    """A reference of the answer."""

    number: int
    """From 1."""


Choice = Span | Source


class Piece(NamedTuple):
    """What stands on one line and looks the same all along."""

    text: str
    style: str
    """Names of component classes, separated by spaces."""
    start: int | None = None
    """Offset in the answer's text; None: it is not of it."""


Line = list[Piece]


def choices(answer: ShownAnswer) -> list[Choice]:
    """What can be chosen, from top to bottom."""
    claims = [Span(claim.start, claim.end) for claim in answer.claims]
    rest: list[Span] = []
    for start, end in split_sentences(answer.text):
        for claim in claims:
            if claim.start < end and start < claim.end:
                rest.append(Span(start, min(claim.start, end)))
                start = claim.end
        rest.append(Span(start, end))
    trimmed = (_trimmed(answer.text, span) for span in rest)
    spans = sorted([*claims, *(span for span in trimmed if span is not None)])
    return [*spans, *(Source(number) for number in range(1, len(answer.references) + 1))]


def _trimmed(text: str, span: Span) -> Span | None:
    """Without white space at its ends; None if nothing is left that says anything: a citation alone does not."""
    words = text[span.start : max(span.start, span.end)]
    start = span.start + len(words) - len(words.lstrip())
    return Span(start, start + len(words.strip())) if re.search(r"\w", without_citations(words)) else None


class AnswerView(ScrollView, can_focus=True):
    """One answer. Tells its screen what is to be done with what is chosen; shows what it is given."""

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
            "down,j", "choose(1)", "choose", key_display="↑↓", tooltip="Choose the next sentence, claim or source; ↑ or k back"
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
        Binding("1", "mark('strong')", "strong", tooltip="Strong support: the sources, or what everybody knows, say it"),
        Binding("2", "mark('weak')", "weak", tooltip="Weak support"),
        Binding("3", "mark('none')", "none", tooltip="No support"),
        Binding("4", "mark('citation_error')", "citation error", tooltip="Citation error: another source says it"),
        Binding("c", "relevance('core')", "core", tooltip="The claim answers the question"),
        Binding("s", "relevance('side')", "side", tooltip="The claim helps beside the question"),
        Binding("i", "relevance('irrelevant')", "irrelevant", tooltip="The claim has nothing to do with the question"),
        Binding("x,delete", "unmark", "unmark", tooltip="Take the mark away"),
        Binding("1", "trust('trustworthy')", "trustworthy", tooltip="The source can be relied on"),
        Binding("2", "trust('neutral')", "neutral", tooltip="Neither one nor the other"),
        Binding("3", "trust('suspicious')", "suspicious", tooltip="The source cannot be relied on"),
        Binding("x,delete", "trust(None)", "not rated", tooltip="Take the rating of the source away"),
    ]

    class Judged(Message):
        """Something is to be said of what is chosen."""

        def __init__(self, view: "AnswerView", kind: str, level: Any = None) -> None:
            super().__init__()
            self.view = view
            self.kind = kind
            """*mark*, *relevance*, *unmark* or *trust*."""
            self.level = level

    def __init__(self, index: int, *, id: str | None = None) -> None:
        """Args: index: Of the answer among those shown, from 0."""
        super().__init__(id=id)
        self.index = index
        self.answer = ShownAnswer("", (), (), ())
        self.chosen: Choice = Span(0, 0)
        self._lines: list[Line] = []
        self._width = MIN_WIDTH
        self._dragged_from: int | None = None

    # ----------------------------------------------------------------------------------------------------------- content

    def show(self, answer: ShownAnswer) -> None:
        """Show an answer; what is chosen stays chosen."""
        if answer.text != self.answer.text:
            self.chosen = next(iter(choices(answer)), Span(0, 0))
            self.scroll_home(animate=False)
        self.answer = answer
        self._lay_out()

    @property
    def claim(self) -> int | None:
        """Index of the marked claim that is chosen; None: what is chosen is none."""
        spans = [Span(claim.start, claim.end) for claim in self.answer.claims]
        return spans.index(self.chosen) if isinstance(self.chosen, Span) and self.chosen in spans else None

    def on_resize(self, event: events.Resize) -> None:
        """Wrap the lines anew; while it is hidden it has no width, and keeps the one that it had."""
        if event.size.width > SCROLLBAR:
            self._width = event.size.width - SCROLLBAR
            self._lay_out()

    def _lay_out(self) -> None:
        width = self._width
        self._lines = [*_wrapped(_text_pieces(self.answer, self.chosen), width)]
        if self.answer.references:
            self._lines += [[], [Piece("Sources", "answer--title")]]
        for number, (reference, trust) in enumerate(zip(self.answer.references, self.answer.trust, strict=True), start=1):
            chosen = " answer--chosen" if self.chosen == Source(number) else ""
            rated = f"‹{TRUST[trust]}› " if trust is not None else ""
            head = [Piece(f"[{number}] ", f"answer--title{chosen}")]
            head += [Piece(rated, f"answer--tag{chosen}")] if rated else []
            head += [Piece(f"{word} ", f"answer--title{chosen}") for word in reference.full_title.split()]
            self._lines += _wrapped(head, width)
            extract = [Piece(f"{word} ", "answer--extract") for word in reference.extract.split()]
            self._lines += [[Piece("    ", "answer--plain"), *line] for line in _wrapped(extract, width - 4)]
        self.virtual_size = Size(width, len(self._lines))
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """A line of the answer."""
        number = y + round(self.scroll_offset.y)
        base = self.rich_style
        if number >= len(self._lines):
            return Strip.blank(self.size.width, base)
        segments = [Segment(piece.text, base + self._style(piece.style)) for piece in self._lines[number]]
        return Strip(segments).adjust_cell_length(self.size.width, base)

    def _style(self, names: str) -> Style:
        return Style.combine(self.get_component_rich_style(name, partial=True) for name in names.split())

    # ------------------------------------------------------------------------------------------------------------ choice

    def choose(self, choice: Choice) -> None:
        """Choose something, and show it."""
        self.chosen = choice
        self._lay_out()
        self.refresh_bindings()
        rows = [row for row, line in enumerate(self._lines) if any("answer--chosen" in piece.style for piece in line)]
        if rows:
            self.scroll_to_region(Region(0, rows[0], 1, min(rows[-1] - rows[0] + 3, self.size.height)), animate=False)

    def action_choose(self, by: int) -> None:
        """Choose what comes next or before."""
        there = choices(self.answer)
        if self.chosen in there:
            at = there.index(self.chosen) + by
        else:
            assert isinstance(self.chosen, Span)  # sources are always there
            at = sum(isinstance(one, Span) and one.start <= self.chosen.start for one in there) + min(by, 0)
        if 0 <= at < len(there):
            self.choose(there[at])
        elif at < 0:
            self.scroll_home(animate=False)
        else:
            self.scroll_end(animate=False)

    def action_end(self, by: int) -> None:
        """Move the end of the chosen stretch by a word."""
        if isinstance(self.chosen, Span):
            ends = [match.end() for match in _WORD.finditer(self.answer.text) if match.end() > self.chosen.start]
            found = [end for end in ends if (end > self.chosen.end if by > 0 else end < self.chosen.end)]
            if found:
                self.choose(self.chosen._replace(end=found[0] if by > 0 else found[-1]))

    def action_start(self, by: int) -> None:
        """Move the start of the chosen stretch by a word."""
        if isinstance(self.chosen, Span):
            starts = [match.start() for match in _WORD.finditer(self.answer.text) if match.start() < self.chosen.end]
            found = [start for start in starts if (start > self.chosen.start if by > 0 else start < self.chosen.start)]
            if found:
                self.choose(self.chosen._replace(start=found[0] if by > 0 else found[-1]))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What can be done with what is chosen."""
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
        """Mark the stretch as a claim, or say how the claim is supported."""
        self.post_message(self.Judged(self, "mark", level))

    def action_relevance(self, level: RelevanceLevel) -> None:
        """Say how relevant the claim is."""
        self.post_message(self.Judged(self, "relevance", level))

    def action_unmark(self) -> None:
        """Take the mark away."""
        self.post_message(self.Judged(self, "unmark"))

    def action_trust(self, level: TrustLevel | None) -> None:
        """Rate the source."""
        self.post_message(self.Judged(self, "trust", level))

    # ------------------------------------------------------------------------------------------------------------- mouse

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Choose what is under the mouse; dragging chooses words."""
        number = event.y + round(self.scroll_offset.y)
        place = self._place_at(event.x, number)
        if place is not None:
            self._dragged_from = place
            self.capture_mouse()
            found = [one for one in choices(self.answer) if isinstance(one, Span) and one.start <= place < one.end]
            if found:
                self.choose(found[0])
        elif (source := self._source_at(number)) is not None:
            self.choose(source)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Choose the words from where the button was pressed."""
        if self._dragged_from is None:
            return
        place = self._place_at(event.x, event.y + round(self.scroll_offset.y))
        if place is not None and place != self._dragged_from:
            first, last = sorted((self._dragged_from, place))
            words = [
                match.span() for match in _WORD.finditer(self.answer.text) if match.end() > first and match.start() <= last
            ]
            if words:
                self.choose(Span(words[0][0], words[-1][1]))

    def on_mouse_up(self) -> None:
        """The words are chosen."""
        if self._dragged_from is not None:
            self._dragged_from = None
            self.release_mouse()

    def _place_at(self, x: int, number: int) -> int | None:
        """Offset in the answer's text of what is in a cell; None: nothing of it is."""
        column = 0
        for piece in self._lines[number] if 0 <= number < len(self._lines) else ():
            width = cell_len(piece.text)
            if column <= x < column + width and piece.start is not None:
                cells = 0
                for offset, character in enumerate(piece.text):
                    cells += cell_len(character)
                    if x < column + cells:
                        return piece.start + offset
            column += width
        return None

    def _source_at(self, number: int) -> Source | None:
        heads = [
            row
            for row, line in enumerate(self._lines)
            if line and re.match(r"\[\d+\] $", line[0].text) and line[0].start is None
        ]
        above = [index for index, row in enumerate(heads, start=1) if row <= number < len(self._lines)]
        return Source(above[-1]) if above else None


def _text_pieces(answer: ShownAnswer, chosen: Choice) -> Iterator[Piece]:
    """The answer's words and the white space between them, with the tags of claims."""
    marked = sorted(answer.claims, key=lambda claim: claim.start)
    citations = [
        (start, end, all(1 <= n <= len(answer.references) for n in numbers))
        for start, end, numbers in citation_spans(answer.text)
    ]
    edges = {0, len(answer.text), *chain.from_iterable((claim.start, claim.end) for claim in marked)}
    edges |= {*chain.from_iterable((start, end) for start, end, _ in citations)}
    edges |= {*chain.from_iterable(match.span() for match in _WORD.finditer(answer.text))}
    if isinstance(chosen, Span):
        edges |= {chosen.start, chosen.end}
    places = sorted(edges)
    for start, end in pairwise(places):
        styles = ["answer--plain"]
        if any(claim.start <= start < claim.end for claim in marked):
            styles.append("answer--claim")
        for first, last, is_known in citations:
            if first <= start < last:
                styles.append("answer--citation" if is_known else "answer--unknown")
        if isinstance(chosen, Span) and chosen.start <= start < chosen.end:
            styles.append("answer--chosen")
        for claim in marked:
            if claim.start == start:
                words = ", ".join(filter(None, (SUPPORT[claim.support], claim.relevance and RELEVANCE[claim.relevance])))
                yield Piece(f"‹{words}: ", "answer--tag")
        yield Piece(answer.text[start:end], " ".join(styles), start)
        for claim in marked:
            if claim.end == end:
                yield Piece("›", "answer--tag")


def _wrapped(pieces: Iterator[Piece] | Sequence[Piece], width: int) -> list[Line]:
    """Lines of at most so many cells, broken at white space, and in a word only if it is longer than a line."""
    lines: list[Line] = [[]]
    room = width
    for piece in pieces:
        for part in _parts(piece, width):
            if part.text == "\n":
                lines.append([])
                room = width
                continue
            needed = cell_len(part.text.rstrip())
            if needed > room:
                lines.append([])
                room = width
                if not part.text.strip():
                    continue
            lines[-1].append(part)
            room -= cell_len(part.text)
    return lines


def _parts(piece: Piece, width: int) -> Iterator[Piece]:
    """A piece cut at line breaks, and where it is longer than a line."""
    offset = 0
    for text in re.findall(r"\n|[^\n]+", piece.text):
        rest = text.replace("\t", " ")
        while rest:
            cut = len(rest)
            while cell_len(rest[:cut]) > width:
                cut -= 1
            yield Piece(rest[:cut], piece.style, None if piece.start is None else piece.start + offset)
            offset += cut
            rest = rest[cut:]
