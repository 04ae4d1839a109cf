"""What PPO tells of each iteration: a line of figures, an episode to read, and TensorBoard's files.

One line of ``metrics.jsonl`` and one of ``examples.jsonl`` for each iteration, so a run that was stopped between a line and its
checkpoint is put right by keeping as many lines as the checkpoint has iterations.
"""

import importlib.util
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from browser_env.records import Episode
from browser_env.records.storage import append_record
from training.ppo.metrics import IterationMetrics, scalars

METRICS_FILE, EXAMPLES_FILE, TENSORBOARD_FOLDER = "metrics.jsonl", "examples.jsonl", "tensorboard"


class RunLog:
    """Writes the figures of a run."""

    def __init__(self, out: Path, iteration: int) -> None:
        """Go on from an iteration; what was written of it and later ones is dropped."""
        self._metrics, self._examples = out / METRICS_FILE, out / EXAMPLES_FILE
        for file in (self._metrics, self._examples):
            _keep_lines(file, iteration)
        self._writer: Any = None
        if has_tensorboard():
            from torch.utils.tensorboard import SummaryWriter  # type: ignore[attr-defined, unused-ignore]

            self._writer = SummaryWriter(str(out / TENSORBOARD_FOLDER), purge_step=iteration)

    def write(self, metrics: IterationMetrics, example: Episode) -> None:
        """Add an iteration."""
        append_record(self._examples, example)
        with self._metrics.open("a") as file:
            file.write(json.dumps(asdict(metrics), allow_nan=False) + "\n")
        if self._writer is not None:
            for name, value in scalars(metrics).items():
                self._writer.add_scalar(name, value, metrics.iteration)
            self._writer.flush()

    def close(self) -> None:
        """Nothing is written any more."""
        if self._writer is not None:
            self._writer.close()


def has_tensorboard() -> bool:
    """Whether it is installed; without it there are the lines alone."""
    return importlib.util.find_spec("tensorboard") is not None


def read_metrics(out: Path) -> list[IterationMetrics]:
    """The figures of a run so far."""
    file = out / METRICS_FILE
    lines = file.read_text().splitlines() if file.is_file() else []
    return [IterationMetrics(**json.loads(line)) for line in lines]


def _keep_lines(file: Path, number: int) -> None:
    if file.is_file():
        lines = file.read_bytes().splitlines(keepends=True)
        if len(lines) > number:
            file.write_bytes(b"".join(lines[:number]))
