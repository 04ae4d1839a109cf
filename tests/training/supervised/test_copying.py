"""The copying task can be solved, and its texts grow as it is solved."""

import itertools
import random

import pytest

from training.supervised.copying import FIRST_LENGTH, Curriculum, copying_row, copying_sequence

DOCUMENT = list(range(1000, 3000))


@pytest.mark.parametrize("length", [16, 100, 400])
@pytest.mark.parametrize("seed", range(20))
def test_a_completion_is_a_span_of_the_text(length: int, seed: int) -> None:
    row = copying_row([DOCUMENT], range(10, 900), length, random.Random(seed))
    text, first = row.prompt[:-1], row.prompt[-1:]
    span = first + row.completion
    assert len(text) == length
    assert any(text[start : start + len(span)] == span for start in range(length))


@pytest.mark.parametrize("seed", range(10))
def test_the_text_and_the_first_tokens_of_spans_have_no_loss(seed: int) -> None:
    ids, learned = copying_sequence([DOCUMENT], range(10, 900), 64, random.Random(seed))
    assert len(ids) == len(learned) >= 96
    assert not any(learned[:65])
    pairs = set(itertools.pairwise(ids))
    for index in range(65, len(ids)):
        assert not learned[index] or (ids[index - 1], ids[index]) in pairs


def test_spans_are_repeated_at_random_distances() -> None:
    distances = set()
    for seed in range(40):
        row = copying_row([], range(10_000), 100, random.Random(seed))
        distances.add(100 - row.prompt.index(row.prompt[-1]))
    assert len(distances) > 20


def test_texts_grow_only_when_copying_succeeds() -> None:
    curriculum = Curriculum(longest=40)
    for _ in range(100):
        curriculum.observe(0.5)
    assert curriculum.length == FIRST_LENGTH
    steps = 0
    while not curriculum.is_finished:
        curriculum.observe(1.0)
        steps += 1
    assert curriculum.length == 40
    assert steps > 3 * 16  # accuracy is measured anew at each length


def test_equal_seeds_draw_equal_rows() -> None:
    assert copying_row([DOCUMENT], range(9), 30, random.Random(4)) == copying_row([DOCUMENT], range(9), 30, random.Random(4))
