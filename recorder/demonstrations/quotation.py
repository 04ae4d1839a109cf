"""The ``Quote:`` command for a selection on a page, as a model would have written it."""

import unicodedata
from dataclasses import dataclass

from browser_env.actions import Quote, format_action
from browser_env.env import MAX_COMMAND
from browser_env.pages.matching import MAX_QUOTE_WORDS, Span, find_next, find_quote, quote_text
from browser_env.pages.page import Page
from browser_env.state import BrowserState

MAX_TEXT = MAX_COMMAND - len("Quote: ")
"""Maximum length of the text of a quote command, in characters."""


def trimmed(page: Page, span: Span) -> Span:
    """Return a span without the white space at its ends."""
    text = page.text[span[0] : span[1]]
    start = span[0] + len(text) - len(text.lstrip())
    return start, max(start, span[0] + len(text.rstrip()))


@dataclass(frozen=True, slots=True)
class Quotation:
    """A quote command and the span that it quotes."""

    command: str
    span: Span
    """Span that the environment finds. It differs from the selection if the same words appear earlier on the page."""
    is_elsewhere: bool
    """Whether the span is in another place of the page than the selection."""


def quotation(state: BrowserState, span: Span) -> Quotation | str:
    """Return the ``Quote:`` command for a selection on the page in view, or the reason why there is none.

    Long selections are abbreviated to ``start━end`` (`quote_text`). If no command finds the selection because
    the same words appear before it, the first occurrence is quoted; on a page of search results, only within the same result.
    """
    page = state.page
    start, end = trimmed(page, span)
    while end < len(page.text) and unicodedata.combining(page.text[end]):
        end += 1  # combining marks belong to the last letter
    words = page.text[start:end].split()
    if not words:
        return "nothing is selected"
    layout, plain = state.layout, " ".join(words)
    view_start = layout.starts[state.visit.top] if layout.starts else 0
    exact = find_next(page.normal, plain, start)
    if exact is None or not start <= exact[0] < end:
        return "the selection contains no text that can be quoted"
    text = quote_text(page.normal, exact, view_start)
    if len(text) <= MAX_TEXT and find_quote(page.normal, text, view_start) == exact:
        return Quotation(format_action(Quote(text)), exact, False)
    if len(plain) > MAX_TEXT:
        return f"the selection is too long; select at most {MAX_QUOTE_WORDS:,} words"
    first = find_quote(page.normal, plain, view_start)
    if isinstance(first, str):
        return first
    if page.kind == "results" and page.link_before(first[0]) != page.link_before(start):
        return "another result contains the same words; open the page to quote it"
    return Quotation(format_action(Quote(plain)), first, True)
