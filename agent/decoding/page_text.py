"""The normalized form of a page, and the offsets at which a find or a quote may begin and end.

White space counts as one space, because a command is one line. Whatever lies between an allowed start and an allowed end is on
the page by the environment's rules (`browser_env.pages.matching`), which ignore more differences than this module does.

All positions are byte offsets in the normalized form. An abbreviated quote (``head━tail``) consists of two texts of the page.
"""

import copy
import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from agent.decoding.boundaries import Boundaries, Offsets
from agent.decoding.states import MAX_TEXT
from agent.decoding.token_trie import SPACE, WORD_MARK, Nodes, TokenIds, TokenTrie
from browser_env.pages.characters import ELLIPSIS_BAR
from browser_env.pages.matching import MAX_QUOTE_WORDS

NOWHERE = np.int32(1 << 30)
"""An offset after the end of every page."""

_UNWRITABLE = re.compile(f"[\x00\n\ud800-\udfff{WORD_MARK}{SPACE}{ELLIPSIS_BAR}]")
"""Characters with another meaning in commands and normalized forms. Except for ``▁``, cleaned pages do not contain them."""


@dataclass(frozen=True, slots=True)
class EndBounds:
    """The range of allowed ends of the texts that begin at each start of the page."""

    min_end: Offsets
    max_end: Offsets
    """-1 where no text may begin."""

    @classmethod
    def of(cls, min_end: Offsets, max_end: Offsets) -> "EndBounds":
        """Bounds in which starts with an empty range are disabled."""
        return cls(min_end, np.where(min_end <= max_end, max_end, np.int32(-1)))


@dataclass(frozen=True, slots=True)
class FirstTokens:
    """The first token of every text, as descents of the trie along the page; one row for each start and token."""

    start: NDArray[np.int32]
    """Index of the text's start in `PageText.starts`."""
    node: Nodes
    """Trie node that the token ends at."""
    offset: Offsets
    """Offset after the token."""


class PageText:
    """The texts of one page."""

    def __init__(self, text: str, trie: TokenTrie) -> None:
        """Normalize and index a page; this takes some tens of milliseconds for 100,000 characters."""
        self._trie = trie
        self._source = text
        form = self._normalize(text)
        self.form = form.encode() + b"\n"
        """The normalized form and a line feed, which no text contains."""
        self.bytes = np.frombuffer(self.form, np.uint8)
        boundaries = Boundaries(form, trie)
        is_end = np.zeros(len(self.form) + 1, bool)
        is_end[boundaries.offsets[1:][boundaries.is_text_end]] = True
        self._set_ends(is_end, _next_true(is_end))
        self._index_words(boundaries)
        self._index_starts(boundaries)
        self._first_tokens: dict[int, FirstTokens] = {}
        self.first_token_ids: dict[int, tuple[int, TokenIds]] = {}
        """Cache of `TextStart`: by trie node, the maximum number of tokens needed after a first token of any text, and the ids
        of all first tokens."""
        self._excluding: tuple[int, PageText] | None = None

    def _set_ends(self, is_end: NDArray[np.bool_], next_end: Offsets) -> None:
        self.is_end = is_end
        """Whether a text may end at each offset."""
        self.next_end = next_end
        """The first end at or after each offset."""
        self.next_end_items = next_end.data
        """`next_end` as a memoryview, whose items are read as Python integers faster than NumPy's."""

    def _index_words(self, boundaries: Boundaries) -> None:
        self._words = boundaries.offsets[:-1][boundaries.is_word_start]
        is_word = np.zeros(len(self.form) + 1, np.int32)
        is_word[self._words] = 1
        self._words_before = np.concatenate([[0], np.cumsum(is_word)]).astype(np.int32)

    def _index_starts(self, boundaries: Boundaries) -> None:
        offsets, size = boundaries.offsets, len(self.form) - 1
        characters = np.flatnonzero(boundaries.is_text_start).astype(np.int32)
        self.starts: Offsets = offsets[characters]
        """Offsets at which texts may begin, in ascending order."""
        barriers = np.append(offsets[:-1][boundaries.is_barrier], size).astype(np.int32)
        self._max_end = np.minimum(self.starts + MAX_TEXT, barriers[np.searchsorted(barriers, self.starts)]).astype(np.int32)
        self.end_bounds = EndBounds.of(self.next_end[self.starts + 1], self._max_end)
        """Ends of a text for a find, a quote or the head of an abbreviated quote."""
        count = len(offsets) - 1
        shortest = boundaries.shortest_tail_ends(characters)
        tail_end = self.next_end[offsets[np.minimum(shortest, count)]]
        self._tail_min_end: Offsets = np.where(shortest <= count, tail_end, NOWHERE)
        is_tail = self._tail_min_end <= self._max_end
        self._tail_starts = self.starts[is_tail]
        self._tail_start_min_end = self._tail_min_end[is_tail]

    def excluding_end(self, offset: int) -> "PageText":
        """The same texts without those that end at an offset of the page's text; equal texts elsewhere on the page remain.

        If no text can end after the offset, nothing is excluded.
        """
        if self._excluding is None or self._excluding[0] != offset:
            self._excluding = offset, self._without_end(offset)
        return self._excluding[1]

    def _without_end(self, offset: int) -> "PageText":
        end = min(len(self._normalize(self._source[:offset]).encode()), len(self.form) - 1)
        later_end = int(self.next_end[end + 1]) if self.is_end[end] else NOWHERE
        if later_end == NOWHERE or self.form.find(b"\n", end) < later_end:
            return self
        page_text = copy.copy(self)
        is_end, next_end = self.is_end.copy(), self.next_end.copy()
        is_end[end] = False
        next_end[int(np.searchsorted(self.next_end, end)) : end + 1] = later_end
        page_text._set_ends(is_end, next_end)
        min_end = np.where(self.end_bounds.min_end == end, np.int32(later_end), self.end_bounds.min_end)
        page_text.end_bounds = EndBounds.of(min_end, self._max_end)
        page_text.first_token_ids = {}
        return page_text

    def _normalize(self, text: str) -> str:
        return self._trie.normalize_inside(_UNWRITABLE.sub("\n", " ".join(text.split()))) if text else ""

    @cached_property
    def shortest_text(self) -> int:
        """Length of the shortest text in bytes; 0 if there is none."""
        is_possible = self.end_bounds.max_end >= 0
        return int((self.end_bounds.min_end - self.starts)[is_possible].min()) if is_possible.any() else 0

    def first_tokens(self, node: int) -> FirstTokens:
        """The first tokens of all texts, given that the token's first bytes have led to a trie node. Cached."""
        first_tokens = self._first_tokens.get(node)
        if first_tokens is None:
            first_tokens = self._first_tokens[node] = self._descend(node)
        return first_tokens

    def _descend(self, node: int) -> FirstTokens:
        """Descend the trie along the page from all starts at once, one byte at a time."""
        trie = self._trie
        starts = np.flatnonzero(self.end_bounds.max_end >= 0).astype(np.int32)
        offsets = self.starts[starts]
        nodes = np.full(len(starts), node, np.int32)
        levels: list[tuple[NDArray[np.int32], Nodes, Offsets]] = []
        while len(starts):
            nodes = trie.step(nodes, self.bytes[offsets])
            alive = nodes >= 0
            starts, nodes, offsets = starts[alive], nodes[alive], offsets[alive] + np.int32(1)
            is_useful = trie.is_token[nodes] | (trie.line_feed_child[nodes] >= 0)
            levels.append((starts[is_useful], nodes[is_useful], offsets[is_useful]))
            is_inner = trie.has_children[nodes]
            starts, nodes, offsets = starts[is_inner], nodes[is_inner], offsets[is_inner]
        if not levels:
            return FirstTokens(starts, nodes, offsets)
        return FirstTokens(*(np.concatenate(column) for column in zip(*levels, strict=True)))

    def tail_bounds(self, head_ends: Offsets, head_length: int) -> EndBounds:
        """Ends of the tail of an abbreviated quote.

        Args:
            head_ends: Offsets at which the head ends, in ascending order; the head may occur several times on the page.
            head_length: Length of the head in bytes.
        """
        nearest = np.searchsorted(head_ends, self.starts, side="right") - 1
        head_end = head_ends[np.maximum(nearest, 0)]
        max_end = np.where(nearest >= 0, np.minimum(self._max_end, self._max_quote_end(head_end - head_length)), -1)
        return EndBounds.of(self._tail_min_end, max_end.astype(np.int32))

    def nearest_tail_length(self, head_end: int, head_length: int) -> int | None:
        """Length in bytes of the shortest tail at the first possible start after a head; None if there is no tail."""
        index = int(np.searchsorted(self._tail_starts, head_end))
        max_end = self._max_quote_end(np.array([head_end - head_length], np.int32))[0]
        if index == len(self._tail_starts) or self._tail_start_min_end[index] > max_end:
            return None
        return int(self._tail_start_min_end[index] - self._tail_starts[index])

    def _max_quote_end(self, head_starts: Offsets) -> Offsets:
        """The offsets at which quotes with these starts reach the word limit; a word that a quote starts inside counts."""
        last_word = self._words_before[head_starts] + MAX_QUOTE_WORDS - 1
        words = np.append(self._words, len(self.form) - 1)
        ends: Offsets = words[np.minimum(last_word, len(words) - 1)].astype(np.int32)
        return ends


def _next_true(mask: NDArray[np.bool_]) -> Offsets:
    """The first index at or after each index where a mask is true, or `NOWHERE`."""
    indices = np.where(mask, np.arange(len(mask), dtype=np.int32), NOWHERE)
    return np.minimum.accumulate(indices[::-1])[::-1]
