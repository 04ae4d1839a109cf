"""`webgpt compare` in a terminal, killed at random moments: nothing that it showed is lost.

``WEBGPT_KILLS=50 pytest tests/recorder/comparisons/test_compare_killed.py`` kills it fifty times. Each kill takes about two seconds
of processor time.
"""

import os
import pty
import random
import re
import select
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from browser_env.records import Episode, Question, Settings, Step
from browser_env.records.storage import append_record
from recorder.comparisons.rating import Rating
from tests.recorder.made import ANSWERS

KILLS = int(os.environ.get("WEBGPT_KILLS", "4"))
FIRST = 0x4E00
"""First of 20,000 characters that the program itself does not write. Each is typed once."""


@pytest.mark.timeout(60 * KILLS)
def test_everything_shown_is_on_the_disk_after_a_kill(program: Path, environment: dict[str, str], tmp_path: Path) -> None:
    answers, out = tmp_path / "answers.jsonl", tmp_path / "out"
    for number, answer in enumerate(ANSWERS[:2]):
        step = Step(phase="answering", observation="", completion=answer.text)
        question = Question(id="q", text="What do crows bring?")
        episode = Episode(id=f"e{number}", question=question, settings=Settings(), actor="a", backend="b", steps=(step,))
        append_record(answers, replace(episode, ending="answer"))
    command = [str(program), "compare", str(answers), "--out", str(out), "--annotator", "ann"]
    chance, previous, typed = random.Random(5), "", 0
    for _ in range(KILLS):
        shown, typed = _type_and_kill(command, environment, typed, chance.random() * 0.5)
        [folder] = (path.parent for path in out.rglob("comparison.jsonl"))
        with Rating(folder) as rating:
            notes = rating.state.notes
        assert notes.startswith(previous)  # nothing is lost after the previous kill
        assert [letter for letter in sorted(shown) if letter not in notes] == []
        assert len(notes) > len(previous)
        previous = notes


def _type_and_kill(command: list[str], environment: dict[str, str], typed: int, seconds: float) -> tuple[set[str], int]:
    """Type letters as notes for some time, then kill the program. Returns the letters shown and the number typed in total."""
    master, slave = pty.openpty()
    size = environment | {"COLUMNS": "100", "LINES": "30"}
    with subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=size, start_new_session=True) as process:
        os.close(slave)
        output, deadline, end = b"", time.monotonic() + 60, None
        seen: set[str] = set()
        begun = typed
        is_noting = False
        while process.poll() is None:
            assert time.monotonic() < deadline, output[-2000:]
            if select.select([master], [], [], 0.02)[0]:
                output += os.read(master, 65536)
            seen = set(re.findall("[一-鿿]", output.decode("utf-8", "ignore")))
            if not is_noting and (b"You left" in output or b"To do" in output):
                is_noting = True
                os.write(master, b"\r" if b"You left" in output else b"")
                time.sleep(0.2)
                os.write(master, b"n")
            elif is_noting:
                os.write(master, chr(FIRST + typed).encode())
                typed += 1
                if end is None and sum(ord(letter) >= FIRST + begun for letter in seen) > 3:
                    end = time.monotonic() + seconds
            if end is not None and time.monotonic() > end:
                os.killpg(process.pid, signal.SIGKILL)
                break
        process.wait()
    os.close(master)
    return seen, typed
