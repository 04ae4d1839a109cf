"""What scripted people quote: a sentence, with the line above it that says what it is about.

*Return a shallow copy of x.* alone can be checked by nobody: it stands under ``copy(x)`` or under something else. So the
quotation begins where the definition does, if both are near each other, and is abbreviated if it is long.
"""

import re
from typing import Final

from browser_env.characters import ELLIPSIS_BAR, clean_line
from browser_env.matching import Span, find_quote
from browser_env.page import Page

MAX_QUOTE_WORDS: Final = 40
"""Longer quotes are abbreviated."""
END_WORDS: Final = 5
"""Words at each end of an abbreviated quote; more where these mean another stretch."""
MAX_ABOVE: Final = 800
"""Characters above a sentence in which its definition is looked for."""


def definition_line(name: str) -> str:
    """A pattern of how the line that defines a name begins."""
    return rf"(?:class |async )?{re.escape(name)}\b"


def headed(page: Page, name: str, sentence: Span) -> Span:
    """A sentence with the nearest line above it that defines a name; the sentence alone if none is near.

    Args:
        page: Where it stands.
        name: The last part of what is defined.
        sentence: Its place.
    """
    first = max(0, sentence[0] - MAX_ABOVE)
    lines = list(re.finditer(rf"(?m)^[ \t]*({definition_line(name)})", page.text[first : sentence[0]]))
    if not lines:
        return sentence
    return first + lines[-1].start(1), sentence[1]


def abbreviated(page: Page, span: Span, from_here: int, max_words: int = MAX_QUOTE_WORDS) -> str:
    """The text of a quote command: a stretch of a page, in the short form ``start━end`` if that is long and means the same.

    Args:
        page: Where it stands.
        span: The stretch.
        from_here: Where the view begins, from which the environment looks for quotes.
        max_words: More are abbreviated.
    """
    parts = clean_line(page.text[slice(*span)]).split()
    if len(parts) > max_words:
        for size in range(END_WORDS, (len(parts) - 1) // 2):
            short = f"{' '.join(parts[:size])}{ELLIPSIS_BAR}{' '.join(parts[-size:])}"
            if find_quote(page.normal, short, from_here) == span:
                return short
    return " ".join(parts)
