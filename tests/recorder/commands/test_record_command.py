"""Usage errors of `webgpt record`."""

from pathlib import Path

import pytest

from tests.conftest import Run

REFUSED = [
    ("no terminal", "What?\n", (), "needs a terminal"),
    ("no questions", "\n", (), "contains no questions"),
    ("a question twice", "What?\nWhat?\n", (), "contains a question twice: What?"),
    ("an unknown token counter", "What?\n", ("--token-counter", "sheep"), "--token-counter must be words"),
]


@pytest.mark.parametrize(("questions", "options", "problem"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_usage_errors_are_one_line(tmp_path: Path, webgpt: Run, questions: str, options: tuple[str, ...], problem: str) -> None:
    file = tmp_path / "questions.txt"
    file.write_text(questions)
    ended = webgpt("record", "--questions", file, "--out", tmp_path / "out", "--annotator", "ann", *options)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert problem in ended.stderr and ended.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()
