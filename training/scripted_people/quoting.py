"""Quotations that include the line that defines the subject of a sentence.

*Return a shallow copy of x.* alone does not say which function it describes, so it supports no answer. A quotation therefore
begins with the definition if that is near the sentence.
"""

import re
from typing import Final

from browser_env.pages.matching import Span
from browser_env.pages.page import Page

MAX_ABOVE: Final = 800
"""Maximum distance in characters from a definition to the sentence that is quoted with it."""


def definition_line(name: str) -> str:
    """Regular expression for the beginning of a line that defines a name."""
    return rf"(?:class |async )?{re.escape(name)}\b"


def headed(page: Page, name: str, sentence: Span) -> Span:
    """Extend a sentence to the nearest line above it that defines a name; the sentence alone if no such line is near.

    Args:
        page: Page that contains the sentence.
        name: Last part of the name.
        sentence: Characters of the sentence.

    Returns:
        Characters to quote.
    """
    first = max(0, sentence[0] - MAX_ABOVE)
    lines = list(re.finditer(rf"(?m)^[ \t]*({definition_line(name)})", page.text[first : sentence[0]]))
    if not lines:
        return sentence
    return first + lines[-1].start(1), sentence[1]
