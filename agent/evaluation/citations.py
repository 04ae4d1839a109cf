"""Citation recall and precision of an answer, as ALCE defines them (Gao et al. 2023)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from agent.evaluation.judges import Entailment, Pair
from browser_env.records import Reference
from browser_env.records.citations import cited_numbers, split_sentences, without_citations

MAX_CITATIONS: Final = 3
"""Number of citations that count per sentence, from its first on (ALCE)."""


@dataclass(frozen=True, slots=True)
class CitationScore:
    """ALCE's two measures of one answer, each from 0 to 1."""

    recall: float
    """Share of the answer's sentences that the references they cite entail."""
    precision: float
    """Share of the citations that support their sentence: the sentence is entailed, and the citation is needed for that or is
    enough alone. 0 without citations."""


def citation_score(answer: str, references: Sequence[Reference], entailment: Entailment) -> CitationScore:
    """ALCE's citation recall and precision.

    A sentence has recall 1 if it cites at least one reference, cites no number without a reference, and the cited references
    together entail it. A citation has precision 1 if its sentence has recall 1 and the citation is relevant; it is irrelevant
    if it does not entail the sentence alone while the sentence's other citations do without it.

    Three things differ from ALCE: sentences are split by `browser_env.records.citations`, a number that a sentence mentions
    twice counts once, and the answer is not cut at its first line break, because long answers have paragraphs.
    """
    sentences = [_cited(answer[start:end], references) for start, end in split_sentences(answer)]
    entailed = _entailed(entailment, [(sentence.text, sentence.cited) for sentence in sentences])
    several = [
        (sentence, number)
        for sentence, holds in zip(sentences, entailed, strict=True)
        if holds and len(sentence.cited) > 1
        for number in range(len(sentence.cited))
    ]
    alone = _entailed(entailment, [(sentence.text, sentence.cited[number : number + 1]) for sentence, number in several])
    doubtful = [pair for pair, holds in zip(several, alone, strict=True) if not holds]
    without = _entailed(entailment, [(s.text, (*s.cited[:number], *s.cited[number + 1 :])) for s, number in doubtful])
    relevant = sum(len(sentence.cited) for sentence, holds in zip(sentences, entailed, strict=True) if holds) - sum(without)
    citations = sum(sentence.num_citations for sentence in sentences)
    return CitationScore(
        recall=sum(entailed) / len(sentences) if sentences else 0.0,
        precision=relevant / citations if citations else 0.0,
    )


@dataclass(frozen=True, slots=True)
class _Cited:
    """A sentence with the references that it cites."""

    text: str
    cited: tuple[Reference, ...]
    """Empty if any cited number has no reference; the sentence then has recall 0."""
    num_citations: int


def _cited(sentence: str, references: Sequence[Reference]) -> _Cited:
    numbers = cited_numbers(sentence)
    exist = all(1 <= number <= len(references) for number in numbers)
    cited = tuple(references[number - 1] for number in numbers[:MAX_CITATIONS]) if exist else ()
    return _Cited(without_citations(sentence), cited, min(len(numbers), MAX_CITATIONS))


def _entailed(entailment: Entailment, claims: Sequence[tuple[str, Sequence[Reference]]]) -> list[bool]:
    """Whether each sentence is entailed by its references together; a sentence without references is not."""
    pairs = [Pair("\n".join(map(_document, cited)), text) for text, cited in claims if cited]
    verdicts = iter(entailment.entails(pairs) if pairs else ())
    return [next(verdicts) if cited else False for _, cited in claims]


def _document(reference: Reference) -> str:
    return f"Title: {reference.title}\n{reference.extract}"
