"""`webgpt data agreement`: how far those who compare agree."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from rich.console import Console
from rich.table import Table
from tyro.conf import Positional, arg

from browser_env.errors import UsageError
from browser_env.records import Comparison
from recorder.data.agreement import EVERYBODY, Measure, agreements
from recorder.data.recorded import records


@dataclass(frozen=True, slots=True)
class Agreement:
    """Measure how far annotators agree on the answers that two or more of them compared.

    Agreement is the share of two judgements that prefer the same answer, a tie against a preference counted half (the paper's
    labelers: 73 %). Alpha is Krippendorff's: 1 is perfect, 0 is chance; of the preference (nominal), and of the five points of
    the final rating (ordinal, interval). Intervals are those of a bootstrap over questions.

    Exit codes: 0 done, 1 failure, 2 usage.
    """

    sources: Annotated[tuple[Path, ...], Positional, arg(metavar="FILE|DIR...")]
    """Files of comparisons and folders of `webgpt compare`."""
    seed: int = 0
    """Of the bootstrap."""

    def run(self) -> int:
        """Print a table: everybody, then each two annotators."""
        found = agreements(records(self.sources, Comparison), seed=self.seed)
        if not found:
            raise UsageError("no two annotators have compared the same answers; `webgpt compare --common N` lets them")
        table = Table(box=None, pad_edge=False)
        for name in ("annotators", "pairs", "questions", "figure", "", "95 % interval"):
            table.add_column(name, justify="left" if name in ("annotators", "figure") else "right", overflow="fold")
        for one in found:
            names = "everybody" if one.annotators == EVERYBODY else " / ".join(n.removeprefix("human:") for n in one.annotators)
            cells = [names, f"{one.units:,}", f"{one.questions:,}"]
            for name, measure, scale, digits in (
                ("agreement, %", one.percent, 100, 1),
                ("alpha, nominal", one.nominal, 1, 2),
                ("alpha, ordinal", one.ordinal, 1, 2),
                ("alpha, interval", one.interval, 1, 2),
            ):
                table.add_row(*cells, name, *_shown(measure, scale, digits))
                cells = ["", "", ""]
        Console(highlight=False).print(table)
        return 0


def _shown(measure: Measure | None, scale: float, digits: int) -> tuple[str, str]:
    if measure is None:
        return "-", ""
    value, low, high = (f"{scale * one:.{digits}f}" for one in (measure.value, measure.low, measure.high))
    return value, f"[{low}, {high}]"
