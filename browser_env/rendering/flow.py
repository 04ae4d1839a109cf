"""Text as it flows down a page: white space collapsed as a browser does it, blocks set apart, lines indented.

White space is owed, never written ahead: spaces and line breaks wait until something visible follows them. So no line ends
in white space, no page begins or ends with an empty line, and a link's span holds exactly its visible text.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from browser_env.pages.characters import clean
from browser_env.pages.page import Page, PageBuilder

MAX_INDENT = 40
"""Columns; what is nested deeper stands no further to the right."""
LINE, PARAGRAPH = 1, 2
"""Line breaks between two blocks: none empty, or one."""

_UNCLEAN = re.compile("[^\t\n\f\r -~\xa0]")
_RUN = re.compile("[ \t\n\f\r]{2,}|[\t\n\f\r]")
_NBSP = "\xa0"


@dataclass(frozen=True, slots=True)
class Place:
    """How far the text is indented, and the marker that its next line starts with instead, if any."""

    indent: str
    marker: str | None


class Flow:
    """Writes text, links and places down a page. With `one_line`, breaks become spaces: a cell of a table."""

    def __init__(self, *, one_line: bool = False) -> None:
        self.builder = PageBuilder()
        self.anchors: list[tuple[str, int]] = []
        self.headings: list[tuple[int, int]] = []
        self.indent = ""
        """What each new line starts with."""
        self.num_breaks = 0
        """Line breaks asked for so far; tells whether something took more than one line."""
        self._one_line = one_line
        self._marker: str | None = None
        self._space = ""
        self._owed = 0
        self._tight_at: int | None = None
        self._at_start = True
        self._url: str | None = None
        self._link_text = ""
        self._names: list[str] = []
        self._in_heading = False
        self._heading: int | None = None

    @property
    def length(self) -> int:
        """Characters written."""
        return self.builder.length + len(self._link_text)

    def text(self, text: str) -> None:
        """Running text; a no-break space is a space that does not collapse."""
        if _UNCLEAN.search(text):
            text = clean(text)
        text = _RUN.sub(" ", text)
        if text[:1] == " " and (self._space[-1] == " " if self._space else self._at_start):
            text = text[1:]
        self._write(text)

    def preformatted(self, text: str) -> None:
        """Text whose spaces and line breaks stand as they are; tabs stop at every eighth column."""
        if self._one_line:
            self.text(text)
            return
        for number, line in enumerate(clean(text).split("\n")):
            if number:
                self._break()
                self._owed += bool(self.length)
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
            self.builder.write("\n" * self._owed + (self.indent if self._marker is None else self._marker))
            self._owed, self._marker, self._at_start = 0, None, False
        if self._link_text:
            self._link_text += space
        elif space:
            self.builder.write(space)
        if self._names:
            self.anchors.extend((name, self.length) for name in self._names)
            self._names.clear()
        if self._in_heading and self._heading is None:
            self._heading = self.length
        body = body.replace(_NBSP, " ")
        if self._url is None:
            self.builder.write(body)
        else:
            self._link_text += body

    def space(self) -> None:
        """At least one space before what follows on this line."""
        if not self._at_start:
            self._space = self._space or " "

    def line_break(self) -> None:
        """A line break; never more than one empty line in a row."""
        if self._one_line:
            self.space()
            return
        self._break()
        if self.length:
            self._owed = min(self._owed + 1, PARAGRAPH)

    def block(self, gap: int = PARAGRAPH) -> None:
        """The border of a block: at least so many line breaks since what was written last."""
        if self._one_line:
            self.space()
            return
        self._break()
        if self.length:
            self._owed = max(min(self._owed, PARAGRAPH), LINE if self.length == self._tight_at else gap)

    def keep_tight(self) -> None:
        """No empty line before what follows: the first block of a definition stands right under its term."""
        self._tight_at = self.length

    def _break(self) -> None:
        self._end_link_text()
        self.num_breaks += 1
        self._space = ""
        self._at_start = True

    def end_cell(self, *, broken: bool) -> None:
        """The border between two cells of a layout table: a space, or a line break if the cell took several lines."""
        if broken:
            self.block(LINE)
        else:
            self._space = "" if self._at_start else " "

    def begin_item(self, marker: str) -> Place:
        """Begin a list item or an indented block: its first line starts with the marker, the others stand under its text."""
        place = Place(self.indent, self._marker)
        if self._one_line:
            self.text(marker)
        elif len(self.indent) + len(marker) <= MAX_INDENT:
            self._marker = (self.indent if self._marker is None else self._marker) + marker
            self.indent += " " * len(marker)
        return place

    def end_item(self, place: Place) -> None:
        """End it; without text it leaves no marker."""
        self.indent = place.indent
        self._marker = None if self._marker is None else place.marker

    def row(self, cells: Sequence[Page]) -> None:
        """A row of a data table, on one line: ``a | b | c``."""
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
        """What follows is a link, up to `close_link` or the next one."""
        self.close_link()
        self._url = url

    def close_link(self) -> None:
        """What follows is not a link."""
        self._end_link_text()
        self._url = None

    def _end_link_text(self) -> None:
        if self._link_text:
            text, self._link_text = self._link_text, ""
            assert self._url is not None
            self.builder.link(text, self._url)

    def anchor(self, name: str) -> None:
        """Name the place of the next visible text."""
        self._names.append(name)

    def open_heading(self) -> None:
        """What follows is a heading, up to `close_heading`."""
        self._in_heading = True

    def close_heading(self) -> None:
        """What follows is no heading."""
        if self._heading is not None:
            self.headings.append((self._heading, self.length))
        self._in_heading, self._heading = False, None

    def page(self, url: str, title: str, notes: Iterable[str] = ()) -> Page:
        """The page made of what was written. Places named after its last text stand at its end."""
        self.close_link()
        self.anchors.extend((name, self.length) for name in self._names)
        self._names.clear()
        return self.builder.page(url, title, anchors=self.anchors, headings=self.headings, notes=notes)
