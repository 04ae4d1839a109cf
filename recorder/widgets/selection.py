"""From places on the screen to places in the page, and from a selected stretch to the command that quotes it.

Lines in view hold link markers and indentation that the page's text does not have. Every column of a line has a place in the
text: inside a marker it is where the link's text begins or ends.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from browser_env.pages.characters import LINK_FIELD, LINK_OPEN
from browser_env.pages.layout import lay_out, marker
from browser_env.pages.matching import Span
from browser_env.pages.page import Page

MAX_WORD = 1_000
"""Characters a word that a selection moves back by is looked for in, so that a long page costs no more than a short one."""

_WORD = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class Place:
    """A place on the screen."""

    line: int
    """Of the page, from 0."""
    column: int
    """Characters (not cells) before it in the line, markers and indentation included."""


def offsets(page: Page, width: int, line: int) -> tuple[int, ...]:
    """The place in the page's text of every column of a line, and of the line's end: one more than it has characters."""
    layout = lay_out(page, width)
    shown, offset = layout.lines[line], layout.starts[line]
    indentation = len(shown) - len(shown.lstrip())
    while shown.strip() and page.text[offset].isspace():
        offset += 1
    found = [offset] * indentation
    while len(found) < len(shown):
        link = page.link_before(offset)
        if link and link.start == offset and shown.startswith(whole := marker(page, link), len(found)):
            before = len(f"{LINK_OPEN}{page.link_ids[link.url]}{LINK_FIELD}")
            found.extend([link.start] * before)
            found.extend(range(link.start, link.end))
            found.extend([link.end] * (len(whole) - before - (link.end - link.start)))
            offset = link.end
        else:
            found.append(offset)
            offset += 1
    return (*found, offset)


def offset_at(page: Page, width: int, place: Place) -> int:
    """The place in the page's text that a place on the screen means; behind the end of a line it is that end."""
    columns = offsets(page, width, place.line)
    return columns[min(place.column, len(columns) - 1)]


def spans_of_lines(page: Page, width: int, first: int, last: int) -> Span:
    """The stretch of the page's text that whole lines show, from one line to another."""
    return offsets(page, width, first)[0], offsets(page, width, last)[-1]


def columns_of(page: Page, width: int, line: int, span: Span) -> Span | None:
    """The columns of a line that show some of a stretch, from the first to after the last; None if it shows none of it."""
    places = offsets(page, width, line)
    inside = [column for column, offset in enumerate(places[:-1]) if span[0] <= offset < span[1]]
    return (inside[0], inside[-1] + 1) if inside else None


def start_moved(page: Page, start: int, words: int) -> int:
    """The start of a selection moved to the beginning of a word: so many words on, or back if negative."""
    if words < 0:
        return _back([match.start() for match in _words_before(page, start, words)], words)
    ahead = (match.start() for match in _WORD.finditer(page.text, start) if match.start() > start)
    return next(islice(ahead, words - 1, None), len(page.text)) if words else start


def end_moved(page: Page, end: int, words: int) -> int:
    """The end of a selection moved to the end of a word: so many words on, or back if negative."""
    if words < 0:
        return _back([match.end() for match in _words_before(page, end, words) if match.end() < end], words)
    ahead = (match.end() for match in _WORD.finditer(page.text, max(0, end - 1)) if match.end() > end)
    return next(islice(ahead, words - 1, None), len(page.text)) if words else end


def _words_before(page: Page, offset: int, words: int) -> Iterator[re.Match[str]]:
    return _WORD.finditer(page.text, max(0, offset + words * MAX_WORD), offset)


def _back(places: list[int], words: int) -> int:
    return places[max(words, -len(places))] if places else 0
