"""Words, stop words and word stems, for search, scripted policies and support scores."""

import re
from functools import lru_cache

STOP_WORDS = frozenset(
    """a about after all also am an and any are aren as at be because been before being but by can could did didn do does
    doesn don done during each for from get give given gives had has have having he her here him his how i if in into is
    isn it its itself just let like ll made make makes may me mean means might more most much must my need no nor not of
    off on once one only or other our out over own please re s same say says shall she should so some such t tell than
    that the their them then there these they this those through to too under until up us use used using ve very was
    wasn way we were what what's when where whether which while who whom whose why will with within without would you
    your explain describe happens happen""".split()  # noqa: SIM905 - a list of words reads best as text
)
"""Frequent words that say nothing about the subject of a question or a sentence."""

WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
"""A word. Underscores and dots separate words, so the parts of a dotted name are words."""

_ENDINGS = (("ies", "y"), ("ied", "y"), ("sses", "ss"), ("ing", ""), ("ed", ""), ("es", ""), ("ly", ""), ("s", ""), ("e", ""))


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """Strip the ending of a word, so that *returns*, *returned* and *return* are equal; at least three letters remain."""
    for ending, replacement in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            return word[: len(word) - len(ending)] + replacement
    return word


def words(text: str) -> list[str]:
    """Split a text into words in lower case."""
    return WORD.findall(text.casefold())


def content_stems(text: str) -> list[str]:
    """The stems of the words of a text that are not stop words, in order and with repetitions."""
    return [stem(word) for word in words(text) if word not in STOP_WORDS]
