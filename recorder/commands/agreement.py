"""`webgpt data agreement`: measure the agreement between annotators."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from rich.console import Console
from rich.table import Table
from tyro.conf import Positional, arg

from browser_env.errors import UsageError
from browser_env.records import Comparison
from recorder.data.agreement import ALL, Measure, agreements
from recorder.data.recorded import records


@dataclass(frozen=True, slots=True)
class Agreement:
    """Measure the agreement of annotators on answers that two or more of them compared.

    Agreement is the share of pairs of judgements with the same preference; a tie and a preference count half. Labelers of the
    paper agree 73 % of the time. Krippendorff's alpha is 1 for perfect agreement and 0 for chance; it is computed for the
    preference (nominal) and for the five-point final rating (ordinal, interval). Intervals are from a bootstrap over questions.

    Exit codes: 0 done, 1 failure, 2 usage error.
    """

    sources: Annotated[tuple[Path, ...], Positional, arg(metavar="FILE|DIR...")]
    """Files of comparisons, and folders of `webgpt compare`."""
    seed: int = 0
    """Seed of the bootstrap."""

    def run(self) -> int:
        """Print a table of all annotators together and of each pair."""
        groups = agreements(records(self.sources, Comparison), seed=self.seed)
        if not groups:
            raise UsageError("no two annotators have compared the same answers; use webgpt compare --common N")
        table = Table(box=None, pad_edge=False)
        for name in ("annotators", "pairs", "questions", "figure", "", "95 % interval"):
            table.add_column(name, justify="left" if name in ("annotators", "figure") else "right", overflow="fold")
        for group in groups:
            names = "all" if group.annotators == ALL else " / ".join(name.removeprefix("human:") for name in group.annotators)
            cells = [names, f"{group.units:,}", f"{group.questions:,}"]
            for name, measure, scale, digits in (
                ("agreement, %", group.percent, 100, 1),
                ("alpha, nominal", group.nominal, 1, 2),
                ("alpha, ordinal", group.ordinal, 1, 2),
                ("alpha, interval", group.interval, 1, 2),
            ):
                table.add_row(*cells, name, *_shown(measure, scale, digits))
                cells = ["", "", ""]
        Console(highlight=False).print(table)
        return 0


def _shown(measure: Measure | None, scale: float, digits: int) -> tuple[str, str]:
    if measure is None:
        return "-", ""
    value, low, high = (f"{scale * number:.{digits}f}" for number in (measure.value, measure.low, measure.high))
    return value, f"[{low}, {high}]"
