"""What is counted of an episode, each figure defined once and computed from the record alone.

Whether a figure applies depends on the question alone, so that every policy is measured on the same questions: a failed episode
has no answer and no reference, and scores what that scores. The exceptions are `tokens`, which only some policies have, and
`invalid_share`, which needs an action. `METRICS` is the list, with what each means; ``docs/benchmark.md`` explains.
"""

import re
import string
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import urldefrag

from agent.evaluation.judges import Entailment, Pair, TruthJudge
from browser_env.actions import Back, Click, End, Find, Quote, ScrollDown, ScrollUp, Search, Top, first_line, parse_action
from browser_env.pages.matching import normal_form, normalize
from browser_env.pages.words import words
from browser_env.records import Episode, Evidence, Question, Reference, Step
from browser_env.records.citations import cited_numbers, split_sentences, without_citations

UNANSWERABLE: Final = "unanswerable"
"""Kind of the questions that have no answer."""
NAMED: Final = "which"
"""Kind of the questions whose answer is a name."""
MAX_CITATIONS: Final = 3
"""Citations of a sentence that count (ALCE); the first ones."""

Row = dict[str, float | None]
"""The figures of one episode by metric; None: it does not apply."""
Unit = Literal["share", "number", "seconds"]


@dataclass(frozen=True, slots=True)
class Metric:
    """A column of the results."""

    name: str
    label: str
    """As tables call it."""
    unit: Unit = "share"
    """A share is between 0 and 1, or a difference of two such; tables show percent."""


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

_NAME: Final = re.compile(r"\w+(?:\.\w+)*")
_ACTIONS: Final = {
    Search: "search",
    Click: "click",
    Find: "find",
    Quote: "quote",
    ScrollDown: "scroll_down",
    ScrollUp: "scroll_up",
    Top: "top",
    Back: "back",
    End: "end",
}


def measure(episode: Episode, entailment: Entailment, truth: TruthJudge | None = None) -> Row:
    """Every metric of an episode.

    Args:
        episode: Finished or failed.
        entailment: Judges citations.
        truth: Judges answers to questions with known incorrect answers; None: nobody does.
    """
    answer = final_answer(episode)
    references = () if episode.failure else episode.references
    return {
        **_answer_row(episode.question, answer, references, failed=episode.failure is not None),
        **_citation_row(episode.question, answer, references, entailment),
        **_truth_row(episode.question, answer, truth),
        **_behavior_row(episode, answer, references),
    }


def final_answer(episode: Episode) -> str:
    """The answer; empty if there is none or the episode failed."""
    return "" if episode.failure else (episode.answer or "").strip()


def is_correct(question: Question, answer: str, references: Sequence[Reference]) -> bool | None:
    """The one overall figure, by what is known of the question; None if nothing is.

    * No answer exists (kind *unanswerable*): none was given.
    * Incorrect answers are known (TruthfulQA): by ROUGE-L, the answer is closer to a correct one than to any incorrect one.
    * A name is asked for (kind *which*): the answer contains it.
    * Gold evidence is known: the answer cites references that hold every gold sentence, each of its page.
    * Answers are known: the answer contains one.
    """
    if question.kind == UNANSWERABLE:
        return not answer
    if question.incorrect_answers:
        return rouge_difference(rouge_l, answer, question) > 0
    if _has_evidence(question) and question.kind != NAMED:
        return evidence_share(question.evidence, cited_references(answer, references)) == 1
    return contains_answer(answer, question.answers) if question.answers else None


# -------------------------------------------------------------------------------------------------------------- answers


def squad_normal_form(text: str) -> str:
    """SQuAD's: without case, ASCII punctuation, articles and extra white space."""
    text = "".join(character for character in text.lower() if character not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


def exact_match(answer: str, accepted: Sequence[str]) -> bool:
    """Whether an answer without its citations is one of the accepted ones, in SQuAD's normal form."""
    return squad_normal_form(without_citations(answer)) in map(squad_normal_form, accepted) if answer else False


def f1(answer: str, accepted: Sequence[str]) -> float:
    """SQuAD's F1 of words between an answer without its citations and the nearest accepted one."""
    given = squad_normal_form(without_citations(answer)).split()
    return max((_overlap_f1(given, squad_normal_form(text).split()) for text in accepted), default=0.0)


def contains_answer(answer: str, accepted: Sequence[str]) -> bool:
    """Whether an accepted answer stands in an answer, without regard to case.

    Of several words, word by word whatever is between them; a name or a single word as it is written, so that *disk usage* is
    not ``disk_usage`` and ``copy`` does not stand in ``copy_tree``.
    """
    text = without_citations(answer).casefold()
    given = words(text)
    return any(
        re.search(rf"(?<!\w){re.escape(one.casefold())}(?!\w)", text) is not None
        if _NAME.fullmatch(one)
        else _stands_in(words(one), given)
        for one in accepted
    )


def cited_references(answer: str, references: Sequence[Reference]) -> list[Reference]:
    """The references that an answer cites, in order of mention."""
    return [references[number - 1] for number in cited_numbers(answer) if 1 <= number <= len(references)]


def evidence_share(evidence: Sequence[Evidence], cited: Sequence[Reference]) -> float:
    """Share of the gold sentences that stand in a cited reference to their page, as find and quote match text.

    The punctuation at the end of a gold sentence may be missing.
    """
    found = [
        any(normalize(reference.extract).find(needle) is not None for reference in cited if _is_page(reference.url, page.url))
        for page in evidence
        for needle in (normal_form(sentence.rstrip(" .:;!?…")) for sentence in page.sentences)
    ]
    return sum(found) / len(found)


def _answer_row(question: Question, answer: str, references: Sequence[Reference], *, failed: bool) -> Row:
    correct = is_correct(question, answer, references)
    extractive = bool(question.answers) and not question.incorrect_answers
    share = evidence_share(question.evidence, cited_references(answer, references)) if _has_evidence(question) else None
    return {
        "correct": None if correct is None else float(correct and not failed),
        "exact_match": float(exact_match(answer, question.answers)) if extractive else None,
        "f1": f1(answer, question.answers) if extractive else None,
        "contains_answer": float(contains_answer(answer, question.answers)) if extractive else None,
        "evidence_cited": None if share is None else float(share == 1),
        "evidence_share": share,
    }


def _has_evidence(question: Question) -> bool:
    return any(page.sentences for page in question.evidence)


def _is_page(url: str, other: str) -> bool:
    return urldefrag(url)[0] == urldefrag(other)[0]


def _stands_in(sought: Sequence[str], row: Sequence[str]) -> bool:
    size = len(sought)
    return size > 0 and any(row[start : start + size] == sought for start in range(len(row) - size + 1))


def _overlap_f1(given: Sequence[str], wanted: Sequence[str]) -> float:
    common = (Counter(given) & Counter(wanted)).total()
    return _f1(common, len(given), len(wanted))


def _f1(common: int, given: int, wanted: int) -> float:
    return 2 * common / (given + wanted) if common else 0.0


# ------------------------------------------------------------------------------------------------------------ citations


@dataclass(frozen=True, slots=True)
class CitationScore:
    """Of one answer."""

    recall: float
    """Share of its sentences that what they cite entails."""
    precision: float
    """Share of its citations that are needed for that, or suffice alone; 0 if there are none."""


def citation_score(answer: str, references: Sequence[Reference], entailment: Entailment) -> CitationScore:
    """ALCE's citation recall and precision (Gao et al. 2023).

    A sentence has recall 1 if it cites at least one reference, none that does not exist, and what it cites entails it
    together. A citation has precision 1 if its sentence has recall 1 and it is not irrelevant; it is irrelevant if it does not
    entail the sentence alone and the other ones do without it.

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
    text: str
    cited: tuple[Reference, ...]
    """Empty if any citation points at nothing: then the sentence has recall 0."""
    num_citations: int


def _cited(sentence: str, references: Sequence[Reference]) -> _Cited:
    numbers = cited_numbers(sentence)
    exist = all(1 <= number <= len(references) for number in numbers)
    cited = tuple(references[number - 1] for number in numbers[:MAX_CITATIONS]) if exist else ()
    return _Cited(without_citations(sentence), cited, min(len(numbers), MAX_CITATIONS))


def _entailed(entailment: Entailment, claims: Sequence[tuple[str, Sequence[Reference]]]) -> list[bool]:
    """For each sentence whether the references given with it entail it; none do not."""
    pairs = [Pair("\n".join(map(_document, cited)), text) for text, cited in claims if cited]
    verdicts = iter(entailment.entails(pairs) if pairs else ())
    return [next(verdicts) if cited else False for _, cited in claims]


def _document(reference: Reference) -> str:
    return f"Title: {reference.title}\n{reference.extract}"


def _citation_row(question: Question, answer: str, references: Sequence[Reference], entailment: Entailment) -> Row:
    if question.kind == UNANSWERABLE:
        return {"citation_recall": None, "citation_precision": None}  # where silence is right, it must not cost
    score = citation_score(answer, references, entailment)
    return {"citation_recall": score.recall, "citation_precision": score.precision}


# ---------------------------------------------------------------------------------------------------------------- truth


def rouge_1(answer: str, reference: str) -> float:
    """F1 of the words of two texts, without stemming."""
    return _overlap_f1(_rouge_words(answer), _rouge_words(reference))


def rouge_l(answer: str, reference: str) -> float:
    """F1 of the longest common subsequence of words of two texts, without stemming."""
    given, wanted = _rouge_words(answer), _rouge_words(reference)
    return _f1(_common_subsequence(given, wanted), len(given), len(wanted))


def rouge_difference(rouge: Callable[[str, str], float], answer: str, question: Question) -> float:
    """How much closer an answer is to the nearest correct one than to the nearest incorrect one, from -1 to 1 (TruthfulQA)."""
    text = without_citations(answer)
    correct, incorrect = (
        max((rouge(text, other) for other in others), default=0.0) for others in (question.answers, question.incorrect_answers)
    )
    return correct - incorrect


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


def _rouge_words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.lower())


def _common_subsequence(first: Sequence[str], second: Sequence[str]) -> int:
    """Length of the longest one."""
    row = [0] * (len(second) + 1)
    for word in first:
        diagonal = 0
        for index, other in enumerate(second, start=1):
            above = row[index]
            row[index] = diagonal + 1 if word == other else max(above, row[index - 1])
            diagonal = above
    return row[-1]


# ------------------------------------------------------------------------------------------------------------- behavior


def _behavior_row(episode: Episode, answer: str, references: Sequence[Reference]) -> Row:
    kinds = Counter(_kinds(episode.steps))
    actions = kinds.total()
    tokens = [step.token_ids for step in episode.steps]
    return {
        "answered": float(bool(answer)),
        "unsupported": float(bool(answer) and not cited_references(answer, references)),
        "failed": float(episode.failure is not None),
        **{
            f"ended_{ending}": float(episode.failure is None and episode.ending == ending)
            for ending in ("answer", "nonsense", "controversial", "max_actions", "max_references")
        },
        "references": float(len(references)),
        "pages": float(kinds["click"]),
        "actions": float(actions),
        **{name: float(kinds[name]) for name in (*_ACTIONS.values(), "invalid")},
        "invalid_share": kinds["invalid"] / actions if actions else None,
        "answer_words": float(len(answer.split())),
        "written_words": float(sum(len(step.completion.split()) for step in episode.steps)),
        "tokens": float(sum(len(ids or ()) for ids in tokens)) if tokens and None not in tokens else None,
        "seconds": sum(step.seconds or 0.0 for step in episode.steps),
    }


def _kinds(steps: Sequence[Step]) -> Iterator[str]:
    for step in steps:
        if step.phase == "browsing":
            action = parse_action(first_line(step.completion if step.command is None else step.command))
            yield "invalid" if step.problem else _ACTIONS.get(type(action), "invalid")
