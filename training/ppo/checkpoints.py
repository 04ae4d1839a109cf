"""Checkpoints of a run: weights, optimizers, random states and progress, replaced atomically."""

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from accelerate import Accelerator

PROGRESS_FILE = "progress.json"


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of a run, saved with its weights and optimizers."""

    iteration: int = 0
    """Number of the next iteration."""
    lowest_score: float | None = None
    """The lowest score of an answer so far."""
    is_over_budget: bool = False
    """Whether the KL budget is used up."""


def save_checkpoint(out: Path, accelerator: "Accelerator", progress: Progress) -> None:
    """Write a checkpoint under another name, rename it when it is complete, then delete the earlier ones."""
    name = f"checkpoint-{progress.iteration + progress.is_over_budget:05}"
    unfinished, finished = out / f"{name}.unfinished", out / name
    if accelerator.is_main_process:
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
    accelerator.wait_for_everyone()
    accelerator.save_state(str(unfinished), safe_serialization=False)  # safetensors refuses tied weights
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        (unfinished / PROGRESS_FILE).write_text(json.dumps(asdict(progress)) + "\n")
        unfinished.replace(finished)
        for earlier in out.glob("checkpoint-*"):
            if earlier != finished:
                shutil.rmtree(earlier)
    accelerator.wait_for_everyone()


def load_checkpoint(out: Path, accelerator: "Accelerator") -> Progress:
    """Restore the last finished checkpoint, if there is one, and return its progress."""
    finished = sorted(
        folder for folder in out.glob("checkpoint-*") if folder.suffix != ".unfinished" and (folder / PROGRESS_FILE).is_file()
    )
    if not finished:
        return Progress()
    accelerator.load_state(str(finished[-1]))
    return Progress(**json.loads((finished[-1] / PROGRESS_FILE).read_text()))
