"""Constrained decoding with every kind of tokenizer, on real pages, checked against the environment."""

import random
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.decoding.constraint import Constraint, ConstraintLogitsProcessor, ConstraintState, mask_logits
from agent.decoding.page_text import PageText
from agent.decoding.token_trie import PROBES, TokenTrie
from agent.models.completion_limits import SamplingOptions
from agent.models.language_model import LanguageModel
from agent.models.tokens import completion_ids, prompt_ids
from agent.policies.scripted import Scripted
from agent.policy import Prompt
from agent.rollouts.rollout import rollout
from browser_env.actions import Find, Quote, parse_action
from browser_env.backends import FakeBackend, SearchHit
from browser_env.env import BrowserEnv
from browser_env.errors import UsageError
from browser_env.offline_web.collection import Collection
from browser_env.pages.matching import find_next, find_quote, normalize
from browser_env.pages.page import Link, Page
from browser_env.records import Question, Settings
from training.base_model.tokenizer import train_tokenizer

VIEW = Settings(view_height=12, max_actions=8)
MAX_TOKENS = 48
TEXTS = [
    "Search crows and gifts\nFind in page: os.path.join(a, b)\nQuote: Two words.━(so are these)\nClicked on link 12\n",
    "Recursively copy a directory tree and return the destination directory. If exception(s) occur, an Error is raised.\n",
    "Scrolled down 1\nScrolled up 3\nTop\nBack\nEnd: Answer\nEnd: Nonsense\nEnd: Controversial\n♦Question\n◼",
    "dedent(text) Remove any common leading whitespace from every line in `text`. See shutil.copytree and textwrap.wrap.\n",
]


def byte_level(normalizer: Any = None) -> Any:
    """A tokenizer like those of GPT-2 and Qwen: a space belongs to the following word."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=700, special_tokens=["<s>", "</s>"], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(TEXTS * 5, trainer)
    fast: Any = PreTrainedTokenizerFast
    return fast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>")


def composing() -> Any:
    """A byte-level tokenizer that composes accents (NFC)."""
    from tokenizers import normalizers

    return byte_level(normalizers.NFC())


def marking() -> Any:
    """The project's own kind of tokenizer, with a mark in front of every word."""
    return train_tokenizer(TEXTS * 5, 600)


def sentence_piece() -> Any:
    """A tokenizer like that of Llama 1: a character for a space, also before a text, and bytes for characters without a piece."""
    from tokenizers import Tokenizer, decoders, models, normalizers
    from transformers import PreTrainedTokenizerFast

    pieces = ["<unk>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *sorted({*"▁".join(TEXTS)} - {"\n"})]
    merges = [("▁", "S"), ("o", "r"), ("▁", "Q"), (".", "━"), ("e", "n")]
    vocabulary = {piece: number for number, piece in enumerate([*pieces, *map("".join, merges)])}
    model = models.BPE(vocab=vocabulary, merges=merges, byte_fallback=True, unk_token="<unk>", fuse_unk=True)
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    fast: Any = PreTrainedTokenizerFast
    return fast(tokenizer_object=tokenizer, eos_token="</s>", unk_token="<unk>")


KINDS: dict[str, Callable[[], Any]] = {
    "byte-level": byte_level,
    "composing": composing,
    "marking": marking,
    "sentence-piece": sentence_piece,
}


@pytest.fixture(scope="module", params=["byte-level", "marking"])
def tokenizer(request: pytest.FixtureRequest) -> Any:
    return KINDS[request.param]()


@pytest.fixture(scope="module")
def constraint(tokenizer: Any) -> Constraint:
    return Constraint(TokenTrie(tokenizer))


@pytest.fixture
def web(small_collection: Path) -> Iterable[Collection]:
    with Collection.open(small_collection) as collection:
        yield collection


ODD = Page(
    "http://a.org/odd",
    "Odd",
    "Cafe\u0301 au lait, naïve ﬁancée — 10 ½ o’clock!  Two\n\n  lines </s> <|endoftext|>. ■ Œuvre 😀👩\u200d🔬 カラスは鳥です。 "
    "a.b_c(d)[e] ☃\u0301x ¨ x² once more: Café au lait.",
    (Link(0, 4, "http://a.org/0"), Link(10, 14, "http://b.org/")),
)
UNCLEAN = Page("http://a.org/unclean", "Unclean", "one\u0000two \u2028 three━four \x02five ▁six seven eight nine\x85ten")
EMPTY = Page("http://a.org/empty", "Empty", "")
BLANK_ONLY = Page("http://a.org/blank", "Blank", " \n ¨ \n")
FAKE = FakeBackend(
    [ODD, UNCLEAN, EMPTY, BLANK_ONLY],
    {"odd": [SearchHit(page.url, page.title, page.text[:40]) for page in (ODD, UNCLEAN, EMPTY, BLANK_ONLY)], "none": []},
)
STATES: dict[str, tuple[str, ...]] = {
    "start": (),
    "results": ("Search odd",),
    "no-results": ("Search none",),
    "odd-page": ("Search odd", "Clicked on link 0"),
    "unclean-page": ("Search odd", "Clicked on link 1"),
    "empty-page": ("Search odd", "Clicked on link 2"),
    "page-without-words": ("Search odd", "Clicked on link 3"),
    "error-page": ("Search odd", "Clicked on link 0", "Clicked on link 1"),
}


def at(commands: Sequence[str], backend: Any = FAKE, limits: Settings = VIEW) -> BrowserEnv:
    env = BrowserEnv(backend, limits)
    env.reset("What do crows bring?")
    for command in commands:
        assert env.step(command).info.problem is None
    return env


def write(state: ConstraintState, trie: TokenTrie, choose: Callable[[np.ndarray], int], max_tokens: int) -> list[int]:
    """The tokens of a command, each chosen among the allowed ones."""
    tokens: list[int] = []
    while len(tokens) < max_tokens and not state.is_complete:
        allowed = state.allowed_tokens(max_tokens - len(tokens))
        assert allowed is not None
        assert (allowed[1:] > allowed[:-1]).all()
        tokens.append(choose(allowed))
        state.advance(tokens[-1])
        if tokens[-1] in trie.end_ids:
            break
    return tokens


def command_of(tokenizer: Any, tokens: Sequence[int]) -> str:
    text: str = tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    return text.partition("\n")[0]


def preferring(generator: random.Random, tokenizer: Any, trie: TokenTrie, start: str, bar_at: int) -> Callable[..., int]:
    """A random choice that prefers the words `start`, and from token `bar_at` on the bar of an abbreviated quote."""
    beginning = completion_ids(tokenizer, start, "browsing")[:-1]
    written: list[int] = []
    bar = "━".encode()

    def choose(allowed: np.ndarray) -> int:
        index = len(written)
        preferred: list[int] = []
        if index < len(beginning) and beginning[index] in allowed:
            preferred = [beginning[index]]
        elif index >= bar_at:
            spelled = b"".join(trie.pieces[token] or b"" for token in written)
            done = next((size for size in (2, 1) if spelled.endswith(bar[:size])), 0)
            if bar not in spelled:
                preferred = [token for token in allowed.tolist() if (trie.pieces[token] or b"").startswith(bar[done:])] or [
                    token for token in allowed.tolist() if (trie.pieces[token] or b"") == bar[done : done + 1]
                ]
        if not preferred and index < bar_at:  # continue for a while
            preferred = [token for token in allowed.tolist() if b"\n" not in (trie.pieces[token] or b"\n")]
        written.append(generator.choice(preferred or allowed.tolist()))
        return written[-1]

    return choose


def all_allowed(allowed: Sequence[object]) -> bool:
    """Whether every token of a completion was allowed."""
    return all(ids is not None for ids in allowed)


def check_valid(env: BrowserEnv, text: str) -> None:
    """Check that the environment accepts a command, and that its text is on the page."""
    page, action = env.state.page, parse_action(text)
    info = env.step(text).info
    assert info.problem is None, (text, info.problem)
    if isinstance(action, Find):
        assert find_next(page.normal, action.text, 0) is not None, text
    if isinstance(action, Quote):
        assert not isinstance(find_quote(page.normal, action.text, 0), str)


# ------------------------------------------------------------------------------------------------------------------- pieces


def test_pieces_spell_the_normalized_form_of_a_text(tokenizer: Any, constraint: Constraint) -> None:
    trie = constraint.trie
    for text in (*PROBES, *TEXTS, "Find in page: caf\u00e9 ½ 😀  two spaces\n"):
        ids = completion_ids(tokenizer, text.rstrip("\n"), "browsing")
        assert b"".join(trie.pieces[token] or b"" for token in ids) == trie.normalize(text.rstrip("\n") + "\n")
        assert tokenizer.decode(ids) == text.rstrip("\n") + "\n"


def test_special_tokens_spell_nothing(tokenizer: Any, constraint: Constraint) -> None:
    assert all(constraint.trie.pieces[token] is None for token in tokenizer.all_special_ids)


def test_a_tokenizer_whose_tokens_do_not_spell_its_texts_is_rejected() -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.WordLevel({"<unk>": 0, "Search": 1, "crows": 2}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    fast: Any = PreTrainedTokenizerFast
    with pytest.raises(UsageError, match="--free"):
        TokenTrie(fast(tokenizer_object=tokenizer, unk_token="<unk>"))


def test_binary_search_gives_the_same_transitions_as_the_table(
    tokenizer: Any, constraint: Constraint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.decoding.token_trie.MAX_TABLE", 0)
    without_table = TokenTrie(tokenizer)
    nodes = np.repeat(np.arange(300, dtype=np.int32), 256)
    next_bytes = np.tile(np.arange(256, dtype=np.uint8), 300)
    assert (without_table.step(nodes, next_bytes) == constraint.trie.step(nodes, next_bytes)).all()


def test_min_tokens_is_the_shortest_tokenization(constraint: Constraint) -> None:
    trie = constraint.trie
    for token, piece in enumerate(trie.pieces):
        if piece:
            assert trie.min_tokens(piece) == 1, token
    assert trie.min_tokens(b"") == 0
    assert trie.min_tokens(b"\xfa\xfb") == 2


# ----------------------------------------------------------------------------------------------------------------- commands


@pytest.mark.parametrize("commands", STATES.values(), ids=STATES)
@pytest.mark.parametrize("start", ["", "Quote: ", "Find in page: ", "Search ", "Clicked on link "])
def test_every_choice_gives_a_valid_command(
    tokenizer: Any, constraint: Constraint, commands: Sequence[str], start: str
) -> None:
    generator = random.Random(f"{start}{commands}")
    for bar_at in range(12):
        env = at(commands)
        max_tokens = generator.choice([MAX_TOKENS, 20, 14 if tokenizer.eos_token == "</s>" else 12])
        choose = preferring(generator, tokenizer, constraint.trie, start, bar_at)
        tokens = write(constraint.start(env.state), constraint.trie, choose, max_tokens)
        check_valid(env, command_of(tokenizer, tokens))


@pytest.mark.parametrize("start", ["", "Quote: ", "Find in page: "])
@pytest.mark.parametrize("done", [(), ("Find in page: copytree(", "Find in page: ignore_patterns(")], ids=["new", "found"])
def test_every_choice_on_a_real_page_gives_a_valid_command(
    tokenizer: Any, constraint: Constraint, web: Collection, start: str, done: Sequence[str]
) -> None:
    generator = random.Random(start)
    abbreviated = 0
    for extra in range(24):
        env = at(("Search shutil copytree", "Clicked on link 0", *done), web)
        choose = preferring(generator, tokenizer, constraint.trie, start, 6 + extra)
        tokens = write(constraint.start(env.state), constraint.trie, choose, MAX_TOKENS + extra)
        text = command_of(tokenizer, tokens)
        check_valid(env, text)
        abbreviated += "━" in text
    assert abbreviated > 5 or start != "Quote: "


COMMANDS: list[tuple[str, tuple[str, ...], str, bool]] = [
    ("top", (), "Top", True),
    ("back-on-the-first-page", ("Search odd",), "Back", False),
    ("back", ("Search odd", "Search none"), "Back", True),
    ("scroll", (), "Scrolled down 3", True),
    ("scroll-too-far", (), "Scrolled down 4", False),
    ("link", ("Search odd",), "Clicked on link 3", True),
    ("missing-link", ("Search odd",), "Clicked on link 4", False),
    ("link-with-a-zero", ("Search odd",), "Clicked on link 03", False),
    ("link-without-a-page", (), "Clicked on link 0", False),
    ("link-outside-the-view", ("Search odd", "Clicked on link 0"), "Clicked on link 1", True),
    ("end", (), "End: Nonsense", True),
    ("end-for-another-reason", (), "End: Bored", False),
    ("search", (), "Search What do crows bring?", True),
    ("search-for-punctuation", (), "Search (?)", True),
    ("search-in-another-script", (), "Search カラス", True),
    ("blank-search", (), "Search  ", False),
    ("find-without-a-page", (), "Find in page: crows", False),
    ("find-on-an-error-page", STATES["error-page"], "Find in page: Error", False),
    ("find", STATES["odd-page"], "Find in page: au lait", True),
    ("find-over-a-line-break", STATES["odd-page"], "Find in page: Two lines", True),
    ("find-in-another-case", STATES["odd-page"], "Find in page: AU lait", False),
    ("find-inside-a-word", STATES["odd-page"], "Find in page: ait", False),
    ("find-a-part-of-a-name", STATES["odd-page"], "Find in page: b_c", True),
    ("find-to-inside-a-word", STATES["odd-page"], "Find in page: au la", False),
    ("find-without-its-accent", STATES["odd-page"], "Find in page: Cafe", False),
    ("find-a-character-that-find-ignores", STATES["odd-page"], "Find in page: ¨", False),
    ("find-special-tokens-as-text", STATES["odd-page"], "Find in page: </s> <|endoftext|>.", True),
    ("quote", STATES["odd-page"], "Quote: o’clock! Two lines", True),
    ("quote-of-two-places", STATES["odd-page"], "Quote: au lait, naïve━Café au lait", True),
    ("quote-backwards", STATES["odd-page"], "Quote: Café au lait━au lait, naïve", False),
    ("quote-with-a-short-head", STATES["odd-page"], "Quote: au lait━Café au lait", False),
    ("quote-with-a-short-tail", STATES["odd-page"], "Quote: au lait, naïve━Café", False),
    ("quote-with-two-bars", STATES["odd-page"], "Quote: au lait, naïve━Two lines </s>━Café au lait", False),
    ("quote-of-results", STATES["results"], "Quote: Cafe", False),
    ("quote-of-a-title-of-results", STATES["results"], "Quote: Odd", True),
    ("quote-of-a-message", STATES["no-results"], "Quote: No results", False),
    ("find-in-a-message", STATES["no-results"], "Find in page: ", False),
    ("quote-across-a-bar-of-the-page", STATES["unclean-page"], "Quote: three━four", False),
    ("quote-after-a-bar-of-the-page", STATES["unclean-page"], "Quote: six seven eight", True),
    ("no-command", (), "Sit", False),
    ("nothing", (), "", False),
]


@pytest.mark.parametrize(
    ("commands", "text", "is_allowed"), [case[1:] for case in COMMANDS], ids=[case[0] for case in COMMANDS]
)
def test_commands_are_allowed_as_expected(
    tokenizer: Any, constraint: Constraint, commands: Sequence[str], text: str, is_allowed: bool
) -> None:
    state = at(commands).state
    ids = completion_ids(tokenizer, text, "browsing")
    assert all_allowed(constraint.allowed_tokens(state, ids, MAX_TOKENS)) == is_allowed


TWICE = Page(
    "http://a.org/twice",
    "Twice",
    "A heron is grey. (It stands.)\nAn owl is brown.\n" + "More.\n" * 40 + "An owl\nis awake.\nEnd",
)
TWICE_WEB = FakeBackend([TWICE], {"birds": [SearchHit(TWICE.url, "Twice", "birds")]})
FINDS: list[tuple[str, tuple[str, ...], str, bool]] = [
    ("first-find", (), "heron", True),
    ("again", ("heron",), "heron", False),
    ("longer", ("heron",), "A heron is grey", True),
    ("starting-before-it", ("heron",), "A heron", False),
    ("its-end", ("heron is",), "is", True),
    ("its-last-punctuation", ("grey. (",), "(", False),
    ("from-its-punctuation-on", ("grey. (",), "grey. (It", True),
    ("something-else", ("heron",), "brown", True),
    ("elsewhere-too", ("An owl",), "An owl", True),
    ("on-two-lines-again", ("owl is awake",), "owl is awake", False),
    ("the-last-word-of-the-page", ("End",), "End", True),
]


@pytest.mark.parametrize(("done", "text", "is_allowed"), [case[1:] for case in FINDS], ids=[case[0] for case in FINDS])
def test_a_find_repeats_the_last_one_only_if_the_text_occurs_elsewhere(
    tokenizer: Any, constraint: Constraint, done: Sequence[str], text: str, is_allowed: bool
) -> None:
    env = at(("Search birds", "Clicked on link 0", *(f"Find in page: {text}" for text in done)), TWICE_WEB)
    for command, expected in ((f"Find in page: {text}", is_allowed), (f"Quote: {text}", True)):
        ids = completion_ids(tokenizer, command, "browsing")
        assert all_allowed(constraint.allowed_tokens(env.state, ids, MAX_TOKENS)) == expected, command
    before = env.state.visit
    env.step(f"Find in page: {text}")
    assert is_allowed or env.state.visit == before


@pytest.mark.parametrize("kind", KINDS)
def test_a_find_of_composed_characters_is_not_repeated_either(kind: str) -> None:
    constraint, tokenizer = constraint_of(kind)
    page = Page("http://a.org/", "A", "Cafe\u0301 Z\u0301 au lait")
    env = at(("Search a", "Clicked on link 0"), FakeBackend([page], {"a": [SearchHit(page.url, "A", "a")]}))
    ids = completion_ids(tokenizer, "Find in page: \u0179", "browsing")
    assert all_allowed(constraint.allowed_tokens(env.state, ids, MAX_TOKENS)) or kind != "composing"
    env.step("Find in page: \u0179")
    assert not all_allowed(constraint.allowed_tokens(env.state, ids, MAX_TOKENS))


def test_after_a_scroll_the_last_find_may_be_repeated(tokenizer: Any, constraint: Constraint) -> None:
    commands = ("Search birds", "Clicked on link 0", "Find in page: heron", "Scrolled down 2", "Scrolled up 1")
    ids = completion_ids(tokenizer, "Find in page: heron", "browsing")
    assert all_allowed(constraint.allowed_tokens(at(commands, TWICE_WEB).state, ids, MAX_TOKENS))


def test_a_text_may_be_outside_the_view(tokenizer: Any, constraint: Constraint) -> None:
    page = Page("http://a.org/long", "Long", "\n".join(f"Line number {number}." for number in range(200)))
    env = at(("Search long", "Clicked on link 0"), FakeBackend([page], {"long": [SearchHit(page.url, "Long", "Line")]}))
    ids = completion_ids(tokenizer, "Quote: Line number 3.━number 190. Line", "browsing")
    assert all_allowed(constraint.allowed_tokens(env.state, ids, MAX_TOKENS))


def test_an_abbreviated_quote_covers_at_most_a_thousand_words(tokenizer: Any, constraint: Constraint) -> None:
    page = Page("http://a.org/long", "Long", " ".join(f"w{number}" for number in range(3_000)))
    backend = FakeBackend([page], {"long": [SearchHit(page.url, "Long", "words")]})
    for last, is_allowed in ((980, True), (1_020, False)):
        env = at(("Search long", "Clicked on link 0"), backend)
        text = f"Quote: w1 w2 w3━w{last} w{last + 1} w{last + 2}"
        assert all_allowed(constraint.allowed_tokens(env.state, completion_ids(tokenizer, text, "browsing"), 99)) == is_allowed
        assert (env.step(text).info.problem is None) == is_allowed


def test_every_command_of_the_scripted_policy_is_allowed(tokenizer: Any, constraint: Constraint, web: Collection) -> None:
    asked = ["shutil.copytree", "textwrap.dedent", "textwrap.shorten", "shutil.disk_usage", "shutil.which"]
    questions = [Question(id=name, text=f"What does {name} do?") for name in asked]
    envs: dict[str, BrowserEnv] = {}
    rejected, num_checked = [], 0
    limits = Settings(view_height=12, max_actions=20)
    for episode in rollout(Scripted(), web, questions, limits):
        env = envs.setdefault(episode.id, BrowserEnv(web, limits))
        env.reset(episode.question)
        for step in episode.steps:
            ids = completion_ids(tokenizer, step.completion, step.phase)
            if step.problem is None:
                num_checked += 1
                if not all_allowed(constraint.allowed_tokens(env.state, ids, 512)):
                    rejected.append(step.completion)
            env.step(step.completion)
    assert num_checked > 20
    assert rejected == []


@settings(max_examples=60)
@given(text=st.text(st.sampled_from("ab Z.(9_¨é\u0301ß½ﬁ😀カ\n-‘\u200d\x02━▁\x85"), max_size=60), seed=st.integers(0, 999))
@pytest.mark.parametrize("kind", KINDS)
def test_every_choice_on_a_random_page_is_on_the_page(kind: str, text: str, seed: int) -> None:
    constraint, tokenizer = constraint_of(kind)
    page = Page("http://a.org/", "A", text)
    backend = FakeBackend([page], {"a": [SearchHit(page.url, "A", "a")]})
    generator = random.Random(seed)
    env = at(("Search a", "Clicked on link 0"), backend)
    for start in ("Find in page: ", generator.choice(["Quote: ", "Find in page: "])):
        choose = preferring(generator, tokenizer, constraint.trie, start, 6)
        tokens = write(constraint.start(env.state), constraint.trie, choose, 30)
        check_valid(env, command_of(tokenizer, tokens))
        if not text or env.state.phase != "browsing" or env.state.page.url != page.url:
            break


_CONSTRAINTS: dict[str, tuple[Constraint, Any]] = {}


def constraint_of(kind: str) -> tuple[Constraint, Any]:
    if kind not in _CONSTRAINTS:
        tokenizer = KINDS[kind]()
        _CONSTRAINTS[kind] = Constraint(TokenTrie(tokenizer)), tokenizer
    return _CONSTRAINTS[kind]


def test_the_loop_and_the_vectorized_descent_allow_the_same_tokens(
    constraint: Constraint, web: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = at(("Search shutil copytree", "Clicked on link 0"), web)
    states = [constraint.start(env.state) for _ in range(2)]
    generator = random.Random(5)
    beginning = constraint.trie.normalize("Quote: (")[:-1]
    for number in range(40):
        left = MAX_TOKENS - number
        found = []
        for state, few in zip(states, (0, 1 << 30), strict=True):
            monkeypatch.setattr("agent.decoding.page_states.MAX_LOOPED", few)
            found.append(state.allowed_tokens(left))
        assert found[0] is not None
        assert found[1] is not None
        assert found[0].tolist() == found[1].tolist()
        spelled = [token for token in found[0].tolist() if constraint.trie.pieces[token]]
        on = [token for token in spelled if beginning.startswith(constraint.trie.pieces[token] or b"")]
        on = on or [token for token in spelled if b"\n" not in (constraint.trie.pieces[token] or b"")]
        if not on:
            break
        token = max(on, key=lambda token: len(constraint.trie.pieces[token] or b"")) if beginning else generator.choice(on)
        beginning = beginning[len(constraint.trie.pieces[token] or b"") :]
        for state in states:
            state.advance(token)


def test_after_a_token_that_is_not_allowed_all_tokens_are_allowed(tokenizer: Any, constraint: Constraint) -> None:
    ids = completion_ids(tokenizer, "Clicked on link 7", "browsing")
    allowed = constraint.allowed_tokens(at(STATES["results"]).state, ids, MAX_TOKENS)
    assert len(allowed) == len(ids)
    assert allowed[0] is not None
    assert allowed[-2:] == [None, None] or allowed[-1] is None


def test_if_no_command_fits_the_limit_is_ignored(constraint: Constraint) -> None:
    state = constraint.start(at(()).state)
    allowed = state.allowed_tokens(1)
    assert allowed is not None
    assert len(allowed)


def test_a_lower_limit_allows_fewer_tokens(tokenizer: Any, constraint: Constraint) -> None:
    env = at(STATES["odd-page"])
    numbers = [len(constraint.start(env.state).allowed_tokens(left)) for left in (4, 5, 8, 16, 64)]  # type: ignore[arg-type]
    assert numbers == sorted(numbers)


# ------------------------------------------------------------------------------------------------------------------ answers


def answering() -> BrowserEnv:
    return at((*STATES["odd-page"], "Quote: au lait", "End: Answer"))


ANSWERS = [
    ("text", "Crows bring gifts [1].\nSo it is.", True),
    ("another-script", "カラス ½ é", True),
    ("nothing", "", False),
    ("white-space", " \n ", False),
    ("invisible", "\u200b", False),
    ("a-bar-and-marks", "━ ♦", True),
]


@pytest.mark.parametrize(("text", "is_allowed"), [case[1:] for case in ANSWERS], ids=[case[0] for case in ANSWERS])
def test_every_answer_is_allowed_unless_it_is_blank(
    tokenizer: Any, constraint: Constraint, text: str, is_allowed: bool
) -> None:
    ids = completion_ids(tokenizer, text, "answering")
    assert all_allowed(constraint.allowed_tokens(answering().state, ids, MAX_TOKENS)) == is_allowed


def test_an_answer_contains_no_special_token(tokenizer: Any, constraint: Constraint) -> None:
    state = constraint.start(answering().state)
    beginning = state.allowed_tokens(9)
    state.advance(completion_ids(tokenizer, "Crows", "answering")[0])
    later = state.allowed_tokens(9)
    assert beginning is not None
    assert later is not None
    special = set(tokenizer.all_special_ids)
    assert not special & set(beginning.tolist())
    assert special & set(later.tolist()) == {tokenizer.eos_token_id}
    assert len(later) == len(tokenizer) - len(special) + 1


# ------------------------------------------------------------------------------------------------------------------- models


@pytest.fixture(scope="module")
def model(tokenizer: Any) -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.set_num_threads(1)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer) + 7,  # models often have more logits than tokens
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=2048,
        initializer_range=0.4,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
    )
    return LlamaForCausalLM(config)


def test_a_random_model_writes_only_valid_commands(tokenizer: Any, model: Any, web: Collection) -> None:
    policy = LanguageModel(
        model, tokenizer, name="random", options=SamplingOptions(temperature=4, max_command_tokens=24, max_answer_tokens=8)
    )
    questions = [Question(id=str(number), text="What does shutil.copytree do?") for number in range(8)]
    episodes = list(rollout(policy, web, questions, VIEW, batch_size=8))
    steps = [step for episode in episodes for step in episode.steps]
    assert all(episode.failure is None for episode in episodes)
    assert [step.problem for step in steps if step.problem] == []
    assert len({step.completion.partition(" ")[0] for step in steps}) > 3


def test_logprobs_of_samples_can_be_computed_again(tokenizer: Any, model: Any, web: Collection) -> None:
    """One forward pass with the same allowed tokens gives the same log-probabilities, as a policy gradient needs."""
    policy = LanguageModel(model, tokenizer, name="random", options=SamplingOptions(max_command_tokens=24, max_answer_tokens=8))
    env = at(("Search shutil copytree", "Clicked on link 0"), web)
    from browser_env.observation import observe

    prompts = [Prompt(observe(env.state), env.state, seed) for seed in range(6)]
    for prompt, completion in zip(prompts, policy.complete(prompts), strict=True):
        assert not isinstance(completion, Exception)
        assert completion.token_ids is not None
        ids = prompt_ids(tokenizer, prompt.text)
        with torch.inference_mode():
            logits = model(torch.tensor([[*ids, *completion.token_ids]])).logits[0, len(ids) - 1 : -1]
        allowed = policy.allowed_tokens(prompt.state, len(ids), completion.token_ids)
        assert all_allowed(allowed)
        logprobs = (mask_logits(logits, allowed) / policy.temperature).log_softmax(-1)
        own = logprobs.gather(-1, torch.tensor(completion.token_ids)[:, None])[:, 0]
        torch.testing.assert_close(own, torch.tensor(completion.logprobs), atol=1e-4, rtol=0)


def test_masking_keeps_the_samples_and_odds_of_allowed_tokens(tokenizer: Any, model: Any) -> None:
    """If no earlier token is masked, a random number gives the same token; probabilities differ by one factor."""
    from agent.models.language_model import sample

    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(4, 12, generator=generator)
    everything = np.arange(12)
    unmasked, unmasked_logprobs = sample(logits, 0.8, torch.rand(4, generator=torch.Generator().manual_seed(1)))
    masked, masked_logprobs = sample(
        mask_logits(logits, [everything] * 4), 0.8, torch.rand(4, generator=torch.Generator().manual_seed(1))
    )
    assert torch.equal(unmasked, masked)
    assert torch.equal(unmasked_logprobs, masked_logprobs)
    some = np.array([1, 4, 9])
    some_masked = (mask_logits(logits, [some, None, some, some]) / 0.8).log_softmax(-1)
    plain = (logits / 0.8).log_softmax(-1)
    torch.testing.assert_close(some_masked[1], plain[1])
    for row in (0, 2, 3):
        torch.testing.assert_close(some_masked[row, some], plain[row, some].log_softmax(-1))
        assert some_masked[row].exp().sum() == pytest.approx(1)
        assert (some_masked[row].exp() > 0).sum() == 3


def test_a_valid_greedy_command_is_the_same_with_and_without_the_constraint(tokenizer: Any, model: Any) -> None:
    """A model that emits the tokens of a valid command."""
    tokens = completion_ids(tokenizer, "Quote: o’clock! Two lines", "browsing")
    env = at(STATES["odd-page"])
    from browser_env.observation import observe

    prompt = Prompt(observe(env.state), env.state, 3)
    texts = []
    for free in (True, False):
        policy = LanguageModel(FixedTokens(model, tokens), tokenizer, name="fixed", options=SamplingOptions(free=free))
        texts.append(policy.complete([prompt])[0].text)  # type: ignore[union-attr]
    assert texts == ["Quote: o’clock! Two lines"] * 2


class FixedTokens:
    """A model whose logits favor given tokens, one after the other."""

    def __init__(self, model: Any, tokens: Sequence[int]) -> None:
        self.model = model
        self.tokens = tokens
        self.index = 0
        self.config, self.generation_config, self.device = model.config, model.generation_config, model.device
        self.forward = model.forward

    def eval(self) -> "FixedTokens":
        self.index = 0
        return self

    def __call__(self, **inputs: Any) -> Any:
        output = self.model(**inputs)
        output.logits[..., self.tokens[self.index]] += 1_000
        self.index += 1
        return output


def test_the_logits_processor_constrains_generate_of_transformers(tokenizer: Any, model: Any, constraint: Constraint) -> None:
    envs = [at(commands) for commands in STATES.values()]
    prompts = torch.randint(3, len(tokenizer), (len(envs), 9), generator=torch.Generator().manual_seed(0))
    processor = ConstraintLogitsProcessor(constraint, [env.state for env in envs], prompts.shape[1], 20)
    torch.manual_seed(0)
    written = model.generate(
        prompts,
        attention_mask=torch.ones_like(prompts),
        do_sample=True,
        top_k=0,
        max_new_tokens=20,
        logits_processor=[processor],
        pad_token_id=tokenizer.eos_token_id,
    )
    for env, row in zip(envs, written[:, prompts.shape[1] :].tolist(), strict=True):
        check_valid(env, command_of(tokenizer, row))


# ----------------------------------------------------------------------------------------------------------------- the page


def test_the_index_of_a_page_is_cached(constraint: Constraint) -> None:
    state = at(STATES["odd-page"]).state
    assert constraint._page_text(state.page) is constraint._page_text(
        Page(state.page.url, state.page.title, state.page.text, state.page.links)
    )


PAGES = {
    "nothing": ("", False),
    "a space": (" ", False),
    "a character that find ignores": ("¨", False),
    "an accent alone": ("\u0301", False),
    "a letter": ("a", True),
    "an accent": ("a\u0301", True),
    "the bar": ("━", False),
    "a word longer than a command": ("x" * 10_000, False),
    "a long text": ("word " * 3_000, True),
}


@pytest.mark.parametrize("name", PAGES)
def test_every_text_can_be_indexed(constraint: Constraint, name: str) -> None:
    text, has_texts = PAGES[name]
    page_text = PageText(text, constraint.trie)
    assert (page_text.shortest_text > 0) == has_texts
    assert normalize(text).text or not page_text.shortest_text
