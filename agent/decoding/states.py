"""States of the decoding automaton: the protocol, and the states inside queries and answers, which a page does not constrain.

The automaton reads bytes, but a model writes tokens. A state therefore has two operations: `State.step` moves over one byte,
and `State.collect` descends the token trie along the byte strings that the state accepts, to collect their first tokens.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from agent.decoding.token_trie import LINE_FEED, TokenIds, TokenTrie
from browser_env.pages.characters import END_OF_FIELD, LINE_BREAKS, clean

MAX_TEXT = 4_000
"""Maximum length of a query or a text of the page, in bytes. An abbreviated quote of two such texts fits into the longest
command that the environment accepts."""

_STOP = END_OF_FIELD.encode()
_LINE_BREAKS = tuple(character.encode() for character in LINE_BREAKS if character != "\n")
_VISIBLE_ASCII = frozenset(range(ord("!"), ord("~") + 1))


class AllowedTokens:
    """The set of allowed tokens, collected over all states of the automaton."""

    def __init__(self, trie: TokenTrie) -> None:
        self.trie = trie
        self.singles: set[int] = set()
        self.arrays: list[TokenIds] = []

    def add_node(self, node: int) -> None:
        """Add the tokens whose bytes end at a node."""
        self.singles.update(self.trie.tokens_at[node])

    def add_line_end(self, node: int) -> None:
        """Add the tokens that continue with a line feed after a node at which a line is complete.

        At the root the end-of-text tokens are added too: they complete a line as well as a line feed does.
        """
        child = int(self.trie.line_feed_child[node])
        if child >= 0:
            self.arrays.append(self.trie.tokens_below(child))
        if node == 0:
            self.singles.update(self.trie.end_ids)

    def ids(self) -> TokenIds:
        """The token ids, in ascending order and without duplicates."""
        singles = np.fromiter(self.singles, np.int64, len(self.singles))
        singles.sort()
        if not self.arrays:
            return singles
        if len(self.arrays) == 1 and not len(singles):
            return self.arrays[0] if _is_ascending(self.arrays[0]) else np.sort(self.arrays[0])
        return np.unique(np.concatenate([singles, *self.arrays]))


def _is_ascending(ids: TokenIds) -> bool:
    return bool((ids[1:] > ids[:-1]).all())


class State(Protocol):
    """A state of the automaton: a position in a command or an answer."""

    def collect(self, node: int, remaining: int, allowed: AllowedTokens) -> None:
        """Collect the tokens that continue from this state.

        Args:
            node: The trie node that the token's first bytes, read in earlier states, have led to; 0 at the token's start.
            remaining: Number of tokens that may still be written, this one included. A token is left out if the command cannot
                be completed within them.
            allowed: The collection to add the tokens to.
        """
        ...

    def step(self, byte: int) -> "Iterable[State]":
        """The states after a byte; none if the byte is not accepted."""
        ...


class Complete:
    """The state after a complete command."""

    def collect(self, node: int, remaining: int, allowed: AllowedTokens) -> None:
        pass

    def step(self, byte: int) -> Iterable[State]:
        return ()


class QueryTokens:
    """The allowed tokens of queries: no line break except at the end, and at least one visible character."""

    VISIBLE, BLANK, VISIBLE_END, END = 1, 2, 3, 4
    """Kinds of tokens: text with a visible character, white space only, and both followed by a line feed."""

    def __init__(self, trie: TokenTrie) -> None:
        self.trie = trie
        self._kinds = np.zeros(len(trie.pieces), np.int8)
        for token_id, piece in enumerate(trie.pieces):
            if piece:
                self._kinds[token_id] = self._kind(piece)
        self._cache: dict[tuple[bool, int, bytes, bool], TokenIds] = {}

    def _kind(self, piece: bytes) -> int:
        text, line_feed, _ = piece.partition(b"\n")
        if any(line_break in text for line_break in _LINE_BREAKS):
            return 0
        if self.is_visible(text):
            return self.VISIBLE_END if line_feed else self.VISIBLE
        return self.END if line_feed else self.BLANK

    def is_visible(self, text: bytes) -> bool:
        """Whether a text has any character other than white space."""
        return not _VISIBLE_ASCII.isdisjoint(text) or bool(self.trie.denormalize(text).strip())

    def allowed(self, node: int, has_visible: bool, remaining: int, tail: bytes, is_full: bool) -> TokenIds:
        """The tokens that may come next.

        Args:
            node: The trie node that the token's first bytes have led to.
            has_visible: Whether the query has a visible character.
            remaining: Number of tokens that may still be written.
            tail: The last two bytes of the query.
            is_full: Whether the query has reached `MAX_TEXT` and must end.
        """
        if not any(tail.endswith(part[:size]) for part in _LINE_BREAKS for size in range(1, len(part))):
            tail = b""
        if node != 0:
            return self._allowed(node, has_visible, remaining, tail, is_full)
        key = (has_visible, min(remaining, 3), tail, is_full)
        ids = self._cache.get(key)
        if ids is None:
            ids = self._cache[key] = self._allowed(node, has_visible, remaining, tail, is_full)
        return ids

    def _allowed(self, node: int, has_visible: bool, remaining: int, tail: bytes, is_full: bool) -> TokenIds:
        kinds = []
        if remaining >= 2 and not (is_full and has_visible):
            kinds.append(self.VISIBLE)
        if remaining >= (2 if has_visible else 3) and not is_full:
            kinds.append(self.BLANK)
        if node == 0:
            kinds += [self.VISIBLE_END, *([self.END] if has_visible else [])]
        ids = self.trie.tokens_below(node)
        ids = ids[np.isin(self._kinds[ids], kinds)]
        for line_break in _LINE_BREAKS:
            ids = _without_completions(self.trie, ids, tail, line_break)
        return np.sort(np.concatenate([ids, np.array(self.trie.end_ids if has_visible and node == 0 else (), np.int64)]))


def _without_completions(trie: TokenTrie, ids: TokenIds, tail: bytes, character: bytes) -> TokenIds:
    """Token ids without those that complete a multi-byte character whose first bytes end a text."""
    for size in range(1, len(character)):
        node = trie.find(character[size:])
        if tail.endswith(character[:size]) and node is not None:
            ids = np.setdiff1d(ids, trie.tokens_below(node))
    return ids


@dataclass(slots=True)
class QueryState:
    """A position inside a query."""

    tokens: QueryTokens
    text: bytes
    """The query so far."""
    has_visible: bool = False

    def collect(self, node: int, remaining: int, allowed: AllowedTokens) -> None:
        is_full = len(self.text) > MAX_TEXT
        allowed.arrays.append(self.tokens.allowed(node, self.has_visible, remaining, self.text[-2:], is_full))

    def step(self, byte: int) -> Iterable[State]:
        if byte == LINE_FEED:
            return [Complete()] if self.has_visible else ()
        text = self.text + bytes([byte])
        return [QueryState(self.tokens, text, self.has_visible or self.tokens.is_visible(text))]


class AnswerTokens:
    """The allowed tokens of answers: any text, and an end once there is a visible character."""

    def __init__(self, trie: TokenTrie) -> None:
        self.trie = trie
        self._text_tokens = np.sort(trie.text_tokens)
        self.all = np.union1d(self._text_tokens, np.array(trie.end_ids, np.int64))
        """All text tokens and the end-of-text tokens: allowed once there is a visible character."""
        is_visible = [piece is not None and self.is_visible(piece.partition(_STOP)[0]) for piece in trie.pieces]
        self._is_visible = np.array(is_visible, bool)
        has_stop = [piece is not None and _STOP in piece for piece in trie.pieces]
        self._ends_blank = np.array(has_stop, bool) & ~self._is_visible

    def is_visible(self, text: bytes) -> bool:
        """Whether a text has a character that remains when records clean and strip it."""
        return not _VISIBLE_ASCII.isdisjoint(text) or bool(clean(self.trie.denormalize(text)).strip())

    def allowed_while_blank(self, text: bytes, remaining: int) -> TokenIds:
        """The tokens that may follow a text without a visible character."""
        ids = self._text_tokens[~self._ends_blank[self._text_tokens]]
        ids = _without_completions(self.trie, ids, text, _STOP)
        return ids[self._is_visible[ids]] if remaining == 1 else ids


@dataclass(slots=True)
class AnswerState:
    """A position inside an answer."""

    tokens: AnswerTokens
    text: bytes
    """The answer so far, up to its first visible character."""
    has_visible: bool = False

    def collect(self, node: int, remaining: int, allowed: AllowedTokens) -> None:
        allowed.arrays.append(self.tokens.all if self.has_visible else self.tokens.allowed_while_blank(self.text, remaining))

    def step(self, byte: int) -> Iterable[State]:
        if self.has_visible:
            return [self]
        text = self.text + bytes([byte])
        return [AnswerState(self.tokens, text, self.tokens.is_visible(text))]
