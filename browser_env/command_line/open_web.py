"""The web that a command line names, and how building one shows that it goes on."""

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

SHOWN = 40
"""Characters of an address beside the bar."""


def open_web(file: Path | None) -> Collection:
    """A collection by its file, or the documentation of this Python, which is indexed on first use.

    Raises:
        CollectionError: There is none, or it cannot be read.
    """
    if file is not None:
        return Collection.open(file)
    announcement = f"Indexing the documentation of Python {platform.python_version()}: once, in 10 to 30 seconds."
    with build_progress(announcement) as on_item:
        return default_collection(on_item)


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
