"""From a selection on a page to the ``Quote:`` command that a model would have written."""

import unicodedata
from dataclasses import dataclass

from browser_env.actions import Quote, format_action
from browser_env.env import MAX_COMMAND
from browser_env.pages.matching import MAX_QUOTE_WORDS, Span, find_next, find_quote, quote_text
from browser_env.pages.page import Page
from browser_env.state import BrowserState

MAX_TEXT = MAX_COMMAND - len("Quote: ")
"""Longest text of a quote command, in characters."""


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
    text = quote_text(page.normal, exact, from_here)
    if len(text) <= MAX_TEXT and find_quote(page.normal, text, from_here) == exact:
        return Quotation(format_action(Quote(text)), exact, False)
    if len(plain) > MAX_TEXT:
        return f"the selection is too long; quote at most {MAX_QUOTE_WORDS:,} words"
    found = find_quote(page.normal, plain, from_here)
    if isinstance(found, str):
        return found
    if page.kind == "results" and page.link_before(found[0]) != page.link_before(start):
        return "another result says the same; open the page to quote it"
    return Quotation(format_action(Quote(plain)), found, True)
