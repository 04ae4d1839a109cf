"""Usage errors of `webgpt compare`."""

from dataclasses import replace
from pathlib import Path

import pytest

from agent.cli import main
from browser_env.records import Episode, Question, Settings, Step
from browser_env.records.storage import append_record

EPISODE = Episode(
    id="e",
    question=Question(id="q", text="What do crows bring?"),
    settings=Settings(),
    actor="a",
    backend="b",
    steps=(Step(phase="answering", observation="", completion="Keys."),),
    ending="answer",
)
MISTAKES: dict[str, tuple[tuple[str, ...], str]] = {
    "one answer": ((), "no question has two different answers in {file}"),
    "too few to rank": (("--rank", "4"), "no question has 4 different answers in {file}"),
    "too many to rank": (("--rank", "10"), "--rank must be from 2 to 9, got 10"),
    "no pairs": (("--per-question", "0"), "--per-question must be at least 1, got 0"),
    "a share that is none": (("--full-share", "1.5"), "--full-share must be from 0 to 1, got 1.5"),
}


def arguments(folder: Path, *options: str) -> list[str]:
    return ["compare", str(folder / "answers.jsonl"), "--out", str(folder / "out"), "--annotator", "ann", *options]


@pytest.mark.parametrize("name", MISTAKES)
def test_usage_errors_are_one_line(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options, problem = MISTAKES[name]
    append_record(tmp_path / "answers.jsonl", EPISODE)
    assert main(arguments(tmp_path, *options)) == 2
    assert capsys.readouterr().err == f"webgpt: {problem.format(file=tmp_path / 'answers.jsonl')}\n"
    assert not (tmp_path / "out").exists()


def test_it_needs_a_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    append_record(tmp_path / "answers.jsonl", EPISODE)
    append_record(tmp_path / "answers.jsonl", replace(EPISODE, id="f", steps=(replace(EPISODE.steps[0], completion="Glass."),)))
    assert main(arguments(tmp_path)) == 2
    assert capsys.readouterr().err == "webgpt: webgpt compare needs a terminal; standard input or standard error is not one\n"


def test_an_invalid_line_of_answers_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "answers.jsonl").write_text("x\n")
    assert main(arguments(tmp_path)) == 1
    assert f"{tmp_path / 'answers.jsonl'}:1: is not an episode, comparison or question" in capsys.readouterr().err
