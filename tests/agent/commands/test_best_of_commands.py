"""`--best-of N --reward-model DIR` in `ask`, `sample` and `bench`, with a chat server whose answers differ."""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer

from agent.commands.options import PolicyOptions
from agent.models.reward_model import RewardModelScore
from agent.models.scalar_model import load_scalar_model
from agent.score import Scored
from browser_env.errors import UsageError
from browser_env.records import Episode
from browser_env.records.storage import read_records

Run = Callable[..., "subprocess.CompletedProcess[str]"]

QUESTION = "What does shutil.copytree do?"
BROWSED = ("Search copytree", "Clicked on link 0", "Quote: Recursively copy a directory tree and return", "End: Answer")


@pytest.fixture(scope="module")
def reward_model(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a reward model with random weights."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("reward")
    load_scalar_model(str(tiny_model)).save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny_model).save_pretrained(folder)
    return folder


@pytest.fixture
def server(chat_server: Any) -> Any:
    """A chat server that always browses in the same way; its answer depends on the seed of the request."""

    def reply(exchange: Any) -> None:
        shown = exchange.body["messages"][-1]["content"]
        if "♦Past actions" not in shown:
            exchange.say(f"It copies {exchange.body['seed'] % 1000} trees [1].")
        else:
            done = re.search(r"♦Past actions\n(.*?)\n♦", shown, re.DOTALL)
            taken = 0 if done is None else len([line for line in done[1].splitlines() if line.strip()])
            exchange.say(BROWSED[min(taken, 3)])

    chat_server.answers = [reply]
    return chat_server


def chosen_by(model: Path, episodes: list[Episode]) -> Episode:
    items = [Scored.of(episode) for episode in episodes]
    scores = RewardModelScore.load(model)([item for item in items if item is not None])
    return episodes[scores.index(max(scores))]


@pytest.mark.parametrize("mode", ["episodes", "answers"])
def test_ask_gives_the_answer_that_the_reward_model_likes_most(
    mode: str, webgpt: Run, server: Any, reward_model: Path, small_collection: Path, tmp_path: Path
) -> None:
    common = ("--policy", "openai:test", "--base-url", server.url, "--collection", small_collection)
    extra = ("--best-of-answers",) if mode == "answers" else ()
    done = webgpt("ask", QUESTION, "--json", *common, "--best-of", 4, "--reward-model", reward_model, *extra)
    assert done.returncode == 0, done.stderr
    out = tmp_path / "samples.jsonl"
    question = tmp_path / "question.jsonl"
    found = json.loads(done.stdout)
    question.write_text(json.dumps(found["episode"]["question"]) + "\n")
    number = ("--num", 4) if mode == "episodes" else ("--answers-only", 3)
    sampled = webgpt("sample", "--questions", question, "--out", out, *common, *number)
    assert sampled.returncode == 0, sampled.stderr
    samples = list(read_records(out, Episode))
    answers = {episode.answer for episode in samples}
    assert len(answers) == len(samples) == 4
    if mode == "episodes":  # further answers have seeds of their own in the two commands
        assert found["answer"] == (chosen_by(reward_model, samples).answer or "").strip()
    assert len(re.findall(r"^ +\d+  ", done.stderr, re.MULTILINE)) == 4  # the steps of one sample only


def test_bench_measures_best_of_n_and_refuses_to_mix_it(
    webgpt: Run, server: Any, reward_model: Path, small_collection: Path, tmp_path: Path
) -> None:
    command = ("bench", "--questions", "pydoc", "--limit", 2, "--collection", small_collection, "--out", tmp_path / "b")
    policy = ("--policy", "openai:test", "--base-url", server.url)
    done = webgpt(*command, *policy, "--best-of", 2, "--reward-model", reward_model)
    assert done.returncode == 0, done.stderr
    assert "openai:test best of 2" in done.stdout
    kept = json.loads((tmp_path / "b" / "config.json").read_text())
    assert kept["best_of"] == {"best_of": 2, "reward_model": str(reward_model), "best_of_answers": False}
    again = webgpt(*command, *policy)
    assert again.returncode == 2
    assert "another configuration" in again.stderr


def test_sample_keeps_the_best_of_each_group_and_can_continue(
    webgpt: Run, server: Any, reward_model: Path, small_collection: Path, tmp_path: Path
) -> None:
    out = tmp_path / "best.jsonl"
    command = (
        *("sample", "--questions", "pydoc", "--limit", 2, "--out", out, "--collection", small_collection),
        *("--policy", "openai:test", "--base-url", server.url, "--best-of", 2, "--reward-model", reward_model),
    )
    assert webgpt(*command).returncode == 0
    asked = len(server.requests)
    assert len(list(read_records(out, Episode))) == 2
    done = webgpt(*command, "--num", 3)
    assert done.returncode == 0, done.stderr
    episodes = list(read_records(out, Episode))
    assert len(episodes) == len({episode.id for episode in episodes}) == 6
    assert len(server.requests) == 3 * asked
    assert done.stderr.splitlines()[-1] == "openai:test: 6 episodes, 2 of them from before"


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"best_of": 0}, "--best-of must be at least 1, got 0"),
        ({"reward_model": Path("x")}, "--reward-model and --best-of-answers need --best-of N"),
    ],
)
def test_conflicting_options_are_refused(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        PolicyOptions(**options)


@pytest.mark.parametrize("spec", ["hf:somewhere", "openai:test"])
def test_only_the_shipped_policy_has_a_shipped_reward_model(spec: str) -> None:
    with pytest.raises(UsageError, match=f"--best-of with --policy {spec} needs --reward-model"):
        PolicyOptions(best_of=4).check(spec)
    PolicyOptions(best_of=4).check("learned")


def test_best_of_n_is_refused_for_a_policy_whose_samples_are_equal(
    webgpt: Run, reward_model: Path, small_collection: Path
) -> None:
    chooses = ("--best-of", 2, "--reward-model", reward_model, "--collection", small_collection)
    done = webgpt("ask", QUESTION, "--policy", "scripted", *chooses)
    assert done.returncode == 2
    assert done.stderr.strip().startswith(
        "webgpt: --best-of is for policies that sample (learned, hf:PATH_OR_ID, openai:MODEL or served:PATH_OR_ID)"
    )
