"""The text of a page in the form of a vocabulary: where a find or a quote may begin and end in it.

White space counts as one space, as in commands, which are on one line. A text begins where a word or a sign begins and ends
where one ends, behind a character that find and quote compare. So every text between the two stands on the page by the
environment's own rules (`browser_env.pages.matching`), which look away from more than is left out here.
"""

import copy
import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from agent.decoding.states import MAX_TEXT
from agent.decoding.token_trie import BARRIER, COMBINING, MARK, MARKING, SOLID, SPACE, UNSPACED, WHITE, WORD, Vocabulary
from browser_env.pages.characters import ELLIPSIS_BAR
from browser_env.pages.matching import MAX_QUOTE_WORDS, MIN_END_CHARACTERS, MIN_END_WORDS

if TYPE_CHECKING:
    from numpy.typing import NDArray

NOWHERE = np.int32(1 << 30)
"""Behind every text."""

_UNWRITTEN = re.compile(f"[\x00\n\ud800-\udfff{MARK}{SPACE}{ELLIPSIS_BAR}]")
"""What has another meaning in commands and forms; a page holds none of it if it was cleaned, but for ``▁``."""


@dataclass(frozen=True, slots=True)
class Starts:
    """Where texts may begin, one row for each beginning on the page."""

    least: "NDArray[np.int32]"
    """Where the text may end at the earliest."""
    most: "NDArray[np.int32]"
    """Where it must have ended; -1: it may not begin here."""


@dataclass(frozen=True, slots=True)
class Openings:
    """Every first token of every text: a way through the tree of the vocabulary along the page."""

    row: "NDArray[np.int32]"
    """The beginning."""
    node: "NDArray[np.int32]"
    """Where the way has led."""
    cursor: "NDArray[np.int32]"
    """And how far on the page."""


class PageSpans:
    """The texts of one page."""

    def __init__(self, text: str, vocabulary: Vocabulary) -> None:
        """Lay a page's text out for a vocabulary: some tens of milliseconds for 100,000 characters."""
        self._vocabulary = vocabulary
        form = self._form(text)
        codes = np.frombuffer(form.encode("utf-32-le"), np.uint32)
        classes = vocabulary.classes(codes)
        word, white, combining, solid, unspaced, mark, barrier = (
            (classes & kind) > 0 for kind in (WORD, WHITE, COMBINING, SOLID, UNSPACED, MARKING, BARRIER)
        )
        lengths = 1 + (codes >= 0x80).astype(np.int32) + (codes >= 0x800) + (codes >= 0x10000)
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
        size = int(offsets[-1])
        self.form = form.encode() + b"\n"
        """The text, with a byte behind it that no text holds."""
        self.bytes = np.frombuffer(self.form, np.uint8)

        # Ends: behind a character that is compared and its combining marks, but not inside a word.
        places = np.arange(len(codes), dtype=np.int32)
        base = np.maximum.accumulate(np.where(combining, 0, places)) if len(codes) else places
        behind_word = np.append(False, word[:-1])
        inside_word = behind_word & word & ~unspaced & ~np.append(False, unspaced[:-1])
        is_end = solid[base] & ~np.append(combining[1:], False) & ~barrier & ~np.append(inside_word[1:], False)
        self.is_end = np.zeros(size + 2, bool)
        self.is_end[offsets[1:][is_end]] = True
        ends = np.where(self.is_end, np.arange(size + 2, dtype=np.int32), NOWHERE)
        self.next_end = np.minimum.accumulate(ends[::-1])[::-1]
        """The first end at or behind a place."""
        self.next_end_list = self.next_end.data  # Python's numbers come out of it, faster than NumPy's

        # Words, as the environment counts them: between white space, which a mark behind a word stands for.
        gap = white | (mark & behind_word)
        silent = mark & ~behind_word
        before = np.maximum.accumulate(np.where(silent, -1, places)) if len(codes) else places
        previous = np.append(-1, before[:-1])
        begins_word = ~gap & ~silent & np.append(gap, True)[previous]  # -1 is the one that was added: the beginning
        self._words = offsets[:-1][begins_word]
        flags = np.zeros(size + 2, np.int32)
        flags[self._words] = 1
        self._words_before = np.concatenate([[0], np.cumsum(flags)]).astype(np.int32)

        # Beginnings. Where words have marks, a word begins with one.
        sign = ~(word | white | combining | mark | barrier)
        if vocabulary.has_marks:
            begins = (mark & np.append(word[1:], False)) | sign
        else:
            begins = (word & ~inside_word) | sign
        begin_places = places[begins]
        self.starts: NDArray[np.int32] = offsets[begin_places]
        """Where texts may begin, in order."""
        barriers = np.append(offsets[:-1][barrier], size).astype(np.int32)
        self._most = np.minimum(self.starts + MAX_TEXT, barriers[np.searchsorted(barriers, self.starts)]).astype(np.int32)
        least = self.next_end[self.starts + 1] if len(self.starts) else self.starts
        self.all = self._starts(least, self._most)
        """Texts for a find, a quote or the start of an abbreviated one."""
        self._tail_least = self._long_enough(begin_places, mark, silent, gap, offsets, begins_word)
        tails = self._tail_least <= self._most
        self._tails = self.starts[tails]
        self._tails_least = self._tail_least[tails]
        self._openings: dict[int, Openings] = {}
        self.first_tokens: dict[int, tuple[int, NDArray[np.int64]]] = {}
        """The ids of the first tokens of `all`, by node, and how many tokens they need behind them; filled where they are
        made."""
        self._text = text
        self._without: tuple[int, PageSpans] | None = None

    def without_end(self, offset: int) -> "PageSpans":
        """The same texts, but none that ends where the page's text has an offset, unless it stands elsewhere too.

        If nothing could be said behind it, it may be said.
        """
        if self._without is None or self._without[0] != offset:
            self._without = offset, self._made_without(offset)
        return self._without[1]

    def _made_without(self, offset: int) -> "PageSpans":
        place = min(len(self._form(self._text[:offset]).encode()), len(self.form) - 1)
        later = int(self.next_end[place + 1]) if self.is_end[place] else NOWHERE
        if later == NOWHERE or self.form.find(b"\n", place) < later:
            return self
        spans = copy.copy(self)
        spans.is_end, spans.next_end = self.is_end.copy(), self.next_end.copy()
        spans.is_end[place] = False
        first = int(np.searchsorted(self.next_end, place))
        spans.next_end[first : place + 1] = later
        spans.next_end_list = spans.next_end.data
        least = np.where(self.all.least == place, np.int32(later), self.all.least)
        spans.all = self._starts(least, self._most)
        spans.first_tokens = {}
        return spans

    def _form(self, text: str) -> str:
        """A text of the page, or its beginning, in the form of the vocabulary."""
        return self._vocabulary.form_inside(_UNWRITTEN.sub("\n", " ".join(text.split()))) if text else ""

    def _starts(self, least: "NDArray[np.int32]", most: "NDArray[np.int32]") -> Starts:
        return Starts(least, np.where(least <= most, most, np.int32(-1)))

    def _long_enough(
        self,
        begins: "NDArray[np.int32]",
        mark: "NDArray[np.bool_]",
        silent: "NDArray[np.bool_]",
        gap: "NDArray[np.bool_]",
        offsets: "NDArray[np.int32]",
        begins_word: "NDArray[np.bool_]",
    ) -> "NDArray[np.int32]":
        """The first end that makes each text long enough for an end of an abbreviated quote."""
        if not len(begins):
            return self.starts
        count = len(gap)
        shown = np.concatenate([[0], np.cumsum(~silent)])
        texts = begins + mark[begins]  # a mark at the beginning shows nothing
        by_characters = np.searchsorted(shown, shown[texts] + MIN_END_CHARACTERS)
        words = np.flatnonzero(begins_word)
        later = np.searchsorted(words, texts, side="right") + MIN_END_WORDS - 2
        by_words = np.append(words, count)[np.minimum(later, len(words))] + 1
        place = np.minimum(by_characters, by_words)
        least: NDArray[np.int32] = np.where(place <= count, self.next_end[offsets[np.minimum(place, count)]], NOWHERE)
        return least

    @cached_property
    def least_need(self) -> int:
        """Bytes of the shortest text; 0: there is none."""
        possible = self.all.most >= 0
        return int((self.all.least - self.starts)[possible].min()) if possible.any() else 0

    def openings(self, node: int) -> Openings:
        """The first tokens of texts that go on from a node of the tree. Computed once."""
        found = self._openings.get(node)
        if found is None:
            found = self._openings[node] = self._walk(node)
        return found

    def _walk(self, node: int) -> Openings:
        vocabulary = self._vocabulary
        rows = np.flatnonzero(self.all.most >= 0).astype(np.int32)
        cursors = self.starts[rows]
        nodes = np.full(len(rows), node, np.int32)
        kept: list[tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]] = []
        while len(rows):
            nodes = vocabulary.step(nodes, self.bytes[cursors])
            going = nodes >= 0
            rows, nodes, cursors = rows[going], nodes[going], cursors[going] + np.int32(1)
            told = vocabulary.is_token[nodes] | (vocabulary.line_end[nodes] >= 0)
            kept.append((rows[told], nodes[told], cursors[told]))
            inner = vocabulary.has_children[nodes]
            rows, nodes, cursors = rows[inner], nodes[inner], cursors[inner]
        if not kept:
            return Openings(rows, nodes, cursors)
        return Openings(*(np.concatenate(column) for column in zip(*kept, strict=True)))

    def tails(self, heads: "NDArray[np.int32]", length: int) -> Starts:
        """Where the end of an abbreviated quote may begin.

        Args:
            heads: Where its start ends, in order.
            length: Bytes of its start.
        """
        nearest = np.searchsorted(heads, self.starts, side="right") - 1
        head = heads[np.maximum(nearest, 0)]
        most = np.where(nearest >= 0, np.minimum(self._most, self._last_end(head - length)), -1)
        return self._starts(self._tail_least, most.astype(np.int32))

    def nearest_tail(self, head: int, length: int) -> int | None:
        """Bytes that the end of an abbreviated quote needs, if it begins as soon as it can; None: it cannot."""
        index = int(np.searchsorted(self._tails, head))
        if index == len(self._tails) or self._tails_least[index] > self._last_end(np.array([head - length]))[0]:
            return None
        return int(self._tails_least[index] - self._tails[index])

    def _last_end(self, begins: "NDArray[np.int32]") -> "NDArray[np.int32]":
        """Where a stretch of as many words as are allowed must have ended; one that begins inside a word counts it."""
        last = self._words_before[begins] + MAX_QUOTE_WORDS - 1
        words = np.append(self._words, len(self.form) - 1)
        ends: NDArray[np.int32] = words[np.minimum(last, len(words) - 1)].astype(np.int32)
        return ends
