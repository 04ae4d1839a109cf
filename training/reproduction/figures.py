"""Markdown tables, figures with intervals and plots of a report."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from agent.intervals import Estimate

MISSING = "–"
"""Cell of a table without a value."""


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, is_named: bool = True) -> str:
    """A Markdown table of numbers, aligned on the right.

    Args:
        headings: One for each column.
        rows: The cells of each row.
        is_named: Whether the first column holds names, which are aligned on the left.
    """
    rule = ["---" if is_named else "---:", *["---:"] * (len(headings) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (headings, rule, *rows))


def percent(estimate: Estimate | None) -> str:
    """A share with its interval, in percent."""
    return MISSING if estimate is None else _interval(estimate, 100, 1)


def number(estimate: Estimate | None) -> str:
    """A mean with its interval."""
    return MISSING if estimate is None else _interval(estimate, 1, 2)


def _interval(estimate: Estimate, factor: float, digits: int) -> str:
    mean, low, high = (f"{factor * value:.{digits}f}" for value in (estimate.mean, estimate.low, estimate.high))
    return f"{mean} [{low}, {high}]"


@contextmanager
def plot(path: Path, x_label: str, y_label: str) -> Iterator[Any]:  # matplotlib has no types
    """Axes to draw on; the plot is written to the file at the end of the block."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.grid(alpha=0.3)
    yield axes
    figure.savefig(path)


def draw_estimates(axes: Any, x: Sequence[float], estimates: Sequence[Estimate], label: str) -> None:
    """Draw means as a line with their intervals as a band, on a logarithmic x axis."""
    axes.plot(x, [estimate.mean for estimate in estimates], "o-", label=label)
    axes.fill_between(x, [estimate.low for estimate in estimates], [estimate.high for estimate in estimates], alpha=0.2)
    axes.set_xscale("log", base=2)
