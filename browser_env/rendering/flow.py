"""Output of page text: collapses white space as browsers do, separates blocks and indents lines.

Spaces and line breaks are written only when visible text follows them. Therefore no line ends in white space, no page begins
or ends with an empty line, and the span of a link contains exactly its visible text.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from browser_env.pages.characters import clean
from browser_env.pages.page import Page, PageBuilder

MAX_INDENT = 40
"""Maximum columns of indentation; deeper nesting is not indented further."""
LINE, PARAGRAPH = 1, 2
"""Line breaks between two blocks: on consecutive lines, or with an empty line in between."""

_UNCLEAN = re.compile("[^\t\n\f\r -~\xa0]")
_RUN = re.compile("[ \t\n\f\r]{2,}|[\t\n\f\r]")
_NBSP = "\xa0"


@dataclass(frozen=True, slots=True)
class Indentation:
    """Indentation of the text around a list item or block, to be restored at its end."""

    indent: str
    marker: str | None
    """Marker of a list item whose first line is not written yet."""


class Flow:
    """Writes text, links, anchors and headings of a page in order.

    Args:
        one_line: Whether to write spaces instead of line breaks, as in a table cell.
    """

    def __init__(self, *, one_line: bool = False) -> None:
        self.builder = PageBuilder()
        self.anchors: list[tuple[str, int]] = []
        self.headings: list[tuple[int, int]] = []
        self.indent = ""
        """Spaces at the start of each new line."""
        self.num_breaks = 0
        """Number of line breaks so far. It tells whether an element takes several lines."""
        self._one_line = one_line
        self._marker: str | None = None
        self._space = ""
        self._breaks = 0
        self._tight_at: int | None = None
        self._at_start = True
        self._url: str | None = None
        self._link_text = ""
        self._pending_anchors: list[str] = []
        self._in_heading = False
        self._heading: int | None = None

    @property
    def length(self) -> int:
        """Number of characters written."""
        return self.builder.length + len(self._link_text)

    def text(self, text: str) -> None:
        """Write running text; no-break spaces become spaces that do not collapse."""
        if _UNCLEAN.search(text):
            text = clean(text)
        text = _RUN.sub(" ", text)
        if text[:1] == " " and (self._space[-1] == " " if self._space else self._at_start):
            text = text[1:]
        self._write(text)

    def preformatted(self, text: str) -> None:
        """Write preformatted text; tabs become spaces up to every eighth column."""
        if self._one_line:
            self.text(text)
            return
        for number, line in enumerate(clean(text).split("\n")):
            if number:
                self._break()
                self._breaks += bool(self.length)
            self._write(line.expandtabs())

    def _write(self, text: str) -> None:
        body = text.strip()
        if not body:
            self._space += text
            return
        start = text.index(body[0])
        space = (self._space + text[:start]).replace(_NBSP, " ")
        self._space = text[start + len(body) :]
        if self._at_start:
            self.builder.write("\n" * self._breaks + (self.indent if self._marker is None else self._marker))
            self._breaks, self._marker, self._at_start = 0, None, False
        if self._link_text:
            self._link_text += space
        elif space:
            self.builder.write(space)
        if self._pending_anchors:
            self.anchors.extend((name, self.length) for name in self._pending_anchors)
            self._pending_anchors.clear()
        if self._in_heading and self._heading is None:
            self._heading = self.length
        body = body.replace(_NBSP, " ")
        if self._url is None:
            self.builder.write(body)
        else:
            self._link_text += body

    def space(self) -> None:
        """Write a space before the next text of this line, if there is none yet."""
        if not self._at_start:
            self._space = self._space or " "

    def line_break(self) -> None:
        """Write a line break; at most one empty line in a row."""
        if self._one_line:
            self.space()
            return
        self._break()
        if self.length:
            self._breaks = min(self._breaks + 1, PARAGRAPH)

    def block(self, gap: int = PARAGRAPH) -> None:
        """Begin or end a block: at least `gap` line breaks before the next text."""
        if self._one_line:
            self.space()
            return
        self._break()
        if self.length:
            self._breaks = max(min(self._breaks, PARAGRAPH), LINE if self.length == self._tight_at else gap)

    def keep_tight(self) -> None:
        """Write no empty line before the next block: the first block of a definition follows its term directly."""
        self._tight_at = self.length

    def _break(self) -> None:
        self._end_link_text()
        self.num_breaks += 1
        self._space = ""
        self._at_start = True

    def end_cell(self, *, broken: bool) -> None:
        """Separate two cells of a layout table by a space, or by a line break if the first takes several lines (`broken`)."""
        if broken:
            self.block(LINE)
        else:
            self._space = "" if self._at_start else " "

    def begin_item(self, marker: str) -> Indentation:
        """Begin a list item or block. Its first line starts with the marker, the others are indented by the marker's width."""
        outer = Indentation(self.indent, self._marker)
        if self._one_line:
            self.text(marker)
        elif len(self.indent) + len(marker) <= MAX_INDENT:
            self._marker = (self.indent if self._marker is None else self._marker) + marker
            self.indent += " " * len(marker)
        return outer

    def end_item(self, outer: Indentation) -> None:
        """End a list item or block. If it has no text, its marker is not written."""
        self.indent = outer.indent
        self._marker = None if self._marker is None else outer.marker

    def row(self, cells: Sequence[Page]) -> None:
        """Write a row of a data table: ``a | b | c``."""
        self.block(LINE)
        for number, cell in enumerate(cells):
            if number:
                self._write(" | " if cells[number - 1].text else "| ")
            for name, _ in cell.anchors:
                self.anchor(name)
            end = 0
            for link in cell.links:
                self._write(cell.text[end : link.start])
                self.open_link(link.url)
                self._write(cell.text[link.start : link.end])
                self.close_link()
                end = link.end
            self._write(cell.text[end:])
        self.block(LINE)

    def open_link(self, url: str) -> None:
        """Begin a link; it ends at `close_link` or the next link."""
        self.close_link()
        self._url = url

    def close_link(self) -> None:
        """End the link."""
        self._end_link_text()
        self._url = None

    def _end_link_text(self) -> None:
        if self._link_text:
            text, self._link_text = self._link_text, ""
            assert self._url is not None
            self.builder.link(text, self._url)

    def anchor(self, name: str) -> None:
        """Set an anchor at the next visible text."""
        self._pending_anchors.append(name)

    def open_heading(self) -> None:
        """Begin a heading."""
        self._in_heading = True

    def close_heading(self) -> None:
        """End the heading."""
        if self._heading is not None:
            self.headings.append((self._heading, self.length))
        self._in_heading, self._heading = False, None

    def page(self, url: str, title: str, notes: Iterable[str] = ()) -> Page:
        """Build the page. Anchors after the last text are set at the end of the text."""
        self.close_link()
        self.anchors.extend((name, self.length) for name in self._pending_anchors)
        self._pending_anchors.clear()
        return self.builder.page(url, title, anchors=self.anchors, headings=self.headings, notes=notes)
