"""Comparing the words of an answer with known answers: SQuAD's measures, containment, and ROUGE as TruthfulQA uses it."""

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from browser_env.pages.words import words
from browser_env.records import Question
from browser_env.records.citations import without_citations

_NAME: Final = re.compile(r"\w+(?:\.\w+)*")


def squad_normal_form(text: str) -> str:
    """Text in SQuAD's normal form: lower case, without ASCII punctuation, articles and extra white space."""
    text = "".join(character for character in text.lower() if character not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


def exact_match(answer: str, accepted: Sequence[str]) -> bool:
    """Whether an answer without its citations equals an accepted one in SQuAD's normal form."""
    return squad_normal_form(without_citations(answer)) in map(squad_normal_form, accepted) if answer else False


def f1(answer: str, accepted: Sequence[str]) -> float:
    """SQuAD's word F1 between an answer without its citations and the most similar accepted one."""
    given = squad_normal_form(without_citations(answer)).split()
    return max((_overlap_f1(given, squad_normal_form(text).split()) for text in accepted), default=0.0)


def contains_answer(answer: str, accepted: Sequence[str]) -> bool:
    """Whether an answer contains an accepted one, ignoring case.

    An accepted answer of several words is matched word by word, whatever stands between the words. A name or a single word is
    matched as it is written: *disk usage* does not match ``disk_usage``, and ``copy`` is not contained in ``copy_tree``.
    """
    text = without_citations(answer).casefold()
    given = words(text)
    return any(
        re.search(rf"(?<!\w){re.escape(expected.casefold())}(?!\w)", text) is not None
        if _NAME.fullmatch(expected)
        else _is_sublist(words(expected), given)
        for expected in accepted
    )


def rouge_1(answer: str, reference: str) -> float:
    """F1 of the words of two texts, without stemming."""
    return _overlap_f1(_rouge_words(answer), _rouge_words(reference))


def rouge_l(answer: str, reference: str) -> float:
    """F1 of the longest common subsequence of the words of two texts, without stemming."""
    given, wanted = _rouge_words(answer), _rouge_words(reference)
    return _f1(_common_subsequence(given, wanted), len(given), len(wanted))


def rouge_difference(rouge: Callable[[str, str], float], answer: str, question: Question) -> float:
    """Similarity to the nearest correct answer minus similarity to the nearest incorrect one, from -1 to 1 (TruthfulQA)."""
    text = without_citations(answer)
    correct, incorrect = (
        max((rouge(text, other) for other in others), default=0.0) for others in (question.answers, question.incorrect_answers)
    )
    return correct - incorrect


def _is_sublist(sought: Sequence[str], row: Sequence[str]) -> bool:
    size = len(sought)
    return size > 0 and any(row[start : start + size] == sought for start in range(len(row) - size + 1))


def _overlap_f1(given: Sequence[str], wanted: Sequence[str]) -> float:
    common = (Counter(given) & Counter(wanted)).total()
    return _f1(common, len(given), len(wanted))


def _f1(common: int, given: int, wanted: int) -> float:
    return 2 * common / (given + wanted) if common else 0.0


def _rouge_words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.lower())


def _common_subsequence(first: Sequence[str], second: Sequence[str]) -> int:
    """Length of the longest common subsequence."""
    row = [0] * (len(second) + 1)
    for word in first:
        diagonal = 0
        for index, other in enumerate(second, start=1):
            above = row[index]
            row[index] = diagonal + 1 if word == other else max(above, row[index - 1])
            diagonal = above
    return row[-1]
