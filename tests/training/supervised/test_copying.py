"""The copying task is solvable, and it grows when it is solved."""

import itertools
import random

import pytest

from training.supervised.copying import FIRST_LENGTH, Curriculum, copying_row, copying_sequence

DOCUMENT = list(range(1000, 3000))


@pytest.mark.parametrize("length", [16, 100, 400])
@pytest.mark.parametrize("seed", range(20))
def test_what_is_learned_stood_in_the_text_before(length: int, seed: int) -> None:
    row = copying_row([DOCUMENT], range(10, 900), length, random.Random(seed))
    text, first = row.prompt[:-1], row.prompt[-1:]
    span = first + row.completion
    assert len(text) == length
    assert any(text[start : start + len(span)] == span for start in range(length))


@pytest.mark.parametrize("seed", range(10))
def test_a_sequence_never_learns_the_text_or_the_beginning_of_a_span(seed: int) -> None:
    ids, learned = copying_sequence([DOCUMENT], range(10, 900), 64, random.Random(seed))
    assert len(ids) == len(learned) >= 96
    assert not any(learned[:65])
    pairs = set(itertools.pairwise(ids))
    for index in range(65, len(ids)):
        assert not learned[index] or (ids[index - 1], ids[index]) in pairs


def test_distances_differ() -> None:
    distances = set()
    for seed in range(40):
        row = copying_row([], range(10_000), 100, random.Random(seed))
        distances.add(100 - row.prompt.index(row.prompt[-1]))
    assert len(distances) > 20


def test_texts_grow_when_they_are_copied_and_not_before() -> None:
    curriculum = Curriculum(longest=40)
    for _ in range(100):
        curriculum.observe(0.5)
    assert curriculum.length == FIRST_LENGTH
    steps = 0
    while not curriculum.is_finished:
        curriculum.observe(1.0)
        steps += 1
    assert curriculum.length == 40
    assert steps > 3 * 16  # each length has to be shown anew


def test_the_same_seed_draws_the_same() -> None:
    assert copying_row([DOCUMENT], range(9), 30, random.Random(4)) == copying_row([DOCUMENT], range(9), 30, random.Random(4))
