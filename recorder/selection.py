"""From places on the screen to places in the page, and from a selected stretch to the command that quotes it.

Lines in view hold link markers and indentation that the page's text does not have. Every column of a line has a place in the
text: inside a marker it is where the link's text begins or ends.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from browser_env.actions import Quote, format_action
from browser_env.characters import ELLIPSIS_BAR, LINK_FIELD, LINK_OPEN
from browser_env.env import MAX_COMMAND
from browser_env.layout import lay_out, marker
from browser_env.matching import MAX_QUOTE_WORDS, Span, find_next, find_quote
from browser_env.page import Page
from browser_env.state import BrowserState

MAX_PLAIN_WORDS = 16
"""Longer quotes are abbreviated, as those of the scripted demonstrator are: a model learns one habit from both."""
END_WORDS = 5
"""Words at each end of an abbreviated quote; more where these mean another stretch."""
MAX_END_WORDS = 30
"""More at each end are no abbreviation."""
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


def trimmed(page: Page, span: Span) -> Span:
    """A stretch without the white space at its ends."""
    text = page.text[span[0] : span[1]]
    start = span[0] + len(text) - len(text.lstrip())
    return start, max(start, span[0] + len(text.rstrip()))


@dataclass(frozen=True, slots=True)
class Quotation:
    """The command that quotes a stretch, and what it quotes."""

    command: str
    span: Span
    """What the environment finds: other than what was selected where the same words stand before it."""
    is_elsewhere: bool
    """Whether the same words were found in another place of the page."""


def quotation(state: BrowserState, span: Span) -> Quotation | str:
    """The ``Quote:`` command that a model would have given for a stretch of the page in view, or why there is none.

    Long stretches are abbreviated to ``start━end``. Where no command means this very stretch, because its words stand
    before it too, the quote is of the same words there; on a page of results only if that is the same result.
    """
    page = state.page
    start, end = trimmed(page, span)
    while end < len(page.text) and unicodedata.combining(page.text[end]):
        end += 1  # a letter is quoted with its marks
    words = page.text[start:end].split()
    if not words:
        return "nothing is selected"
    layout, plain = state.layout, " ".join(words)
    from_here = layout.starts[state.visit.top] if layout.starts else 0
    exact = find_next(page.normal, plain, start)
    if exact is None or not start <= exact[0] < end:
        return "the selection holds nothing that can be quoted"
    candidates = [plain] if len(plain) <= MAX_COMMAND - len("Quote: ") else []
    if len(words) > MAX_PLAIN_WORDS:
        sizes = range(END_WORDS, min(MAX_END_WORDS, (len(words) - 1) // 2) + 1)
        candidates = [f"{' '.join(words[:size])}{ELLIPSIS_BAR}{' '.join(words[-size:])}" for size in sizes] + candidates
    for text in candidates:
        if find_quote(page.normal, text, from_here) == exact:
            return Quotation(format_action(Quote(text)), exact, False)
    if not candidates or candidates[-1] != plain:
        return f"the selection is too long; quote at most {MAX_QUOTE_WORDS:,} words"
    found = find_quote(page.normal, plain, from_here)
    if isinstance(found, str):
        return found
    if page.kind == "results" and page.link_before(found[0]) != page.link_before(start):
        return "another result says the same; open the page to quote it"
    return Quotation(format_action(Quote(plain)), found, True)


def _words_before(page: Page, offset: int, words: int) -> Iterator[re.Match[str]]:
    return _WORD.finditer(page.text, max(0, offset + words * MAX_WORD), offset)


def _back(places: list[int], words: int) -> int:
    return places[max(words, -len(places))] if places else 0
