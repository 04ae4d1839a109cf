"""`webgpt train base`: the small model, from nothing."""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from tyro.conf import arg

from browser_env.command_line.open_web import open_web
from browser_env.errors import UsageError
from training.base_model.config import BaseModelConfig
from training.base_model.train import LOG_EVERY, MEASURE_EVERY, BaseModelTraining
from training.runs import log_entry


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainBase:
    """Train the small base model from scratch on the documentation of this Python.

    It learns to copy, reads the pages of the training splits and learns on them what the next step of browsing is; the pages
    that benchmarks ask about are never read. The model goes to the folder --out and is used as hf:DIR; how it was made is in
    DIR/run. It takes hours on two cores and minutes on a GPU, which is used if there is one: give it --workers and larger
    steps (--batch-tokens 16384). Stopped or killed, the same command goes on from the last checkpoint.

    Exit codes: 0 done, 1 failure, 2 usage, 130 interrupted.
    """

    out: Annotated[Path, arg(metavar="DIR")]
    """Folder of the model; made if there is none."""
    collection: Annotated[Path | None, arg(metavar="FILE")] = None
    """Documentation that `webgpt index pydoc` wrote. None: that of this Python, which is indexed on first use."""
    threads: int = 1
    """Of torch. With other jobs running, one is faster than two."""
    workers: Annotated[int, arg(metavar="N")] = 0
    """Processes that make the steps ahead of the one that learns: with a GPU, half as many as there are processors. 0: none."""
    config: Annotated[BaseModelConfig, arg(name="")] = field(default_factory=BaseModelConfig)
    """The model and its training."""

    def run(self) -> int:
        """Train to the end, with a line for each measurement."""
        try:
            import torch
        except ImportError as error:
            raise UsageError("webgpt train needs torch and transformers: pip install 'open-webgpt[train]'") from error
        torch.set_num_threads(self.threads)
        talk = Console(stderr=True, highlight=False)
        with open_web(self.collection) as web:
            training = BaseModelTraining(self.config, web, self.out, workers=self.workers)
            columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
            with Progress(*columns, console=talk, transient=True, disable=not talk.is_terminal) as progress:
                task = progress.add_task("training", total=self.config.tokens, completed=training.tokens)

                def on_step(seen: BaseModelTraining, entry: dict[str, float]) -> None:
                    progress.update(task, completed=seen.tokens, description=f"{seen.tokens / 1e6:.1f} M tokens")
                    if seen.step % LOG_EVERY == 0:
                        log_entry(training.folder / "metrics.jsonl", {"step": seen.step, "tokens": seen.tokens, **entry})
                    if seen.step % MEASURE_EVERY == 0:
                        talk.print(f"{seen.tokens / 1e6:6.1f} M tokens  {seen.measured()}", soft_wrap=True)

                try:
                    folder = training.run(on_step)
                except KeyboardInterrupt:
                    kept = f"the same command goes on from the last checkpoint in {self.out}"
                    raise KeyboardInterrupt(kept) from None
        print(folder)
        print(f"Use it as --policy hf:{folder}", file=sys.stderr)
        return 0
