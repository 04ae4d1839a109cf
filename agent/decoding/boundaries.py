"""Boundaries of words and texts in the normalized form of a page, computed for all characters at once.

A text of a find or a quote begins where a word or a punctuation character begins, and ends where one ends, after a character
that the environment's matching compares (`browser_env.pages.matching`).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.decoding.token_trie import BARRIER, COMBINING, MARKING, SOLID, UNSPACED, WHITE, WORD, TokenTrie
from browser_env.pages.matching import MIN_END_CHARACTERS, MIN_END_WORDS

Offsets = NDArray[np.int32]
"""Byte offsets in the normalized form of a page, shape (N,)."""


class Boundaries:
    """Boundaries in a text of N characters; masks have shape (N,)."""

    def __init__(self, text: str, trie: TokenTrie) -> None:
        """Classify the characters of a normalized form."""
        codes = np.frombuffer(text.encode("utf-32-le"), np.uint32)
        self.offsets = _byte_offsets(codes)
        """Byte offset of each character and of the text's end, shape (N + 1,)."""
        classes = trie.character_classes(codes)
        word, white, combining, solid, unspaced, self._is_mark, self.is_barrier = (
            (classes & bit) > 0 for bit in (WORD, WHITE, COMBINING, SOLID, UNSPACED, MARKING, BARRIER)
        )
        indices = np.arange(len(codes), dtype=np.int32)
        after_word = _previous(word, False)
        inside_word = after_word & word & ~unspaced & ~_previous(unspaced, False)

        # A text ends after a compared character and its combining marks, but not inside a word.
        base = np.maximum.accumulate(np.where(combining, np.int32(0), indices))
        self.is_text_end = solid[base] & ~_next(combining, False) & ~self.is_barrier & ~_next(inside_word, False)
        """Whether a text may end after each character."""
        word_start = self._is_mark & _next(word, False) if trie.has_word_marks else word & ~inside_word
        self.is_text_start = word_start | ~(word | white | combining | self._is_mark | self.is_barrier)
        """Whether a text may begin at each character; a word that has a mark begins with it."""

        # Words as the environment counts them, between white space. A mark after a word stands for a space.
        is_gap = white | (self._is_mark & after_word)
        self._is_silent = self._is_mark & ~after_word
        before = _previous(np.maximum.accumulate(np.where(self._is_silent, np.int32(-1), indices)), -1)
        self.is_word_start = ~is_gap & ~self._is_silent & np.append(is_gap, True)[before]  # before[0] is -1: the appended True
        """Whether a word begins at each character."""

    def shortest_tail_ends(self, starts: NDArray[np.int32]) -> NDArray[np.int64]:
        """The ends of the shortest texts that may be the tail of an abbreviated quote.

        Args:
            starts: Character indices of the texts' starts, shape (M,).

        Returns:
            Character index after each text, above N if the page is too short for it, shape (M,).
        """
        num_visible = np.concatenate([[0], np.cumsum(~self._is_silent)])
        texts = starts + self._is_mark[starts]  # a mark at the beginning is not visible
        by_characters = np.searchsorted(num_visible, num_visible[texts] + MIN_END_CHARACTERS)
        words = np.flatnonzero(self.is_word_start)
        last_word = np.searchsorted(words, texts, side="right") + MIN_END_WORDS - 2
        by_words = np.append(words, len(self._is_silent))[np.minimum(last_word, len(words))] + 1
        ends: NDArray[np.int64] = np.minimum(by_characters, by_words)
        return ends


def _byte_offsets(codes: NDArray[np.uint32]) -> Offsets:
    """Offsets of characters in UTF-8, shape (N + 1,)."""
    lengths = 1 + (codes >= 0x80).astype(np.int32) + (codes >= 0x800) + (codes >= 0x10000)
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)


def _previous(values: NDArray[Any], first: Any) -> NDArray[Any]:
    """The value of the preceding character, for each character."""
    return np.concatenate([[first], values])[:-1]


def _next(values: NDArray[Any], last: Any) -> NDArray[Any]:
    """The value of the following character, for each character."""
    return np.concatenate([values, [last]])[1:]
