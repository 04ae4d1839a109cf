"""`webgpt questions`: the program on a small offline web."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from browser_env.records import Question
from browser_env.records.storage import read_records

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def read(path: Path) -> list[Question]:
    return list(read_records(path, Question))


def test_questions_of_the_python_documentation_are_written(webgpt: Run, small_collection: Path, tmp_path: Path) -> None:
    out = tmp_path / "pydoc.jsonl"
    done = webgpt("questions", "pydoc", "--collection", small_collection, "--out", out)
    assert (done.returncode, done.stdout) == (0, f"{out}\n")
    questions = read(out)
    assert done.stderr.startswith(f"{len(questions)} questions: ")
    assert any("`shutil." in question.text or "shutil." in question.text for question in questions)
    assert list(tmp_path.iterdir()) == [out]


def test_two_runs_give_the_same_bytes(webgpt: Run, small_collection: Path, tmp_path: Path) -> None:
    for seed in ("1", "2"):
        arguments = ("questions", "pydoc", "--collection", small_collection, "--out", tmp_path / seed)
        assert webgpt(*arguments, PYTHONHASHSEED=seed).returncode == 0
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()


def test_a_written_set_can_be_loaded_and_limited(webgpt: Run, small_collection: Path, tmp_path: Path) -> None:
    first, second, third = tmp_path / "a.jsonl", tmp_path / "b.jsonl", tmp_path / "c.jsonl"
    webgpt("questions", "pydoc", "--collection", small_collection, "--out", first)
    assert webgpt("questions", first, "--out", second, "--limit", "5").returncode == 0
    assert read(second) == read(first)[:5]
    webgpt("questions", first, "--out", third, "--seed", "1")
    assert read(third) != read(first)
    assert sorted(question.id for question in read(third)) == sorted(question.id for question in read(first))


def test_an_older_file_is_replaced(webgpt: Run, tmp_path: Path) -> None:
    source, out = tmp_path / "q.txt", tmp_path / "out.jsonl"
    source.write_text("Why?\n")
    out.write_text("old\n")
    assert webgpt("questions", source, "--out", out).returncode == 0
    assert [question.text for question in read(out)] == ["Why?"]


def test_an_invalid_line_is_reported_and_those_before_it_are_written(webgpt: Run, tmp_path: Path) -> None:
    source, out = tmp_path / "eli5.jsonl", tmp_path / "out.jsonl"
    source.write_text(f"{json.dumps({'q_id': '1', 'title': 'Why?'})}\n{json.dumps({'q_id': '2'})}\n")
    done = webgpt("questions", f"eli5:{source}", "--out", out)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"webgpt: {source}:2: title: Field required\n"
    assert [question.text for question in read(out)] == ["Why?"]


def test_an_existing_file_stays_if_no_question_can_be_read(webgpt: Run, tmp_path: Path) -> None:
    source, out = tmp_path / "squad.json", tmp_path / "mine.jsonl"
    source.write_text("no JSON")
    out.write_text("my questions\n")
    assert webgpt("questions", f"squad:{source}", "--out", out).returncode == 1
    assert out.read_text() == "my questions\n"
    assert sorted(tmp_path.iterdir()) == [out, source]


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("set", ["no-such-set", "--out", "x.jsonl"], "there is no question set 'no-such-set'"),
        ("limit", ["pydoc", "--out", "x.jsonl", "--limit", "0"], "--limit must be at least 1, got 0"),
        ("path", ["truthfulqa", "--out", "x.jsonl"], "the set 'truthfulqa' needs its published file; pass truthfulqa:PATH"),
    ],
    ids=lambda value: value if isinstance(value, str) and value.isalpha() else "",
)
def test_a_usage_error_is_one_line_and_writes_no_file(
    webgpt: Run, tmp_path: Path, name: str, arguments: list[str], message: str
) -> None:
    arguments = [str(tmp_path / argument) if argument == "x.jsonl" else argument for argument in arguments]
    done = webgpt("questions", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"webgpt: {message}")
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())
