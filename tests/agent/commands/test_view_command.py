"""`webgpt view`: the program, from a benchmark to its pages."""

import subprocess
from collections.abc import Callable
from pathlib import Path

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def test_an_episode_saved_by_ask_can_be_viewed(webgpt: Run, small_collection: Path, tmp_path: Path) -> None:
    saved = tmp_path / "episodes.jsonl"
    webgpt("ask", "What does shutil.copytree do?", "--collection", small_collection, "--save", saved)
    done = webgpt("view", saved)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{tmp_path / 'episodes-view' / 'index.html'}\n", "")
    assert "Recursively copy a directory tree" in (tmp_path / "episodes-view" / "episodes" / "000000-0.js").read_text("utf-8")
    assert webgpt("view", saved).returncode == 0


def test_a_benchmark_can_be_viewed_in_its_folder_or_elsewhere(webgpt: Run, small_collection: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bench"
    run = ("bench", "--questions", "pydoc", "--collection", small_collection, "--policy", "search-only", "--limit", "3")
    assert webgpt(*run, "--out", folder).returncode == 0
    assert webgpt("view", folder).stdout == f"{folder / 'view' / 'index.html'}\n"
    assert len(list((folder / "view" / "episodes").iterdir())) == 3
    assert webgpt("view", folder, "--out", tmp_path / "pages").stdout == f"{tmp_path / 'pages' / 'index.html'}\n"
    assert (
        webgpt(*run, "--out", folder).returncode == 0
    )  # the benchmark can be continued although the folder contains the pages


def test_a_path_that_is_neither_benchmark_nor_file_is_an_error(webgpt: Run, tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    for path, message in ((tmp_path / "nothing", "does not exist"), (tmp_path / "notes", "has no episodes/*.jsonl")):
        done = webgpt("view", path)
        assert (done.returncode, done.stdout) == (2, "")
        assert message in done.stderr
    assert not (tmp_path / "notes" / "view").exists()
