"""How a training shows that it goes on."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from logging import ERROR
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from browser_env.command_line.progress import progress_bar
from browser_env.errors import UsageError

if TYPE_CHECKING:
    from training.supervised.trainers import Progress as Training


@contextmanager
def training_progress() -> Iterator[tuple[Callable[[str, "Training"], None], Callable[[str], None]]]:
    """A bar on stderr in a terminal, and a way to say a line above it.

    Yields:
        What is told of every step, with what is being trained, and what is given a line.
    """
    console = Console(stderr=True, highlight=False)
    with progress_bar(console) as bar:
        tasks: dict[str, int] = {}

        def on_progress(label: str, training: "Training") -> None:
            task = tasks.get(label)
            if task is None:
                task = tasks[label] = bar.add_task(label, total=None)
            shown = label if training.loss is None else f"{label}: loss {training.loss:.3f}"
            bar.update(task, description=shown, completed=training.step, total=training.max_steps)  # type: ignore[arg-type]

        yield on_progress, lambda line: console.print(line, soft_wrap=True, markup=False)


def prepare(threads: int) -> None:
    """Threads for torch, and quiet.

    Raises:
        UsageError: What trains is not installed.
    """
    try:
        import torch

        import training.supervised.trainers  # noqa: F401 - imports transformers and trl
    except ImportError as error:
        raise UsageError("webgpt train needs torch, transformers and trl: pip install 'open-webgpt[train]'") from error
    torch.set_num_threads(threads)
    quiet()


def quiet() -> None:
    """No bars and no advice from transformers and its relatives: what matters is shown here."""
    from transformers.utils import logging

    logging.set_verbosity(ERROR)
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers|peft|trl")


@contextmanager
def kept(out: Path) -> Iterator[None]:
    """Says of an interrupt that nothing is lost."""
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"the same command goes on from the last checkpoint in {out}") from None
