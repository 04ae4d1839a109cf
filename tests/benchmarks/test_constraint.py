"""Cost of constrained decoding: ``pytest tests/benchmarks/test_constraint.py --benchmark-enable``."""

import random
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import agent.decoding.constraint
from agent.decoding.constraint import Constraint, ConstraintState
from agent.decoding.page_text import PageText
from agent.decoding.token_trie import TokenTrie
from agent.models.completion_limits import SamplingOptions
from agent.models.language_model import LanguageModel
from agent.policy import Completion, Prompt
from browser_env.env import BrowserEnv
from browser_env.observation import observe
from browser_env.offline_web.collection import Collection
from browser_env.offline_web.indexing import build
from browser_env.offline_web.sources.python_docs import PythonDocs
from browser_env.records import Settings
from browser_env.state import BrowserState
from training.base_model.tokenizer import train_tokenizer

VIEW = Settings(view_height=12)


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collection]:
    path = tmp_path_factory.mktemp("docs") / "docs.sqlite"
    build(path, PythonDocs(modules=("os", "shutil", "textwrap", "argparse")))
    with Collection.open(path) as collection:
        yield collection


@pytest.fixture(scope="module")
def state(web: Collection) -> BrowserState:
    """A browser state on the page of `os`, which has 62,000 characters."""
    env = BrowserEnv(web, VIEW)
    env.reset("What does os.walk do?")
    env.step("Search os.walk")
    links = env.state.page.link_urls
    longest = max(range(len(links)), key=lambda number: len(web.fetch(links[number].partition("#")[0]).text))
    env.step(f"Clicked on link {longest}")
    return env.state


@pytest.fixture(scope="module")
def tokenizer(state: BrowserState) -> Any:
    return train_tokenizer([state.page.text, observe(state), "Quote: a━b\nFind in page: \nSearch \n◼"], 4096)


def test_indexing_a_page(benchmark: Any, tokenizer: Any, state: BrowserState) -> None:
    trie = TokenTrie(tokenizer)

    def index() -> int:
        return len(PageText(state.page.text, trie).first_tokens(0).start)

    assert benchmark(index) > 1_000
    benchmark.extra_info["characters"] = len(state.page.text)


def test_steps_through_quotes(benchmark: Any, tokenizer: Any, state: BrowserState) -> None:
    """Allowed tokens and transitions at every token of long random quotes."""
    constraint = Constraint(TokenTrie(tokenizer))
    generator = random.Random(0)
    words = constraint.trie.normalize("Quote: (")[:-1]
    ends = [token for token, piece in enumerate(constraint.trie.pieces) if piece is None or b"\n" in piece]

    def quotes() -> int:
        steps = 0
        for _ in range(2 if benchmark.disabled else 50):
            position, written = constraint.start(state), b""
            for number in range(40):
                allowed = position.allowed_tokens(200 - number)
                assert allowed is not None
                pieces = {token: constraint.trie.pieces[token] or b"" for token in allowed.tolist() if token not in ends}
                if not pieces:
                    break  # the quote has reached its longest text
                in_words = [token for token, piece in pieces.items() if words.startswith(written + piece)]
                chosen = max(in_words, key=lambda token: len(pieces[token])) if in_words else generator.choice([*pieces])
                position.advance(chosen)
                written += pieces[chosen]
                steps += 1
        return steps

    steps = benchmark(quotes)
    if not benchmark.disabled:
        benchmark.extra_info["microseconds_per_step"] = round(benchmark.stats.stats.mean / steps * 1e6)


def timed(function: Callable[..., Any], seconds: list[float]) -> Callable[..., Any]:
    """The function, with its duration added to ``seconds[0]``."""

    def call(*arguments: Any) -> Any:
        before = time.perf_counter()
        try:
            return function(*arguments)
        finally:
            seconds[0] += time.perf_counter() - before

    return call


@pytest.mark.parametrize("free", [False, True], ids=["constrained", "free"])
def test_commands_of_a_small_model(
    benchmark: Any, tokenizer: Any, state: BrowserState, free: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sixteen commands in a batch. The two policies write different commands, so compare the time per token and the constraint's
    share of the time."""
    import torch
    from transformers import Lfm2Config, Lfm2ForCausalLM

    torch.set_num_threads(1)
    torch.manual_seed(0)
    config = Lfm2Config(
        vocab_size=len(tokenizer),
        hidden_size=192,
        intermediate_size=512,
        num_hidden_layers=6,
        layer_types=["conv", "full_attention"] * 3,
        num_attention_heads=6,
        num_key_value_heads=3,
        max_position_embeddings=2048,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
    )
    policy = LanguageModel(
        Lfm2ForCausalLM(config),
        tokenizer,
        name="random",
        options=SamplingOptions(temperature=1, max_command_tokens=32, free=free),
    )
    prompts = [Prompt(observe(state), state, seed) for seed in range(2 if benchmark.disabled else 16)]
    num_tokens: list[int] = []
    seconds = [0.0, 0.0]
    measured = (
        (ConstraintState, "allowed_tokens"),
        (ConstraintState, "advance"),
        (Constraint, "start"),
        (agent.decoding.constraint, "mask_logits"),
    )
    for owner, name in measured:
        monkeypatch.setattr(owner, name, timed(getattr(owner, name), seconds))

    def complete() -> None:
        num_tokens.append(0)
        before = time.perf_counter()
        for completion in policy.complete(prompts):
            assert isinstance(completion, Completion)
            num_tokens[-1] = max(num_tokens[-1], len(completion.token_ids or ()))
        seconds[1] += time.perf_counter() - before

    benchmark.pedantic(complete, rounds=1 if benchmark.disabled else 5, warmup_rounds=0 if benchmark.disabled else 1)
    if not benchmark.disabled:
        passes = max(num_tokens)
        benchmark.extra_info["milliseconds_per_batch_of_tokens"] = round(benchmark.stats.stats.mean / passes * 1e3, 2)
        benchmark.extra_info["share_of_constraint"] = round(seconds[0] / seconds[1], 3)
        benchmark.extra_info["parameters"] = sum(parameter.numel() for parameter in policy.model.parameters())
