"""Conversion of positions on the screen to offsets in the page's text, and moves of a selection by words and lines.

Lines in view contain link markers and indentation, which the page's text does not have. Every column of a line has an offset in
the text; for the other characters of a marker, it is the start or the end of the link's text.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, islice

from rich.cells import get_character_cell_size

from browser_env.pages.characters import LINK_FIELD, LINK_OPEN
from browser_env.pages.layout import lay_out, marker
from browser_env.pages.matching import Span
from browser_env.pages.page import Page

MAX_WORD = 1_000
"""Characters per word that are searched when a selection moves back, to bound the time on long pages."""

_WORD = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class Place:
    """A position on the screen."""

    line: int
    """Line of the page, from 0."""
    column: int
    """Number of characters (not cells) before it in the line, including markers and indentation."""


def offsets(page: Page, width: int, line: int) -> tuple[int, ...]:
    """Return the offset in the page's text of every column of a line, and of the line's end."""
    layout = lay_out(page, width)
    shown, offset = layout.lines[line], layout.starts[line]
    indentation = len(shown) - len(shown.lstrip())
    while shown.strip() and page.text[offset].isspace():
        offset += 1
    columns = [offset] * indentation
    while len(columns) < len(shown):
        link = page.link_before(offset)
        if link and link.start == offset and shown.startswith(whole := marker(page, link), len(columns)):
            before = len(f"{LINK_OPEN}{page.link_ids[link.url]}{LINK_FIELD}")
            columns.extend([link.start] * before)
            columns.extend(range(link.start, link.end))
            columns.extend([link.end] * (len(whole) - before - (link.end - link.start)))
            offset = link.end
        else:
            columns.append(offset)
            offset += 1
    return (*columns, offset)


def offset_at(page: Page, width: int, place: Place) -> int:
    """Return the offset in the page's text of a position on the screen. Columns after the line's end count as its end."""
    columns = offsets(page, width, place.line)
    return columns[min(place.column, len(columns) - 1)]


def column_at(text: str, cell: int) -> int:
    """Return the column of a line that a cell of the screen shows. Wide characters have two cells."""
    ends = accumulate(get_character_cell_size(character) for character in text)
    return next((column for column, end in enumerate(ends) if end > cell), len(text))


def spans_of_lines(page: Page, width: int, first: int, last: int) -> Span:
    """Return the span of the page's text that is shown by the lines from `first` to `last`, inclusive."""
    return offsets(page, width, first)[0], offsets(page, width, last)[-1]


def columns_of(page: Page, width: int, line: int, span: Span) -> Span | None:
    """Return the columns of a line that show a part of a span, or None if it shows none."""
    places = offsets(page, width, line)
    inside = [column for column, offset in enumerate(places[:-1]) if span[0] <= offset < span[1]]
    return (inside[0], inside[-1] + 1) if inside else None


def extent(page: Page, width: int, lines: range) -> Span:
    """Return the span of the page's text from the start of the first line to the start of the line after the last."""
    if not lines:
        return 0, 0
    starts = lay_out(page, width).starts
    return starts[lines.start], starts[lines.stop] if lines.stop < len(starts) else len(page.text) + 1


def move_start(page: Page, start: int, words: int) -> int:
    """Move the start of a selection forward by words, or back if negative. Returns the new start."""
    if words < 0:
        return _back([match.start() for match in _words_before(page, start, words)], words)
    ahead = (match.start() for match in _WORD.finditer(page.text, start) if match.start() > start)
    return next(islice(ahead, words - 1, None), len(page.text)) if words else start


def move_end(page: Page, end: int, words: int) -> int:
    """Move the end of a selection forward by words, or back if negative. Returns the new end."""
    if words < 0:
        return _back([match.end() for match in _words_before(page, end, words) if match.end() < end], words)
    ahead = (match.end() for match in _WORD.finditer(page.text, max(0, end - 1)) if match.end() > end)
    return next(islice(ahead, words - 1, None), len(page.text)) if words else end


def move_by_lines(page: Page, width: int, span: Span, line: int, *, lines: range, step: int, moves_end: bool) -> Span | None:
    """Move an end of a selection to the next line with text.

    Args:
        page: The page.
        width: Width of the layout, in cells.
        span: The selection.
        line: Line of the end that moves.
        lines: Lines in which it can move.
        step: 1 to move down, -1 to move up.
        moves_end: Whether the end of the selection moves. Otherwise its start does.

    Returns:
        The new selection, which may be empty, or None if there is no further line.
    """
    texts = lay_out(page, width).lines
    line += step
    while line in lines and not texts[line].strip():
        line += step
    if line not in lines:
        return None
    first, last = spans_of_lines(page, width, line, line)
    return (span[0], last) if moves_end else (first, span[1])


def _words_before(page: Page, offset: int, words: int) -> Iterator[re.Match[str]]:
    return _WORD.finditer(page.text, max(0, offset + words * MAX_WORD), offset)


def _back(places: list[int], words: int) -> int:
    return places[max(words, -len(places))] if places else 0
