"""A word is the same tokens wherever it stands, and nothing of a text is lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer

from agent.models.tokens import completion_ids, prompt_ids, stop_of
from browser_env.offline_web.collection import Collection
from browser_env.pages.characters import END_OF_FIELD, SECTION
from training.base_model.tokenizer import MARK, train_tokenizer

TEXTS = [
    "copytree(src, dst)\n    Copy a tree.\n",
    "os.path is a module; test_case, Copy, copy path",
    f"{SECTION}Question\nWhat?",
] * 30


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(TEXTS, vocab_size=400, max_length=512)


@pytest.mark.parametrize("before", ["", "the ", "os.", "test_", "\n", "\n    ", "(", "`", f"{SECTION}", "【3†"])
def test_a_word_is_the_same_tokens_behind_everything(tokenizer, before: str) -> None:
    word = tokenizer("copytree")["input_ids"]
    assert len(word) >= 1
    assert tokenizer(f"{before}copytree")["input_ids"][-len(word) :] == word


def test_the_space_between_two_words_costs_nothing(tokenizer) -> None:
    assert tokenizer("Copy path")["input_ids"] == tokenizer("Copy")["input_ids"] + tokenizer("path")["input_ids"]


@given(st.text(st.characters(exclude_characters=MARK, exclude_categories=["Cs"])))
def test_a_text_comes_back_whole(tokenizer, text: str) -> None:
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


@given(st.text(alphabet="ab1 ._\n(♦é中", max_size=30))
def test_words_and_what_stands_between_them_come_back(tokenizer, text: str) -> None:
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_pages_come_back(tokenizer, small_collection) -> None:
    with Collection.open(small_collection) as web:
        for url in web.urls():
            text = web.fetch(url).text
            assert tokenizer.decode(tokenizer(text, verbose=False)["input_ids"]) == text


def test_it_is_loaded_as_it_was_saved(tokenizer, tmp_path) -> None:
    tokenizer.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    text = "os.path is  a test_case\n\n    x"
    assert loaded(text)["input_ids"] == tokenizer(text)["input_ids"]
    assert loaded.decode(loaded(text)["input_ids"]) == text
    assert loaded.pad_token_id != loaded.eos_token_id


def test_the_names_of_special_tokens_in_a_page_are_plain_text(tokenizer) -> None:
    assert tokenizer.eos_token_id not in prompt_ids(tokenizer, f"a page about {tokenizer.eos_token}")
    assert tokenizer.eos_token_id not in completion_ids(tokenizer, f"Search {tokenizer.eos_token}", "browsing")


@pytest.mark.parametrize(("phase", "end"), [("browsing", "\n"), ("answering", END_OF_FIELD)])
def test_a_completion_ends_as_its_phase_does(tokenizer, phase, end: str) -> None:
    assert stop_of(phase) == end
    assert tokenizer.decode(completion_ids(tokenizer, "Copy a tree.", phase)) == f"Copy a tree.{end}"


def test_more_text_is_never_joined_with_the_prompt(tokenizer) -> None:
    observation = f"{SECTION}Next action\n"
    assert (
        tokenizer.decode(prompt_ids(tokenizer, observation) + completion_ids(tokenizer, "Top", "browsing"))
        == f"{observation}Top\n"
    )
