"""Words replaced by other words, consistently within an example, so that nothing of it can be memorised.

A few hundred pages repeated for millions of tokens are learned by heart, and then a model recites instead of reading. When
*directory* is *lantern* in the question, on the page and in the quote alike, what is left to learn is how to find and copy.
Endings stay (*returns* becomes *lanterns* if *return* becomes *lantern*), and so do the words of the format and of grammar.
"""

import random
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from browser_env.pages.words import STOP_WORDS, stem

WORD = re.compile(r"[A-Za-z][A-Za-z0-9]*")
FORMAT = frozenset(
    """question quote quotes past actions title scrollbar text left next action search results clicked click link find page
    scroll scrolled down up top back end answer nonsense controversial found class function method module exception attribute
    constant property python pydoc localhost builtins functions classes data""".split()  # noqa: SIM905 - a list reads best
)
"""The words of observations and commands, and what questions and pages call the parts of a program."""


class Replacement:
    """Replaces words by others of one vocabulary."""

    def __init__(self, texts: Iterable[str]) -> None:
        """Take the words of some texts, each as likely as the square root of how often it stands there."""
        counts: dict[str, int] = {}
        for text in texts:
            for word in WORD.findall(text):
                if not _is_kept(word.casefold()):
                    counts[stem(word.casefold())] = counts.get(stem(word.casefold()), 0) + 1
        if not counts:
            raise ValueError("the texts have no words that can be replaced")
        self._stems = sorted(counts)
        self._weights = [counts[word] ** 0.5 for word in self._stems]

    def __call__(self, texts: Sequence[str], rng: random.Random, share: float = 1.0) -> list[str]:
        """The texts with their words replaced.

        Args:
            texts: What belongs together: the same word becomes the same word in all of them, other words other ones.
            rng: Draws the replacements.
            share: Of the words that are replaced.
        """
        found = sorted({stem(word.casefold()) for text in texts for word in WORD.findall(text)})
        taken = set(found)
        chosen: dict[str, str] = {}
        drawn = iter(rng.choices(self._stems, self._weights, k=3 * len(found)))
        for old in found:
            if rng.random() < share and (new := next((word for word in drawn if word not in taken), None)):
                chosen[old] = new
                taken.add(new)
        return [WORD.sub(lambda match: _replaced(match[0], chosen), text) for text in texts]


def _replaced(word: str, chosen: dict[str, str]) -> str:
    small = word.casefold()
    if _is_kept(small):
        return word
    old, ending = _parts(small)
    if (new := chosen.get(old)) is None:
        return word
    if word.isupper() and len(word) > 1:
        return (new + ending).upper()
    return (new + ending).capitalize() if word[0].isupper() else new + ending


@lru_cache(maxsize=65_536)
def _parts(word: str) -> tuple[str, str]:
    """Stem of a word, and what the word has beyond the letters that it shares with its stem."""
    root = stem(word)
    shared = next((i for i, (a, b) in enumerate(zip(root, word, strict=False)) if a != b), min(len(root), len(word)))
    return root, word[shared:]


def _is_kept(word: str) -> bool:
    return len(word) < 3 or word in STOP_WORDS or word in FORMAT
