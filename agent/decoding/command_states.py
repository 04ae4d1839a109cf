"""The ways through the words of the commands, up to where the text of a search, a find or a quote begins."""

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from agent.decoding.page_states import ANY, Opening
from agent.decoding.page_text import PageSpans
from agent.decoding.states import LINE_FEED, End, Found, Queries, Query, Way
from agent.decoding.token_trie import Vocabulary
from browser_env.actions import MAX_SCROLLS, EndReason

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ids = NDArray[np.int64]

MAX_LISTS, MAX_TABLES = 256, 4_096
"""Lists of commands, and of what may follow in them, that are kept."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a state allows."""

    has_back: bool
    num_links: int
    text_need: int
    """Bytes of the shortest text of the page; 0: it has none."""
    can_quote: bool


@dataclass(frozen=True, slots=True)
class _Table:
    """What may follow the beginning of a command."""

    tokens: tuple[tuple[int, int], ...]
    """Nodes that tokens lead to, and how many tokens the command needs behind them at least."""
    endings: tuple[int, ...]
    """Nodes at which a command is complete but for its line break."""
    openings: tuple[tuple[str, int], ...]
    """Commands whose words are complete at a node, so that a token may hold the beginning of their text too."""
    ample: "Ids"
    """All but what comes of `openings`, in order."""


class Commands:
    """The words of the commands."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        form = vocabulary.form
        ends = [f"End: {reason.value}" for reason in EndReason]
        scrolls = [f"Scrolled {way} {times}" for way in ("down", "up") for times in range(1, MAX_SCROLLS + 1)]
        self._fixed = tuple(form(f"{command}\n") for command in ("Top", *scrolls, *ends))
        self._back = form("Back\n")
        self._click = form("Clicked on link 0\n").removesuffix(b"0\n")
        signs = {"find": "Find in page: ", "quote": "Quote: "}
        self.words = {form(f"{words}(")[:-1]: kind for kind, words in signs.items()}
        """What stands before a text, by its form."""
        # Before a word something else may stand than before a sign.
        self.words |= {form(f"Search {text}")[:-1]: "search" for text in "(a"}
        self._lists: OrderedDict[tuple[bool, int], list[bytes]] = OrderedDict()
        self._tables: OrderedDict[tuple[Options, bytes], _Table] = OrderedDict()

    def complete(self, options: Options) -> list[bytes]:
        """The forms of all commands that have no text, in order."""
        key = (options.has_back, options.num_links)
        found = self._lists.get(key)
        if found is None:
            clicks = (self._click + b"%d\n" % number for number in range(options.num_links))
            found = self._lists[key] = sorted([*self._fixed, *clicks, *([self._back] if options.has_back else [])])
            if len(self._lists) > MAX_LISTS:
                self._lists.popitem(last=False)
        return found

    def opening(self, options: Options) -> Iterator[tuple[bytes, str, int]]:
        """The words of the commands that have a text, what they are, and how many tokens their text needs with its end."""
        for words, kind in self.words.items():
            if kind == "search":
                yield words, kind, 2
            elif options.text_need and (kind == "find" or options.can_quote):
                yield words, kind, options.text_need + 1

    def table(self, options: Options, written: bytes) -> _Table:
        """What may follow."""
        table = self._tables.get((options, written))
        if table is None:
            table = self._tables[options, written] = self._table(options, written)
            if len(self._tables) > MAX_TABLES:
                self._tables.popitem(last=False)
        return table

    def _table(self, options: Options, written: bytes) -> _Table:
        vocabulary = self.vocabulary
        needs: dict[int, int] = {}
        endings: list[int] = []
        openings: list[tuple[str, int]] = []
        for words, kind, need in self.opening(options):
            if not words.startswith(written) or words == written:
                continue
            rest, node = words[len(written) :], 0
            for index, byte in enumerate(rest, start=1):
                child = vocabulary.children.get(node << 8 | byte)
                if child is None:
                    break
                node = child
                total = vocabulary.fewest_tokens(rest[index:]) + need
                needs[node] = min(needs.get(node, ANY), total)
            else:
                if vocabulary.has_children[node]:
                    openings.append((kind, node))
        self._descend(self.complete(options), written, needs, endings)
        tokens = tuple((node, need) for node, need in needs.items() if vocabulary.ids_at[node])
        found = Found(vocabulary)
        for node, _ in tokens:
            found.token(node)
        for node in endings:
            found.line_end(node)
        return _Table(tokens, tuple(endings), tuple(openings), found.ids())

    def _descend(self, commands: list[bytes], written: bytes, needs: dict[int, int], endings: list[int]) -> None:
        """Go down the tree along all commands that begin so."""
        vocabulary = self.vocabulary
        waiting = [(written, 0, *_range(commands, written, 0, len(commands)))]
        while waiting:
            prefix, node, first, last = waiting.pop()
            if node:
                # The first of a range is the shortest of it, or nearly.
                need = vocabulary.fewest_tokens(commands[first][len(prefix) :])
                needs[node] = min(needs.get(node, ANY), need)
            while first < last:
                byte = commands[first][len(prefix)]
                longer = prefix + bytes([byte])
                behind = _range(commands, longer, first, last)
                child = vocabulary.children.get(node << 8 | byte)
                if byte == LINE_FEED:
                    endings.append(node)
                elif child is not None:
                    waiting.append((longer, child, *behind))
                first = behind[1]


def _range(commands: list[bytes], prefix: bytes, low: int, high: int) -> tuple[int, int]:
    """Where the commands that begin with something stand in a part of the list."""
    first = bisect_left(commands, prefix, low, high)
    return first, bisect_left(commands, prefix + b"\xff", first, high)


@dataclass(slots=True)
class Menu:
    """The beginning of a command."""

    commands: Commands
    queries: Queries
    options: Options
    spans: PageSpans
    findable: PageSpans
    """The texts that a find may say."""
    written: bytes

    def find(self, node: int, left: int, found: Found) -> None:
        table = self.commands.table(self.options, self.written)
        if left >= ANY or left > self._most_needed:
            found.many.append(table.ample)
        else:
            for token, need in table.tokens:
                if need < left:
                    found.token(token)
            for ending in table.endings:
                found.line_end(ending)
        for kind, opening in table.openings:
            self._way(kind).find(opening, left, found)

    @property
    def _most_needed(self) -> int:
        """No command needs more tokens than this, however it begins: its words byte by byte and the shortest text."""
        return 40 + self.options.text_need

    def step(self, byte: int) -> Iterable[Way]:
        written = self.written + bytes([byte])
        for words, kind, _ in self.commands.opening(self.options):
            if words == written:
                return [self._way(kind)]
        complete = self.commands.complete(self.options)
        first, last = _range(complete, written, 0, len(complete))
        if first < last:
            if byte == LINE_FEED:
                return [End()]
        elif not any(words.startswith(written) for words, *_ in self.commands.opening(self.options)):
            return ()
        return [Menu(self.commands, self.queries, self.options, self.spans, self.findable, written)]

    def _way(self, kind: str) -> Way:
        if kind == "search":
            return Query(self.queries, b"")
        spans = self.findable if kind == "find" else self.spans
        return Opening(spans, self.commands.vocabulary, spans.all, can_abbreviate=kind == "quote")
