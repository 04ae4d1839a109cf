"""A byte trie over the tokenizer's vocabulary, and the normalized form of texts that its tokens spell.

A tokenizer first normalizes a text (it writes another character for a space, puts a mark in front of every word, or composes
accents) and then cuts the result into pieces. Whatever it does, the pieces of a text's tokens, joined, are the text's
normalized form. The constraint therefore compares normalized forms byte by byte and never tokenizes a text.
"""

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from browser_env.errors import UsageError
from browser_env.pages.matching import normal_form

TokenIds = NDArray[np.int64]
"""Token ids in ascending order, shape (N,)."""
Nodes = NDArray[np.int32]
"""Nodes of the trie, one for each of several positions in a text, shape (N,)."""

LINE_FEED = 10
"""The byte that ends a command."""
WORD_MARK = "\x02"
"""The mark that the project's own tokenizer puts in front of every word, in place of the single space between two words. Pages
do not contain it."""
SPACE = "▁"
"""SentencePiece's character for a space."""
WORD, WHITE, COMBINING, SOLID, UNSPACED, MARKING, BARRIER, KNOWN = (1 << bit for bit in range(8))
"""Character classes, as bits: letters and digits; white space; combining marks; characters that find and quote compare;
scripts without spaces; the word mark; characters that a command cannot contain; characters whose class has been looked up."""
MAX_TABLE = 1 << 24
"""Maximum number of entries of the transition table; a trie that needs more uses binary search."""
PROBES = ("Top\n", "Search crows\n", "Find in page: os.path.join (a_b)\n", "Quote: Two words━so are these.\n")
"""Texts on which a tokenizer's pieces are compared with its normalized form."""

_BYTE_TOKEN = re.compile("<0x([0-9A-F]{2})>")
_UNSPACED = re.compile("[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_WORD_GAP = re.compile(f"(?<=[^\\W_]){WORD_MARK}")
_UNSUPPORTED = (
    "the tokens of this tokenizer do not spell its texts piece by piece, so decoding cannot be constrained; "
    "pass --free to disable constrained decoding"
)


class TokenTrie:
    """The bytes that each token spells, as a trie with the root at node 0."""

    def __init__(self, tokenizer: Any, size: int | None = None, end_tokens: Iterable[int] = ()) -> None:
        """Build the trie of a tokenizer.

        Args:
            tokenizer: A fast tokenizer of transformers whose decoder joins pieces (byte-level or SentencePiece).
            size: Number of tokens that the model has logits for. Default: all tokens of the tokenizer.
            end_tokens: Tokens that end a text, besides the tokenizer's end-of-text token.

        Raises:
            UsageError: The tokenizer is of another kind.
        """
        backend = getattr(tokenizer, "backend_tokenizer", None)
        if backend is None:
            raise UsageError(_UNSUPPORTED)
        self._backend: Any = backend
        self._is_byte_level = "ByteLevel" in f"{backend.pre_tokenizer!r}{backend.decoder!r}"
        self.has_word_marks = WORD_MARK in self._run_normalizer("a.b")
        own_end = () if tokenizer.eos_token_id is None else (tokenizer.eos_token_id,)
        self.end_ids = tuple(sorted({*end_tokens, *own_end}))
        """Tokens that end a text. They spell no bytes."""
        self.pieces = self._read_pieces(tokenizer, min(len(tokenizer), size or len(tokenizer)))
        """Bytes of each token; None for special tokens, which spell no text."""
        self._build()
        self._character_classes = np.zeros(0x110000, np.uint8)
        self.min_tokens = lru_cache(maxsize=65_536)(self._min_tokens)
        """The fewest tokens that spell some bytes, one token for each byte that no token spells."""
        self._check(tokenizer)

    def _read_pieces(self, tokenizer: Any, size: int) -> list[bytes | None]:
        added = self._backend.get_added_tokens_decoder()
        special = {*tokenizer.all_special_ids, *(token_id for token_id, token in added.items() if token.special)}
        pieces: list[bytes | None] = [None] * size
        for token_id, token in enumerate(tokenizer.convert_ids_to_tokens(list(range(size)))):
            if token is not None and token_id not in special and token_id not in self.end_ids:
                pieces[token_id] = added[token_id].content.encode() if token_id in added else self._piece_bytes(token)
        return pieces

    def _check(self, tokenizer: Any) -> None:
        """Reject a tokenizer whose pieces are not the normalized form of its texts."""
        for text in PROBES:
            ids = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
            pieces = [self.pieces[token_id] for token_id in ids if token_id < len(self.pieces)]
            if None in pieces or b"".join(piece for piece in pieces if piece is not None) != self.normalize(text):
                raise UsageError(_UNSUPPORTED)

    # --------------------------------------------------------------------------------------------------- normalized form

    def normalize(self, text: str) -> bytes:
        """The normalized form of a whole text."""
        normal, splitter = self._run_normalizer(text), self._backend.pre_tokenizer
        parts = (part for part, _ in splitter.pre_tokenize_str(normal)) if splitter else (normal,)
        return b"".join(map(self._piece_bytes, parts))

    def normalize_inside(self, text: str) -> str:
        """The normalized form of a text inside a longer one; it may begin with a mark or space that only a first word has."""
        normal = self._run_normalizer(text)
        return normal if self._is_byte_level else normal.replace(SPACE, " ")

    def denormalize(self, form: bytes) -> str:
        """The text of a part of a normalized form, without incomplete characters."""
        text = form.decode("utf-8", "ignore")
        return _WORD_GAP.sub(" ", text).replace(WORD_MARK, "") if self.has_word_marks else text

    def _run_normalizer(self, text: str) -> str:
        normal: str = self._backend.normalizer.normalize_str(text) if self._backend.normalizer else text
        return normal

    def _piece_bytes(self, token: str) -> bytes:
        if self._is_byte_level:
            try:
                return bytes(map(_bytes_by_character().__getitem__, token))
            except KeyError:
                return token.encode()
        if byte := _BYTE_TOKEN.fullmatch(token):
            return bytes([int(byte[1], 16)])
        return token.replace(SPACE, " ").encode()

    # ------------------------------------------------------------------------------------------------- character classes

    def character_classes(self, codes: NDArray[np.uint32]) -> NDArray[np.uint8]:
        """The classes of the characters of a normalized form, as bits (`WORD` and the following)."""
        classes = self._character_classes[codes]
        if not classes.all():
            for code in np.unique(codes[classes == 0]).tolist():
                self._character_classes[code] = KNOWN | self._character_class(chr(code))
            classes = self._character_classes[codes]
        return classes

    def _character_class(self, character: str) -> int:
        if self.has_word_marks and character == WORD_MARK:
            return MARKING
        if not self._can_spell(character):
            return BARRIER
        if unicodedata.combining(character):
            return COMBINING
        return (
            (WORD if character.isalnum() else 0)
            | (WHITE if character.isspace() else 0)
            | (SOLID if normal_form(character) else 0)
            | (UNSPACED if _UNSPACED.match(character) else 0)
        )

    def _can_spell(self, character: str) -> bool:
        """Whether tokens can spell a character regardless of its neighbors."""
        form = character.encode()
        return character != "\n" and (self._is_piece(form) or all(self._is_piece(bytes([byte])) for byte in form))

    def _is_piece(self, form: bytes) -> bool:
        """Whether a single token spells some bytes."""
        node = self.find(form)
        return node is not None and bool(self.tokens_at[node])

    # -------------------------------------------------------------------------------------------------------------- trie

    def _build(self) -> None:
        """Build the trie; the tokens of a subtree are a range of the tokens sorted by their bytes."""
        ordered = sorted((piece, token_id) for token_id, piece in enumerate(self.pieces) if piece)
        self.children: dict[int, int] = {}
        """Child node by ``parent << 8 | byte``."""
        first, last, num_tokens = [0], [len(ordered)], [0]
        for index, (piece, _) in enumerate(ordered):
            node = 0
            for byte in piece:
                key = node << 8 | byte
                child = self.children.get(key)
                if child is None:
                    child = self.children[key] = len(first)
                    first.append(index)
                    last.append(index)
                    num_tokens.append(0)
                last[child] = index + 1
                node = child
            num_tokens[node] += 1
        self.text_tokens = np.array([token_id for _, token_id in ordered], np.int64)
        """All tokens that spell bytes, ordered by these bytes."""
        self.tokens_at: list[tuple[int, ...]] = [
            tuple(self.text_tokens[start : start + number].tolist()) for start, number in zip(first, num_tokens, strict=True)
        ]
        """The tokens whose bytes end at each node; seldom more than one."""
        self._ranges = list(zip(first, last, strict=True))
        self.is_token = np.array(num_tokens) > 0
        """Whether a token ends at each node."""
        self._build_transitions(len(first))

    def _build_transitions(self, num_nodes: int) -> None:
        self.line_feed_child: Nodes = np.full(num_nodes, -1, np.int32)
        """The child over a line feed of each node, or -1."""
        self.has_children = np.zeros(num_nodes, bool)
        for key, child in self.children.items():
            self.has_children[key >> 8] = True
            if key & 255 == LINE_FEED:
                self.line_feed_child[key >> 8] = child
        keys = np.fromiter(self.children.keys(), np.int64, len(self.children))
        targets = np.fromiter(self.children.values(), np.int32, len(self.children))
        by_key = np.argsort(keys)
        self._keys, self._targets = keys[by_key], targets[by_key]
        self._table: Nodes | None = None
        if num_nodes * 256 <= MAX_TABLE:
            self._table = np.full(num_nodes * 256, -1, np.int32)
            self._table[keys] = targets

    def find(self, form: bytes, node: int = 0) -> int | None:
        """The node that some bytes lead to, from the root or another node; None if no token continues so."""
        for byte in form:
            child = self.children.get(node << 8 | byte)
            if child is None:
                return None
            node = child
        return node

    def tokens_below(self, node: int) -> TokenIds:
        """The tokens whose bytes lead to a node or through it, ordered by their bytes rather than their ids."""
        first, last = self._ranges[node]
        return self.text_tokens[first:last]

    def step(self, nodes: Nodes, next_bytes: NDArray[np.uint8]) -> Nodes:
        """The child of each node over its byte, or -1; both arguments have shape (N,)."""
        keys = nodes.astype(np.int64) << 8 | next_bytes
        if self._table is not None:
            children: Nodes = self._table[keys]
            return children
        index = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        return np.where(self._keys[index] == keys, self._targets[index], np.int32(-1))

    def _min_tokens(self, form: bytes) -> int:
        """Shortest tokenization by dynamic programming, from the end of the bytes to their start."""
        fewest = [0] * (len(form) + 1)
        for start in range(len(form) - 1, -1, -1):
            fewest[start] = 1 + fewest[start + 1]  # at worst, one token for a byte
            node = 0
            for end in range(start, len(form)):
                child = self.children.get(node << 8 | form[end])
                if child is None:
                    break
                node = child
                if self.tokens_at[node]:
                    fewest[start] = min(fewest[start], 1 + fewest[end + 1])
        return fewest[0]


@lru_cache(maxsize=1)
def _bytes_by_character() -> dict[str, int]:
    """The alphabet of byte-level tokenizers, where bytes without a visible character are the characters from U+0100 on."""
    visible = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in visible]
    return {chr(byte): byte for byte in visible} | {chr(256 + index): byte for index, byte in enumerate(others)}
