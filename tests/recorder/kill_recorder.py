"""Kills the real recorder again and again, and looks whether anything that its screen had shown is lost.

``python -m tests.recorder.kill_recorder FOLDER COLLECTION --kills 50`` types into `webgpt record` on a pseudo-terminal, kills it
(SIGKILL) at a random moment, starts it again, takes up what it offers, and goes on. A program is forked from one that has
imported everything, so that fifty of them take seconds.
"""

import argparse
import os
import pty
import random
import re
import select
import signal
import struct
import sys
import termios
import time
from fcntl import ioctl
from pathlib import Path

import agent.cli
import recorder.demonstrating  # noqa: F401 - once, for all that are forked
from recorder.session import finished
from recorder.visits import RecordedWeb, Visits
from recorder.session import PAGES, Session, has_begun

ESCAPES = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[PX^_].*?\x1b\\|[@-Z\\-_])", re.DOTALL)
PATIENCE = 60.0
"""Seconds in which something must be shown."""


class Terminal:
    """The recorder on a pseudo-terminal."""

    def __init__(self, arguments: list[str]) -> None:
        self.pid, self._descriptor = pty.fork()
        if not self.pid:
            os.environ["TERM"] = "xterm-256color"
            os._exit(agent.cli.main(arguments))
        ioctl(self._descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self._raw = b""

    @property
    def shown(self) -> str:
        """All that was drawn, without its colours and places."""
        return ESCAPES.sub(b"", self._raw).decode("utf-8", "replace")

    def type(self, keys: str) -> None:
        os.write(self._descriptor, keys.encode())

    def read(self, seconds: float) -> bool:
        """Take in what is drawn, if something is within some seconds."""
        if not select.select([self._descriptor], [], [], seconds)[0]:
            return False
        try:
            self._raw += os.read(self._descriptor, 65_536)
        except OSError:  # it has ended
            return False
        return True

    def wait_for(self, text: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while text not in self.shown:
            if time.monotonic() > deadline:
                raise AssertionError(f"{text!r} was not shown within {PATIENCE} s, but {self.shown[-2000:]!r}")
            self.read(0.1)

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        while self.read(0.0):
            pass
        os.waitpid(self.pid, 0)
        os.close(self._descriptor)


def words_kept(out: Path) -> list[str]:
    """The words of the answer that the disk has."""
    for journal in out.rglob("demonstration.jsonl"):
        if has_begun(journal.parent):
            with Session(journal.parent, RecordedWeb("", (), Visits(journal.parent / PAGES))) as session:
                return session.state.answer.split()
    return []


def main(arguments: list[str] | None = None) -> int:
    """Kill, and say what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("collection", type=Path)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    out, questions, chance = given.folder / "out", given.folder / "questions.txt", random.Random(given.seed)
    questions.write_text("How is a tree of files copied?\n")
    command = ["record", "--questions", str(questions), "--out", str(out), "--annotator", "ann", "--collection", str(given.collection)]
    terminal = Terminal(command)
    terminal.wait_for("Begin with a search")
    terminal.type("copytree\r")
    terminal.wait_for("Search results for: copytree")
    terminal.type("v\r")
    terminal.wait_for("Quotes: 1")
    terminal.type("a")
    terminal.wait_for("cites reference [1]")
    number, longest = 0, 0
    for kill in range(given.kills):
        end = time.monotonic() + chance.random() * 0.3
        while time.monotonic() < end:
            number += 1
            terminal.type(f"w{number} ")
            terminal.read(0.02)
        terminal.kill()
        shown = max((int(match) for match in re.findall(r"w([0-9]+)", terminal.shown)), default=0)
        kept = words_kept(out)
        ...
    return 0
