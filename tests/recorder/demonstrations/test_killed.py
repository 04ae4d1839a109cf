"""A recorder that is killed at random moments, and its journal afterwards."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from recorder.demonstrations.events import JOURNAL, SCHEMA
from recorder.demonstrations.session import Session
from recorder.journal.journal import read_journal
from tests.recorder.webs import web

RECORDER = """
import sys
from pathlib import Path
from browser_env.records import Question, Settings
from recorder.journal.recording import Redo, Undo
from recorder.demonstrations.events import Act, Begin, Write
from recorder.demonstrations.session import Session
from recorder.journal.text_edits import Edit
from tests.recorder.webs import web

def do(event):
    assert session.do(event).is_done
    print("shown", flush=True)

begin = Begin(question=Question(id="q", text="What?"), settings=Settings(), backend="fake", annotator="ann")
with Session(Path(sys.argv[1]), web(), begin) as session:
    print("open", flush=True)
    commands = ("Search crows", "Clicked on link 0", "Quote: Crow number 0", "End: Answer")
    for command in commands[len(session.state.moves):]:
        do(Act(command=command))
    while True:
        number = len(session.state.answer)
        do(Write(edit=Edit(start=number, end=number, text=str(number % 10))))
        do(Undo())
        do(Redo())
"""


def test_nothing_acknowledged_is_lost_after_a_kill(tmp_path: Path) -> None:
    folder, chance, before = tmp_path / "recording", random.Random(1), 1
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    for _ in range(10):
        command = [sys.executable, "-c", RECORDER, str(folder)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "open\n"
            num_events = chance.randrange(5, 30)  # not a time, in which a busy machine may do nothing
            assert [process.stdout.readline() for _ in range(num_events)] == ["shown\n"] * num_events
            time.sleep(chance.random() * 0.01)
            process.kill()
            shown = num_events + process.stdout.read().count("shown\n")
        with Session(folder, web(), None) as session:
            answer = session.state.answer
        saved = len(read_journal(folder / JOURNAL, SCHEMA).entries)
        assert before + shown <= saved <= before + shown + 1  # one event may have been written but not shown
        assert answer == "".join(str(number % 10) for number in range(len(answer)))
        before = saved


@pytest.mark.timeout(900)
def test_nothing_shown_on_the_terminal_is_lost_after_fifty_kills(tmp_path: Path, small_collection: Path) -> None:
    command = [sys.executable, "-m", "tests.recorder.kill_recorder", str(tmp_path), str(small_collection), "--kills", "50"]
    completed = subprocess.run(command, cwd=Path(__file__).parents[3], capture_output=True, text=True, timeout=900, check=False)
    assert "50 kills" in completed.stdout and "nothing lost" in completed.stdout, completed.stderr[-3000:]
