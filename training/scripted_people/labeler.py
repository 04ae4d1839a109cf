"""A stand-in for the people who compare answers: it knows the gold evidence, and errs as often as people do.

`gold_score` says how good an answer is, after the priorities of the paper's labelers (Appendix C.2, in descending order):
unsupported information, whether the core question is answered, additional helpful information, citation errors, irrelevant
information. It is deterministic, and fine enough that the best of many answers can be told from the best of a few; curves call
it the gold labeler. `Labeler` reads each answer with an error of its own and rates what it believes, as the people did, of
whom two agreed in 73 % of the cases. Neither sees the browsing.
"""

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Final

from agent.evaluation.answers import contains_answer, f1, rouge_difference, rouge_l
from agent.evaluation.metrics import NAMED, UNANSWERABLE, final_answer
from browser_env.pages.matching import normal_form
from browser_env.pages.words import content_stems
from browser_env.records import ComparedAnswer, Comparison, Episode, Question, Ratings, Reference
from browser_env.records.citations import CitationCheck, Sentence, check_citations, cited_numbers, without_citations
from browser_env.records.digests import stable_hash

SUPPORTED, CORE, HELPFUL, CITED, RELEVANT = 0.4, 0.35, 0.1, 0.1, 0.05
"""What a perfect answer gets for each priority; together 1."""
IDLE: Final = 0.25
"""What support counts in an answer that has nothing to do with the question (*irrelevant*, in an extreme case)."""
NEARBY: Final = 600
"""Characters around a gold sentence: what is quoted from there tells more about the same thing."""
ERROR: Final = 0.3
"""Standard deviation of a labeler's error in an answer's score, unless told otherwise. Two labelers then agree on 75 % of the
pairs that neither calls equal: measured with `error_for` on 1,600 pairs of answers to 400 questions, by scripted agents of
three kinds and damaged copies of theirs. The paper's people agreed on 73 % (§3.2), counting ties half: here 70 %."""
EQUAL: Final = 0.1
"""Difference of two scores below which answers are equally good."""
MUCH: Final = 0.4
"""The same from which one is much better."""
NAME: Final = "script"
"""What records call every scripted person."""


def gold_score(question: Question, references: Sequence[Reference], answer: str) -> float:
    """How good an answer is by the gold evidence, from 0 to 1.

    A question without an answer is best left unanswered (1); an answer to it is worth little, and no answer to another
    question nothing.

    Args:
        question: With what is known of its answer: evidence, accepted answers or wrong ones.
        references: What the answer may cite.
        answer: With citations; empty if there is none.
    """
    return assess(question, references, answer).score


def gold_score_of(episode: Episode) -> float:
    """`gold_score` of what an episode ended with; a failed one gave no answer."""
    return gold_score(episode.question, episode.references, final_answer(episode))


@dataclass(frozen=True, slots=True)
class Assessment:
    """An answer by the labelers' priorities, each from 0 to 1."""

    is_answered: bool
    is_answerable: bool
    supported: float
    """Share of what is said that the citations support."""
    core: float
    """How much of the core question is answered."""
    helpful: float
    """Whether more is told about the same thing."""
    cited: float
    """Share of the sentences whose citations are in order."""
    relevant: float
    """Share of what is said that belongs to the question."""

    @property
    def score(self) -> float:
        """The weighted sum."""
        if not self.is_answerable:
            return 0.2 * self.supported if self.is_answered else 1.0
        if not self.is_answered:
            return 0.0
        weighed = self.supported * (IDLE + (1 - IDLE) * max(self.core, self.relevant))
        return SUPPORTED * weighed + CORE * self.core + HELPFUL * self.helpful + CITED * self.cited + RELEVANT * self.relevant


def assess(question: Question, references: Sequence[Reference], answer: str) -> Assessment:
    """What `gold_score` weighs."""
    answer = answer.strip()
    check = check_citations(answer, references)
    core = _core(question, references, answer) if answer else 0.0
    near = _near(question, references)
    told = [_Told.of(sentence, question, near) for sentence in check.sentences]
    size = sum(one.size for one in told) or 1
    return Assessment(
        is_answered=bool(answer),
        is_answerable=question.kind != UNANSWERABLE,
        supported=sum(one.size * one.sentence.support for one in told) / size,
        core=core,
        helpful=float(any(one.is_helpful for one in told)) * core,
        cited=_in_order(check),
        relevant=sum(one.size * max(one.gold, float(one.is_helpful)) for one in told) / size,
    )


@dataclass(frozen=True, slots=True)
class Labeler:
    """Compares answers by their gold scores, each read with an error.

    Args:
        seed: Other labelers err elsewhere; the same one says the same of the same answers.
        error: Standard deviation of the error in a score; 0: the gold labeler.
    """

    seed: int = 0
    error: float = ERROR

    def perceived(self, question: Question, answer: ComparedAnswer) -> float:
        """How good an answer seems to this labeler."""
        return gold_score(question, answer.references, answer.text) + self.error * self._deviation(question, answer)

    def _deviation(self, question: Question, answer: ComparedAnswer) -> float:
        spans = "\0".join(f"{reference.url} {reference.start} {reference.end}" for reference in answer.references)
        return random.Random(stable_hash(self.seed, question.id, spans, answer.text)).gauss()

    def rate(self, question: Question, first: ComparedAnswer, second: ComparedAnswer) -> float:
        """Five points: 1 if the first answer is much better, 0.5 better, 0 equally good, -0.5 and -1."""
        return five_points(self.perceived(question, first) - self.perceived(question, second))

    def rank(self, question: Question, answers: Sequence[ComparedAnswer]) -> tuple[int, ...]:
        """The rank of each answer, 1 the best. Those that are equally good as the next better one have its rank."""
        scores = [self.perceived(question, answer) for answer in answers]
        order = sorted(range(len(answers)), key=lambda index: -scores[index])
        ranks = [1] * len(answers)
        for place, (better, index) in enumerate(pairwise(order), start=2):
            ranks[index] = ranks[better] if scores[better] - scores[index] < EQUAL else place
        return tuple(ranks)

    def compare(self, question: Question, answers: Sequence[ComparedAnswer], *, seed: int = 0) -> Comparison:
        """The record of a comparison: ratings of two answers, ranks of more.

        Args:
            question: With its gold evidence.
            answers: Two or more.
            seed: Decides on which side each is shown, which makes no difference to this labeler.
        """
        sources = [f"{answer.episode} {answer.text}" for answer in answers]
        shown = list(range(len(answers)))
        random.Random(stable_hash("shown", seed, question.id, *sources)).shuffle(shown)
        return Comparison(
            id=stable_hash(question.id, NAME, self.seed, *sources)[:12],
            question=question,
            answers=tuple(answers),
            labeler=NAME,
            ratings=Ratings(overall=self.rate(question, *answers)) if len(answers) == 2 else None,
            ranks=self.rank(question, answers) if len(answers) > 2 else None,
            seed=self.seed,
            shown=tuple(shown),
        )


def five_points(difference: float) -> float:
    """The rating that a difference of two scores is."""
    size = 0.0 if abs(difference) < EQUAL else 0.5 if abs(difference) < MUCH else 1.0
    return size if difference > 0 else -size if size else 0.0


def compared(episode: Episode) -> ComparedAnswer:
    """What somebody who compares sees of an episode; an episode without an answer has an empty one."""
    return ComparedAnswer(
        text=final_answer(episode),
        references=() if episode.failure else episode.references,
        actor=episode.actor,
        episode=episode.id,
    )


def draw_pairs(episodes: Iterable[Episode], most: int, seed: int) -> Iterator[tuple[Episode, Episode]]:
    """Episodes of one question to be compared with each other, whose references or answers differ.

    Args:
        episodes: Those without an answer are left out.
        most: Pairs of each question.
        seed: Of the draw.
    """
    different: dict[str, dict[str, Episode]] = {}
    for episode in episodes:
        if episode.failure is None and final_answer(episode):
            told = f"{final_answer(episode)}\0{episode.references}"
            different.setdefault(episode.question.id, {}).setdefault(told, episode)
    for question_id, found in different.items():
        pairs = list(combinations(found.values(), 2))
        random.Random(stable_hash(seed, question_id)).shuffle(pairs)
        yield from pairs[:most]


def draw_others(episodes: Iterable[Episode], seed: int) -> Iterator[tuple[Episode, Episode]]:
    """Each answer to its own question beside one to another question: what is quoted just before or behind it on the page.

    Good answers to other questions are as well written as the right one and differ in what they are about, which is what is
    hardest to learn from answers of a policy. Where several questions are about one definition, its sentences are compared.

    Args:
        episodes: One of each question is taken; those without an answer and a reference are left out.
        seed: Of the draw.
    """
    answered: dict[str, Episode] = {}
    for episode in episodes:
        if episode.failure is None and final_answer(episode) and episode.references:
            answered.setdefault(episode.question.id, episode)
    by_page: dict[str, list[Episode]] = {}
    for episode in answered.values():
        by_page.setdefault(episode.references[0].url, []).append(episode)
    rng = random.Random(stable_hash(seed, "others"))
    alone = [found[0] for found in by_page.values() if len(found) == 1]
    for found in [*(found for found in by_page.values() if len(found) > 1), *([alone] if len(alone) > 1 else [])]:
        found.sort(key=lambda episode: (episode.references[0].start, episode.question.id))
        for index, episode in enumerate(found):
            yield episode, found[(index + rng.choice((-1, 1))) % len(found)]


def agreement(first: Sequence[float], second: Sequence[float]) -> float | None:
    """How often two labelers' ratings of the same pairs point the same way, of those that neither calls equal.

    None: there are none such.
    """
    signs = [a * b > 0 for a, b in zip(first, second, strict=True) if a and b]
    return sum(signs) / len(signs) if signs else None


def error_for(target: float, pairs: Sequence[tuple[Question, ComparedAnswer, ComparedAnswer]]) -> float:
    """The error with which two labelers have some agreement on some pairs: how `ERROR` was chosen, and how to choose another.

    Args:
        target: Share of the pairs, of those that neither calls equal, from 0.5 to 1.
        pairs: A few hundred.
    """
    gold = [gold_score(question, a.references, a.text) - gold_score(question, b.references, b.text) for question, a, b in pairs]
    readers = [
        [labeler._deviation(question, a) - labeler._deviation(question, b) for question, a, b in pairs]
        for labeler in (Labeler(seed=1), Labeler(seed=2))
    ]
    low, high = 0.0, 2.0
    for _ in range(12):
        error = (low + high) / 2
        rated = [
            [five_points(difference + error * deviation) for difference, deviation in zip(gold, reader, strict=True)]
            for reader in readers
        ]
        if (agreement(*rated) or 0.0) > target:
            low = error
        else:
            high = error
    return (low + high) / 2


# ---------------------------------------------------------------------------------------------------------------- parts


@dataclass(frozen=True, slots=True)
class _Told:
    """A sentence of an answer."""

    sentence: Sentence
    size: int
    """Words that say something."""
    gold: float
    """Share of them that the gold sentences and the question have."""
    is_helpful: bool
    """Whether it repeats what stands near a gold sentence."""

    @classmethod
    def of(cls, sentence: Sentence, question: Question, near: frozenset[int]) -> "_Told":
        stems = content_stems(sentence.text)
        gold = " ".join((question.text, *question.answers, *(text for page in question.evidence for text in page.sentences)))
        share = _overlap(stems, content_stems(gold))
        is_near = not near.isdisjoint(sentence.citations)
        return cls(sentence, len(stems), share, is_near and sentence.support > 0.9 and share < 0.5)


def _core(question: Question, references: Sequence[Reference], answer: str) -> float:
    """How much of the core question is answered: told in the answer, and shown by what it cites."""
    told = without_citations(answer)
    if question.incorrect_answers:
        return min(1.0, max(0.0, 0.5 + rouge_difference(rouge_l, answer, question)))
    gold = [(page.url, sentence) for page in question.evidence for sentence in page.sentences]
    shown = sum(_shown(url, sentence, references, answer) for url, sentence in gold) / len(gold) if gold else 0.0
    if question.kind == NAMED:
        return 0.7 * contains_answer(told, question.answers) + 0.3 * shown
    if gold:
        repeated = sum(_overlap(content_stems(sentence), content_stems(told)) for _, sentence in gold) / len(gold)
        return 0.5 * shown + 0.5 * repeated**2
    if question.answers:
        return max(float(contains_answer(told, question.answers)), f1(told, question.answers))
    return _overlap(content_stems(question.text), content_stems(told))


def _shown(url: str, sentence: str, references: Sequence[Reference], answer: str) -> float:
    """How much of a gold sentence stands in a reference that is cited; on another page than the gold one, half counts."""
    cited = [references[number - 1] for number in cited_numbers(answer) if 1 <= number <= len(references)]
    wanted = content_stems(sentence)
    found = 0.0
    for reference in cited:
        share = 1.0 if _holds(reference, sentence) else 0.8 * _overlap(wanted, content_stems(reference.extract)) ** 2
        found = max(found, share * (1.0 if reference.url == url else 0.5))
    return found


def _near(question: Question, references: Sequence[Reference]) -> frozenset[int]:
    """Numbers of the references that hold a gold sentence, or stand near one that does."""
    gold = [(page.url, sentence) for page in question.evidence for sentence in page.sentences]
    holding = [
        reference
        for reference in references
        if any(reference.url == url and _holds(reference, sentence) for url, sentence in gold)
    ]
    return frozenset(
        number
        for number, reference in enumerate(references, start=1)
        for other in holding
        if reference.page == other.page and max(reference.start - other.end, other.start - reference.end) <= NEARBY
    )


def _holds(reference: Reference, sentence: str) -> bool:
    return normal_form(sentence.rstrip(" .:;!?…")) in normal_form(reference.extract)


def _in_order(check: CitationCheck) -> float:
    """Share of the sentences that cite, and cite only references that exist."""
    good = sum(bool(sentence.citations) and not sentence.unknown for sentence in check.sentences)
    return good / len(check.sentences) if check.sentences else 0.0


def _overlap(wanted: Sequence[str], given: Sequence[str]) -> float:
    """Share of some words that others have, counted with repetitions."""
    common = (Counter(wanted) & Counter(given)).total()
    return common / len(wanted) if wanted else 0.0
