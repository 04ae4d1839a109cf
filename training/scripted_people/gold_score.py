"""The gold score: the quality of an answer by the gold evidence, with the priorities of the paper's labelers (Appendix C.2).

In descending order: unsupported information, whether the core question is answered, additional helpful information, citation
errors, irrelevant information. The score is deterministic and depends on the answer and its references, not on the browsing. It
is fine enough to tell the best of many answers from the best of a few.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from agent.evaluation.answers import contains_answer, f1, rouge_difference, rouge_l
from agent.evaluation.metrics import NAMED, UNANSWERABLE, final_answer
from browser_env.pages.matching import normal_form
from browser_env.pages.words import content_stems
from browser_env.records import Episode, Question, Reference
from browser_env.records.citations import CitationCheck, Sentence, check_citations, cited_numbers, without_citations

SUPPORTED, CORE, HELPFUL, CITED, RELEVANT = 0.4, 0.35, 0.1, 0.1, 0.05
"""Weights of the priorities in the score; they sum to 1."""
IRRELEVANT_SUPPORT: Final = 0.25
"""Share of the weight of support that a supported answer keeps if it has nothing to do with the question."""
NEARBY: Final = 600
"""Maximum distance in characters from a gold sentence at which a quote is additional help about the same subject."""


def gold_score(question: Question, references: Sequence[Reference], answer: str) -> float:
    """Quality of an answer by the gold evidence, from 0 to 1.

    An unanswerable question is best left unanswered, which scores 1; an answer to it scores at most 0.2. No answer to any other
    question scores 0.

    Args:
        question: A question with gold evidence, accepted answers or incorrect answers.
        references: The references that the answer may cite.
        answer: The answer with its citations; empty if there is none.
    """
    return assess(question, references, answer).score


def gold_score_of(episode: Episode) -> float:
    """The gold score of an episode's final answer; a failed episode has no answer."""
    return gold_score(episode.question, episode.references, final_answer(episode))


@dataclass(frozen=True, slots=True)
class Assessment:
    """An answer by each of the labelers' priorities, from 0 to 1."""

    is_answered: bool
    is_answerable: bool
    supported: float
    """Share of the content that the citations support."""
    core: float
    """Share of the core question that is answered."""
    helpful: float
    """Whether the answer gives additional information about the same subject, times `core`."""
    cited: float
    """Share of the sentences that have citations, all of them valid."""
    relevant: float
    """Share of the content that is relevant to the question."""

    @property
    def score(self) -> float:
        """The weighted sum, from 0 to 1."""
        if not self.is_answerable:
            return 0.2 * self.supported if self.is_answered else 1.0
        if not self.is_answered:
            return 0.0
        relevance = max(self.core, self.relevant)
        supported = self.supported * (IRRELEVANT_SUPPORT + (1 - IRRELEVANT_SUPPORT) * relevance)
        return SUPPORTED * supported + CORE * self.core + HELPFUL * self.helpful + CITED * self.cited + RELEVANT * self.relevant


def assess(question: Question, references: Sequence[Reference], answer: str) -> Assessment:
    """Assess an answer by each priority; takes the arguments of `gold_score`."""
    answer = answer.strip()
    check = check_citations(answer, references)
    core = _core(question, references, answer) if answer else 0.0
    near = _near_gold(question, references)
    sentences = [_AssessedSentence.of(sentence, question, near) for sentence in check.sentences]
    size = sum(sentence.size for sentence in sentences) or 1
    return Assessment(
        is_answered=bool(answer),
        is_answerable=question.kind != UNANSWERABLE,
        supported=sum(sentence.size * sentence.support for sentence in sentences) / size,
        core=core,
        helpful=float(any(sentence.is_helpful for sentence in sentences)) * core,
        cited=_validly_cited(check),
        relevant=sum(sentence.size * sentence.relevance for sentence in sentences) / size,
    )


@dataclass(frozen=True, slots=True)
class _AssessedSentence:
    """One sentence of an answer."""

    size: int
    """Number of content words."""
    support: float
    """Share of the sentence that its citations support."""
    gold: float
    """Share of the content words that the gold sentences, the accepted answers or the question contain."""
    is_helpful: bool
    """Whether it repeats text near a gold sentence instead of the gold sentence."""

    @property
    def relevance(self) -> float:
        return max(self.gold, float(self.is_helpful))

    @classmethod
    def of(cls, sentence: Sentence, question: Question, near: frozenset[int]) -> "_AssessedSentence":
        stems = content_stems(sentence.text)
        gold_text = " ".join((question.text, *question.answers, *(text for _, text in _gold_sentences(question))))
        gold = _overlap(stems, content_stems(gold_text))
        is_near = not near.isdisjoint(sentence.citations)
        return cls(len(stems), sentence.support, gold, is_near and sentence.support > 0.9 and gold < 0.5)


def _gold_sentences(question: Question) -> Iterator[tuple[str, str]]:
    """URL and text of each gold sentence."""
    return ((page.url, sentence) for page in question.evidence for sentence in page.sentences)


def _core(question: Question, references: Sequence[Reference], answer: str) -> float:
    """Share of the core question that the answer and its citations answer, from 0 to 1."""
    text = without_citations(answer)
    if question.incorrect_answers:
        return min(1.0, max(0.0, 0.5 + rouge_difference(rouge_l, answer, question)))
    gold = list(_gold_sentences(question))
    shown = sum(_shown(url, sentence, references, answer) for url, sentence in gold) / len(gold) if gold else 0.0
    if question.kind == NAMED:
        return 0.7 * contains_answer(text, question.answers) + 0.3 * shown
    if gold:
        repeated = sum(_overlap(content_stems(sentence), content_stems(text)) for _, sentence in gold) / len(gold)
        return 0.5 * shown + 0.5 * repeated**2
    if question.answers:
        return max(float(contains_answer(text, question.answers)), f1(text, question.answers))
    return _overlap(content_stems(question.text), content_stems(text))


def _shown(url: str, sentence: str, references: Sequence[Reference], answer: str) -> float:
    """Share of a gold sentence that a cited reference contains; half of it if the reference is from another page."""
    cited = [references[number - 1] for number in cited_numbers(answer) if 1 <= number <= len(references)]
    wanted = content_stems(sentence)
    best = 0.0
    for reference in cited:
        share = 1.0 if _contains(reference, sentence) else 0.8 * _overlap(wanted, content_stems(reference.extract)) ** 2
        best = max(best, share * (1.0 if reference.url == url else 0.5))
    return best


def _near_gold(question: Question, references: Sequence[Reference]) -> frozenset[int]:
    """Numbers of the references that contain a gold sentence, or are near one that does."""
    gold = list(_gold_sentences(question))
    containing = [
        reference
        for reference in references
        if any(reference.url == url and _contains(reference, sentence) for url, sentence in gold)
    ]
    return frozenset(
        number
        for number, reference in enumerate(references, start=1)
        for other in containing
        if reference.page == other.page and max(reference.start - other.end, other.start - reference.end) <= NEARBY
    )


def _contains(reference: Reference, sentence: str) -> bool:
    return normal_form(sentence.rstrip(" .:;!?…")) in normal_form(reference.extract)


def _validly_cited(check: CitationCheck) -> float:
    """Share of the sentences that have citations, all of them to existing references."""
    valid = sum(bool(sentence.citations) and not sentence.unknown for sentence in check.sentences)
    return valid / len(check.sentences) if check.sentences else 0.0


def _overlap(wanted: Sequence[str], given: Sequence[str]) -> float:
    """Share of the wanted words that are among the given words, counted with repetitions."""
    common = (Counter(wanted) & Counter(given)).total()
    return common / len(wanted) if wanted else 0.0
