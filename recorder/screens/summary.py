"""What an annotator has done, when there is nothing more to do for now."""

from collections.abc import Callable

from rich.table import Table
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widgets import Static

from recorder.queue.queue import Progress
from recorder.widgets.common import Heading, Keys, minutes


class Summary(Screen[None]):
    """How far everybody is; the queue can be looked at again."""

    BINDINGS = [Binding("r", "look_again", "look again for work"), Binding("enter", "app.leave", "leave")]
    HELP = "There is nothing for you to do now. What others hold may come back if they leave it."

    def __init__(self, progress: Progress, look_again: Callable[[], None]) -> None:
        super().__init__()
        self._progress, self._look_again = progress, look_again

    def compose(self) -> ComposeResult:
        """The figures, by annotator, and what was skipped."""
        yield Heading(id="heading")
        with VerticalScroll(id="summary"):
            yield Static(summary_line(self._progress), classes="dialog-title", markup=False)
            yield Static(_annotators(self._progress))
            if self._progress.skipped:
                yield Static(_skipped(self._progress))
        yield Keys()

    def on_mount(self) -> None:
        """Say what it is."""
        self.query_one(Heading).left = "Summary"

    def action_look_again(self) -> None:
        """Ask the queue again."""
        self._look_again()


def summary_line(progress: Progress) -> str:
    """One line of all that is done and left."""
    parts = [f"{progress.done} of {progress.total} done, {progress.mine} of them by you"]
    if progress.held:
        parts.append(f"{progress.held} with others")
    if progress.left:
        parts.append(f"{progress.left} left")
    if progress.skipped:
        parts.append(f"skipped {len(progress.skipped)} {'time' if len(progress.skipped) == 1 else 'times'}")
    return "; ".join(parts)


def _annotators(progress: Progress) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("annotator", "done", "skipped", "time in all", "median"):
        table.add_column(heading, justify="left" if heading == "annotator" else "right")
    for name, work in progress.annotators.items():
        median = "" if work.median_seconds is None else minutes(work.median_seconds)
        table.add_row(name, str(work.done), str(work.skipped), minutes(work.seconds), median)
    return table


def _skipped(progress: Progress) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("skipped", "by", "because"):
        table.add_column(heading)
    for one in progress.skipped:
        table.add_row(one.item, one.annotator, one.reason)
    return table
