"""Running a trainer: resuming from a checkpoint, progress, and the averaged weights at the end."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import PrinterCallback, ProgressCallback, TrainerCallback

from training.supervised.averaging import Averaging, checkpoint_step, last_checkpoint

LOSS_STEPS = 10
"""Number of optimizer steps whose mean loss is reported."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress of a training at an optimizer step."""

    step: int
    max_steps: int
    loss: float | None
    """Training loss of the step. None: before the first one."""


def run(
    trainer: Any, averaging: Averaging, folder: Path, *, on_progress: Callable[[Progress], None] | None = None
) -> list[tuple[int, float]]:
    """Train from the newest checkpoint, or from the start, and give the model its averaged weights.

    Args:
        trainer: A trainer that has `averaging` among its callbacks.
        averaging: The average of the weights.
        folder: The folder of the checkpoints.
        on_progress: Called before the first step and after each.

    Returns:
        The mean training loss of every ten steps, each with the number of its last step.
    """
    checkpoint = last_checkpoint(folder)
    if checkpoint is not None:
        averaging.load(checkpoint)
    _remove_unfinished(folder, checkpoint)
    for printing in (PrinterCallback, ProgressCallback):
        trainer.remove_callback(printing)
    if on_progress is not None:
        trainer.add_callback(_ProgressReports(on_progress))
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    averaging.apply(trainer.accelerator.unwrap_model(trainer.model))
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    windows = [losses[start : start + LOSS_STEPS] for start in range(0, len(losses), LOSS_STEPS)]
    return [(index * LOSS_STEPS + len(window), sum(window) / len(window)) for index, window in enumerate(windows)]


def _remove_unfinished(folder: Path, last: Path | None) -> None:
    """Remove checkpoints that are newer than the last complete one: writing them was interrupted."""
    for path in folder.glob("checkpoint-*"):
        if last is None or checkpoint_step(path) > checkpoint_step(last):
            shutil.rmtree(path)


class _ProgressReports(TrainerCallback):
    def __init__(self, on_progress: Callable[[Progress], None]) -> None:
        self._on_progress = on_progress

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._on_progress(Progress(state.global_step, state.max_steps, None))

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        if logs and "loss" in logs:
            self._on_progress(Progress(state.global_step, state.max_steps, float(logs["loss"])))
