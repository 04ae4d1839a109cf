"""The screen shown when no work is left for the annotator."""

from collections.abc import Callable

from rich.table import Table
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widgets import Static

from recorder.queue.queue import Progress
from recorder.widgets.heading import Heading, minutes
from recorder.widgets.keys import Keys


class Summary(Screen[None]):
    """The progress of all annotators. The queue can be checked again."""

    BINDINGS = [Binding("r", "look_again", "check for work"), Binding("enter", "app.leave", "leave")]
    HELP = "There is no work for you now. Items that others are working on may become free again."

    def __init__(self, progress: Progress, look_again: Callable[[], None]) -> None:
        super().__init__()
        self._progress, self._look_again = progress, look_again

    def compose(self) -> ComposeResult:
        """Compose the totals, the annotators and the skipped items."""
        yield Heading(id="heading")
        with VerticalScroll(id="summary"):
            yield Static(summary_line(self._progress), classes="dialog-title", markup=False)
            yield Static(_annotators(self._progress))
            if self._progress.skipped:
                yield Static(_skipped(self._progress))
        yield Keys()

    def on_mount(self) -> None:
        """Set the heading."""
        self.query_one(Heading).left = "Summary"

    def action_look_again(self) -> None:
        """Check the queue again."""
        self._look_again()


def summary_line(progress: Progress) -> str:
    """Return the progress in one line."""
    parts = [f"{progress.done} of {progress.total} done, {progress.mine} by you"]
    if progress.held:
        parts.append(f"{progress.held} in progress by others")
    if progress.left:
        parts.append(f"{progress.left} left")
    if progress.skipped:
        parts.append(f"skipped {len(progress.skipped)} {'time' if len(progress.skipped) == 1 else 'times'}")
    return "; ".join(parts)


def _annotators(progress: Progress) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("annotator", "done", "skipped", "total time", "median"):
        table.add_column(heading, justify="left" if heading == "annotator" else "right")
    for name, work in progress.annotators.items():
        median = "" if work.median_seconds is None else minutes(work.median_seconds)
        table.add_row(name, str(work.done), str(work.skipped), minutes(work.seconds), median)
    return table


def _skipped(progress: Progress) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("skipped", "by", "reason"):
        table.add_column(heading)
    for skipped in progress.skipped:
        table.add_row(skipped.item, skipped.annotator, skipped.reason)
    return table
