"""`webgpt data export` and `webgpt data import`: what was recorded, in the formats of others, and theirs in this project's."""

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
from training.reward_model.comparisons import Shape, import_webgpt_comparisons, pairs_of, preference_group, webgpt_comparison
from training.reward_model.preferences import trl_preferences


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """Write what was recorded in a format that others read, as JSON Lines for `datasets.load_dataset("json")`.

    webgpt-comparisons is the format of openai/webgpt_comparisons, trl-preference that of TRL's RewardTrainer and DPOTrainer
    (prompt, chosen, rejected; ties are left out, because it has none), episodes this project's own. A ranking of K answers is
    written as its K(K-1)/2 pairs. Flagged questions have no preference and are left out.

    Exit codes: 0 done, 1 failure, 2 usage.
    """

    sources: Annotated[tuple[Path, ...], Positional, arg(metavar="FILE|DIR...")]
    """Files of records, and folders of recordings."""
    format: Literal["webgpt-comparisons", "trl-preference", "episodes"]
    """What to write."""
    out: Annotated[Path, arg(metavar="FILE")]
    """The file to make; it must not be there yet."""
    shape: Shape = "columns"
    """Of webgpt-comparisons: one row of columns, as data-set libraries have it, or the two records of the original file."""

    def run(self) -> int:
        """Write the file; its path goes to stdout."""
        if self.format == "episodes":
            number = write_lines(self.out, map(record_line, records(self.sources, Episode)))
            print(f"{number:,} episodes", file=sys.stderr)
        else:
            comparisons = records(self.sources, Comparison)
            pairs = [pair for one in comparisons for pair in pairs_of(one)]
            lines = list(self._lines(pairs))
            if not lines:
                raise UsageError("none of these comparisons has a preference that this format can hold")
            number = write_lines(self.out, lines)
            flagged = sum(one.flag is not None for one in comparisons)
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
    """Read openai/webgpt_comparisons, in either of its shapes, as comparisons of this project.

    Exit codes: 0 done, 1 failure, 2 usage.
    """

    file: Annotated[Path, Positional, arg(metavar="FILE")]
    """Its comparisons.jsonl, or rows of its columns as JSON Lines."""
    out: Annotated[Path, arg(metavar="FILE")]
    """The file to make; it must not be there yet."""

    def run(self) -> int:
        """Write the comparisons; the file's path goes to stdout."""
        number = write_lines(self.out, map(record_line, import_webgpt_comparisons(self.file)))
        print(f"{number:,} comparisons", file=sys.stderr)
        print(self.out)
        return 0
