"""Stages of a long computation, each in a folder of its own, done once for the same inputs.

A stage that is done with the same inputs is not done again; one that was stopped goes on (what runs in it resumes by itself);
one whose inputs have changed begins anew, and so does everything that depends on it.
"""

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from browser_env.records.files import write_whole

INPUTS, DONE = "inputs.json", "done.json"


@dataclass
class Stages:
    """The stages of one computation."""

    out: Path
    clock: Callable[[], float] = time.monotonic
    on_begin: Callable[[str, bool], None] = lambda name, is_done: None
    """Told of each stage, and whether it was done before."""
    seconds: dict[str, float] = field(default_factory=dict)
    """What each took, over all its starts."""

    def run(self, name: str, inputs: Mapping[str, object], make: Callable[[Path], None]) -> str:
        """Do a stage unless it is done.

        Args:
            name: Of its folder.
            inputs: Everything that decides what it makes, digests of the stages before it included.
            make: Does it, in the folder; what it did before it was stopped is there.

        Returns:
            The digest of its inputs, for the stages behind it.
        """
        text = json.dumps(inputs, sort_keys=True, indent=2, default=str)
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        folder = self.out / name
        if _read(folder / INPUTS) != text:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            write_whole(folder / INPUTS, text)
        is_done = (folder / DONE).is_file()
        self.on_begin(name, is_done)
        if not is_done:
            earlier = float(_read(folder / "seconds") or 0)
            began = self.clock()
            try:
                make(folder)
            finally:
                taken = earlier + self.clock() - began
                write_whole(folder / "seconds", repr(taken))
            write_whole(folder / DONE, json.dumps({"seconds": taken}))
        self.seconds[name] = json.loads((folder / DONE).read_text())["seconds"]
        return digest


def _read(file: Path) -> str | None:
    return file.read_text("utf-8") if file.is_file() else None
