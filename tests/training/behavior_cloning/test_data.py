import random
from dataclasses import replace
from pathlib import Path

import pytest

from browser_env.errors import UsageError
from browser_env.records import Episode
from tests.training.behavior_cloning.birds import make_tokenizer
from training.behavior_cloning.data import StepSource, parse_demonstrations, split


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ("missing.jsonl", "there is no file missing.jsonl"),
        ("missing.jsonl:2", "there is no file missing.jsonl"),
        ("{file}:0", "expected a weight above 0"),
        ("{file}:nan", "expected a weight above 0"),
        ("{file}:x", "there is no file"),
    ],
)
def test_a_wrong_file_or_weight_is_a_usage_error(spec: str, problem: str, demonstrations: Path) -> None:
    with pytest.raises(UsageError, match=problem):
        parse_demonstrations(spec.format(file=demonstrations))


def test_a_file_may_have_a_weight(demonstrations: Path, tmp_path: Path) -> None:
    odd = tmp_path / "odd:2"
    odd.touch()
    assert parse_demonstrations(str(demonstrations)) == (demonstrations, 1.0)
    assert parse_demonstrations(f"{demonstrations}:0.25") == (demonstrations, 0.25)
    assert parse_demonstrations(str(odd)) == (odd, 1.0)
    assert parse_demonstrations(f"{odd}:3") == (odd, 3.0)


def test_questions_are_held_out_with_all_their_demonstrations(episodes: list[Episode]) -> None:
    twice = [(episode, 1.0) for episode in [*episodes, *episodes]]
    learned, held_out = split(twice, 0.25, seed=3)
    texts = [{episode.question.text for episode, _ in part} for part in (learned, held_out)]
    assert not texts[0] & texts[1] and len(learned) + len(held_out) == len(twice)
    assert 0 < len(held_out) < len(learned)
    assert split(twice[::-1], 0.25, seed=3)[1][::-1] == held_out
    assert split(twice, 0.0, seed=3) == (twice, [])
    assert split(twice[:1], 0.5, seed=3) == (twice[:1], [])  # a single question is learned


def test_augmentation_differs_between_epochs_and_depends_on_the_seed_alone(episodes: list[Episode]) -> None:
    def augment(episode: Episode, draw: random.Random) -> Episode:
        assert len(episode.steps) == 1
        word = draw.choice(["herons", "storks", "geese"])
        return replace(episode, steps=(replace(episode.steps[0], completion=f"Search {word}"),))

    tokenizer = make_tokenizer(episodes)
    sources = [
        StepSource([(episode, 1.0) for episode in episodes], tokenizer, context=512, name="small", augment=augment, seed=seed)
        for seed in (0, 0, 1)
    ]
    rows = [[[source.row(index, epoch) for index in range(20)] for epoch in (0, 1)] for source in sources]
    assert rows[0] == rows[1] != rows[2]
    assert rows[0][0] != rows[0][1]
    plain = StepSource([(episode, 1.0) for episode in episodes], tokenizer, context=512, name="small")
    assert sources[0].lengths == plain.lengths == [len(plain.row(index, 5).ids) for index in range(len(plain.lengths))]
    assert {plain.row(index, 0).token_weights for index in range(20)} == {()}


def test_choice_tokens_weigh_more_and_the_mean_weight_is_one(episodes: list[Episode]) -> None:
    tokenizer = make_tokenizer(episodes)
    source = StepSource([(episode, 1.0) for episode in episodes], tokenizer, context=512, name="small", choice_weight=5)
    rows = [source.row(index, 0) for index in range(len(source.lengths))]
    assert {len(set(row.token_weights)) for row in rows} == {1, 2}
    weights = [row.weight * weight for row in rows for weight in row.token_weights]
    assert sum(weights) / len(weights) == pytest.approx(1)
