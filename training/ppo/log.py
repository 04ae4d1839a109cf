"""The log of a run: one line of figures and one example episode for each iteration, and TensorBoard files.

``metrics.jsonl`` and ``examples.jsonl`` have one line for each iteration. A run that was stopped between a line and its
checkpoint is repaired by truncating both to the iterations of the checkpoint.
"""

import importlib.util
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from browser_env.records import Episode
from browser_env.records.storage import append_line, append_record
from training.ppo.metrics import IterationMetrics, scalars

METRICS_FILE, EXAMPLES_FILE, TENSORBOARD_FOLDER = "metrics.jsonl", "examples.jsonl", "tensorboard"


class RunLog:
    """Writes the figures and examples of a run."""

    def __init__(self, out: Path, iteration: int) -> None:
        """Open the log in folder `out` to continue at an iteration; lines of this and later iterations are deleted."""
        self._metrics, self._examples = out / METRICS_FILE, out / EXAMPLES_FILE
        for file in (self._metrics, self._examples):
            _keep_lines(file, iteration)
        self._writer: Any = None
        if has_tensorboard():
            from torch.utils.tensorboard import SummaryWriter  # type: ignore[attr-defined, unused-ignore]

            self._writer = SummaryWriter(str(out / TENSORBOARD_FOLDER), purge_step=iteration)

    def write(self, metrics: IterationMetrics, example: Episode) -> None:
        """Append the line of an iteration and one of its episodes."""
        append_record(self._examples, example)
        append_line(self._metrics, json.dumps(asdict(metrics), allow_nan=False))
        if self._writer is not None:
            for name, value in scalars(metrics).items():
                self._writer.add_scalar(name, value, metrics.iteration)
            self._writer.flush()

    def close(self) -> None:
        """Close the TensorBoard writer."""
        if self._writer is not None:
            self._writer.close()


def has_tensorboard() -> bool:
    """Whether TensorBoard is installed."""
    return importlib.util.find_spec("tensorboard") is not None


def read_metrics(out: Path) -> list[IterationMetrics]:
    """The figures of all finished iterations of the run in folder `out`."""
    file = out / METRICS_FILE
    lines = file.read_text().splitlines() if file.is_file() else []
    return [IterationMetrics(**json.loads(line)) for line in lines]


def _keep_lines(file: Path, number: int) -> None:
    """Truncate a file to its first `number` lines."""
    if file.is_file():
        lines = file.read_bytes().splitlines(keepends=True)
        if len(lines) > number:
            file.write_bytes(b"".join(lines[:number]))
