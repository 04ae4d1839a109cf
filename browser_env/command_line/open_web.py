"""Opening the collection that a command line names, with a progress bar while one is built."""

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from browser_env.offline_web.collection import Collection
from browser_env.offline_web.default_collection import default_collection
from browser_env.offline_web.index_writer import OnItem
from browser_env.offline_web.sources import Expected, Item, Skipped
from browser_env.pages.document import Document

MAX_NAME = 40
"""Characters of a page's URL shown beside the progress bar."""


def open_web(file: Path | None) -> Collection:
    """Open a collection file, or without one the documentation of this Python, which is indexed on first use.

    Raises:
        CollectionError: The file does not exist or cannot be read, or the documentation cannot be indexed.
    """
    if file is not None:
        return Collection.open(file)
    announcement = f"Indexing the documentation of Python {platform.python_version()}: once, in 10 to 30 seconds."
    with build_progress(announcement) as on_item:
        return default_collection(on_item)


@contextmanager
def build_progress(announcement: str) -> Iterator[OnItem]:
    """Show the progress of a build on stderr: one line at the first item, and a bar if stderr is a terminal.

    If nothing is built, nothing is shown.

    Args:
        announcement: The line to print.

    Yields:
        The function to call with each item of the source.
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
                bar.update(task, advance=1, description=url.rstrip("/").rpartition("/")[2][-MAX_NAME:])
            case Skipped():
                bar.update(task, advance=1)

    try:
        yield on_item
    finally:
        bar.stop()
