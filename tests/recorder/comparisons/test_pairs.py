"""Drawing of pairs and rankings: seeds, sides, forms, and distinct answers."""

from collections import Counter
from dataclasses import replace
from itertools import combinations

import pytest

from browser_env.records import Episode, Question, Settings, Step
from recorder.comparisons.pairs import draw_pairs, draw_rankings


def episode(question: int, number: int, answer: str | None) -> Episode:
    steps = () if answer is None else (Step(phase="answering", observation="", completion=answer),)
    record = Question(id=f"q{question}", text=f"Why {question}?")
    return Episode(id=f"e{question}-{number}", question=record, settings=Settings(), actor="m", backend="w", steps=steps)


EPISODES = [episode(question, number, f"Because {number}.") for question in range(200) for number in range(4)]


def test_the_draw_depends_on_the_seed_and_not_on_the_order_of_episodes() -> None:
    drawn = sorted(draw_pairs(EPISODES, 1, per_question=2), key=lambda task: task.id)
    assert drawn == sorted(draw_pairs(EPISODES[::-1], 1, per_question=2), key=lambda task: task.id)
    assert drawn != sorted(draw_pairs(EPISODES, 2, per_question=2), key=lambda task: task.id)
    assert len({task.id for task in drawn}) == len(drawn) == 400


def test_sides_and_full_forms_are_random() -> None:
    drawn = list(draw_pairs(EPISODES, 1))
    sides = Counter(task.shown for task in drawn)
    assert set(sides) == {(0, 1), (1, 0)}
    assert 70 <= sides[0, 1] <= 130
    first = Counter(task.answers[task.shown[0]].text for task in drawn)
    assert min(first[f"Because {number}."] for number in range(4)) > 25
    assert 5 <= sum(task.is_full for task in drawn) <= 40
    assert all(task.is_full for task in draw_pairs(EPISODES, 1, full_share=1))


def test_pairs_are_distinct_and_have_different_answers() -> None:
    episodes = [*EPISODES[:4], replace(EPISODES[0], id="again"), episode(0, 9, None), episode(0, 8, " ")]
    episodes.append(replace(EPISODES[1], id="failed", failure="x", steps=(replace(EPISODES[1].steps[0], completion="new"),)))
    drawn = list(draw_pairs(episodes, 1, per_question=100))
    pairs = {frozenset(answer.text for answer in task.answers) for task in drawn}
    assert pairs == {frozenset(pair) for pair in combinations([f"Because {number}." for number in range(4)], 2)}
    assert len(drawn) == 6


def test_rankings_need_enough_answers() -> None:
    drawn = list(draw_rankings([*EPISODES[:4], *EPISODES[4:7]], 1, 4))
    assert [(task.question.id, task.is_ranking, sorted(task.shown)) for task in drawn] == [("q0", True, [0, 1, 2, 3])]
    assert len({tuple(task.answers[index].text for index in task.shown) for task in draw_rankings(EPISODES, 1, 4)}) == 24
    for number in (1, 10):
        with pytest.raises(ValueError, match="num_answers must be from 2 to 9, got"):
            list(draw_rankings(EPISODES, 1, number))
