"""A model behind a server: the same tokens and log-probabilities as in this process, and the server's failures."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from agent.cli import main
from agent.models.completion_limits import SamplingOptions
from agent.models.language_model import LanguageModel
from agent.models.served_model import ServedModel
from agent.models.server import ModelServer
from agent.models.tokens import prompt_ids
from agent.policies.registry import make_policy
from agent.policy import Completion, Prompt
from agent.rollouts.rollout import rollout
from browser_env.backends import FakeBackend
from browser_env.env import BrowserEnv
from browser_env.errors import PolicyError, UsageError
from browser_env.offline_web.indexing import build
from browser_env.offline_web.sources.folder import Folder
from browser_env.pages.page import Page
from browser_env.records import Question, Settings

CROWS = Page("http://a.org/crows", "Crows", "Crows bring gifts to people.\n\nThey are birds.")
KEY = "sk-secret-0123456789"
NAME = "tiny"


def load(folder: Path, temperature: float = 1.0, **limits: int) -> LanguageModel:
    limits = limits or {"max_command_tokens": 24, "max_answer_tokens": 32}
    options = SamplingOptions(temperature=temperature, free=True, **limits)
    return LanguageModel.load(str(folder), options=options, dtype=torch.float32, device="cpu")


def prompts() -> list[Prompt]:
    """Prompts for commands and answers, of different lengths."""
    batch = []
    for seed in range(6):
        env = BrowserEnv(FakeBackend([CROWS]))
        observation = env.reset("What do crows do?" + " Why?" * seed)
        if seed % 2:
            for command in ("Search crows", "Clicked on link 0", "Quote: bring gifts", "End: Answer"):
                observation = env.step(command).observation
        batch.append(Prompt(observation, env.state, seed))
    return batch


def served(url: str, model: LanguageModel, temperature: float = 1.0) -> ServedModel:
    server = ModelServer(NAME, url, KEY, sleep=lambda _: None, max_concurrent=8)
    return ServedModel(server, NAME, model.limits, name=f"served:{NAME}", temperature=temperature)


def completed(policy: Any, batch: Sequence[Prompt]) -> list[Completion]:
    completions = policy.complete(batch)
    assert all(isinstance(completion, Completion) for completion in completions), completions
    return completions  # type: ignore[no-any-return]


@pytest.mark.parametrize("temperature", [1.0, 0.7, 0.0])
def test_a_served_model_completes_like_one_in_this_process(
    tiny_model: Path, serve: Callable[..., Any], temperature: float
) -> None:
    server = serve(load(tiny_model), NAME)
    expected = completed(load(tiny_model, temperature), prompts())
    completions = completed(served(server.url, load(tiny_model), temperature), prompts())
    for local, remote in zip(expected, completions, strict=True):
        assert (local.text, local.token_ids, local.command) == (remote.text, remote.token_ids, remote.command)
        assert (local.logprobs is None) == (remote.logprobs is None) == (temperature == 0)
        assert local.logprobs is None or remote.logprobs == pytest.approx(local.logprobs, abs=1e-4)
    assert len({len(completion.token_ids or ()) for completion in completions}) > 1


def test_logprobs_equal_those_of_a_forward_pass(tiny_model: Path, serve: Callable[..., Any]) -> None:
    model = load(tiny_model)
    server = serve(load(tiny_model), NAME)
    for prompt, completion in zip(prompts(), completed(served(server.url, model), prompts()), strict=True):
        assert completion.token_ids
        assert completion.logprobs
        ids = prompt_ids(model.tokenizer, prompt.text)
        with torch.inference_mode():
            logits = model.model(torch.tensor([[*ids, *completion.token_ids]])).logits[0, len(ids) - 1 : -1]
        expected = logits.log_softmax(-1).gather(-1, torch.tensor(completion.token_ids)[:, None])[:, 0]
        torch.testing.assert_close(torch.tensor(completion.logprobs), expected, atol=1e-4, rtol=0)


def test_the_request_asks_for_the_whole_distribution_and_for_token_ids(tiny_model: Path, serve: Callable[..., Any]) -> None:
    model = load(tiny_model)
    server = serve(load(tiny_model), NAME)
    command, answer, *_ = prompts()
    policy = served(server.url, model)
    policy.complete([command])
    policy.complete([answer])
    assert server.bodies[0] == {
        "model": NAME,
        "prompt": prompt_ids(model.tokenizer, command.text),
        "max_tokens": 24,
        "temperature": 1.0,
        "seed": 0,
        "stop": ["\n"],
        "stop_token_ids": [1],
        "logprobs": 0,
        "return_token_ids": True,
        "top_p": 1.0,
        "top_k": 0,
        "min_p": 0.0,
        "repetition_penalty": 1.0,
    }
    assert (server.bodies[1]["stop"], server.bodies[1]["max_tokens"]) == (["◼"], 32)
    assert server.keys == [f"Bearer {KEY}"] * 2


def test_tokens_beyond_the_end_are_not_part_of_the_completion(tiny_model: Path, serve: Callable[..., Any]) -> None:
    server = serve(load(tiny_model), NAME)
    policy = served(server.url, load(tiny_model))
    expected = completed(policy, prompts())
    server.num_extra = 3
    assert completed(policy, prompts()) == expected


def test_a_prompt_that_is_too_long_is_an_error_in_its_place(tiny_model: Path, serve: Callable[..., Any]) -> None:
    server = serve(load(tiny_model), NAME)
    policy = served(server.url, load(tiny_model))
    [first] = prompts()[:1]
    policy.limits = replace(policy.limits, context=len(prompt_ids(policy.limits.tokenizer, first.text)) + 1)
    long = Prompt(first.text + " crows", first.state, 0)
    short, error = policy.complete([first, long])
    assert isinstance(short, Completion)
    assert len(short.token_ids or ()) == 1
    assert "the context of served:tiny is" in str(error)
    assert len(server.bodies) == 1


def replies(**choice: Any) -> bytes:
    whole = {"token_ids": [5], "logprobs": {"token_logprobs": [-1.5]}, "finish_reason": "stop", "text": ""}
    return json.dumps({"choices": [{**whole, **choice}]}).encode()


FAILURES: list[tuple[str, bytes, int, str, int]] = [
    ("400", b'{"error": {"message": "prompt too\\nlong"}}', 400, "HTTP 400: prompt too long", 1),
    ("401", b"{}", 401, "does not accept this key (HTTP 401): set OPENAI_API_KEY", 1),
    ("404", b'{"error": {"message": "no model"}}', 404, "HTTP 404: no model: the model does not exist, or --base-url", 1),
    ("429", b"", 429, "HTTP 429 (after 4 attempts)", 4),
    ("500", b'{"error": {"message": "engine died"}}', 500, "HTTP 500: engine died (after 4 attempts)", 4),
    ("html", b"<html>", 200, "the reply does not follow the protocol: '<html>'", 1),
    ("torn", replies()[:20], 200, "the reply does not follow the protocol", 1),
    ("error-in-the-reply", b'{"error": {"message": "overloaded"}}', 200, "error in the reply: overloaded", 1),
    ("no-choices", b'{"choices": []}', 200, "the reply is empty", 1),
    ("no-token-ids", replies(token_ids=None), 200, "the reply has no token ids (return_token_ids)", 1),
    ("no-logprobs", replies(logprobs=None), 200, "the reply has no log-probabilities (logprobs)", 1),
    ("fewer-logprobs", replies(token_ids=[5, 6]), 200, "the reply has 2 tokens and 1 log-probabilities", 1),
    ("no-tokens", replies(token_ids=[], logprobs={"token_logprobs": []}), 200, "the reply has 0 tokens", 1),
    ("a-logprob-that-is-missing", replies(logprobs={"token_logprobs": [None]}), 200, "does not follow the protocol", 1),
    ("no-number", replies(logprobs={"token_logprobs": [float("nan")]}), 200, "log-probabilities that are not numbers", 1),
    ("aborted", replies(finish_reason="abort"), 200, "the reply ended because of 'abort'", 1),
    ("another-prompt", replies(prompt_token_ids=[1, 2]), 200, "the server read a different prompt from the one that was sent", 1),
]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "status", "message", "attempts"), [case[1:] for case in FAILURES], ids=[case[0] for case in FAILURES]
)
def test_a_failure_is_an_error_of_one_line(
    tiny_model: Path, chat_server: Any, content: bytes, status: int, message: str, attempts: int
) -> None:
    chat_server.answers.append(lambda exchange: exchange.send(content, status))
    [error] = served(chat_server.url, load(tiny_model)).complete(prompts()[:1])
    assert isinstance(error, PolicyError)
    assert str(error).startswith(f"{NAME} at 127.0.0.1:")
    assert message in str(error)
    assert "\n" not in str(error)
    assert KEY not in str(error)
    assert len(chat_server.requests) == attempts


def test_without_a_server_every_episode_fails(tiny_model: Path) -> None:
    questions = [Question(id=str(number), text="Why?") for number in range(2)]
    episodes = list(rollout(served("http://127.0.0.1:9/v1", load(tiny_model)), FakeBackend([]), questions, Settings()))
    assert [(episode.failure or "").startswith("PolicyError: tiny at 127.0.0.1:9: ConnectError") for episode in episodes] == [
        True,
        True,
    ]


def test_a_model_is_found_by_its_folder_name(tiny_model: Path, serve: Callable[..., Any]) -> None:
    server = serve(load(tiny_model, max_command_tokens=256), tiny_model.name, context=300)
    policy = make_policy(f"served:{tiny_model}", base_url=server.url, temperature=0.5, environ={})
    assert isinstance(policy, ServedModel)
    assert policy.name == f"served:{tiny_model.name}"
    assert policy.limits.context == 300
    assert policy.limits.end_tokens == load(tiny_model).limits.end_tokens
    completed(policy, prompts()[:1])
    assert server.bodies[0]["temperature"] == 0.5
    assert server.keys == [None]


def test_the_error_of_a_missing_model_names_the_models_of_the_server(tiny_model: Path, serve: Callable[..., Any]) -> None:
    server = serve(load(tiny_model), "another")
    with pytest.raises(UsageError, match=rf"the server does not offer .*{tiny_model.name}; it offers another$"):
        ServedModel.load(str(tiny_model), server.url)


def test_a_missing_server_is_an_error_at_once(tiny_model: Path) -> None:
    with pytest.raises(PolicyError, match=rf"{tiny_model.name} at 127.0.0.1:9: ConnectError"):
        make_policy(f"served:{tiny_model}", base_url="http://127.0.0.1:9/v1", environ={})


@pytest.fixture
def web(tmp_path: Path) -> Path:
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "crows.md").write_text("# Crows\n\nCrows bring gifts to people.\n")
    build(tmp_path / "web", Folder(tmp_path / "pages"))
    return tmp_path / "web"


@pytest.mark.parametrize("command", ["ask", "sample", "bench"])
def test_the_commands_accept_a_served_model(
    command: str, tiny_model: Path, serve: Callable[..., Any], web: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = serve(load(tiny_model, max_command_tokens=256), tiny_model.name)
    (tmp_path / "questions.jsonl").write_text('{"id": "1", "text": "What do crows bring?"}\n')
    options = ["--policy", f"served:{tiny_model}", "--base-url", server.url, "--collection", str(web), "--max-actions", "1"]
    arguments = {
        "ask": ["What do crows bring?", "--json", "--view-height", "4"],
        "sample": ["--questions", str(tmp_path / "questions.jsonl"), "--out", str(tmp_path / "out.jsonl")],
        "bench": ["--questions", str(tmp_path / "questions.jsonl"), "--out", str(tmp_path / "out")],
    }
    code = main([command, *arguments[command], *options])
    captured = capsys.readouterr()
    assert code in ((0, 3) if command == "ask" else (0,)), captured.err
    assert server.bodies
    written = captured.out + "".join(file.read_text() for file in tmp_path.rglob("*.jsonl"))
    assert f"served:{tiny_model.name}" in written
    assert "PolicyError" not in written
