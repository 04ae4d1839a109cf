"""Pages that are too long are cut, and say so."""

import re

MAX_CHARACTERS = 5_000_000
"""Of decoded source that are read."""
_SEARCHED = 65_536
"""Characters before the cut in which a good place for it is looked for."""


def cut(text: str, boundary: re.Pattern[str]) -> str:
    """At most `MAX_CHARACTERS` of a text, ending after the last boundary (or else the last white space) before that."""
    if len(text) <= MAX_CHARACTERS:
        return text
    tail = MAX_CHARACTERS - _SEARCHED
    ends = [match.end() for match in boundary.finditer(text, tail, MAX_CHARACTERS)]
    return text[: ends[-1]] if ends else text[:MAX_CHARACTERS].rsplit(None, 1)[0]


def truncation_line(num_read: int, num_characters: int) -> str:
    """What stands at the end of a page that was cut."""
    return f"[Page truncated: {num_read / 1e6:.1f} MB of {num_characters / 1e6:.1f} MB]"
