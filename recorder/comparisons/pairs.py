"""Which answers somebody compares: drawn by seed, in a random order that is recorded, with nothing on where they come from."""

import random
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import combinations

from browser_env.records import ComparedAnswer, Episode, Question
from browser_env.records.digests import short_hash
from recorder.comparisons.events import Task

FULL_SHARE = 0.1
"""Of the comparisons, those with the full form (Appendix C.2)."""
MAX_RANKED = 9
"""Answers in one ranking: a digit of the keyboard each, as many as InstructGPT had."""


def draw_pairs(
    episodes: Iterable[Episode], seed: int, *, per_question: int = 1, full_share: float = FULL_SHARE
) -> Iterator[Task]:
    """Pairs of answers to each question, no pair twice.

    What is drawn for a question depends on its answers and the seed alone.

    Args:
        episodes: Those without an answer are left out, and so are answers that are word for word another's.
        seed: Of the draws and of the sides.
        per_question: Most pairs for a question.
        full_share: Of pairs, those with the full form.
    """
    for question, answers in _answers(episodes):
        chance = _chance(seed, question)
        pairs = list(combinations(answers, 2))
        for pair in chance.sample(pairs, min(per_question, len(pairs))):
            yield _task(question, pair, seed, chance, full_share)


def draw_rankings(
    episodes: Iterable[Episode], seed: int, num_answers: int = 4, *, full_share: float = FULL_SHARE
) -> Iterator[Task]:
    """Answers to be ranked, one task for each question that has as many as are asked for.

    Args:
        episodes: As in `draw_pairs`.
        seed: Of the draws and of the order.
        num_answers: In a task, 2 to 9.
        full_share: Of tasks, those in which the answers are annotated too.

    Raises:
        ValueError: There cannot be so many answers.
    """
    if not 2 <= num_answers <= MAX_RANKED:
        raise ValueError(f"2 to {MAX_RANKED} answers can be ranked, not {num_answers}")
    for question, answers in _answers(episodes):
        if len(answers) >= num_answers:
            chance = _chance(seed, question)
            yield _task(question, chance.sample(answers, num_answers), seed, chance, full_share, is_ranking=True)


def _answers(episodes: Iterable[Episode]) -> Iterator[tuple[Question, list[ComparedAnswer]]]:
    """The different answers to each question, in an order that is not that of the episodes."""
    questions: dict[tuple[str, str, str], Question] = {}
    found: dict[tuple[str, str, str], dict[str, ComparedAnswer]] = defaultdict(dict)
    for episode in episodes:
        text = episode.answer
        if text is None or not text.strip() or episode.failure is not None:
            continue
        question = episode.question
        name = (question.dataset, question.id, question.text)
        questions.setdefault(name, question)
        answer = ComparedAnswer(text=text, references=episode.references, actor=episode.actor, episode=episode.id)
        same = short_hash(text, *(part for one in answer.references for part in (one.full_title, one.extract)))
        if same not in found[name] or (answer.actor, answer.episode) < (found[name][same].actor, found[name][same].episode):
            found[name][same] = answer
    for name, question in questions.items():
        yield question, [found[name][same] for same in sorted(found[name])]


def _chance(seed: int, question: Question) -> random.Random:
    return random.Random(int(short_hash("pairs", seed, question.dataset, question.id, question.text), 16))


def _task(
    question: Question,
    answers: Iterable[ComparedAnswer],
    seed: int,
    chance: random.Random,
    full_share: float,
    *,
    is_ranking: bool = False,
) -> Task:
    drawn = tuple(answers)
    shown = chance.sample(range(len(drawn)), len(drawn))
    names = (part for one in drawn for part in (one.actor, one.episode, one.text))
    return Task(
        id=short_hash(question.dataset, question.id, question.text, is_ranking, seed, *names),
        question=question,
        answers=drawn,
        shown=tuple(shown),
        seed=seed,
        is_full=chance.random() < full_share,
        is_ranking=is_ranking,
    )
