"""`webgpt data export` and `webgpt data import`: records to and from the formats of other projects."""

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from browser_env.errors import UsageError
from browser_env.records import Comparison, Episode
from browser_env.records.storage import record_line, storable
from recorder.data.recorded import records, write_lines
from training.reward_model.comparisons import pairs_of, preference_group
from training.reward_model.trl_preferences import trl_preferences
from training.reward_model.webgpt_comparisons import Shape, import_webgpt_comparisons, webgpt_comparison


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """Export records as JSON Lines, for `datasets.load_dataset("json")` and other programs.

    The format webgpt-comparisons is that of openai/webgpt_comparisons. The format trl-preference is that of TRL's RewardTrainer
    and DPOTrainer (prompt, chosen, rejected); it has no ties, so they are left out. The format episodes is this project's own.
    A ranking of K answers is written as K(K-1)/2 pairs. Comparisons with a flagged question are left out.

    Exit codes: 0 done, 1 failure, 2 usage error.
    """

    sources: Annotated[tuple[Path, ...], Positional, arg(metavar="FILE|DIR...")]
    """Files of records, or folders of recordings."""
    format: Literal["webgpt-comparisons", "trl-preference", "episodes"]
    """Format to write."""
    out: Annotated[Path, arg(metavar="FILE")]
    """File to create; it must not exist yet."""
    shape: Shape = "columns"
    """Shape of webgpt-comparisons: one row of columns per comparison, as data-set libraries have it, or two records, as in the
    original file."""

    def run(self) -> int:
        """Write the file, and print its path to stdout."""
        if self.format == "episodes":
            number = write_lines(self.out, map(record_line, records(self.sources, Episode)))
            print(f"{number:,} episodes", file=sys.stderr)
        else:
            comparisons = records(self.sources, Comparison)
            pairs = [pair for comparison in comparisons for pair in pairs_of(comparison)]
            lines = list(self._lines(pairs))
            if not lines:
                raise UsageError("none of these comparisons has a preference that the format can represent")
            number = write_lines(self.out, lines)
            flagged = sum(comparison.flag is not None for comparison in comparisons)
            left_out = f"{len(pairs) - number:,} ties and {flagged:,} flagged questions are left out"
            print(f"{number:,} pairs from {len(comparisons):,} comparisons; {left_out}", file=sys.stderr)
        print(self.out)
        return 0

    def _lines(self, pairs: Sequence[Comparison]) -> Iterator[str]:
        for pair in pairs:
            if self.format == "webgpt-comparisons":
                yield webgpt_comparison(pair, self.shape)
            elif (group := preference_group(pair)) is not None:
                for row in trl_preferences(group):
                    yield storable(json.dumps(row, ensure_ascii=False))


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """Convert openai/webgpt_comparisons, in either of its shapes, to comparisons of this project.

    Exit codes: 0 done, 1 failure, 2 usage error.
    """

    file: Annotated[Path, Positional, arg(metavar="FILE")]
    """The original comparisons.jsonl, or rows of its columns as JSON Lines."""
    out: Annotated[Path, arg(metavar="FILE")]
    """File to create; it must not exist yet."""

    def run(self) -> int:
        """Write the comparisons, and print the file's path to stdout."""
        number = write_lines(self.out, map(record_line, import_webgpt_comparisons(self.file)))
        print(f"{number:,} comparisons", file=sys.stderr)
        print(self.out)
        return 0
