"""Stages of a long computation, each in its own folder, that run once for the same inputs.

A finished stage with the same inputs is skipped, and one that was stopped resumes in its folder. A stage whose inputs have
changed starts over in an empty folder, and so does every stage that depends on it.
"""

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from browser_env.records.files import write_atomically

INPUTS: Final = "inputs.json"
DONE: Final = "done.json"
UNFINISHED_SECONDS: Final = "seconds"
"""File with the time that an unfinished stage has taken so far."""


@dataclass(frozen=True, slots=True)
class Stages:
    """Runs the stages of one computation."""

    clock: Callable[[], float] = time.monotonic
    """A monotonic clock in seconds."""
    on_begin: Callable[[str, bool], None] = lambda name, is_done: None
    """Called with the name of each stage and whether it is skipped because it is done."""

    def run(self, folder: Path, inputs: Mapping[str, object], make: Callable[[], None]) -> str:
        """Run a stage unless it is done.

        Args:
            folder: Folder of the stage, created if it does not exist; its name is the name of the stage.
            inputs: Everything that decides the result, including the digests of earlier stages.
            make: Makes the result in the folder, which still holds what an interrupted run left there.

        Returns:
            A digest of the inputs, to be an input of later stages.
        """
        text = json.dumps(inputs, sort_keys=True, indent=2, default=str)
        if _read(folder / INPUTS) != text:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            write_atomically(folder / INPUTS, text)
        is_done = (folder / DONE).is_file()
        self.on_begin(folder.name, is_done)
        if not is_done:
            self._make(folder, make)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def _make(self, folder: Path, make: Callable[[], None]) -> None:
        began = self.clock() - float(_read(folder / UNFINISHED_SECONDS) or 0)
        try:
            make()
        finally:
            seconds = self.clock() - began
            write_atomically(folder / UNFINISHED_SECONDS, repr(seconds))
        write_atomically(folder / DONE, json.dumps({"seconds": seconds}))


def stage_seconds(folder: Path) -> float:
    """Seconds that a finished stage took, over all of its runs."""
    seconds: float = json.loads((folder / DONE).read_text("utf-8"))["seconds"]
    return seconds


def _read(path: Path) -> str | None:
    return path.read_text("utf-8") if path.is_file() else None
