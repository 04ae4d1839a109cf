"""Truncation of long documents, and the line that reports it."""

import re

MAX_CHARACTERS = 5_000_000
"""Maximum characters of decoded source that are rendered."""
_SEARCHED = 65_536
"""Number of characters before the limit that are searched for a boundary."""


def cut(text: str, boundary: re.Pattern[str]) -> str:
    """Cut a text to at most `MAX_CHARACTERS`, after the last boundary near the limit, or else at the last white space."""
    if len(text) <= MAX_CHARACTERS:
        return text
    tail = MAX_CHARACTERS - _SEARCHED
    ends = [match.end() for match in boundary.finditer(text, tail, MAX_CHARACTERS)]
    return text[: ends[-1]] if ends else text[:MAX_CHARACTERS].rsplit(None, 1)[0]


def truncation_line(num_read: int, num_characters: int) -> str:
    """Last line of a truncated page."""
    return f"[Page truncated: {num_read / 1e6:.1f} MB of {num_characters / 1e6:.1f} MB]"
