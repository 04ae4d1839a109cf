"""Words are replaced consistently, and the form of an example does not change."""

import random
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from browser_env.actions import Invalid, parse_action
from browser_env.offline_web.collection import Collection
from training.supervised.replacement import WORD, Replacement

VOCABULARY = ["lantern window garden basket candle mirror ladder copper violin harbor meadow saddle"]
REPLACEMENT = Replacement(VOCABULARY)


def test_equal_words_become_equal_words_in_all_texts() -> None:
    question, page = REPLACEMENT(["Where is the directory?", "The directory: a tree of files."], random.Random(0))
    new = re.fullmatch(r"Where is the (\w+)\?", question)
    assert new and new[1] != "directory"
    assert page.startswith(f"The {new[1]}: a ")


def test_different_words_become_different_words() -> None:
    (text,) = REPLACEMENT(["directory tree copytree symlink metadata"], random.Random(1))
    assert len(set(text.split())) == 5


@pytest.mark.parametrize(
    ("word", "pattern"), [("copytree", "{}"), ("Copytree", "{}"), ("COPYTREE", "{}"), ("moving", "{}ing"), ("walks", "{}s")]
)
def test_case_and_ending_stay(word: str, pattern: str) -> None:
    (text,) = REPLACEMENT([word], random.Random(2))
    assert text != word
    assert (text.istitle(), text.isupper()) == (word.istitle(), word.isupper())
    assert text.casefold().endswith(pattern.removeprefix("{}"))


@pytest.mark.parametrize(
    "command",
    ["Search shutil copytree", "Clicked on link 12", "Find in page: copytree(", "Quote: Copy a tree━of files.", "End: Answer"],
)
def test_a_command_stays_a_command_of_its_kind(command: str) -> None:
    (text,) = REPLACEMENT([command], random.Random(3))
    before, after = parse_action(command), parse_action(text)
    assert type(after) is type(before)
    assert not isinstance(after, Invalid)


@given(st.text(), st.integers(0, 1000))
def test_only_words_change(text: str, seed: int) -> None:
    (new,) = REPLACEMENT([text], random.Random(seed))
    assert WORD.sub("", new) == WORD.sub("", text)


@given(
    st.lists(st.sampled_from(["tree", "trees", "walk", "walked", "walking", "link", "links"]), max_size=8), st.integers(0, 50)
)
def test_words_are_equal_after_replacement_if_and_only_if_they_were_before(texts: list[str], seed: int) -> None:
    new = REPLACEMENT(texts, random.Random(seed))
    for a, b in zip(texts, new, strict=True):
        for c, d in zip(texts, new, strict=True):
            assert (a == c) == (b == d)


def test_a_share_of_zero_changes_nothing() -> None:
    assert REPLACEMENT(["copytree and symlinks"], random.Random(0), share=0) == ["copytree and symlinks"]


def test_text_between_words_of_pages_does_not_change(small_collection: Path) -> None:
    with Collection.open(small_collection) as web:
        texts = [web.fetch(url).text for url in web.urls()]
    assert REPLACEMENT(texts, random.Random(5)) != texts
    for text, new in zip(texts, REPLACEMENT(texts, random.Random(5)), strict=True):
        assert WORD.sub("", text) == WORD.sub("", new)


def test_texts_without_words_are_refused() -> None:
    with pytest.raises(ValueError, match="no words"):
        Replacement(["1 2 3", "it is"])
