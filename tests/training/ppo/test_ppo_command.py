"""`webgpt train ppo` on the toy's models and a small offline web."""

from pathlib import Path

import pytest

from agent.cli import main
from agent.models.reward_model import Normalization, save_normalization
from agent.models.scalar_model import load_scalar_model
from browser_env.records import Episode
from browser_env.records.storage import read_records
from tests.training.ppo.toy import PAGES, QUESTIONS, toy_models, toy_tokenizer
from training.ppo.log import read_metrics


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    """The command line of a run of two iterations."""
    policy, reward, pages = toy_models(tmp_path / "policy"), tmp_path / "reward", tmp_path / "pages"
    load_scalar_model(str(policy)).save_pretrained(reward)
    toy_tokenizer().save_pretrained(reward)
    save_normalization(reward, Normalization())
    pages.mkdir()
    for page in PAGES:
        (pages / f"{page.title}.txt").write_text(page.text)
    (tmp_path / "questions.txt").write_text("".join(f"{question.text}\n" for question in QUESTIONS))
    assert main(["index", str(pages), "--out", str(tmp_path / "web.sqlite")]) == 0
    paths = {"policy": policy, "reward-model": reward, "out": tmp_path / "better"}
    sources = {"questions": tmp_path / "questions.txt", "collection": tmp_path / "web.sqlite"}
    sizes = {"iterations": 2, "episodes": 4, "answers": 2, "min-actions": 2, "max-actions": 3, "minibatches": 2}
    options = {**paths, **sources, **sizes, "max-command-tokens": 2, "max-answer-tokens": 2}
    return ["train", "ppo", "--free", *(word for name, value in options.items() for word in (f"--{name}", str(value)))]


def test_the_command_trains_and_continues(arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 0
    first = capsys.readouterr()
    assert "Stopped after 2 iterations: all iterations are done." in first.out
    assert first.err.count("iteration   ") == 2
    assert f"use it as --policy hf:{tmp_path / 'better'}" in first.err
    run = tmp_path / "better" / "run"
    assert len(read_metrics(run)) == len(list(read_records(run / "examples.jsonl", Episode))) == 2
    assert main(arguments) == 0
    second = capsys.readouterr()
    assert second.out == first.out
    assert "Continuing after iteration 2." in second.err


def test_a_limit_below_1_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*arguments, "--limit", "0"]) == 2
    assert "--limit must be at least 1, got 0" in capsys.readouterr().err
