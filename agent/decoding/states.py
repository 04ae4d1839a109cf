"""The ways that a completion may go on: what they have in common, and those through free texts, queries and answers.

A way is asked for tokens by walking the tree of the vocabulary along it, and goes on byte by byte as tokens are written.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from agent.decoding.token_trie import Vocabulary
from browser_env.pages.characters import END_OF_FIELD, LINE_BREAKS, clean

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ids = NDArray[np.int64]

LINE_FEED = 10
"""The byte that ends a command."""
MAX_TEXT = 4_000
"""Bytes of the longest text: two of them and a command are shorter than the longest command of the environment."""

_STOP = END_OF_FIELD.encode()
_BREAKS = tuple(character.encode() for character in LINE_BREAKS if character != "\n")
_INK = frozenset(range(ord("!"), ord("~") + 1))


class Found:
    """Tokens, collected from all ways."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.some: set[int] = set()
        self.many: list[Ids] = []

    def token(self, node: int) -> None:
        """The tokens that lead to a node."""
        self.some.update(self.vocabulary.ids_at[node])

    def line_end(self, node: int) -> None:
        """The tokens that end a line which is complete at a node."""
        behind = int(self.vocabulary.line_end[node])
        if behind >= 0:
            self.many.append(self.vocabulary.below(behind))
        if node == 0:
            self.some.update(self.vocabulary.end_ids)

    def ids(self) -> "Ids":
        """All of them, in order."""
        some = np.fromiter(self.some, np.int64, len(self.some))
        some.sort()
        if not self.many:
            return some
        if len(self.many) == 1 and not len(some):
            return self.many[0] if _is_sorted(self.many[0]) else np.sort(self.many[0])
        return np.unique(np.concatenate([some, *self.many]))


def _is_sorted(ids: "Ids") -> bool:
    return bool((ids[1:] > ids[:-1]).all())


class Way(Protocol):
    """Something that may come next."""

    def find(self, node: int, left: int, found: Found) -> None:
        """Collect the tokens that go this way from a node of the tree, which their beginning has led to."""
        ...

    def step(self, byte: int) -> "Iterable[Way]":
        """The ways that are open behind a byte."""
        ...


class End:
    """The command is complete."""

    def find(self, node: int, left: int, found: Found) -> None:
        pass

    def step(self, byte: int) -> Iterable[Way]:
        return ()


class Queries:
    """Which tokens may stand in a query: no line break but the one at its end, and something that can be seen."""

    SHOWS, BLANK, SHOWS_AND_ENDS, ENDS = 1, 2, 3, 4

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self._kinds = np.zeros(len(vocabulary.pieces), np.int8)
        for number, piece in enumerate(vocabulary.pieces):
            if piece:
                text, end, _ = piece.partition(b"\n")
                if not any(character in text for character in _BREAKS):
                    kinds = (self.SHOWS_AND_ENDS, self.SHOWS) if self.shows(text) else (self.ENDS, self.BLANK)
                    self._kinds[number] = kinds[0 if end else 1]
        self._kept: dict[tuple[bool, int, bytes, bool], Ids] = {}

    def shows(self, text: bytes) -> bool:
        """Whether there is anything but white space."""
        return not _INK.isdisjoint(text) or bool(self.vocabulary.text_of(text).strip())

    def allowed(self, node: int, shows: bool, left: int, tail: bytes, is_full: bool) -> "Ids":
        """The tokens that may come next.

        Args:
            node: Of the tree, below which they are.
            shows: Whether anything of the query can be seen.
            left: Tokens that may still be written.
            tail: The end of the query.
            is_full: Whether it must end.
        """
        broken = [part for part in _BREAKS if len(part) > 1 for size in range(1, len(part)) if tail.endswith(part[:size])]
        tail = tail if broken else b""
        key = (shows, min(left, 3), tail, is_full)
        kept = self._kept.get(key) if node == 0 else None
        if kept is None:
            kept = self._find(node, shows, left, tail, is_full)
            if node == 0:
                self._kept[key] = kept
        return kept

    def _find(self, node: int, shows: bool, left: int, tail: bytes, is_full: bool) -> "Ids":
        vocabulary = self.vocabulary
        kinds = []
        if left >= 2 and not (is_full and shows):
            kinds.append(self.SHOWS)
        if left >= (2 if shows else 3) and not is_full:
            kinds.append(self.BLANK)
        if node == 0:
            kinds += [self.SHOWS_AND_ENDS, *([self.ENDS] if shows else [])]
        ids = vocabulary.below(node)
        ids = ids[np.isin(self._kinds[ids], kinds)]
        for part in _BREAKS:
            for size in range(1, len(part)):
                rest = vocabulary.node_at(part[size:])
                if tail.endswith(part[:size]) and rest is not None:
                    ids = np.setdiff1d(ids, vocabulary.below(rest))
        return np.sort(np.concatenate([ids, np.array(vocabulary.end_ids if shows and node == 0 else (), np.int64)]))


@dataclass(slots=True)
class Query:
    """Inside a query."""

    queries: Queries
    text: bytes
    shows: bool = False

    def find(self, node: int, left: int, found: Found) -> None:
        found.many.append(self.queries.allowed(node, self.shows, left, self.text[-2:], len(self.text) > MAX_TEXT))

    def step(self, byte: int) -> Iterable[Way]:
        if byte == LINE_FEED:
            return [End()] if self.shows else ()
        text = self.text + bytes([byte])
        return [Query(self.queries, text, self.shows or self.queries.shows(text))]


class Answers:
    """Which tokens may stand in an answer: all that are text, and its end when there is something to read."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self._text = np.sort(vocabulary.order)
        self.any = np.union1d(self._text, np.array(vocabulary.end_ids, np.int64))
        """Once there is."""
        shows = [piece is not None and self.shows(piece.partition(_STOP)[0]) for piece in vocabulary.pieces]
        self._shows = np.array(shows, bool)
        ends = [piece is not None and _STOP in piece for piece in vocabulary.pieces]
        self._ends = np.array(ends, bool) & ~self._shows

    def shows(self, text: bytes) -> bool:
        """Whether there is anything to read."""
        return not _INK.isdisjoint(text) or bool(clean(self.vocabulary.text_of(text)).strip())

    def beginning(self, text: bytes, left: int) -> "Ids":
        """The tokens that may come next while there is nothing to read."""
        vocabulary = self.vocabulary
        ids = self._text[~self._ends[self._text]]
        for size in range(1, len(_STOP)):
            rest = vocabulary.node_at(_STOP[size:])
            if text.endswith(_STOP[:size]) and rest is not None:
                ids = np.setdiff1d(ids, vocabulary.below(rest))
        shown: Ids = ids[self._shows[ids]] if left == 1 else ids
        return shown


@dataclass(slots=True)
class Answer:
    """Inside an answer."""

    answers: Answers
    text: bytes
    """Until there is something to read."""
    shows: bool = False

    def find(self, node: int, left: int, found: Found) -> None:
        found.many.append(self.answers.any if self.shows else self.answers.beginning(self.text, left))

    def step(self, byte: int) -> Iterable[Way]:
        if self.shows:
            return [self]
        text = self.text + bytes([byte])
        return [Answer(self.answers, text, self.answers.shows(text))]
