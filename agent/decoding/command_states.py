"""The states of the automaton inside the fixed words of a command, up to where a query or a text of the page begins."""

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from agent.decoding.page_states import UNLIMITED, TextStart
from agent.decoding.page_text import PageText
from agent.decoding.states import AllowedTokens, Complete, QueryState, QueryTokens, State
from agent.decoding.token_trie import LINE_FEED, TokenIds, TokenTrie
from browser_env.actions import MAX_SCROLLS, EndReason

MAX_LISTS, MAX_CONTINUATIONS = 256, 4_096
"""Maximum number of entries in the caches of command lists and of continuations."""
MAX_WORD_TOKENS = 40
"""Upper bound of the number of tokens of a command's fixed words, even if every token is one byte."""


@dataclass(frozen=True, slots=True)
class CommandOptions:
    """The commands that are valid in a browser state."""

    has_back: bool
    """Whether there is a page to go back to."""
    num_links: int
    """Link ids are 0 to ``num_links - 1``."""
    shortest_text: int
    """Length in bytes of the shortest text of the page; 0 if the page has no text to find or quote."""
    can_quote: bool


@dataclass(frozen=True, slots=True)
class Continuations:
    """The tokens that may follow the beginning of a command."""

    nodes: tuple[tuple[int, int], ...]
    """Trie nodes of tokens, each with the fewest tokens that complete the command after it."""
    line_ends: tuple[int, ...]
    """Trie nodes at which a command is complete except for its line feed."""
    text_starts: tuple[tuple[str, int], ...]
    """Kinds of commands, each with the trie node at which its fixed words are complete; tokens below it contain the start of a
    text."""
    ids: TokenIds
    """All tokens of `nodes` and `line_ends`."""


@dataclass(slots=True)
class _Descent:
    """The results of a descent of the trie along the commands; see `Continuations`."""

    needs: dict[int, int] = field(default_factory=dict)
    line_ends: list[int] = field(default_factory=list)
    text_starts: list[tuple[str, int]] = field(default_factory=list)

    def visit(self, node: int, need: int) -> None:
        self.needs[node] = min(self.needs.get(node, UNLIMITED), need)


class CommandGrammar:
    """The normalized forms of all commands, and tables of the tokens that continue them."""

    def __init__(self, trie: TokenTrie) -> None:
        self.trie = trie
        normalize = trie.normalize
        ends = [f"End: {reason.value}" for reason in EndReason]
        scrolls = [f"Scrolled {direction} {times}" for direction in ("down", "up") for times in range(1, MAX_SCROLLS + 1)]
        self._fixed = tuple(normalize(f"{command}\n") for command in ("Top", *scrolls, *ends))
        self._back = normalize("Back\n")
        self._click = normalize("Clicked on link 0\n").removesuffix(b"0\n")
        texts = {"find": "Find in page: ", "quote": "Quote: "}
        self.words = {normalize(f"{words}(")[:-1]: kind for kind, words in texts.items()}
        """The kind of command by the words before its text."""
        # The form in front of a letter may differ from the one in front of a punctuation character.
        self.words |= {normalize(f"Search {character}")[:-1]: "search" for character in "(a"}
        self._lists: OrderedDict[tuple[bool, int], list[bytes]] = OrderedDict()
        self._continuations: OrderedDict[tuple[CommandOptions, bytes], Continuations] = OrderedDict()

    def commands_without_text(self, options: CommandOptions) -> list[bytes]:
        """All valid commands that have neither a query nor a text, each with its line feed, in ascending order."""
        key = (options.has_back, options.num_links)
        commands = self._lists.get(key)
        if commands is None:
            clicks = (self._click + b"%d\n" % link for link in range(options.num_links))
            commands = sorted([*self._fixed, *clicks, *([self._back] if options.has_back else [])])
            self._lists[key] = commands
            if len(self._lists) > MAX_LISTS:
                self._lists.popitem(last=False)
        return commands

    def commands_with_text(self, options: CommandOptions) -> Iterator[tuple[bytes, str, int]]:
        """The fixed words and kind of each valid command with a text, and the maximum number of tokens of its shortest text."""
        for words, kind in self.words.items():
            if kind == "search":
                yield words, kind, 2
            elif options.shortest_text and (kind == "find" or options.can_quote):
                yield words, kind, options.shortest_text + 1

    def continuations(self, options: CommandOptions, written: bytes) -> Continuations:
        """The tokens that may follow the beginning of a command."""
        key = (options, written)
        continuations = self._continuations.get(key)
        if continuations is None:
            continuations = self._continuations[key] = self._compute_continuations(options, written)
            if len(self._continuations) > MAX_CONTINUATIONS:
                self._continuations.popitem(last=False)
        return continuations

    def _compute_continuations(self, options: CommandOptions, written: bytes) -> Continuations:
        descent = _Descent()
        for words, kind, need in self.commands_with_text(options):
            if words.startswith(written) and words != written:
                self._descend_words(words[len(written) :], kind, need, descent)
        self._descend_commands(self.commands_without_text(options), written, descent)
        nodes = tuple((node, need) for node, need in descent.needs.items() if self.trie.tokens_at[node])
        allowed = AllowedTokens(self.trie)
        for node, _ in nodes:
            allowed.add_node(node)
        for node in descent.line_ends:
            allowed.add_line_end(node)
        return Continuations(nodes, tuple(descent.line_ends), tuple(descent.text_starts), allowed.ids())

    def _descend_words(self, words: bytes, kind: str, need: int, descent: _Descent) -> None:
        """Descend the trie along the remaining words of a command that has a text."""
        node = 0
        for length, byte in enumerate(words, start=1):
            child = self.trie.children.get(node << 8 | byte)
            if child is None:
                return
            node = child
            descent.visit(node, self.trie.min_tokens(words[length:]) + need)
        if self.trie.has_children[node]:
            descent.text_starts.append((kind, node))

    def _descend_commands(self, commands: list[bytes], written: bytes, descent: _Descent) -> None:
        """Descend the trie along all commands without text that begin with some bytes."""
        stack = [(written, 0, *_prefix_range(commands, written, 0, len(commands)))]
        while stack:
            prefix, node, first, last = stack.pop()
            if node:
                # The first command in a range of this order is about the shortest.
                descent.visit(node, self.trie.min_tokens(commands[first][len(prefix) :]))
            while first < last:
                byte = commands[first][len(prefix)]
                longer = prefix + bytes([byte])
                subrange = _prefix_range(commands, longer, first, last)
                child = self.trie.children.get(node << 8 | byte)
                if byte == LINE_FEED:
                    descent.line_ends.append(node)
                elif child is not None:
                    stack.append((longer, child, *subrange))
                first = subrange[1]


def _prefix_range(commands: list[bytes], prefix: bytes, low: int, high: int) -> tuple[int, int]:
    """The range of the commands that begin with a prefix, within a range of the sorted list."""
    first = bisect_left(commands, prefix, low, high)
    return first, bisect_left(commands, prefix + b"\xff", first, high)


@dataclass(slots=True)
class CommandState:
    """A position inside the fixed words of a command, which may still become any of several commands."""

    grammar: CommandGrammar
    query_tokens: QueryTokens
    options: CommandOptions
    quotable: PageText
    """The texts that a quote may contain."""
    findable: PageText
    """The texts that a find may contain."""
    written: bytes
    """The command so far."""

    def collect(self, node: int, remaining: int, allowed: AllowedTokens) -> None:
        continuations = self.grammar.continuations(self.options, self.written)
        if remaining >= UNLIMITED or remaining > MAX_WORD_TOKENS + self.options.shortest_text:
            allowed.arrays.append(continuations.ids)  # any command can be completed
        else:
            for token_node, need in continuations.nodes:
                if need < remaining:
                    allowed.add_node(token_node)
            for line_end in continuations.line_ends:
                allowed.add_line_end(line_end)
        for kind, text_start in continuations.text_starts:
            self._text_state(kind).collect(text_start, remaining, allowed)

    def step(self, byte: int) -> Iterable[State]:
        written = self.written + bytes([byte])
        for words, kind, _ in self.grammar.commands_with_text(self.options):
            if words == written:
                return [self._text_state(kind)]
        commands = self.grammar.commands_without_text(self.options)
        first, last = _prefix_range(commands, written, 0, len(commands))
        if first < last:
            if byte == LINE_FEED:
                return [Complete()]
        elif not any(words.startswith(written) for words, *_ in self.grammar.commands_with_text(self.options)):
            return ()
        return [CommandState(self.grammar, self.query_tokens, self.options, self.quotable, self.findable, written)]

    def _text_state(self, kind: str) -> State:
        if kind == "search":
            return QueryState(self.query_tokens, b"")
        page_text = self.findable if kind == "find" else self.quotable
        return TextStart(page_text, self.grammar.trie, page_text.end_bounds, can_abbreviate=kind == "quote")
