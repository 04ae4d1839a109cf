"""Steps made from pages are what a person could do on what is shown."""

import random
import re
from collections import Counter
from itertools import islice

import pytest

from browser_env.actions import Click, End, Find, Invalid, Quote, Search, parse_action
from browser_env.offline_web.collection import Collection
from browser_env.pages.matching import find_quote, normalize
from browser_env.records import Settings
from training.base_model.pretext_tasks import KINDS, Pretexts

SETTINGS = Settings(view_width=80, view_height=12, max_actions=30)


@pytest.fixture(scope="module")
def steps(small_collection):
    with Collection.open(small_collection) as web:
        return list(islice(Pretexts(web, web.urls(), SETTINGS).steps(random.Random(0)), 1500))


def text_in_view(observation: str) -> str:
    """What stands under ♦Text, link markers reduced to their text."""
    view = observation.partition("♦Text\n")[2].partition("\n♦Actions left")[0]
    return re.sub(r"【\d+†([^†】]*)(?:†[^】]*)?】", r"\1", view)


def test_there_are_all_kinds(steps) -> None:
    kinds = Counter(type(parse_action(step.completion)) for step in steps if step.phase == "browsing")
    assert set(kinds) == {Search, Click, Find, Quote, End}
    assert kinds[Quote] == max(kinds.values())
    assert any(step.phase == "answering" for step in steps)
    assert sum(KINDS.values()) == pytest.approx(1)


def test_every_command_is_one(steps) -> None:
    for step in steps:
        if step.phase == "browsing":
            assert not isinstance(parse_action(step.completion), Invalid)
            assert step.observation.endswith("♦Next action\n")


def test_what_is_quoted_is_in_view(steps) -> None:
    for step in steps:
        action = parse_action(step.completion) if step.phase == "browsing" else None
        if isinstance(action, Quote):
            assert not isinstance(find_quote(normalize(text_in_view(step.observation)), action.text, 0), str)


def test_links_are_in_view(steps) -> None:
    for step in steps:
        action = parse_action(step.completion) if step.phase == "browsing" else None
        if isinstance(action, Click):
            assert f"【{action.link_id}†" in step.observation


def test_answers_cite_the_references_that_they_repeat(steps) -> None:
    cited = 0
    for step in steps:
        if step.phase != "answering":
            continue
        references = [" ".join(part.split()) for part in step.observation.split("◼")]
        cited = max(cited, step.completion.count(" ["))
        for told, number in re.findall(r"(.+?) \[(\d)\](?: |$)", step.completion):
            sentence = re.sub(r"^(\w+): ", "", told)
            assert any(" ".join(said.split()).rstrip(".") in references[int(number)] for said in (told, sentence))
    assert cited == 2  # where two things are asked about


def test_of_two_things_the_second_follows_the_first(steps) -> None:
    behind = [parse_action(step.completion) for step in steps if step.observation.count("\nQuote\n") and is_of_two(step)]
    assert {type(action) for action in behind} >= {Find, Quote}


def is_of_two(step) -> bool:
    question = step.observation.partition("♦Quotes")[0]
    return any(
        re.search(wording, question) for wording in (" or .*: what is", "differ from", r"What are .* and ", r", and what ")
    )


def test_a_name_that_is_nowhere_is_given_up(steps) -> None:
    given_up = [step for step in steps if step.completion == "End: Nonsense"]
    assert given_up
    for step in given_up:
        name = re.search(r"\nSearch (\S+)\n", step.observation)
        assert name is not None
        assert name[1].rpartition(".")[2] not in text_in_view(step.observation)


def test_the_same_seed_makes_the_same_steps(small_collection, steps) -> None:
    with Collection.open(small_collection) as web:
        again = list(islice(Pretexts(web, web.urls(), SETTINGS).steps(random.Random(0)), 50))
    assert again == steps[:50]


def test_pages_that_define_nothing_are_refused(small_collection) -> None:
    with Collection.open(small_collection) as web, pytest.raises(ValueError, match="define nothing"):
        Pretexts(web, (), SETTINGS)
