"""Text matching for Find and Quote, which ignores case, white space and typography and returns spans of the page's text.

Page and query are compared in a normal form, which ignores case, white space, line wraps, invisible characters, compatibility
variants, the order of combining marks, and differences between look-alike quotation marks, dashes and marker characters
(Appendix A ignores case and white space). Each character of the normal form has an offset in the source.
"""

import re
import unicodedata
from array import array
from bisect import bisect_left
from dataclasses import dataclass
from functools import lru_cache

from browser_env.pages.characters import ELLIPSIS_BAR, INVISIBLE, LOOKALIKES, clean_line

MAX_QUOTE_WORDS = 1000
"""Maximum number of words in the passage that an abbreviated quote stands for."""
MIN_END_WORDS, MIN_END_CHARACTERS = 3, 12
"""Minimum size of each side of ``start━end``: this many words, or this many characters."""
MAX_PLAIN_WORDS = 40
"""Maximum number of words in a quote written in full. People and scripts abbreviate longer ones, for consistent data."""
SHORT_END_WORDS, MAX_END_WORDS = 5, 30
"""Minimum and maximum number of words at each end of an abbreviated quote; as few as identify the passage."""

Span = tuple[int, int]
"""Start and end offset in the source text."""

_FOLD = str.maketrans(
    {
        **{lookalike: original for original, lookalike in LOOKALIKES.items()},
        **dict.fromkeys("‘’‚‛′´`ʼ‹›", "'"),
        **dict.fromkeys("“”„‟″«»", '"'),
        **dict.fromkeys("‐‑‒–—―−─━⸺⸻", "-"),
        "■": "◼",
        "…": "...",
        "⁄": "/",
    }
)
_DROPPED = re.compile(f"[\\s\u200d\ufe0f{INVISIBLE}]+")
_ASCII_FOLD = bytes.maketrans(b"`", b"'")
_ASCII_SPACE = b" \t\n\r\v\f\x1c\x1d\x1e\x1f"
_BEYOND_ASCII = re.compile("[\x00-\x7f]?[^\x00-\x7f]+")


@dataclass(frozen=True, slots=True)
class NormalText:
    """The normal form of a text, with offsets into the text that it was made from."""

    source: str
    """The original text."""
    text: str
    """The normal form."""
    starts: "array[int]"
    """For each character of `text`, the offset in `source` of the combining sequence that it comes from."""
    ends: "array[int]"
    """For each character of `text`, the offset after that sequence."""

    def find(self, needle: str, start: int = 0) -> Span | None:
        """Find the first occurrence of a text in normal form, starting at an offset of the source."""
        index = self.text.find(needle, bisect_left(self.starts, start)) if needle else -1
        while index >= 0:
            end = index + len(needle)
            if end == len(self.text) or not unicodedata.combining(self.text[end]):  # cafe does not match café
                return self.starts[index], self.ends[end - 1]
            index = self.text.find(needle, index + 1)
        return None


def normalize(source: str) -> NormalText:
    """Convert a text to its normal form: look-alikes and case folded, marks in canonical order, no white space.

    Each combining sequence (a character and the marks after it) is normalized as a whole; character by character,
    a+dot+acute and a+acute+dot would differ although they are the same letter.
    """
    parts: list[str] = []
    starts, ends = array("I"), array("I")

    def add_ascii(start: int, end: int) -> None:
        # Most text is ASCII: one byte is one character, and folding is a table look-up.
        raw = source[start:end].encode("ascii")
        parts.append(raw.lower().translate(_ASCII_FOLD, _ASCII_SPACE).decode("ascii"))
        offsets = [start + index for index, byte in enumerate(raw) if byte not in _ASCII_SPACE]
        starts.extend(offsets)
        ends.extend([offset + 1 for offset in offsets])

    done = 0
    for match in _BEYOND_ASCII.finditer(source):
        add_ascii(done, match.start())
        for start, end in _combining_sequences(source, match.start(), match.end()):
            folded = _fold(source[start:end])
            parts.append(folded)
            starts.extend([start] * len(folded))
            ends.extend([end] * len(folded))
        done = match.end()
    add_ascii(done, len(source))
    return NormalText(source, "".join(parts), starts, ends)


def normal_form(text: str) -> str:
    """The normal form of a text as a string; texts that Find treats as equal have the same."""
    return normalize(text).text


def find_next(page: NormalText, text: str, start: int) -> Span | None:
    """Find the next occurrence of a text at or after an offset; without one, the first on the page."""
    needle = normal_form(text)
    return page.find(needle, start) or page.find(needle)


def find_quote(page: NormalText, quote: str, start: int) -> Span | str:
    """Find the passage that a Quote command means; returns its span, or one line that says why there is none.

    ``start━end`` is the passage from the first ``start`` at or after the offset to the next ``end``, if it has at most
    `MAX_QUOTE_WORDS` words. If there is none, the search starts again at the top of the page.
    """
    head, bar, tail = quote.partition(ELLIPSIS_BAR)
    if not bar:
        return find_next(page, quote, start) or "the quoted text is not on this page"
    if ELLIPSIS_BAR in tail:
        return f"a quote has at most one {ELLIPSIS_BAR}"
    if not (_is_long_enough(head) and _is_long_enough(tail)):
        return f"each side of {ELLIPSIS_BAR} needs at least {MIN_END_WORDS} words or {MIN_END_CHARACTERS} characters"
    head, tail = normal_form(head), normal_form(tail)
    for first in (start, 0):
        while begin := page.find(head, first):
            end = page.find(tail, begin[1])
            if end is None:
                break
            if len(page.source[begin[0] : end[1]].split()) <= MAX_QUOTE_WORDS:
                return begin[0], end[1]
            first = begin[0] + 1
    return f"no passage of at most {MAX_QUOTE_WORDS} words on this page has these ends"


def quote_text(page: NormalText, span: Span, start: int, max_words: int = MAX_PLAIN_WORDS) -> str:
    """Write the argument of a Quote command for a passage; long passages are abbreviated as ``start━end`` where possible.

    Args:
        page: The page to quote.
        span: The passage.
        start: Offset of the start of the view, from which `find_quote` searches.
        max_words: Maximum number of words in a quote written in full.
    """
    parts = clean_line(page.source[slice(*span)]).split()
    if len(parts) > max_words:
        for size in range(SHORT_END_WORDS, min(MAX_END_WORDS, (len(parts) - 1) // 2) + 1):
            short = f"{' '.join(parts[:size])}{ELLIPSIS_BAR}{' '.join(parts[-size:])}"
            if find_quote(page, short, start) == span:
                return short
    return " ".join(parts)


def _is_long_enough(end: str) -> bool:
    return len(end.split()) >= MIN_END_WORDS or len(end.strip()) >= MIN_END_CHARACTERS


def _combining_sequences(source: str, start: int, end: int) -> list[Span]:
    spans: list[Span] = []
    for index in range(start + 1, end):
        if not unicodedata.combining(source[index]):
            spans.append((start, index))
            start = index
    spans.append((start, end))
    return spans


@lru_cache(maxsize=4096)
def _fold(sequence: str) -> str:
    folded = unicodedata.normalize("NFKD", sequence.translate(_FOLD)).casefold()
    folded = unicodedata.normalize("NFKD", folded).translate(_FOLD)
    folded = _DROPPED.sub("", folded)
    while folded and unicodedata.combining(folded[0]):
        folded = folded[1:]  # a mark without its letter must not combine with the letter before
    return folded
