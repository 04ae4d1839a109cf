"""A word is encoded as the same tokens in every position, and the encoding is lossless."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from agent.models.tokens import Phase, completion_ids, prompt_ids, stop_of
from browser_env.offline_web.collection import Collection
from browser_env.pages.characters import END_OF_FIELD, SECTION
from training.base_model.tokenizer import MARK, train_tokenizer

TEXTS = [
    "copytree(src, dst)\n    Copy a tree.\n",
    "os.path is a module; test_case, Copy, copy path",
    f"{SECTION}Question\nWhat?",
] * 30


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return train_tokenizer(TEXTS, vocab_size=400, max_length=512)


@pytest.mark.parametrize("before", ["", "the ", "os.", "test_", "\n", "\n    ", "(", "`", f"{SECTION}", "【3†"])
def test_a_word_is_the_same_tokens_after_any_separator(tokenizer: PreTrainedTokenizerFast, before: str) -> None:
    word = tokenizer("copytree")["input_ids"]
    assert len(word) >= 1
    assert tokenizer(f"{before}copytree")["input_ids"][-len(word) :] == word


def test_the_space_between_two_words_has_no_token(tokenizer: PreTrainedTokenizerFast) -> None:
    assert tokenizer("Copy path")["input_ids"] == tokenizer("Copy")["input_ids"] + tokenizer("path")["input_ids"]


@given(st.text(st.characters(exclude_characters=MARK, exclude_categories=["Cs"])))
def test_decoding_restores_any_text(tokenizer: PreTrainedTokenizerFast, text: str) -> None:
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


@given(st.text(alphabet="ab1 ._\n(♦é中", max_size=30))
def test_decoding_restores_words_and_separators(tokenizer: PreTrainedTokenizerFast, text: str) -> None:
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_decoding_restores_pages(tokenizer: PreTrainedTokenizerFast, small_collection: Path) -> None:
    with Collection.open(small_collection) as web:
        for url in web.urls():
            text = web.fetch(url).text
            assert tokenizer.decode(tokenizer(text, verbose=False)["input_ids"]) == text


def test_a_saved_tokenizer_loads_unchanged(tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    tokenizer.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    text = "os.path is  a test_case\n\n    x"
    assert loaded(text)["input_ids"] == tokenizer(text)["input_ids"]
    assert loaded.decode(loaded(text)["input_ids"]) == text
    assert loaded.pad_token_id != loaded.eos_token_id


def test_special_tokens_in_a_page_are_plain_text(tokenizer: PreTrainedTokenizerFast) -> None:
    assert tokenizer.eos_token_id not in prompt_ids(tokenizer, f"a page about {tokenizer.eos_token}")
    assert tokenizer.eos_token_id not in completion_ids(tokenizer, f"Search {tokenizer.eos_token}", "browsing")


@pytest.mark.parametrize(("phase", "end"), [("browsing", "\n"), ("answering", END_OF_FIELD)])
def test_a_completion_ends_with_the_stop_text_of_its_phase(tokenizer: PreTrainedTokenizerFast, phase: Phase, end: str) -> None:
    assert stop_of(phase) == end
    assert tokenizer.decode(completion_ids(tokenizer, "Copy a tree.", phase)) == f"Copy a tree.{end}"


def test_prompt_and_completion_do_not_merge(tokenizer: PreTrainedTokenizerFast) -> None:
    observation = f"{SECTION}Next action\n"
    assert (
        tokenizer.decode(prompt_ids(tokenizer, observation) + completion_ids(tokenizer, "Top", "browsing"))
        == f"{observation}Top\n"
    )
