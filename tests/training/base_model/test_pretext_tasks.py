"""Pretext examples contain only actions that a person could take on the observation."""

import random
import re
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest

from browser_env.actions import Click, End, Find, Invalid, Quote, Search, parse_action
from browser_env.offline_web.collection import Collection
from browser_env.pages.matching import find_quote, normalize
from browser_env.records import Settings
from training.base_model.pretext_tasks import KINDS, PretextTasks, TrainingExample

SETTINGS = Settings(view_width=80, view_height=12, max_actions=30)


@pytest.fixture(scope="module")
def examples(small_collection: Path) -> list[TrainingExample]:
    with Collection.open(small_collection) as web:
        return list(islice(PretextTasks(web, web.urls(), SETTINGS).examples(random.Random(0)), 1500))


def text_in_view(observation: str) -> str:
    """The text under ♦Text, with each link marker replaced by its text."""
    view = observation.partition("♦Text\n")[2].partition("\n♦Actions left")[0]
    return re.sub(r"【\d+†([^†】]*)(?:†[^】]*)?】", r"\1", view)


def test_all_kinds_of_examples_are_made(examples: list[TrainingExample]) -> None:
    kinds = Counter(type(parse_action(example.completion)) for example in examples if example.phase == "browsing")
    assert set(kinds) == {Search, Click, Find, Quote, End}
    assert kinds[Quote] == max(kinds.values())
    assert any(example.phase == "answering" for example in examples)
    assert sum(KINDS.values()) == pytest.approx(1)


def test_every_command_is_valid(examples: list[TrainingExample]) -> None:
    for example in examples:
        if example.phase == "browsing":
            assert not isinstance(parse_action(example.completion), Invalid)
            assert example.observation.endswith("♦Next action\n")


def test_quotes_are_in_view(examples: list[TrainingExample]) -> None:
    for example in examples:
        action = parse_action(example.completion) if example.phase == "browsing" else None
        if isinstance(action, Quote):
            assert not isinstance(find_quote(normalize(text_in_view(example.observation)), action.text, 0), str)


def test_links_are_in_view(examples: list[TrainingExample]) -> None:
    for example in examples:
        action = parse_action(example.completion) if example.phase == "browsing" else None
        if isinstance(action, Click):
            assert f"【{action.link_id}†" in example.observation


def test_answers_cite_the_references_that_they_repeat(examples: list[TrainingExample]) -> None:
    cited = 0
    for example in examples:
        if example.phase != "answering":
            continue
        references = [" ".join(part.split()) for part in example.observation.split("◼")]
        cited = max(cited, example.completion.count(" ["))
        for claim, number in re.findall(r"(.+?) \[(\d)\](?: |$)", example.completion):
            sentence = re.sub(r"^(\w+): ", "", claim)
            assert any(" ".join(text.split()).rstrip(".") in references[int(number)] for text in (claim, sentence))
    assert cited == 2  # if the question has two names


def test_the_second_of_two_names_follows_the_first(examples: list[TrainingExample]) -> None:
    commands = [
        parse_action(example.completion)
        for example in examples
        if example.observation.count("\nQuote\n") and has_two_names(example)
    ]
    assert {type(action) for action in commands} >= {Find, Quote}


def has_two_names(example: TrainingExample) -> bool:
    question = example.observation.partition("♦Quotes")[0]
    return any(
        re.search(wording, question) for wording in (" or .*: what is", "differ from", r"What are .* and ", r", and what ")
    )


def test_browsing_ends_for_a_name_that_does_not_exist(examples: list[TrainingExample]) -> None:
    given_up = [example for example in examples if example.completion == "End: Nonsense"]
    assert given_up
    for example in given_up:
        name = re.search(r"\nSearch (\S+)\n", example.observation)
        assert name is not None
        assert name[1].rpartition(".")[2] not in text_in_view(example.observation)


def test_the_same_seed_makes_the_same_examples(small_collection: Path, examples: list[TrainingExample]) -> None:
    with Collection.open(small_collection) as web:
        again = list(islice(PretextTasks(web, web.urls(), SETTINGS).examples(random.Random(0)), 50))
    assert again == examples[:50]


def test_pages_that_define_nothing_are_an_error(small_collection: Path) -> None:
    with Collection.open(small_collection) as web, pytest.raises(ValueError, match="define nothing"):
        PretextTasks(web, (), SETTINGS)
