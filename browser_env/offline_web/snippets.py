"""The stretch of a page that shows why it was found: verbatim, so that it can be quoted."""

import re
from bisect import bisect_right

from browser_env.offline_web.ranking import Sought

LENGTH = 300
"""Characters of a snippet, about."""
MAX_SIGNATURE = 400
"""Characters of a definition's first line that are shown besides."""
MAX_OCCURRENCES = 50
"""Occurrences of a word that are looked at; the first ones, because a page says first what it is about."""

_SENTENCE_END = re.compile(r"[.!?]['\")\]]*(?=\s)|[。！？]|\n\n")
_SUFFIX = re.compile(r"(?:ations?|ings?|ies|ers?|ed|es|s|e|y)$")


def snippet(text: str, sought: Sought) -> str:
    """A contiguous part of a text, about `LENGTH` characters, where the rarest words of the question stand together."""
    lower = text.lower()
    if len(lower) != len(text):
        lower = text  # a few capitals grow when they are folded, and offsets must be those of the text
    events = [(start, "", weight) for start, weight in sought.definitions.items()]
    for word, weight in sought.weights.items():
        events += [(start, word, weight) for start in _occurrences(lower, word)]
    if not events:
        return _cut(text, 0)
    events.sort()
    best, best_score = 0, -1.0
    for index, (start, _, _) in enumerate(events):
        end = bisect_right(events, start + LENGTH * 2 // 3, key=lambda event: event[0])
        together: dict[str, float] = {}
        for _, word, weight in events[index:end]:
            together[word] = max(weight, together.get(word, 0.0))
        if (score := sum(together.values())) > best_score:
            best, best_score = _definition(sought, start, events[end - 1][0]) or start, score
    return _cut(text, best, is_definition=best in sought.definitions)


def _definition(sought: Sought, start: int, end: int) -> int | None:
    """The place of the strongest definition between two offsets."""
    places = [place for place in sought.definitions if start <= place <= end]
    return max(places, key=lambda place: (sought.definitions[place], -place), default=None)


def _occurrences(lower: str, word: str) -> list[int]:
    """Where a word begins, in any of its forms."""
    stem = _SUFFIX.sub("", word) if len(word) > 4 else word
    stem = stem if len(stem) >= 3 else word
    found: list[int] = []
    start = lower.find(stem)
    while start >= 0 and len(found) < MAX_OCCURRENCES:
        if not start or not lower[start - 1].isalnum() or not lower[start].isascii():
            found.append(start)
        start = lower.find(stem, start + len(stem))
    return found


def _cut(text: str, place: int, *, is_definition: bool = False) -> str:
    """From the beginning of the line or sentence around a place, to the end of one."""
    start = text.rfind("\n", 0, place) + 1
    if place - start > LENGTH // 3 and not is_definition:
        ends = [match.end() for match in _SENTENCE_END.finditer(text, max(start, place - LENGTH // 2), place)]
        start = ends[-1] if ends else text.find(" ", place - LENGTH // 3, place) + 1 or place
    limit = start + LENGTH
    if is_definition:
        line_end = text.find("\n", start)
        limit += min(line_end - start, MAX_SIGNATURE) if line_end >= 0 else 0
    if limit >= len(text):
        return text[start:].strip()
    ends = [match.end() for match in _SENTENCE_END.finditer(text, place, limit + 1) if match.end() <= limit]
    if ends and ends[-1] - start >= LENGTH // 3:
        return text[start : ends[-1]].strip()
    end = max(text.rfind(" ", place, limit), text.rfind("\n", place, limit))
    return text[start : end if end > place else limit].strip()
