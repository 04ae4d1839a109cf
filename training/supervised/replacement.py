"""Word replacement: an augmentation that prevents memorization.

A model memorizes a few hundred pages that are repeated for millions of tokens, and then recites instead of reading. If
*directory* becomes *lantern* in the question, on the page and in the quote alike, it can only learn to find and copy. Endings
stay (*returns* becomes *lanterns* if *return* becomes *lantern*), and so do stop words and the words of the format.
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
"""Words of observations and commands, and names that questions and pages have for parts of a program: never replaced."""


class Replacement:
    """Replaces words by other words of a vocabulary."""

    def __init__(self, texts: Iterable[str]) -> None:
        """Take the vocabulary from some texts. A word is drawn in proportion to the square root of its frequency.

        Raises:
            ValueError: The texts have no words that can be replaced.
        """
        counts: dict[str, int] = {}
        for text in texts:
            for word in WORD.findall(text):
                if not _is_protected(word.casefold()):
                    counts[stem(word.casefold())] = counts.get(stem(word.casefold()), 0) + 1
        if not counts:
            raise ValueError("the texts have no words that can be replaced")
        self._stems = sorted(counts)
        self._weights = [counts[word] ** 0.5 for word in self._stems]

    def __call__(self, texts: Sequence[str], rng: random.Random, share: float = 1.0) -> list[str]:
        """Replace the words of some texts.

        Args:
            texts: The texts of one example. Equal words become equal words in all of them, different words different ones.
            rng: The source of randomness.
            share: The share of the words to replace, 0 to 1.
        """
        stems = sorted({stem(word.casefold()) for text in texts for word in WORD.findall(text)})
        taken = set(stems)
        new_stems: dict[str, str] = {}
        drawn = iter(rng.choices(self._stems, self._weights, k=3 * len(stems)))
        for old in stems:
            if rng.random() < share and (new := next((word for word in drawn if word not in taken), None)):
                new_stems[old] = new
                taken.add(new)
        return [WORD.sub(lambda match: _replaced(match[0], new_stems), text) for text in texts]


def _replaced(word: str, new_stems: dict[str, str]) -> str:
    small = word.casefold()
    if _is_protected(small):
        return word
    old, ending = _stem_and_ending(small)
    if (new := new_stems.get(old)) is None:
        return word
    if word.isupper() and len(word) > 1:
        return (new + ending).upper()
    return (new + ending).capitalize() if word[0].isupper() else new + ending


@lru_cache(maxsize=65_536)
def _stem_and_ending(word: str) -> tuple[str, str]:
    """The stem of a word, and the letters of the word after those that it shares with its stem."""
    root = stem(word)
    shared = next((i for i, (a, b) in enumerate(zip(root, word, strict=False)) if a != b), min(len(root), len(word)))
    return root, word[shared:]


def _is_protected(word: str) -> bool:
    return len(word) < 3 or word in STOP_WORDS or word in FORMAT
