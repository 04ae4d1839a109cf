"""Find and quote: search that ignores how text looks, and returns what the page says.

Both compare a normal form of the page's text with the same form of what is looked for. It ignores case, white space, line
wraps, invisible characters, compatibility variants, the order of combining marks, and which of several look-alike quotation
marks, dashes or marker characters was used (Appendix A ignores case and white space). Every character of the normal form
knows where it came from, so a match is a span of the source.
"""

import re
import unicodedata
from array import array
from bisect import bisect_left
from dataclasses import dataclass
from functools import lru_cache

from browser_env.pages.characters import ELLIPSIS_BAR, INVISIBLE, LOOKALIKES, clean_line

MAX_QUOTE_WORDS = 1000
"""Longest stretch that an abbreviated quote may stand for."""
MIN_END_WORDS, MIN_END_CHARACTERS = 3, 12
"""Each side of ``start━end`` needs so many words, or else so many characters."""
MAX_PLAIN_WORDS = 40
"""Longest quote that is written out in full; people and scripts abbreviate longer ones, so that a model learns one habit."""
SHORT_END_WORDS, MAX_END_WORDS = 5, 30
"""Words at each end of an abbreviated quote: as few as identify the passage, within these bounds."""

Span = tuple[int, int]
"""Start and end offsets in the source text."""

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
    """The normal form of a text, with the way back."""

    source: str
    text: str
    starts: "array[int]"
    """Offset in `source` of the combining sequence that each character of `text` came from."""
    ends: "array[int]"
    """Offset after that sequence."""

    def find(self, needle: str, start: int = 0) -> Span | None:
        """The first occurrence, at or after a source offset, of a text in normal form."""
        index = self.text.find(needle, bisect_left(self.starts, start)) if needle else -1
        while index >= 0:
            end = index + len(needle)
            if end == len(self.text) or not unicodedata.combining(self.text[end]):  # cafe does not stand in café
                return self.starts[index], self.ends[end - 1]
            index = self.text.find(needle, index + 1)
        return None


def normalize(source: str) -> NormalText:
    """The normal form of a text: look-alikes folded, case folded, marks in one order, no white space.

    Marks are ordered within a combining sequence (a character and the marks after it); going character by character would
    tell a+dot+acute from a+acute+dot, which are the same letter.
    """
    parts: list[str] = []
    starts, ends = array("I"), array("I")

    def add_ascii(start: int, end: int) -> None:
        # Most of every page: one byte is one character, and folding is a table.
        raw = source[start:end].encode("ascii")
        parts.append(raw.lower().translate(_ASCII_FOLD, _ASCII_SPACE).decode("ascii"))
        kept = [start + index for index, byte in enumerate(raw) if byte not in _ASCII_SPACE]
        starts.extend(kept)
        ends.extend([offset + 1 for offset in kept])

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
    """What two texts have in common when find takes them for equal."""
    return normalize(text).text


def find_next(page: NormalText, text: str, start: int) -> Span | None:
    """The next occurrence at or after an offset; past the end of the page the search goes on from its top."""
    needle = normal_form(text)
    return page.find(needle, start) or page.find(needle)


def find_quote(page: NormalText, quote: str, start: int) -> Span | str:
    """The stretch that a quote command means, or one line that says why there is none.

    ``start━end`` is the shortest stretch from the first ``start`` (at or after the offset, else from the top) to an ``end``
    behind it, of at most `MAX_QUOTE_WORDS` words.
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
    return f"no stretch of at most {MAX_QUOTE_WORDS} words on this page has these ends"


def quote_text(page: NormalText, span: Span, start: int, max_words: int = MAX_PLAIN_WORDS) -> str:
    """The text of a quote command for a passage: in the short form ``start━end`` if it is long and that identifies it.

    Args:
        page: The page that is quoted.
        span: The passage.
        start: Offset at which the view begins; `find_quote` searches from there.
        max_words: Longest passage to write out in full.
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
        folded = folded[1:]  # a mark whose letter was dropped, or is missing, must not join the letter before
    return folded
