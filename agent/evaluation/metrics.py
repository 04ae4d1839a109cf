"""The metrics of an episode: their list, and how each is computed from the episode's record alone.

Whether a metric applies depends on the question alone, so that every policy is measured on the same questions: a failed episode
scores as one without answer and references. The exceptions are `tokens`, which only some policies record, and `invalid_share`,
which needs at least one action. ``docs/benchmark.md`` explains each metric.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from agent.evaluation.answers import contains_answer, exact_match, f1, rouge_1, rouge_difference, rouge_l
from agent.evaluation.behavior import behavior
from agent.evaluation.citations import citation_score
from agent.evaluation.evidence import cited_references, evidence_share, has_evidence
from agent.evaluation.judges import Entailment, TruthJudge
from browser_env.records import Episode, Question, Reference
from browser_env.records.citations import without_citations

UNANSWERABLE: Final = "unanswerable"
"""Kind of questions that have no answer."""
NAMED: Final = "which"
"""Kind of questions whose answer is a name."""

Row = dict[str, float | None]
"""The metrics of one episode by name; None: the metric does not apply."""
Unit = Literal["share", "number", "seconds"]


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric, a column of the results."""

    name: str
    label: str
    """Name in tables."""
    unit: Unit = "share"
    """A share is a value between 0 and 1, or a difference of two; tables show it in percent."""


ANSWERS: Final = (
    Metric("correct", "correct"),
    Metric("exact_match", "exact match (SQuAD)"),
    Metric("f1", "F1 (SQuAD)"),
    Metric("contains_answer", "contains an accepted answer"),
    Metric("evidence_cited", "all gold evidence cited"),
    Metric("evidence_share", "gold sentences cited"),
)
CITATIONS: Final = (
    Metric("citation_recall", "citation recall (ALCE)"),
    Metric("citation_precision", "citation precision (ALCE)"),
)
TRUTH: Final = (
    Metric("rouge_1_difference", "ROUGE-1, correct − incorrect"),
    Metric("rouge_l_difference", "ROUGE-L, correct − incorrect"),
    Metric("truthful", "truthful"),
    Metric("informative", "informative"),
    Metric("truthful_and_informative", "truthful and informative"),
)
BEHAVIOR: Final = (
    Metric("answered", "answered"),
    Metric("unsupported", "answered without support"),
    Metric("failed", "failed"),
    Metric("ended_answer", "ended: Answer"),
    Metric("ended_nonsense", "ended: Nonsense"),
    Metric("ended_controversial", "ended: Controversial"),
    Metric("ended_max_actions", "ended: all actions used"),
    Metric("ended_max_references", "ended: references full"),
    Metric("references", "references", "number"),
    Metric("pages", "pages opened", "number"),
    Metric("actions", "actions", "number"),
    Metric("search", "Search", "number"),
    Metric("click", "Clicked on link", "number"),
    Metric("find", "Find in page", "number"),
    Metric("quote", "Quote", "number"),
    Metric("scroll_down", "Scrolled down", "number"),
    Metric("scroll_up", "Scrolled up", "number"),
    Metric("top", "Top", "number"),
    Metric("back", "Back", "number"),
    Metric("end", "End", "number"),
    Metric("invalid", "invalid actions", "number"),
    Metric("invalid_share", "invalid share of actions"),
    Metric("answer_words", "words of the answer", "number"),
    Metric("written_words", "words written in all", "number"),
    Metric("tokens", "tokens written in all", "number"),
    Metric("seconds", "seconds of the policy", "seconds"),
)
METRICS: Final = (*ANSWERS, *CITATIONS, *TRUTH, *BEHAVIOR)


def measure(episode: Episode, entailment: Entailment, truth: TruthJudge | None = None) -> Row:
    """Compute every metric of an episode.

    Args:
        episode: The record, finished or failed.
        entailment: Judge of citations.
        truth: Judge of answers to questions with known incorrect answers; None: those metrics are left out.
    """
    answer = final_answer(episode)
    references = () if episode.failure else episode.references
    return {
        **_answer_row(episode.question, answer, references, failed=episode.failure is not None),
        **_citation_row(episode.question, answer, references, entailment),
        **_truth_row(episode.question, answer, truth),
        **behavior(episode, answer, references),
    }


def final_answer(episode: Episode) -> str:
    """The answer; empty if there is none or the episode failed."""
    return "" if episode.failure else (episode.answer or "").strip()


def is_correct(question: Question, answer: str, references: Sequence[Reference]) -> bool | None:
    """Whether an answer is correct, by the first rule that applies to the question; None if none does.

    * Kind *unanswerable*: no answer was given.
    * Incorrect answers are known (TruthfulQA): by ROUGE-L, the answer is closer to a correct one than to any incorrect one.
    * Kind *which* (a name is asked for): the answer contains the name.
    * Gold evidence is known: the answer cites references that contain every gold sentence, each from its page.
    * Accepted answers are known: the answer contains one.
    """
    if question.kind == UNANSWERABLE:
        return not answer
    if question.incorrect_answers:
        return rouge_difference(rouge_l, answer, question) > 0
    if has_evidence(question) and question.kind != NAMED:
        return evidence_share(question.evidence, cited_references(answer, references)) == 1
    return contains_answer(answer, question.answers) if question.answers else None


def _answer_row(question: Question, answer: str, references: Sequence[Reference], *, failed: bool) -> Row:
    correct = is_correct(question, answer, references)
    extractive = bool(question.answers) and not question.incorrect_answers
    share = evidence_share(question.evidence, cited_references(answer, references)) if has_evidence(question) else None
    return {
        "correct": None if correct is None else float(correct and not failed),
        "exact_match": float(exact_match(answer, question.answers)) if extractive else None,
        "f1": f1(answer, question.answers) if extractive else None,
        "contains_answer": float(contains_answer(answer, question.answers)) if extractive else None,
        "evidence_cited": None if share is None else float(share == 1),
        "evidence_share": share,
    }


def _citation_row(question: Question, answer: str, references: Sequence[Reference], entailment: Entailment) -> Row:
    if question.kind == UNANSWERABLE:
        return {"citation_recall": None, "citation_precision": None}  # giving no answer is right and must not lower the score
    score = citation_score(answer, references, entailment)
    return {"citation_recall": score.recall, "citation_precision": score.precision}


def _truth_row(question: Question, answer: str, judge: TruthJudge | None) -> Row:
    applies = bool(question.incorrect_answers)
    verdict = judge.judge(question, without_citations(answer)) if applies and judge else None
    return {
        "rouge_1_difference": rouge_difference(rouge_1, answer, question) if applies else None,
        "rouge_l_difference": rouge_difference(rouge_l, answer, question) if applies else None,
        "truthful": None if verdict is None else float(verdict.truthful),
        "informative": None if verdict is None else float(verdict.informative),
        "truthful_and_informative": None if verdict is None else float(verdict.truthful and verdict.informative),
    }
