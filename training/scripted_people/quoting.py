"""What scripted people quote: a sentence, with the line above it that says what it is about.

*Return a shallow copy of x.* alone can be checked by nobody: it stands under ``copy(x)`` or under something else. So the
quotation begins where the definition does, if both are near each other.
"""

import re
from typing import Final

from browser_env.pages.matching import Span
from browser_env.pages.page import Page

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
