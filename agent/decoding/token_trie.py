"""What the tokens of a tokenizer spell, as bytes, and a tree of all of it to walk along texts.

Tokenizers write a text down in their own way first (their *form* of it: another sign for a space, a mark in front of every
word, composed accents) and cut that into pieces. Whatever they do, the pieces of a text's tokens, one after the other, are its
form. So what a model may write is decided on forms, byte by byte, and no text becomes tokens on the way.
"""

import re
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from browser_env.errors import UsageError
from browser_env.pages.matching import normal_form

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

MARK = "\x02"
"""A tokenizer may put it in front of every word, in place of the one space between two words. No page holds it."""
SPACE = "▁"
"""How SentencePiece writes a space."""
WORD, WHITE, COMBINING, SOLID, UNSPACED, MARKING, BARRIER, KNOWN = (1 << bit for bit in range(8))
"""Classes of characters: letters and digits; white space; combining marks; what find and quote compare; scripts without
spaces; the mark; what no command may hold. The last is true of all whose class was looked up."""
MAX_TABLE = 1 << 24
"""Entries of a table of the whole tree; the tree of a larger vocabulary is searched instead."""
PROBES = ("Top\n", "Search crows\n", "Find in page: os.path.join (a_b)\n", "Quote: Two words━so are these.\n")
"""Texts on which the pieces of a tokenizer are checked."""

_BYTE_TOKEN = re.compile("<0x([0-9A-F]{2})>")
_UNSPACED = re.compile("[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_GAP = re.compile(f"(?<=[^\\W_]){MARK}")


class Vocabulary:
    """What the tokens of a tokenizer spell. Node 0 of the tree is its root."""

    def __init__(self, tokenizer: Any, size: int | None = None, end_tokens: "Iterable[int]" = ()) -> None:
        """Read a tokenizer.

        Args:
            tokenizer: Any fast tokenizer of transformers that joins its pieces when it decodes: byte-level, or
                SentencePiece's.
            size: Tokens that the model has logits for; None: as many as the tokenizer has.
            end_tokens: Those that end a text besides the tokenizer's own.

        Raises:
            UsageError: It is a tokenizer of another kind.
        """
        backend = getattr(tokenizer, "backend_tokenizer", None)
        if backend is None:
            raise UsageError(_UNKNOWN)
        self._backend: Any = backend
        self._is_byte_level = "ByteLevel" in f"{backend.pre_tokenizer!r}{backend.decoder!r}"
        self.has_marks = MARK in self._normalize("a.b")
        added = backend.get_added_tokens_decoder()
        special = {*tokenizer.all_special_ids, *(number for number, token in added.items() if token.special)}
        own_end = () if tokenizer.eos_token_id is None else (tokenizer.eos_token_id,)
        self.end_ids = tuple(sorted({*end_tokens, *own_end}))
        """Tokens that end a text; they spell nothing."""
        self.pieces: list[bytes | None] = [None] * min(len(tokenizer), size or len(tokenizer))
        """What each token spells; None: no text."""
        for number, token in enumerate(tokenizer.convert_ids_to_tokens(list(range(len(self.pieces))))):
            if token is not None and number not in special and number not in self.end_ids:
                self.pieces[number] = added[number].content.encode() if number in added else self._spelled(token)
        self._grow()
        self._classes = np.zeros(0x110000, np.uint8)
        self.fewest_tokens = lru_cache(maxsize=65_536)(self._fewest_tokens)
        """How few tokens spell some bytes; as many as there are bytes if none do."""
        self._check(tokenizer)

    # ------------------------------------------------------------------------------------------------------------ forms

    def form(self, text: str) -> bytes:
        """The form of a text."""
        normal, splitter = self._normalize(text), self._backend.pre_tokenizer
        parts = (part for part, _ in splitter.pre_tokenize_str(normal)) if splitter else (normal,)
        return b"".join(map(self._spelled, parts))

    def form_inside(self, text: str) -> str:
        """The form of a text that does not stand at the beginning; what only the first word has may be too much in it."""
        normal = self._normalize(text)
        return normal if self._is_byte_level else normal.replace(SPACE, " ")

    def text_of(self, form: bytes) -> str:
        """The text of a stretch of a form, without bytes that are no whole character."""
        text = form.decode("utf-8", "ignore")
        return _GAP.sub(" ", text).replace(MARK, "") if self.has_marks else text

    def _normalize(self, text: str) -> str:
        normal: str = self._backend.normalizer.normalize_str(text) if self._backend.normalizer else text
        return normal

    def _spelled(self, token: str) -> bytes:
        if self._is_byte_level:
            try:
                return bytes(map(_bytes_by_character().__getitem__, token))
            except KeyError:
                return token.encode()
        if byte := _BYTE_TOKEN.fullmatch(token):
            return bytes([int(byte[1], 16)])
        return token.replace(SPACE, " ").encode()

    def _check(self, tokenizer: Any) -> None:
        for text in PROBES:
            ids = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
            pieces = [self.pieces[number] for number in ids if number < len(self.pieces)]
            if None in pieces or b"".join(piece for piece in pieces if piece is not None) != self.form(text):
                raise UsageError(_UNKNOWN)

    # ---------------------------------------------------------------------------------------------------------- classes

    def classes(self, codes: "NDArray[np.uint32]") -> "NDArray[np.uint8]":
        """The classes of some characters of a form."""
        found = self._classes[codes]
        if not found.all():
            for code in np.unique(codes[found == 0]).tolist():
                self._classes[code] = KNOWN | self._class(chr(code))
            found = self._classes[codes]
        return found

    def _class(self, character: str) -> int:
        if self.has_marks and character == MARK:
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
        """Whether it can be written whatever stands around it."""
        form = character.encode()
        return character != "\n" and (self.spells(form) or all(self.spells(bytes([byte])) for byte in form))

    # ------------------------------------------------------------------------------------------------------------- tree

    def _grow(self) -> None:
        """The tree, and its nodes as ranges of the tokens in the order of what they spell."""
        ordered = sorted((piece, number) for number, piece in enumerate(self.pieces) if piece)
        self.children: dict[int, int] = {}
        """Node by (parent << 8 | byte)."""
        first, last, own = [0], [len(ordered)], [0]
        for index, (piece, _) in enumerate(ordered):
            node = 0
            for byte in piece:
                key = node << 8 | byte
                child = self.children.get(key)
                if child is None:
                    child = self.children[key] = len(first)
                    first.append(index)
                    last.append(index)
                    own.append(0)
                last[child] = index + 1
                node = child
            own[node] += 1
        self.order = np.array([number for _, number in ordered], np.int64)
        """Token ids in the order of what they spell."""
        self.ids_at: list[tuple[int, ...]] = [
            tuple(self.order[begin : begin + number].tolist()) for begin, number in zip(first, own, strict=True)
        ]
        """The tokens that spell the way to a node; seldom more than one."""
        self._ranges = list(zip(first, last, strict=True))
        self.is_token = np.array(own) > 0
        self.line_end = np.full(len(first), -1, np.int32)
        """The node behind a line break, by node; -1: there is none."""
        self.has_children = np.zeros(len(first), bool)
        for key, child in self.children.items():
            self.has_children[key >> 8] = True
            if key & 255 == 10:
                self.line_end[key >> 8] = child
        keys = np.fromiter(self.children.keys(), np.int64, len(self.children))
        targets = np.fromiter(self.children.values(), np.int32, len(self.children))
        by_key = np.argsort(keys)
        self._keys, self._targets = keys[by_key], targets[by_key]
        self._table: NDArray[np.int32] | None = None
        if len(first) * 256 <= MAX_TABLE:
            self._table = np.full(len(first) * 256, -1, np.int32)
            self._table[keys] = targets

    def node_at(self, form: bytes, node: int = 0) -> int | None:
        """The node that some bytes lead to from another; None: no token goes on so."""
        for byte in form:
            child = self.children.get(node << 8 | byte)
            if child is None:
                return None
            node = child
        return node

    def spells(self, form: bytes) -> bool:
        """Whether one token spells some bytes."""
        node = self.node_at(form)
        return node is not None and bool(self.ids_at[node])

    def below(self, node: int) -> "NDArray[np.int64]":
        """The tokens whose way leads to a node or through it."""
        first, last = self._ranges[node]
        return self.order[first:last]

    def step(self, nodes: "NDArray[np.int32]", steps: "NDArray[np.uint8]") -> "NDArray[np.int32]":
        """The next node of many ways; -1: none goes on so."""
        keys = nodes.astype(np.int64) << 8 | steps
        if self._table is not None:
            there: NDArray[np.int32] = self._table[keys]
            return there
        index = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        return np.where(self._keys[index] == keys, self._targets[index], np.int32(-1))

    def _fewest_tokens(self, form: bytes) -> int:
        fewest = [0] * (len(form) + 1)
        for start in range(len(form) - 1, -1, -1):
            fewest[start] = 1 + fewest[start + 1]  # a byte is a token at worst
            node = 0
            for end in range(start, len(form)):
                child = self.children.get(node << 8 | form[end])
                if child is None:
                    break
                node = child
                if self.ids_at[node]:
                    fewest[start] = min(fewest[start], 1 + fewest[end + 1])
        return fewest[0]


_UNKNOWN = "the tokens of this tokenizer are not the pieces of a text, so it cannot be held to commands: ask with --free"


@lru_cache(maxsize=1)
def _bytes_by_character() -> dict[str, int]:
    """The alphabet of byte-level tokenizers: bytes that are no visible character are the characters from U+0100 on."""
    visible = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in visible]
    return {chr(byte): byte for byte in visible} | {chr(256 + number): byte for number, byte in enumerate(others)}
