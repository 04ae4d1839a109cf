"""Layout of an answer as wrapped lines: its text with the marked claims, and its sources with their ratings.

Every mark is written as text next to the marked words; colors only repeat it::

    ‹strong, core: Crows bring keys. [1]› And glass. [2]
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Final, NamedTuple

from rich.cells import cell_len

from browser_env.records import Claim, Reference
from browser_env.records.citations import citation_spans, split_sentences, without_citations
from recorder.comparisons.events import SupportLevel, TrustLevel
from recorder.comparisons.state import ShownAnswer

SUPPORT: Final[dict[SupportLevel, str]] = {
    "strong": "strong",
    "weak": "weak",
    "none": "none",
    "citation_error": "citation error",
}
"""Names of the levels of support."""

INDENT: Final = "    "
"""Indentation of the extract of a source."""

_WORD = re.compile(r"\S+")


class Span(NamedTuple):
    """A span of the answer's text."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Source:
    """A reference of the answer."""

    number: int
    """Number of the reference, from 1."""


Choice = Span | Source


class Piece(NamedTuple):
    """A part of a line with one style."""

    text: str
    style: str
    """Component classes of `AnswerView`, separated by spaces."""
    start: int | None = None
    """Offset in the answer's text. None for other text, such as a tag."""


Line = list[Piece]


def choices(answer: ShownAnswer) -> list[Choice]:
    """Return the choices from top to bottom: claims, the sentences or parts of sentences between them, and sources."""
    claims = [Span(claim.start, claim.end) for claim in answer.claims]
    rest: list[Span] = []
    for start, end in split_sentences(answer.text):
        for claim in claims:
            if claim.start < end and start < claim.end:
                rest.append(Span(start, min(claim.start, end)))
                start = claim.end
        rest.append(Span(start, end))
    trimmed = (_trimmed(answer.text, span) for span in rest)
    spans = sorted([*claims, *(span for span in trimmed if span is not None)])
    return [*spans, *(Source(number) for number in range(1, len(answer.references) + 1))]


def words_between(text: str, first: int, last: int) -> Span | None:
    """Return the span of the words that two offsets touch, or None if there are none."""
    words = [match.span() for match in _WORD.finditer(text) if match.end() > first and match.start() <= last]
    return Span(words[0][0], words[-1][1]) if words else None


def move_end(text: str, span: Span, step: int) -> Span:
    """Move the end of a span by a word: 1 forward, -1 back. The span keeps at least a word."""
    ends = [match.end() for match in _WORD.finditer(text) if match.end() > span.start]
    ends = [end for end in ends if (end > span.end if step > 0 else end < span.end)]
    return span._replace(end=ends[0] if step > 0 else ends[-1]) if ends else span


def move_start(text: str, span: Span, step: int) -> Span:
    """Move the start of a span by a word: 1 forward, -1 back. The span keeps at least a word."""
    starts = [match.start() for match in _WORD.finditer(text) if match.start() < span.end]
    starts = [start for start in starts if (start > span.start if step > 0 else start < span.start)]
    return span._replace(start=starts[0] if step > 0 else starts[-1]) if starts else span


def answer_lines(answer: ShownAnswer, chosen: Choice, width: int) -> list[Line]:
    """Return the lines of an answer and its sources.

    Args:
        answer: The answer.
        chosen: The chosen span or source.
        width: Width of a line, in cells.
    """
    lines = _wrapped(_text_pieces(answer, chosen), width)
    if answer.references:
        lines += [[], [Piece("Sources", "answer--title")]]
    for number, (reference, trust) in enumerate(zip(answer.references, answer.trust, strict=True), start=1):
        lines += _source_lines(number, reference, trust, is_chosen=chosen == Source(number), width=width)
    return lines


def source_at(lines: list[Line], row: int) -> Source | None:
    """Return the source on a line, or None if there is none."""
    heads = [
        index
        for index, line in enumerate(lines[: row + 1])
        if line and re.match(r"\[\d+\] $", line[0].text) and line[0].start is None
    ]
    return Source(len(heads)) if heads and row < len(lines) else None


def _trimmed(text: str, span: Span) -> Span | None:
    """Return a span without white space at its ends, or None if it contains no words besides citations."""
    words = text[span.start : max(span.start, span.end)]
    start = span.start + len(words) - len(words.lstrip())
    return Span(start, start + len(words.strip())) if re.search(r"\w", without_citations(words)) else None


def _source_lines(number: int, reference: Reference, trust: TrustLevel | None, *, is_chosen: bool, width: int) -> list[Line]:
    chosen = " answer--chosen" if is_chosen else ""
    head = [Piece(f"[{number}] ", f"answer--title{chosen}")]
    if trust is not None:
        head.append(Piece(f"‹{trust}› ", f"answer--tag{chosen}"))
    head += [Piece(f"{word} ", f"answer--title{chosen}") for word in reference.full_title.split()]
    extract = [Piece(f"{word} ", "answer--extract") for word in reference.extract.split()]
    indented = ([Piece(INDENT, "answer--plain"), *line] for line in _wrapped(extract, width - len(INDENT)))
    return [*_wrapped(head, width), *indented]


def _text_pieces(answer: ShownAnswer, chosen: Choice) -> Iterator[Piece]:
    """Yield the answer's words and the white space between them, with the tags of claims."""
    claims = sorted(answer.claims, key=lambda claim: claim.start)
    span = chosen if isinstance(chosen, Span) else Span(0, 0)
    citations = [
        (start, end, all(1 <= n <= len(answer.references) for n in numbers))
        for start, end, numbers in citation_spans(answer.text)
    ]
    edges = {0, len(answer.text), *span, *chain.from_iterable((claim.start, claim.end) for claim in claims)}
    edges |= {*chain.from_iterable((start, end) for start, end, _ in citations)}
    edges |= {*chain.from_iterable(match.span() for match in _WORD.finditer(answer.text))}
    for start, end in pairwise(sorted(edges)):
        styles = ["answer--plain"]
        if any(claim.start <= start < claim.end for claim in claims):
            styles.append("answer--claim")
        for first, last, is_known in citations:
            if first <= start < last:
                styles.append("answer--citation" if is_known else "answer--unknown")
        if span.start <= start < span.end:
            styles.append("answer--chosen")
        yield from (_tag(claim) for claim in claims if claim.start == start)
        yield Piece(answer.text[start:end], " ".join(styles), start)
        yield from (Piece("›", "answer--tag") for claim in claims if claim.end == end)


def _tag(claim: Claim) -> Piece:
    return Piece(f"‹{', '.join(filter(None, (SUPPORT[claim.support], claim.relevance)))}: ", "answer--tag")


def _wrapped(pieces: Iterable[Piece], width: int) -> list[Line]:
    """Wrap pieces to lines at white space. A word is broken only if it is longer than a line."""
    lines: list[Line] = [[]]
    room = width
    for piece in pieces:
        for part in _parts(piece, width):
            if part.text == "\n":
                lines.append([])
                room = width
                continue
            needed = cell_len(part.text.rstrip())
            if needed > room:
                lines.append([])
                room = width
                if not part.text.strip():
                    continue
            lines[-1].append(part)
            room -= cell_len(part.text)
    return lines


def _parts(piece: Piece, width: int) -> Iterator[Piece]:
    """Split a piece at line breaks and where it is longer than a line."""
    offset = 0
    for text in re.findall(r"\n|[^\n]+", piece.text):
        rest = text.replace("\t", " ")
        while rest:
            cut = len(rest)
            while cell_len(rest[:cut]) > width:
                cut -= 1
            yield Piece(rest[:cut], piece.style, None if piece.start is None else piece.start + offset)
            offset += cut
            rest = rest[cut:]
