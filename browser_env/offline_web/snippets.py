"""Snippets of search results: verbatim passages of a page, so that they can be quoted."""

import re
from bisect import bisect_right

from browser_env.offline_web.ranking import Relevance

LENGTH = 300
"""Approximate length of a snippet in characters."""
MAX_SIGNATURE = 400
"""Maximum number of characters of the first line of a definition, shown in addition."""
MAX_OCCURRENCES = 50
"""Number of occurrences of each word that are considered; the first ones, since pages introduce their subject first."""

_SENTENCE_END = re.compile(r"[.!?]['\")\]]*(?=\s)|[。！？]|\n\n")
_SUFFIX = re.compile(r"(?:ations?|ings?|ies|ers?|ed|es|s|e|y)$")


def snippet(text: str, relevance: Relevance) -> str:
    """Choose a passage of about `LENGTH` characters in which the rarest words of the question occur together."""
    lower = text.lower()
    if len(lower) != len(text):
        lower = text  # a few capitals become longer in lower case, which would shift offsets
    events = [(start, "", weight) for start, weight in relevance.definitions.items()]
    for word, weight in relevance.weights.items():
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
            best, best_score = _definition(relevance, start, events[end - 1][0]) or start, score
    return _cut(text, best, is_definition=best in relevance.definitions)


def _definition(relevance: Relevance, start: int, end: int) -> int | None:
    """Offset of the definition with the largest weight between two offsets, or None."""
    places = [place for place in relevance.definitions if start <= place <= end]
    return max(places, key=lambda place: (relevance.definitions[place], -place), default=None)


def _occurrences(lower: str, word: str) -> list[int]:
    """Offsets of a word in any of its inflected forms."""
    stem = _SUFFIX.sub("", word) if len(word) > 4 else word
    stem = stem if len(stem) >= 3 else word
    offsets: list[int] = []
    start = lower.find(stem)
    while start >= 0 and len(offsets) < MAX_OCCURRENCES:
        if not start or not lower[start - 1].isalnum() or not lower[start].isascii():
            offsets.append(start)
        start = lower.find(stem, start + len(stem))
    return offsets


def _cut(text: str, place: int, *, is_definition: bool = False) -> str:
    """Cut a passage around an offset at the ends of lines or sentences."""
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
