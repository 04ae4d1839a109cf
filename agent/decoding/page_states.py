"""The ways through the texts of a page: what a find or a quote may say."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from agent.decoding.page_text import PageSpans, Starts
from agent.decoding.states import LINE_FEED, End, Found, Way
from agent.decoding.token_trie import Vocabulary
from browser_env.pages.characters import ELLIPSIS_BAR
from browser_env.pages.matching import MIN_END_CHARACTERS, MIN_END_WORDS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    _Bars = dict[int, tuple[int, NDArray[np.int32]]]

ANY = 1 << 20
"""More tokens than any command needs."""
FEW_PLACES = 24
"""So many places on a page are walked from one by one, which takes less time than all at once would."""

_BAR = ELLIPSIS_BAR.encode()


@dataclass(slots=True)
class Opening:
    """The place before a text of the page."""

    spans: PageSpans
    vocabulary: Vocabulary
    starts: Starts
    can_abbreviate: bool

    def find(self, node: int, left: int, found: Found) -> None:
        if self.starts is not self.spans.all:
            self._find(node, left, found)
            return
        # Where the limit is far it is the same for every completion on this page.
        if node not in self.spans.first_tokens:
            everything = Found(self.vocabulary)
            self.spans.first_tokens[node] = (self._find(node, ANY, everything), everything.ids())
        need, ids = self.spans.first_tokens[node]
        if need < left:
            found.many.append(ids)
        else:
            self._find(node, left, found)

    def _find(self, node: int, left: int, found: Found) -> int:
        """Collect the tokens; returns how many tokens the text needs at most behind any of them."""
        spans, vocabulary, openings = self.spans, self.vocabulary, self.spans.openings(node)
        if not len(openings.row):
            return 0
        least, most = self.starts.least[openings.row], self.starts.most[openings.row]
        end = np.maximum(least, spans.next_end[openings.cursor])
        fits = end <= most
        need = end - openings.cursor + 1
        told = np.zeros(len(vocabulary.is_token), bool)
        told[openings.node[fits & (need < left)]] = True
        for token in np.flatnonzero(told & vocabulary.is_token).tolist():
            found.token(token)
        told[:] = False
        told[openings.node[fits & (need == 1)]] = True
        for ending in np.flatnonzero(told & (vocabulary.line_end >= 0)).tolist():
            found.line_end(ending)
        return int(need[fits].max()) if fits.any() else 0

    def step(self, byte: int) -> "Iterable[Way]":
        at = (self.spans.bytes[self.spans.starts] == byte) & (self.starts.most >= 0)
        cursors = self.spans.starts[at] + np.int32(1)
        return _inside(self, cursors, self.starts.least[at], self.starts.most[at], 1)


def _inside(
    opening: "Opening | Text",
    cursors: "NDArray[np.int32]",
    least: "NDArray[np.int32]",
    most: "NDArray[np.int32]",
    length: int,
) -> "list[Way]":
    """The way on inside a text, at the places where it can come to an end."""
    can_end = np.maximum(least, opening.spans.next_end[cursors]) <= most
    if not can_end.any():
        return []
    if not can_end.all():
        cursors, least, most = cursors[can_end], least[can_end], most[can_end]
    return [Text(opening.spans, opening.vocabulary, opening.can_abbreviate, cursors, least, most, length)]


@dataclass(slots=True)
class Text:
    """Inside a text of the page, at every place of the page where the same stands before."""

    spans: PageSpans
    vocabulary: Vocabulary
    can_abbreviate: bool
    cursors: "NDArray[np.int32]"
    least: "NDArray[np.int32]"
    most: "NDArray[np.int32]"
    length: int
    """Bytes of the text so far."""

    def find(self, node: int, left: int, found: Found) -> None:
        ends = self._ends()
        if len(ends):
            found.line_end(0)
            if self.can_abbreviate:
                self._find_bar(0, ends, 0, left, found)
        bars = self._find_few(left, found) if len(self.cursors) <= FEW_PLACES else self._find_many(left, found)
        for before, (length, behind) in bars.items():
            self._find_bar(before, behind, length, left, found)

    def _find_few(self, left: int, found: Found) -> "_Bars":
        children, ids_at = self.vocabulary.children, self.vocabulary.ids_at
        form, next_end = self.spans.form, self.spans.next_end_list
        bars: dict[int, tuple[int, list[int]]] = {}
        for start, least, most in zip(self.cursors.tolist(), self.least.tolist(), self.most.tolist(), strict=True):
            node, cursor = 0, start
            while (child := children.get(node << 8 | form[cursor])) is not None:
                node = child
                cursor += 1
                end = max(next_end[cursor], least)
                if end > most:
                    break
                if end - cursor + 1 < left:
                    found.some.update(ids_at[node])
                if end == cursor:
                    if node << 8 | LINE_FEED in children:
                        found.line_end(node)
                    if self.can_abbreviate and node << 8 | _BAR[0] in children:
                        bars.setdefault(node, (cursor - start, []))[1].append(cursor)
        return {node: (length, np.array(places, np.int32)) for node, (length, places) in bars.items()}

    def _find_many(self, left: int, found: Found) -> "_Bars":
        vocabulary, spans = self.vocabulary, self.spans
        cursors, least, most = self.cursors, self.least, self.most
        nodes = np.zeros(len(cursors), np.int32)
        told = np.zeros(len(vocabulary.is_token), bool)
        bars: _Bars = {}
        length = 0
        while len(nodes):
            length += 1
            nodes = vocabulary.step(nodes, spans.bytes[cursors])
            cursors = cursors + np.int32(1)
            end = np.maximum(spans.next_end[cursors], least)
            going = (nodes >= 0) & (end <= most)
            nodes, cursors, least, most, end = nodes[going], cursors[going], least[going], most[going], end[going]
            told[nodes[end - cursors + 1 < left]] = True
            for node in np.unique(nodes[end == cursors]).tolist():
                found.line_end(node)
                if self.can_abbreviate and node << 8 | _BAR[0] in vocabulary.children:
                    bars[node] = (length, cursors[(nodes == node) & (end == cursors)])
        for node in np.flatnonzero(told & vocabulary.is_token).tolist():
            found.token(node)
        return bars

    def _ends(self) -> "NDArray[np.int32]":
        """Where the text may end here and now."""
        return self.cursors[self.spans.is_end[self.cursors] & (self.cursors >= self.least)]

    def _tail_need(self, end: int, length: int) -> int | None:
        """Tokens that an abbreviated quote needs behind its bar if its start ends here; None: it cannot."""
        text = self.vocabulary.text_of(self.spans.form[end - length : end])
        if len(text.split()) < MIN_END_WORDS and len(text.strip()) < MIN_END_CHARACTERS:
            return None
        tail = self.spans.nearest_tail(end, length)
        return None if tail is None else tail + 1

    def _find_bar(self, node: int, ends: "NDArray[np.int32]", more: int, left: int, found: Found) -> None:
        """Tokens that hold the bar, behind some more bytes of the start, which have led to a node of the tree."""
        length = self.length + more
        need = self._tail_need(int(ends[0]), length)
        if need is not None:
            _Bar(self.spans, self.vocabulary, ends, length, 0, need).find(node, left, found)

    def write(self, piece: bytes) -> "Iterable[Way] | None":
        """All the steps of a token at once, which is faster; None: they must be taken one by one."""
        if LINE_FEED in piece or _BAR[0] in piece:
            return None
        cursors, least, most = self.cursors, self.least, self.most
        if len(cursors) <= FEW_PLACES:
            form = self.spans.form
            kept = [index for index, cursor in enumerate(cursors.tolist()) if form.startswith(piece, cursor)]
            if len(kept) < len(cursors):
                cursors, least, most = cursors[kept], least[kept], most[kept]
        else:
            for offset, byte in enumerate(piece):
                # What is behind the end of the page was left before.
                at = self.spans.bytes[np.minimum(cursors + np.int32(offset), len(self.spans.bytes) - 1)] == byte
                cursors, least, most = cursors[at], least[at], most[at]
        return _inside(self, cursors + np.int32(len(piece)), least, most, self.length + len(piece))

    def step(self, byte: int) -> Iterable[Way]:
        ways: list[Way] = []
        if byte in (LINE_FEED, _BAR[0]):
            ends = self._ends()
            if len(ends) and byte == LINE_FEED:
                return [End()]
            if len(ends) and self.can_abbreviate:
                need = self._tail_need(int(ends[0]), self.length)
                if need is not None:
                    ways.append(_Bar(self.spans, self.vocabulary, ends, self.length, 1, need))
        at = self.spans.bytes[self.cursors] == byte
        if at.any():
            cursors, least, most = self.cursors[at] + np.int32(1), self.least[at], self.most[at]
            ways += _inside(self, cursors, least, most, self.length + 1)
        return ways


@dataclass(slots=True)
class _Bar:
    """Inside the bar of an abbreviated quote, which is several bytes."""

    spans: PageSpans
    vocabulary: Vocabulary
    heads: "NDArray[np.int32]"
    """Where its start ends on the page."""
    length: int
    """Bytes of its start."""
    written: int
    """Bytes of the bar that are written."""
    need: int
    """Tokens that are needed behind the bar."""

    def find(self, node: int, left: int, found: Found) -> None:
        vocabulary = self.vocabulary
        for written in range(self.written, len(_BAR)):
            child = vocabulary.children.get(node << 8 | _BAR[written])
            if child is None:
                return
            node = child
            if len(_BAR) - written - 1 + self.need < left:
                found.token(node)
        if vocabulary.has_children[node]:
            self._tail().find(node, left, found)

    def _tail(self) -> Opening:
        return Opening(self.spans, self.vocabulary, self.spans.tails(self.heads, self.length), can_abbreviate=False)

    def step(self, byte: int) -> Iterable[Way]:
        if byte != _BAR[self.written]:
            return ()
        if self.written + 1 == len(_BAR):
            return [self._tail()]
        return [_Bar(self.spans, self.vocabulary, self.heads, self.length, self.written + 1, self.need)]
