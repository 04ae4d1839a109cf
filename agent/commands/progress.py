"""How work that takes its time shows that it goes on."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from browser_env.documents import Document
from browser_env.indexing import OnItem
from browser_env.sources import Expected, Item, Skipped

SHOWN = 40
"""Characters of an address beside the bar."""


@contextmanager
def counting(description: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on stderr in a terminal that is told how many more are done, and is gone in the end."""
    console = Console(stderr=True, highlight=False)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(description, total=total)
        yield lambda number: bar.advance(task, number)


@contextmanager
def build_progress(announcement: str) -> Iterator[OnItem]:
    """One line on stderr when the first item comes, and in a terminal a bar that is gone when the build is done.

    So nothing is shown where nothing is built.
    """
    console = Console(stderr=True, highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    task = bar.add_task("", total=None)
    has_begun = False

    def on_item(item: Item) -> None:
        nonlocal has_begun
        if not has_begun:
            has_begun = True
            console.print(announcement, soft_wrap=True, markup=False)
            bar.start()
        match item:
            case Expected(number):
                bar.update(task, total=number)
            case Document(url=url):
                bar.update(task, advance=1, description=url.rstrip("/").rpartition("/")[2][-SHOWN:])
            case Skipped():
                bar.update(task, advance=1)

    try:
        yield on_item
    finally:
        bar.stop()
