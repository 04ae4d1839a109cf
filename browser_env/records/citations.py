"""Citations in an answer: which sentences they stand on, whether they point at a reference, and how well it supports them.

A citation is one to three digits in square brackets: ``[1]``, ``[1, 3]``, ``[1][2]`` and, as writers of papers do, the range
``[1-3]``. Longer numbers are years (``[2021]``), and brackets in backquotes or fences are code. References count from 1.
A citation belongs to the sentence that it stands in or right after: ``Crows bring gifts. [1] They ...`` cites for the first.

The definitions are those of ALCE (Gao et al. 2023): a sentence without a citation has no support, one with citations is
held against all references that it cites together. Three things differ. The judge is lexical, not a model, so that it runs
everywhere and anybody can redo it by hand: the score is the share of the sentence's content words that its references have,
ROUGE-1 precision as WebGLM uses it. A number without a reference is reported by itself rather than costing the sentence what
its other citations support. And there is no limit of three citations a sentence. A verbatim extract scores 1; a
low score is a reason to look, not a proof; a negation that the references lack counts as a missing word.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from browser_env.pages.words import STOP_WORDS, stem, words
from browser_env.records.episode import Reference

LOW_SUPPORT = 0.5
"""Share of a sentence's words below which a reader is advised to look at the references."""
_LIST = r"\[\s*[0-9]{1,3}(?:\s*[-–,;]\s*[0-9]{1,3})*\s*\]"
_CITATION = re.compile(_LIST)
_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]+`", re.DOTALL)
_ITEM = re.compile(r"[ \t]*(?:[-*•#>]+|\(?[0-9]{1,3}[.)])[ \t]+")
"""What a line of a list, a heading or a quotation begins with: it ends the sentence before it."""
_STOP = re.compile(
    r"(?:(?<![.!?…])[.!?…]++[\"'”’)\]*_]*+(?=\s|\[|\Z)|[。！？]+[」』”’）]*)"
    rf"(?:[ \t]*{_LIST})*(?:\n[ \t]*{_LIST}(?=[ \t]*(?:\n|\Z)))?[.。]?"
)
"""The end of a sentence, perhaps, and the citations right after it or alone on the next line."""
_NEW_SENTENCE = re.compile(r"[\s\"'“‘(\[*_]*(?:[^\W\d_a-z]|[0-9`]|[A-Za-z_]\w*(?:[._]\w+|\())")
"""How a sentence begins: no small letter, unless it is the first of a name such as ``os.path.join``, ``f()`` or ```code```."""
_ABBREVIATION = re.compile(
    r"(?:\b(?i:e\.g|i\.e|cf|vs|dr|mr|mrs|ms|prof|st|approx|al)|(?:^|[A-Z]\w*\s|[.!?]\s?)[A-Z]|\b(?:[A-Z]\.)+[A-Z])\.$"
)
"""A point that ends no sentence. Not ``etc.`` and ``Inc.``, which often do: there the next letter decides.

A capital is an initial after another one or a capitalised word (*George W. Bush*), and ends a sentence after a small one
(*vitamin C.*).
"""
_BEFORE_NUMBER = re.compile(r"\b(?i:no|nos|vol|pp?|ch|sec|fig|figs|eqs?|ca)\.$")
"""A point that ends no sentence if a number follows."""
_NEGATIONS = frozenset({"no", "nor", "not", "don", "didn", "doesn", "isn", "aren", "wasn", "without"})
"""Stop words that turn a sentence around, so they count."""
_LOOK_BACK = 40
"""Characters before a point that tell what kind of point it is."""
_MAX_RANGE = 20
"""A longer range is no citation but a span of something else."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of an answer and what it cites."""

    text: str
    """Without its citations."""
    start: int
    """Offset of its first character in the answer, citations included."""
    end: int
    citations: tuple[int, ...]
    """Numbers of references that exist, each once, in order of mention."""
    unknown: tuple[int, ...]
    """Numbers that no reference has."""
    support: float
    """Share of its content words that the references it cites have, 0 to 1; 0 if it cites none."""


@dataclass(frozen=True, slots=True)
class CitationCheck:
    """An answer, sentence by sentence."""

    sentences: tuple[Sentence, ...]

    @property
    def citations(self) -> tuple[int, ...]:
        """Numbers of the references that are cited, ascending."""
        return tuple(sorted({number for sentence in self.sentences for number in sentence.citations}))

    @property
    def unknown(self) -> tuple[int, ...]:
        """Numbers that are cited and that no reference has, ascending."""
        return tuple(sorted({number for sentence in self.sentences for number in sentence.unknown}))

    @property
    def uncited(self) -> tuple[Sentence, ...]:
        """The sentences without a valid citation."""
        return tuple(sentence for sentence in self.sentences if not sentence.citations)

    @property
    def support(self) -> float:
        """Mean support of all sentences, in the place of ALCE's citation recall; 0 for an answer without a sentence."""
        return sum(sentence.support for sentence in self.sentences) / len(self.sentences) if self.sentences else 0.0

    @property
    def is_supported(self) -> bool:
        """Whether any sentence cites a reference that exists."""
        return bool(self.citations)


def check_citations(answer: str, references: Sequence[Reference]) -> CitationCheck:
    """Hold every sentence of an answer against the references it cites."""
    return CitationCheck(tuple(_check(answer, start, end, references) for start, end in split_sentences(answer)))


def cited_numbers(text: str) -> tuple[int, ...]:
    """Every number that a text cites, each once, in order of mention."""
    return tuple(dict.fromkeys(number for _, _, numbers in citation_spans(text) for number in numbers))


def citation_spans(text: str) -> Iterator[tuple[int, int, tuple[int, ...]]]:
    """Start, end and numbers of each pair of brackets that cites, in order."""
    code = [match.span() for match in _CODE.finditer(text)]
    for match in _CITATION.finditer(text):
        numbers = _numbers(match[0])
        if numbers and not any(start <= match.start() < end for start, end in code):
            yield match.start(), match.end(), numbers


def support(sentence: str, evidence: str) -> float:
    """Share of a sentence's content words that some evidence has, counted with repetitions (ROUGE-1 precision).

    Words are compared without case and endings. A sentence of stop words alone is compared by all its words; one without
    any word has nothing to support: 0.
    """
    claimed, given = Counter(_content(sentence)), Counter(_content(evidence))
    if not claimed:
        claimed, given = Counter(words(sentence)), Counter(words(evidence))
    return (claimed & given).total() / claimed.total() if claimed else 0.0


def split_sentences(text: str) -> list[tuple[int, int]]:
    """Spans of the sentences of a text, with the citations right after each; stretches without a word are in none.

    Points in decimals, dotted names, abbreviations and code end no sentence; an empty line, an item of a list and the end
    of a block of code do.
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
    """A text as it reads without its citations."""
    parts, last = [], 0
    for start, end, _ in citation_spans(text):
        parts.append(text[last:start].rstrip())
        last = end
    return "".join((*parts, text[last:])).strip()


def _content(text: str) -> Iterator[str]:
    return (stem(word) for word in words(text) if word not in STOP_WORDS or word in _NEGATIONS)


def _ends(text: str) -> Iterator[int]:
    """Offsets at which a sentence ends, ascending; the last sentence's is not among them."""
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
    """Length of the white space and the list marker that a stretch begins with."""
    blank = len(text) - len(text.lstrip())
    item = _ITEM.match(text, blank)
    return item.end() if item else blank
