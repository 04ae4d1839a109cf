"""Time from a key to the redrawn screen of the recorder, on a pseudo-terminal with a page of 10,000 lines in view."""

import itertools
import os
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from browser_env.offline_web.indexing import build
from browser_env.offline_web.sources.folder import Folder
from tests.recorder.kill_recorder import Terminal

LINES = 10_000
ROUNDS = 50
DOWN, UP, PAGE_DOWN, PAGE_UP = "\x1b[B", "\x1b[A", "\x1b[6~", "\x1b[5~"
KEYS = {"cursor": (DOWN, DOWN, DOWN, UP), "screenful": (PAGE_DOWN, PAGE_DOWN, PAGE_UP), "selection": (DOWN, DOWN, UP, UP)}


@pytest.mark.parametrize("kind", KEYS)
def test_a_key_is_drawn(benchmark: BenchmarkFixture, tmp_path: Path, kind: str) -> None:
    pages, collection, questions = tmp_path / "pages", tmp_path / "long.sqlite", tmp_path / "questions.txt"
    pages.mkdir()
    (pages / "long.txt").write_text("\n".join(f"Line {number} says what crows bring to people." for number in range(LINES)))
    build(collection, Folder(pages))
    questions.write_text("What do crows bring?\n")
    command = ["record", "--questions", str(questions), "--out", str(tmp_path / "out"), "--annotator", "ann"]
    command += ["--collection", str(collection), "--view-height", str(LINES)]
    terminal = Terminal(command)
    terminal.wait_for("Start with a search")
    terminal.type("crows\r")
    terminal.wait_for("Search results for: crows")
    terminal.type("0\r")
    terminal.wait_for("Line 3 says")
    if kind == "selection":
        terminal.type("v")
    while terminal.read(0.1):
        pass
    keys = itertools.cycle(KEYS[kind])

    def press() -> None:
        terminal.type(next(keys))
        assert terminal.read(5)

    def settle() -> None:
        while terminal.read(0.05):  # the clock of the heading, and the rest of the redraw
            pass

    before = _ticks(terminal.pid)
    benchmark.pedantic(press, setup=settle, rounds=ROUNDS)
    settle()
    work = (_ticks(terminal.pid) - before) / os.sysconf("SC_CLK_TCK") / ROUNDS
    print(f"\n{kind}: {1000 * work:.1f} ms of processor time per key, including all redraws")
    terminal.kill()


def _ticks(pid: int) -> int:
    """Return the processor time used by a process, in clock ticks (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
