"""A scripted person who compares answers: a labeler that perceives the gold score with an error.

The error is as large as it takes for two labelers to agree about as often as the paper's did, which was in 73 % of the
cases (§3.2). Without an error it is the gold labeler.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from browser_env.records import ComparedAnswer, Comparison, Question, Ratings
from browser_env.records.digests import stable_hash
from training.scripted_people.demonstrator import NAME
from training.scripted_people.gold_score import gold_score

ERROR: Final = 0.3
"""Default standard deviation of a labeler's error in an answer's score. Two labelers then agree on 75 % of the pairs that
neither rates as a tie, measured with `error_for` on 1,600 pairs of answers to 400 questions, from three kinds of scripted
agents and damaged copies of their answers. The paper's labelers agreed on 73 % (§3.2), a tie counting half; by that measure
this is 70 %."""
EQUAL: Final = 0.1
"""Difference of two scores below which the answers are rated equally good."""
MUCH: Final = 0.4
"""Difference of two scores from which the higher one is rated much better."""


@dataclass(frozen=True, slots=True)
class Labeler:
    """Compares answers by their gold scores, each perceived with an error.

    Args:
        seed: Identifies the labeler; others make other errors. A labeler always rates the same answers alike.
        error: Standard deviation of the error in a score; 0 is the gold labeler.
    """

    seed: int = 0
    error: float = ERROR

    def perceived(self, question: Question, answer: ComparedAnswer) -> float:
        """The score of an answer as this labeler perceives it."""
        return gold_score(question, answer.references, answer.text) + self.error * self.deviation(question, answer)

    def deviation(self, question: Question, answer: ComparedAnswer) -> float:
        """This labeler's error about an answer, in standard deviations."""
        spans = "\0".join(f"{reference.url} {reference.start} {reference.end}" for reference in answer.references)
        return random.Random(stable_hash(self.seed, question.id, spans, answer.text)).gauss()

    def rate(self, question: Question, first: ComparedAnswer, second: ComparedAnswer) -> float:
        """Rating in five points: 1 if the first answer is much better, 0.5 better, 0 equally good, -0.5 and -1."""
        return five_points(self.perceived(question, first) - self.perceived(question, second))

    def rank(self, question: Question, answers: Sequence[ComparedAnswer]) -> tuple[int, ...]:
        """The rank of each answer, 1 for the best; an answer as good as the next better one shares its rank."""
        scores = [self.perceived(question, answer) for answer in answers]
        order = sorted(range(len(answers)), key=lambda index: -scores[index])
        ranks = [1] * len(answers)
        for rank, (better, index) in enumerate(pairwise(order), start=2):
            ranks[index] = ranks[better] if scores[better] - scores[index] < EQUAL else rank
        return tuple(ranks)

    def compare(self, question: Question, answers: Sequence[ComparedAnswer], *, seed: int = 0) -> Comparison:
        """The record of a comparison: a rating of two answers, ranks of three or more.

        Args:
            question: A question with gold evidence.
            answers: Two or more.
            seed: Decides the order in which the answers are shown, which does not influence this labeler.
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
    """The five-point rating for the difference of two scores."""
    size = 0.0 if abs(difference) < EQUAL else 0.5 if abs(difference) < MUCH else 1.0
    return size if difference > 0 else -size if size else 0.0


def agreement(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Share of the pairs on which two labelers prefer the same answer, without pairs that either rates as a tie.

    Args:
        first: One labeler's ratings.
        second: The other's ratings of the same pairs.

    Returns:
        The share, or None if every pair is a tie for one of them.
    """
    signs = [a * b > 0 for a, b in zip(first, second, strict=True) if a and b]
    return sum(signs) / len(signs) if signs else None


def error_for(target: float, pairs: Sequence[tuple[Question, ComparedAnswer, ComparedAnswer]]) -> float:
    """The error at which two labelers reach a given agreement; `ERROR` was chosen with it.

    Args:
        target: Agreement to reach, from 0.5 to 1; see `agreement`.
        pairs: A few hundred pairs of answers.
    """
    gold = [gold_score(question, a.references, a.text) - gold_score(question, b.references, b.text) for question, a, b in pairs]
    labelers = Labeler(seed=1), Labeler(seed=2)
    deviations = [
        [labeler.deviation(question, a) - labeler.deviation(question, b) for question, a, b in pairs] for labeler in labelers
    ]
    low, high = 0.0, 2.0
    for _ in range(12):
        error = (low + high) / 2
        first, second = (
            [five_points(difference + error * deviation) for difference, deviation in zip(gold, column, strict=True)]
            for column in deviations
        )
        if (agreement(first, second) or 0.0) > target:
            low = error
        else:
            high = error
    return (low + high) / 2
