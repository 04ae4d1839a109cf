"""The scripts in `examples/` run and print what their first line promises."""

import subprocess
import sys
from pathlib import Path

import pytest

from browser_env import PythonDocs, build

EXAMPLES = Path(__file__).parent.parent / "examples"
MODULES = (
    "bisect",
    "calendar",
    "csv",
    "glob",
    "heapq",
    "json",
    "os.path",
    "random",
    "shutil",
    "statistics",
    "string",
    "textwrap",
)


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pages of a few modules: enough for questions of every split."""
    path = tmp_path_factory.mktemp("examples") / "python.sqlite"
    build(path, PythonDocs(modules=MODULES))
    return path


def run(name: str, *arguments: object) -> str:
    """Standard output of an example."""
    command = [sys.executable, str(EXAMPLES / name), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, encoding="utf-8", check=True).stdout


def test_every_example_is_short_and_tested_here() -> None:
    scripts = sorted(EXAMPLES.glob("*.py"))
    assert [path.name for path in scripts] == ["ask.py", "own_policy.py", "own_web.py", "train.py"]
    assert all(len(path.read_text("utf-8").splitlines()) < 60 for path in scripts)


def test_ask_prints_the_answer_and_its_source(collection: Path) -> None:
    printed = run("ask.py", "What does shutil.copytree do?", collection)
    assert "Recursively copy a directory tree and return the destination directory. [1]" in printed
    assert "[1] shutil (pydoc.localhost), http://pydoc.localhost/" in printed
    assert "100% supported" in printed


def test_a_folder_of_notes_is_browsed() -> None:
    printed = run("own_web.py")
    assert "2 pages, 0 files skipped" in printed
    assert "let cars crack them" in printed
    assert "invalid" not in printed


def test_a_policy_of_ones_own_stands_beside_the_scripted_one(collection: Path) -> None:
    printed = run("own_policy.py", collection, 6)
    assert "| first-page | scripted |" in printed
    assert "correct, %" in printed


def test_a_tiny_policy_is_trained_end_to_end(collection: Path, tmp_path: Path) -> None:
    printed = run("train.py", tmp_path / "run", collection, 4)
    assert "of 4 test questions answered correctly" in printed
    assert {path.name for path in (tmp_path / "run").iterdir()} >= {"cloned", "reward", "better"}
