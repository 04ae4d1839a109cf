"""Citations in an answer: the sentences that they belong to, and how well the cited references support those sentences.

A citation is one to three digits in square brackets: ``[1]``, ``[1, 3]``, ``[1][2]`` or the range ``[1-3]``. Longer numbers
are years (``[2021]``), and brackets in backquotes or fences are code. References are numbered from 1. A citation belongs to
the sentence that contains it or that it directly follows: in ``Crows bring gifts. [1] They ...`` it belongs to the first.

The definitions follow ALCE (Gao et al. 2023): a sentence without a citation has no support, and a sentence with citations is
compared with all its references together. Three things differ. The judge is lexical, so that it runs without a model and can
be checked by hand: the support is the share of the sentence's content words that occur in its references, which is ROUGE-1
precision as WebGLM uses it. A citation number without a reference is reported and does not lower the support. There is no
limit of three citations per sentence. A verbatim extract has support 1. Low support is a reason to read the references, not
proof of an error. A negation that the references lack counts as a missing word.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from browser_env.pages.words import STOP_WORDS, stem, words
from browser_env.records.episode import Reference

LOW_SUPPORT = 0.5
"""Support below which readers are advised to check the references."""
_LIST = r"\[\s*[0-9]{1,3}(?:\s*[-–,;]\s*[0-9]{1,3})*\s*\]"
_CITATION = re.compile(_LIST)
_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]+`", re.DOTALL)
_ITEM = re.compile(r"[ \t]*(?:[-*•#>]+|\(?[0-9]{1,3}[.)])[ \t]+")
"""Start of a list item, a heading or a quotation, which ends the sentence before it."""
_STOP = re.compile(
    r"(?:(?<![.!?…])[.!?…]++[\"'”’)\]*_]*+(?=\s|\[|\Z)|[。！？]+[」』”’）]*)"
    rf"(?:[ \t]*{_LIST})*(?:\n[ \t]*{_LIST}(?=[ \t]*(?:\n|\Z)))?[.。]?"
)
"""Possible end of a sentence, with the citations directly after it or alone on the next line."""
_NEW_SENTENCE = re.compile(r"[\s\"'“‘(\[*_]*(?:[^\W\d_a-z]|[0-9`]|[A-Za-z_]\w*(?:[._]\w+|\())")
"""Start of a sentence: not a lower-case letter, except in names such as ``os.path.join``, ``f()`` or ```code```."""
_ABBREVIATION = re.compile(
    r"(?:\b(?i:e\.g|i\.e|cf|vs|dr|mr|mrs|ms|prof|st|approx|al)|(?:^|[A-Z]\w*\s|[.!?]\s?)[A-Z]|\b(?:[A-Z]\.)+[A-Z])\.$"
)
"""Period of an abbreviation. ``etc.`` and ``Inc.`` are left out because they often end a sentence; the next letter decides.

A capital letter is an initial after another one or after a capitalized word (*George W. Bush*), and ends a sentence after a
lower-case word (*vitamin C.*).
"""
_BEFORE_NUMBER = re.compile(r"\b(?i:no|nos|vol|pp?|ch|sec|fig|figs|eqs?|ca)\.$")
"""Period of an abbreviation if a number follows."""
_NEGATIONS = frozenset({"no", "nor", "not", "don", "didn", "doesn", "isn", "aren", "wasn", "without"})
"""Stop words that negate a sentence, so they count as content words."""
_LOOK_BACK = 40
"""Number of characters before a period that are matched against abbreviations."""
_MAX_RANGE = 20
"""Largest range of citations; longer ranges are not citations but, for example, page numbers."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of an answer with its citations."""

    text: str
    """The sentence without its citations."""
    start: int
    """Offset of the first character in the answer."""
    end: int
    """Offset after the last character, citations included."""
    citations: tuple[int, ...]
    """Numbers of the cited references, each once, in order of mention."""
    unknown: tuple[int, ...]
    """Cited numbers without a reference."""
    support: float
    """Share of the content words that occur in the cited references, 0 to 1; 0 without citations."""


@dataclass(frozen=True, slots=True)
class CitationCheck:
    """The citations of an answer, sentence by sentence."""

    sentences: tuple[Sentence, ...]
    """The sentences of the answer, in order."""

    @property
    def citations(self) -> tuple[int, ...]:
        """Numbers of the cited references, in ascending order."""
        return tuple(sorted({number for sentence in self.sentences for number in sentence.citations}))

    @property
    def unknown(self) -> tuple[int, ...]:
        """Cited numbers without a reference, in ascending order."""
        return tuple(sorted({number for sentence in self.sentences for number in sentence.unknown}))

    @property
    def uncited(self) -> tuple[Sentence, ...]:
        """Sentences without a valid citation."""
        return tuple(sentence for sentence in self.sentences if not sentence.citations)

    @property
    def support(self) -> float:
        """Mean support of all sentences, the counterpart of ALCE's citation recall; 0 without sentences."""
        return sum(sentence.support for sentence in self.sentences) / len(self.sentences) if self.sentences else 0.0

    @property
    def is_supported(self) -> bool:
        """Whether any sentence cites a reference that exists."""
        return bool(self.citations)


def check_citations(answer: str, references: Sequence[Reference]) -> CitationCheck:
    """Split an answer into sentences and compute how well the references that each one cites support it."""
    return CitationCheck(tuple(_check(answer, start, end, references) for start, end in split_sentences(answer)))


def cited_numbers(text: str) -> tuple[int, ...]:
    """The citation numbers in a text, each once, in order of mention."""
    return tuple(dict.fromkeys(number for _, _, numbers in citation_spans(text) for number in numbers))


def citation_spans(text: str) -> Iterator[tuple[int, int, tuple[int, ...]]]:
    """Yield the start, the end and the numbers of each bracketed citation."""
    code = [match.span() for match in _CODE.finditer(text)]
    for match in _CITATION.finditer(text):
        numbers = _numbers(match[0])
        if numbers and not any(start <= match.start() < end for start, end in code):
            yield match.start(), match.end(), numbers


def support(sentence: str, evidence: str) -> float:
    """Share of a sentence's content words that occur in the evidence, counted with repetitions (ROUGE-1 precision).

    Words are compared without case and endings. A sentence of stop words alone is compared by all its words; a sentence
    without words has support 0.
    """
    claimed, given = Counter(_content(sentence)), Counter(_content(evidence))
    if not claimed:
        claimed, given = Counter(words(sentence)), Counter(words(evidence))
    return (claimed & given).total() / claimed.total() if claimed else 0.0


def split_sentences(text: str) -> list[tuple[int, int]]:
    """Spans of the sentences of a text, each with the citations directly after it; text without words is left out.

    Periods in decimals, dotted names, abbreviations and code do not end a sentence; an empty line, a list item and the end
    of a code block do.
    """
    spans: list[tuple[int, int]] = []
    start = 0
    for end in (*_ends(text), len(text)):
        first, last = start + _leading(text[start:end]), start + len(text[start:end].rstrip())
        start = end
        if first >= last:
            continue
        if words(without_citations(text[first:last])):
            spans.append((first, last))
        elif spans and cited_numbers(text[first:last]):
            spans[-1] = (spans[-1][0], last)
    return spans


def _check(answer: str, start: int, end: int, references: Sequence[Reference]) -> Sentence:
    text = without_citations(answer[start:end])
    numbers = cited_numbers(answer[start:end])
    known = tuple(number for number in numbers if 1 <= number <= len(references))
    evidence = "\n".join(f"{references[number - 1].full_title}\n{references[number - 1].extract}" for number in known)
    return Sentence(
        text=text,
        start=start,
        end=end,
        citations=known,
        unknown=tuple(number for number in numbers if number not in known),
        support=support(text, evidence),
    )


def _numbers(brackets: str) -> tuple[int, ...]:
    numbers: list[int] = []
    for part in re.split("[,;]", brackets.strip("[]")):
        ends = [int(number) for number in re.split("[-–]", part)]
        if len(ends) > 2 or not 0 <= ends[-1] - ends[0] < _MAX_RANGE:
            return ()
        numbers.extend(range(ends[0], ends[-1] + 1))
    return tuple(numbers)


def without_citations(text: str) -> str:
    """Remove the citations from a text, with the white space before them."""
    parts, last = [], 0
    for start, end, _ in citation_spans(text):
        parts.append(text[last:start].rstrip())
        last = end
    return "".join((*parts, text[last:])).strip()


def _content(text: str) -> Iterator[str]:
    return (stem(word) for word in words(text) if word not in STOP_WORDS or word in _NEGATIONS)


def _ends(text: str) -> Iterator[int]:
    """Offsets at which sentences end, in ascending order, without that of the last sentence."""
    code = [match.span() for match in _CODE.finditer(text)]
    ends = {match.end() for match in re.finditer(r"\n[ \t]*(?=\n)", text)}
    ends.update(match.start() + 1 for match in re.finditer("\n", text) if _ITEM.match(text, match.end()))
    ends.update(match.start() + 1 for match in re.finditer(rf"\n(?=[ \t]*{_LIST}[ \t]*[^\s\[.,;])", text))
    ends.update(match.end() for match in _STOP.finditer(text) if _ends_sentence(text, match))
    inside = {end for start, stop in code for end in ends if start < end < stop}
    ends.update(stop for start, stop in code if text.startswith("```", start))
    return iter(sorted(ends - inside))


def _ends_sentence(text: str, stop: re.Match[str]) -> bool:
    if stop[0][0] in "。！？":
        return True
    before = text[max(text.rfind("\n", 0, stop.start()) + 1, stop.start() - _LOOK_BACK) : stop.start() + 1]
    if _ABBREVIATION.search(before) or _ITEM.fullmatch(f"{before} "):
        return False
    if _BEFORE_NUMBER.search(before) and text[stop.end() : stop.end() + 2].strip().isdecimal():
        return False
    return _NEW_SENTENCE.match(text, stop.end()) is not None


def _leading(text: str) -> int:
    """Length of the leading white space and list marker."""
    blank = len(text) - len(text.lstrip())
    item = _ITEM.match(text, blank)
    return item.end() if item else blank
