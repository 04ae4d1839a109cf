"""`webgpt data merge`: one file of what several people recorded."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from browser_env.errors import RecordError, UsageError
from browser_env.records.storage import record_line
from recorder.data.checks import identity
from recorder.data.recorded import NAMES, Found, Record, look, whole, write_lines


@dataclass(frozen=True, slots=True)
class Merge:
    """Merge files of records and folders of recordings into one file.

    A record that is there twice comes out once. Two different ones with one id are refused, because nobody can say which is
    right. Unfinished recordings are left out.

    Exit codes: 0 done, 1 failure, 2 usage.
    """

    sources: Annotated[tuple[Path, ...], Positional, arg(metavar="FILE|DIR...")]
    """Files of episodes, comparisons or questions (all of one kind), and folders of recordings."""
    out: Annotated[Path, arg(metavar="FILE")]
    """The file to make; it must not be there yet."""

    def run(self) -> int:
        """Merge; the file's path goes to stdout."""
        kept: dict[tuple[type[Record], str], Found] = {}
        repeated = 0
        for found in whole(look(self.sources)):
            first = kept.setdefault(identity(found.record), found)
            if first.record != found.record:
                name = f"{NAMES[type(found.record)]} {found.record.id!r}"
                raise RecordError(f"{found.where}: another {name} than in {first.where}; delete one of them, then merge again")
            repeated += first is not found
        kinds = sorted({NAMES[kind] for kind, _ in kept})
        if len(kinds) > 1:
            raise UsageError(f"these are {'s and '.join(kinds)}s; merge each kind by itself")
        if not kinds:
            raise UsageError("there is nothing finished to merge")
        number = write_lines(self.out, (record_line(found.record) for found in kept.values()))
        print(f"{number:,} {kinds[0]}s; {repeated:,} were there more than once", file=sys.stderr)
        print(self.out)
        return 0
