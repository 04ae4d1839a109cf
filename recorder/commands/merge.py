"""`webgpt data merge`: merge records of several annotators into one file."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from browser_env.errors import RecordError, UsageError
from browser_env.records.storage import Record, record_line
from recorder.data.checks import identity
from recorder.data.recorded import NAMES, LocatedRecord, read_sources, without_problems, write_lines


@dataclass(frozen=True, slots=True)
class Merge:
    """Merge files of records and folders of recordings into one file.

    Duplicates are removed. Different records with the same id are an error. Unfinished recordings are left out.

    Exit codes: 0 done, 1 failure, 2 usage error.
    """

    sources: Annotated[tuple[Path, ...], Positional, arg(metavar="FILE|DIR...")]
    """Files of episodes, comparisons or questions, and folders of recordings. All records must be of one kind."""
    out: Annotated[Path, arg(metavar="FILE")]
    """File to write. Must not exist."""

    def run(self) -> int:
        """Merge, and print the path of the file."""
        merged: dict[tuple[type[Record], str], LocatedRecord] = {}
        num_duplicates = 0
        for located in without_problems(read_sources(self.sources)):
            first = merged.setdefault(identity(located.record), located)
            if first.record != located.record:
                name = f"{NAMES[type(located.record)]} {located.record.id!r}"
                raise RecordError(
                    f"{located.location}: differs from the {name} in {first.location}; delete one of them and merge again"
                )
            num_duplicates += first is not located
        kinds = sorted({NAMES[kind] for kind, _ in merged})
        if len(kinds) > 1:
            raise UsageError(f"these are {'s and '.join(kinds)}s; merge each kind separately")
        if not kinds:
            raise UsageError("there are no finished records to merge")
        number = write_lines(self.out, (record_line(located.record) for located in merged.values()))
        print(f"{kinds[0]}s: {number:,}; duplicates removed: {num_duplicates:,}", file=sys.stderr)
        print(self.out)
        return 0
