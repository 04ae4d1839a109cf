"""Kills the recorder repeatedly and checks that nothing its screen had shown is lost.

``python -m tests.recorder.kill_recorder FOLDER COLLECTION --kills 50`` types into `webgpt record` on a pseudo-terminal, kills it
(SIGKILL) at a random moment, starts it again and continues the recording. Each program is forked from a process that has
imported everything, so that fifty runs take seconds.
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

import pyte

import agent.cli
import recorder.record_app  # noqa: F401 - imported once, before forking
from recorder.demonstrations.events import JOURNAL, PAGES
from recorder.demonstrations.replies import RecordedWeb, ReplyStore
from recorder.demonstrations.session import Session

ESCAPES = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[PX^_].*?\x1b\\|[@-Z\\-_])", re.DOTALL)
PATIENCE = 60.0
"""Seconds to wait for text on the screen."""


class Terminal:
    """The recorder on a pseudo-terminal."""

    def __init__(self, arguments: list[str]) -> None:
        self.pid, self._descriptor = pty.fork()
        if not self.pid:
            os.environ["TERM"] = "xterm-256color"
            # The streams of the terminal, in place of those of the forking process.
            sys.stdin, sys.stdout, sys.stderr = (open(number, mode, closefd=False) for number, mode in enumerate("rww"))  # noqa: SIM115
            os._exit(agent.cli.main(arguments))
        ioctl(self._descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self._raw, self._fed = b"", 0
        self._screen = pyte.Screen(80, 24)
        self._stream = pyte.ByteStream(self._screen)

    @property
    def screen(self) -> str:
        """The current text of the screen."""
        self._stream.feed(self._raw[self._fed :])
        self._fed = len(self._raw)
        return "\n".join(self._screen.display)

    @property
    def shown(self) -> str:
        """All text ever drawn, without escape sequences."""
        return ESCAPES.sub(b"", self._raw).decode("utf-8", "replace")

    def type(self, keys: str) -> None:
        os.write(self._descriptor, keys.encode())

    def read(self, seconds: float) -> bool:
        """Read output. Returns False if there is none within some seconds."""
        if not select.select([self._descriptor], [], [], seconds)[0]:
            return False
        try:
            read = os.read(self._descriptor, 65_536)
        except OSError:  # the program has ended
            return False
        self._raw += read
        return True

    def wait_for(self, text: str, *, is_gone: bool = False) -> None:
        """Wait until a text is on the screen, or is gone."""
        deadline = time.monotonic() + PATIENCE
        while (text in self.screen) is is_gone:
            if time.monotonic() > deadline:
                raise AssertionError(f"{text!r} {'stays' if is_gone else 'is not shown'} for {PATIENCE} s:\n{self.screen}")
            self.read(0.1)

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        while self.read(0.0):
            pass
        os.waitpid(self.pid, 0)
        os.close(self._descriptor)


def saved(out: Path) -> tuple[int, str]:
    """Return the number of actions left and the answer, read from the journal."""
    (journal,) = out.rglob(JOURNAL)
    with Session(journal.parent, RecordedWeb("", (), ReplyStore(journal.parent / PAGES))) as session:
        return session.view().actions_left, session.state.answer


def main(arguments: list[str] | None = None) -> int:
    """Kill the recorder repeatedly and print a summary."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("collection", type=Path)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    out, questions, chance = options.folder / "out", options.folder / "questions.txt", random.Random(options.seed)
    questions.write_text("How is a tree of files copied?\n")
    command = ["record", "--questions", str(questions), "--out", str(out), "--annotator", "ann"]
    command += ["--collection", str(options.collection), "--max-actions", "100000", "--max-reference-tokens", "5000"]
    terminal = Terminal(command)
    terminal.wait_for("Start with a search")
    terminal.type("copytree\r")
    terminal.wait_for("Search results for: copytree")
    terminal.type("0\r")
    terminal.wait_for("(pydoc.localhost)")
    terminal.type("dv\r")
    terminal.wait_for("Quotes: 1")
    events, is_writing = 0, False
    for kill in range(options.kills):
        if kill == options.kills // 2:
            is_writing = True
            terminal.type("a")
            terminal.wait_for("cite reference [1]")
        for _ in range(chance.randrange(1, 6)):
            events += 1
            terminal.type(f"w{events} " if is_writing else "ud"[events % 2])
            if is_writing:
                terminal.wait_for(f"w{events}")
            else:
                terminal.read(PATIENCE)
        terminal.type(f"w{events}0 " if is_writing else "du")
        terminal.read(chance.random() * 0.1)
        terminal.kill()
        actions_left, answer = saved(out)
        # Only numbers followed by another character are complete: the program may have been killed while drawing one.
        seen = min(map(int, re.findall(r"actions left: ([0-9]+)(?=[^0-9])", terminal.shown)), default=actions_left)
        assert actions_left <= seen, f"kill {kill}: {seen} actions left had been shown, the disk has {actions_left}"
        lost = [word for word in re.findall(r"w[0-9]+(?=[^0-9])", terminal.shown) if word not in answer]
        assert not lost, f"kill {kill}: {lost} had been shown, the disk has {answer[-200:]!r}"
        terminal = Terminal(command)
        terminal.wait_for("continue where you left off")
        terminal.type("\r")
        terminal.wait_for("continue where you left off", is_gone=True)
    terminal.kill()
    actions_left, answer = saved(out)
    print(f"{options.kills} kills, {100_000 - actions_left} actions and {len(answer)} characters kept, nothing lost")
    return 0


if __name__ == "__main__":
    sys.exit(main())
