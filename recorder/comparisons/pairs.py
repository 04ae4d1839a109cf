"""Random drawing of the answers to compare, and of the order in which they are shown."""

import random
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import chain, combinations

from browser_env.records import ComparedAnswer, Episode, Question
from browser_env.records.digests import short_hash
from recorder.comparisons.events import Task

FULL_SHARE = 0.1
"""Default share of tasks with the full form (Appendix C.2)."""
MAX_RANKED = 9
"""Maximum number of answers in a ranking: one for each digit key, as in InstructGPT."""


def draw_pairs(
    episodes: Iterable[Episode], seed: int, *, per_question: int = 1, full_share: float = FULL_SHARE
) -> Iterator[Task]:
    """Draw pairs of answers to each question without repetition.

    The pairs of a question depend only on its answers and the seed.

    Args:
        episodes: Episodes without an answer and duplicate answers are left out.
        seed: Seed of the draws and of the sides.
        per_question: Maximum number of pairs per question.
        full_share: Share of pairs with the full form, from 0 to 1.
    """
    for question, answers in _answers(episodes):
        rng = _random(seed, question)
        pairs = list(combinations(answers, 2))
        for pair in rng.sample(pairs, min(per_question, len(pairs))):
            yield _task(question, pair, seed, rng, full_share)


def draw_rankings(
    episodes: Iterable[Episode], seed: int, num_answers: int = 4, *, full_share: float = FULL_SHARE
) -> Iterator[Task]:
    """Draw answers to rank: one task for each question that has enough answers.

    Args:
        episodes: Episodes without an answer and duplicate answers are left out.
        seed: Seed of the draws and of the order.
        num_answers: Number of answers in a task, from 2 to 9.
        full_share: Share of tasks with the full form, from 0 to 1.

    Raises:
        ValueError: `num_answers` is out of range.
    """
    if not 2 <= num_answers <= MAX_RANKED:
        raise ValueError(f"num_answers must be from 2 to {MAX_RANKED}, got {num_answers}")
    for question, answers in _answers(episodes):
        if len(answers) >= num_answers:
            rng = _random(seed, question)
            yield _task(question, rng.sample(answers, num_answers), seed, rng, full_share, is_ranking=True)


def answer_key(answer: ComparedAnswer) -> str:
    """Return a hash of an answer's text and references, equal for duplicates from different origins."""
    parts = ((reference.full_title, reference.extract) for reference in answer.references)
    return short_hash(answer.text, *chain.from_iterable(parts))


def _answers(episodes: Iterable[Episode]) -> Iterator[tuple[Question, list[ComparedAnswer]]]:
    """Yield each question with its distinct answers, sorted by `answer_key`.

    Of duplicates, the first by actor and episode is used, so that the order of the episodes does not matter.
    """
    questions: dict[tuple[str, str, str], Question] = {}
    answers: dict[tuple[str, str, str], dict[str, ComparedAnswer]] = defaultdict(dict)
    for episode in episodes:
        text, question = episode.answer, episode.question
        if text is None or not text.strip() or episode.failure is not None:
            continue
        answer = ComparedAnswer(text=text, references=episode.references, actor=episode.actor, episode=episode.id)
        name, key = (question.dataset, question.id, question.text), answer_key(answer)
        questions.setdefault(name, question)
        duplicate = answers[name].get(key)
        if duplicate is None or (answer.actor, answer.episode) < (duplicate.actor, duplicate.episode):
            answers[name][key] = answer
    for name, question in questions.items():
        yield question, [answers[name][key] for key in sorted(answers[name])]


def _random(seed: int, question: Question) -> random.Random:
    """Return the random generator of a question, independent of other questions."""
    return random.Random(int(short_hash("pairs", seed, question.dataset, question.id, question.text), 16))


def _task(
    question: Question,
    answers: Iterable[ComparedAnswer],
    seed: int,
    rng: random.Random,
    full_share: float,
    *,
    is_ranking: bool = False,
) -> Task:
    drawn = tuple(answers)
    shown = rng.sample(range(len(drawn)), len(drawn))
    names = (part for answer in drawn for part in (answer.actor, answer.episode, answer.text))
    return Task(
        id=short_hash(question.dataset, question.id, question.text, is_ranking, seed, *names),
        question=question,
        answers=drawn,
        shown=tuple(shown),
        seed=seed,
        is_full=rng.random() < full_share,
        is_ranking=is_ranking,
    )
