"""`webgpt train base`: the small base model, trained from scratch."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from tyro.conf import arg

from browser_env.command_line.open_web import open_web
from training.base_model.config import BaseModelConfig
from training.commands.training_progress import prepare, resumable
from training.runs import log_entry

if TYPE_CHECKING:
    from training.base_model.train import BaseModelTraining, OnStep


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainBase:
    """Train the small base model from scratch on the documentation of this Python.

    The model learns to copy, reads the pages of the training splits, and learns the next step of browsing from examples made
    of these pages; the pages that benchmarks ask about are never read. The model is written to DIR and used as hf:DIR; its
    configuration, log and checkpoints are in DIR/run. Training takes hours on two cores and minutes on a GPU, which is used if
    there is one; pass --workers and --batch-tokens 16384 then. If the command is stopped or killed, run it again to
    continue from the last checkpoint.

    Exit codes: 0 done, 1 failure, 2 usage error, 130 interrupted.
    """

    out: Annotated[Path, arg(metavar="DIR")]
    """Output folder of the model, created if it does not exist."""
    collection: Annotated[Path | None, arg(metavar="FILE")] = None
    """Documentation to train on, made by `webgpt index pydoc`. Default: that of this Python, indexed on first use."""
    threads: int = 1
    """Number of CPU threads for torch. Leave it at 1 if other jobs are running."""
    workers: Annotated[int, arg(metavar="N")] = 0
    """Number of processes that make batches in advance. For a GPU, use half the number of processors."""
    config: Annotated[BaseModelConfig, arg(name="")] = field(default_factory=BaseModelConfig)
    """Architecture, data and training of the model."""

    def run(self) -> int:
        """Train to the end, with a line on stderr for each measurement, and print the model's folder."""
        prepare(self.threads)
        from training.base_model.train import BaseModelTraining

        with resumable(self.out), open_web(self.collection) as web:
            training = BaseModelTraining(self.config, web, self.out, workers=self.workers)
            with _progress(training) as on_step:
                folder = training.run(on_step)
        print(folder)
        print(f"Use it as --policy hf:{folder}", file=sys.stderr)
        return 0


@contextmanager
def _progress(training: "BaseModelTraining") -> Iterator["OnStep"]:
    """Shows a progress bar and the measurements on stderr, and logs the losses to a file."""
    from training.base_model.train import LOG_EVERY, MEASURE_EVERY

    console = Console(stderr=True, highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("training", total=training.config.tokens, completed=training.tokens)

        def on_step(training: "BaseModelTraining", entry: Mapping[str, float]) -> None:
            tokens = f"{training.tokens / 1e6:6.1f} M tokens"
            progress.update(task, completed=training.tokens, description=tokens.strip())
            if training.step % LOG_EVERY == 0:
                log_entry(training.folder / "metrics.jsonl", {"step": training.step, "tokens": training.tokens, **entry})
            if training.step % MEASURE_EVERY == 0:
                accuracies = "  ".join(f"{kind} {share:.0%}" for kind, share in training.measure().items())
                console.print(f"{tokens}  {accuracies}", soft_wrap=True)

        yield on_step
