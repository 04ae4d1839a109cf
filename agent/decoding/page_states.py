"""The states of the automaton inside texts of the page, which a find or a quote may contain.

A text may be at several places of the page, so a state holds all offsets at which the page reads like the text so far. Each
offset has the range in which its text may end (`EndBounds`); an offset whose range becomes empty is dropped.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from agent.decoding.boundaries import Offsets
from agent.decoding.page_text import EndBounds, PageText
from agent.decoding.states import AllowedTokens, Complete, State
from agent.decoding.token_trie import LINE_FEED, TokenTrie
from browser_env.pages.characters import ELLIPSIS_BAR
from browser_env.pages.matching import MIN_END_CHARACTERS, MIN_END_WORDS

UNLIMITED = 1 << 20
"""Number of tokens above the length of any command."""
MAX_LOOPED = 24
"""Maximum number of offsets to process one by one, where a loop is faster than NumPy."""

BAR = ELLIPSIS_BAR.encode()
"""The bar between the head and the tail of an abbreviated quote, several bytes."""

HeadEnds = dict[int, tuple[int, Offsets]]
"""Ends of heads, by the trie node at which a bar may follow: number of the token's bytes up to that node, and offsets on the
page."""


@dataclass(slots=True)
class TextStart:
    """The position before the first byte of a text."""

    page_text: PageText
    trie: TokenTrie
    bounds: EndBounds
    """The ends allowed for each of the page's starts."""
    can_abbreviate: bool
    """Whether the text may be the head of an abbreviated quote."""

    def collect(self, node: int, remaining: int, allowed: AllowedTokens) -> None:
        if self.bounds is not self.page_text.end_bounds:
            self._collect(node, remaining, allowed)
            return
        # With many tokens remaining, the result is the same for every completion on this page.
        cache = self.page_text.first_token_ids
        if node not in cache:
            unlimited = AllowedTokens(self.trie)
            cache[node] = (self._collect(node, UNLIMITED, unlimited), unlimited.ids())
        need, ids = cache[node]
        if need < remaining:
            allowed.arrays.append(ids)
        else:
            self._collect(node, remaining, allowed)

    def _collect(self, node: int, remaining: int, allowed: AllowedTokens) -> int:
        """Collect the tokens; returns the maximum number of tokens that a text needs after any of them."""
        trie, first_tokens = self.trie, self.page_text.first_tokens(node)
        if not len(first_tokens.start):
            return 0
        min_end, max_end = self.bounds.min_end[first_tokens.start], self.bounds.max_end[first_tokens.start]
        end = np.maximum(min_end, self.page_text.next_end[first_tokens.offset])
        fits = end <= max_end
        need = end - first_tokens.offset + 1  # at most a token for each byte, and one for the line feed
        is_reached = np.zeros(len(trie.is_token), bool)
        is_reached[first_tokens.node[fits & (need < remaining)]] = True
        for token_node in np.flatnonzero(is_reached & trie.is_token).tolist():
            allowed.add_node(token_node)
        is_reached[:] = False
        is_reached[first_tokens.node[fits & (need == 1)]] = True
        for end_node in np.flatnonzero(is_reached & (trie.line_feed_child >= 0)).tolist():
            allowed.add_line_end(end_node)
        return int(need[fits].max()) if fits.any() else 0

    def step(self, byte: int) -> Iterable[State]:
        matches = (self.page_text.bytes[self.page_text.starts] == byte) & (self.bounds.max_end >= 0)
        offsets = self.page_text.starts[matches] + np.int32(1)
        return _text_states(self, offsets, self.bounds.min_end[matches], self.bounds.max_end[matches], 1)


def _text_states(
    state: "TextStart | TextState", offsets: Offsets, min_end: Offsets, max_end: Offsets, length: int
) -> "list[State]":
    """The state after some bytes of a text, at the offsets from which the text can still end; none if there are none."""
    can_end = np.maximum(min_end, state.page_text.next_end[offsets]) <= max_end
    if not can_end.any():
        return []
    if not can_end.all():
        offsets, min_end, max_end = offsets[can_end], min_end[can_end], max_end[can_end]
    return [TextState(state.page_text, state.trie, state.can_abbreviate, offsets, min_end, max_end, length)]


@dataclass(slots=True)
class TextState:
    """A position inside a text; arrays have shape (N,), for the N places of the page that read like the text so far."""

    page_text: PageText
    trie: TokenTrie
    can_abbreviate: bool
    offsets: Offsets
    """The position at each place."""
    min_end: Offsets
    max_end: Offsets
    length: int
    """Length of the text so far, in bytes."""

    def collect(self, node: int, remaining: int, allowed: AllowedTokens) -> None:
        ends = self._ends()
        if len(ends):
            allowed.add_line_end(0)
            if self.can_abbreviate:
                self._collect_bar(0, ends, 0, remaining, allowed)
        collect = self._collect_looped if len(self.offsets) <= MAX_LOOPED else self._collect_vectorized
        for end_node, (num_bytes, head_ends) in collect(remaining, allowed).items():
            self._collect_bar(end_node, head_ends, num_bytes, remaining, allowed)

    def _collect_looped(self, remaining: int, allowed: AllowedTokens) -> HeadEnds:
        """Descend the trie along the page from one offset after the other."""
        children, tokens_at = self.trie.children, self.trie.tokens_at
        form, next_end = self.page_text.form, self.page_text.next_end_items
        head_ends: dict[int, tuple[int, list[int]]] = {}
        for start, min_end, max_end in zip(self.offsets.tolist(), self.min_end.tolist(), self.max_end.tolist(), strict=True):
            node, offset = 0, start
            while (child := children.get(node << 8 | form[offset])) is not None:
                node = child
                offset += 1
                end = max(next_end[offset], min_end)
                if end > max_end:
                    break
                if end - offset + 1 < remaining:
                    allowed.singles.update(tokens_at[node])
                if end == offset:
                    if node << 8 | LINE_FEED in children:
                        allowed.add_line_end(node)
                    if self.can_abbreviate and node << 8 | BAR[0] in children:
                        head_ends.setdefault(node, (offset - start, []))[1].append(offset)
        return {node: (num_bytes, np.array(ends, np.int32)) for node, (num_bytes, ends) in head_ends.items()}

    def _collect_vectorized(self, remaining: int, allowed: AllowedTokens) -> HeadEnds:
        """Descend the trie along the page from all offsets at once, one byte at a time."""
        trie, page_text = self.trie, self.page_text
        offsets, min_end, max_end = self.offsets, self.min_end, self.max_end
        nodes = np.zeros(len(offsets), np.int32)
        is_reached = np.zeros(len(trie.is_token), bool)
        head_ends: HeadEnds = {}
        num_bytes = 0
        while len(nodes):
            num_bytes += 1
            nodes = trie.step(nodes, page_text.bytes[offsets])
            offsets = offsets + np.int32(1)
            end = np.maximum(page_text.next_end[offsets], min_end)
            alive = (nodes >= 0) & (end <= max_end)
            nodes, offsets, min_end, max_end, end = nodes[alive], offsets[alive], min_end[alive], max_end[alive], end[alive]
            is_reached[nodes[end - offsets + 1 < remaining]] = True
            for node in np.unique(nodes[end == offsets]).tolist():
                allowed.add_line_end(node)
                if self.can_abbreviate and node << 8 | BAR[0] in trie.children:
                    head_ends[node] = (num_bytes, offsets[(nodes == node) & (end == offsets)])
        for node in np.flatnonzero(is_reached & trie.is_token).tolist():
            allowed.add_node(node)
        return head_ends

    def _ends(self) -> Offsets:
        """The offsets at which the text may end as it is."""
        return self.offsets[self.page_text.is_end[self.offsets] & (self.offsets >= self.min_end)]

    def _tail_need(self, head_end: int, head_length: int) -> int | None:
        """Maximum number of tokens of the nearest tail and its line feed; None if the head is too short or has no tail."""
        head = self.trie.denormalize(self.page_text.form[head_end - head_length : head_end])
        if len(head.split()) < MIN_END_WORDS and len(head.strip()) < MIN_END_CHARACTERS:
            return None
        tail_length = self.page_text.nearest_tail_length(head_end, head_length)
        return None if tail_length is None else tail_length + 1

    def _collect_bar(self, node: int, head_ends: Offsets, num_bytes: int, remaining: int, allowed: AllowedTokens) -> None:
        """Collect the tokens that contain the bar after further bytes of the head, which have led to a trie node."""
        head_length = self.length + num_bytes
        need = self._tail_need(int(head_ends[0]), head_length)
        if need is not None:
            BarState(self.page_text, self.trie, head_ends, head_length, 0, need).collect(node, remaining, allowed)

    def advance(self, piece: bytes) -> Iterable[State] | None:
        """The states after all bytes of a token, faster than by steps; None if the text may end within it."""
        if LINE_FEED in piece or BAR[0] in piece:
            return None
        offsets, min_end, max_end = self.offsets, self.min_end, self.max_end
        if len(offsets) <= MAX_LOOPED:
            form = self.page_text.form
            matches = [index for index, offset in enumerate(offsets.tolist()) if form.startswith(piece, offset)]
            if len(matches) < len(offsets):
                offsets, min_end, max_end = offsets[matches], min_end[matches], max_end[matches]
        else:
            page_bytes = self.page_text.bytes
            for index, byte in enumerate(piece):
                # The page's last byte is a line feed, so an offset clipped to it does not match.
                is_match = page_bytes[np.minimum(offsets + np.int32(index), len(page_bytes) - 1)] == byte
                offsets, min_end, max_end = offsets[is_match], min_end[is_match], max_end[is_match]
        return _text_states(self, offsets + np.int32(len(piece)), min_end, max_end, self.length + len(piece))

    def step(self, byte: int) -> Iterable[State]:
        states: list[State] = []
        if byte in (LINE_FEED, BAR[0]):
            ends = self._ends()
            if len(ends) and byte == LINE_FEED:
                return [Complete()]
            if len(ends) and self.can_abbreviate:
                need = self._tail_need(int(ends[0]), self.length)
                if need is not None:
                    states.append(BarState(self.page_text, self.trie, ends, self.length, 1, need))
        matches = self.page_text.bytes[self.offsets] == byte
        if matches.any():
            offsets, min_end, max_end = self.offsets[matches] + np.int32(1), self.min_end[matches], self.max_end[matches]
            states += _text_states(self, offsets, min_end, max_end, self.length + 1)
        return states


@dataclass(slots=True)
class BarState:
    """A position inside the bar of an abbreviated quote."""

    page_text: PageText
    trie: TokenTrie
    head_ends: Offsets
    """Offsets at which the head ends."""
    head_length: int
    """Length of the head in bytes."""
    written: int
    """Number of bytes of the bar that have been written."""
    need: int
    """Maximum number of tokens that are needed after the bar."""

    def collect(self, node: int, remaining: int, allowed: AllowedTokens) -> None:
        for index in range(self.written, len(BAR)):
            child = self.trie.children.get(node << 8 | BAR[index])
            if child is None:
                return
            node = child
            if len(BAR) - index - 1 + self.need < remaining:
                allowed.add_node(node)
        if self.trie.has_children[node]:
            self._tail_start().collect(node, remaining, allowed)

    def _tail_start(self) -> TextStart:
        bounds = self.page_text.tail_bounds(self.head_ends, self.head_length)
        return TextStart(self.page_text, self.trie, bounds, can_abbreviate=False)

    def step(self, byte: int) -> Iterable[State]:
        if byte != BAR[self.written]:
            return ()
        if self.written + 1 == len(BAR):
            return [self._tail_start()]
        return [BarState(self.page_text, self.trie, self.head_ends, self.head_length, self.written + 1, self.need)]
