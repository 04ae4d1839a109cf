"""Progress of a training in the terminal, and the preparations that training commands share."""

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
    from training.supervised.loop import Progress


@contextmanager
def training_progress() -> Iterator[tuple[Callable[[str, "Progress"], None], Callable[[str], None]]]:
    """Show a progress bar on stderr, if that is a terminal.

    Yields:
        A callback for the progress of a named model, and a function that prints a line above the bar.
    """
    console = Console(stderr=True, highlight=False)
    with progress_bar(console) as bar:
        tasks: dict[str, int] = {}

        def on_progress(name: str, progress: "Progress") -> None:
            task = tasks.get(name)
            if task is None:
                task = tasks[name] = bar.add_task(name, total=None)
            description = name if progress.loss is None else f"{name}: loss {progress.loss:.3f}"
            bar.update(task, description=description, completed=progress.step, total=progress.max_steps)  # type: ignore[arg-type]

        yield on_progress, lambda line: console.print(line, soft_wrap=True, markup=False)


def prepare(threads: int) -> None:
    """Set the number of torch's threads, and silence the libraries.

    Raises:
        UsageError: The training libraries are not installed.
    """
    try:
        import torch

        import training.supervised.trainers  # noqa: F401 - imports transformers and trl
    except ImportError as error:
        raise UsageError("this command needs torch, transformers and trl: make install EXTRAS=train") from error
    torch.set_num_threads(threads)
    silence_libraries()


def silence_libraries() -> None:
    """Turn off the progress bars and warnings of transformers, peft and TRL."""
    from transformers.utils import logging

    logging.set_verbosity(ERROR)
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers|peft|trl")


@contextmanager
def resumable(out: Path) -> Iterator[None]:
    """Add to the message of an interrupt how to resume the training in a folder."""
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"the same command resumes from the last checkpoint in {out}") from None
