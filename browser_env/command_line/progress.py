"""Progress bars on terminals."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


def progress_bar(console: Console) -> Progress:
    """A bar with counts, elapsed and remaining time, removed at the end; disabled if the console is not a terminal."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


@contextmanager
def counting(description: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a progress bar on stderr; yields the function to call with the number of items just completed."""
    console = Console(stderr=True, highlight=False)
    with progress_bar(console) as bar:
        task = bar.add_task(description, total=total)
        yield lambda number: bar.advance(task, number)
