"""`webgpt snapshots`: what a folder of snapshots holds, and its exchange with web archives."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from browser_env.errors import UsageError


@dataclass(frozen=True, slots=True)
class Snapshots:
    """Say what was recorded in a folder, or exchange it with web archives (WARC files).

    The folder's path is printed on stdout, what it holds on stderr. `--record` of the commands that browse fills such a folder,
    and `--replay` browses it.
    """

    folder: Annotated[Path, Positional, arg(metavar="DIR")]
    """Where the snapshots are."""
    export_warc: Annotated[Path | None, arg(metavar="FILE")] = None
    """Write all of it into this file, compressed if its name ends in .gz: what servers sent, and all that a replay needs."""
    import_warc: Annotated[Path | None, arg(metavar="FILE")] = None
    """Add what is in this file; the folder is made if there is none."""

    def run(self) -> int:
        """Exchange, and say what is there."""
        # Here, because warcio is only needed for this.
        try:
            from browser_env.snapshots.warc import export_warc, import_warc
        except ImportError as error:
            raise UsageError("web archives need warcio: pip install 'open-webgpt[web]'") from error
        from browser_env.snapshots.store import SnapshotStore

        with SnapshotStore(self.folder, create=self.import_warc is not None) as store:
            if self.import_warc is not None:
                print(f"{import_warc(self.import_warc, store)} records were read from {self.import_warc}", file=sys.stderr)
            if self.export_warc is not None:
                print(f"{export_warc(store, self.export_warc)} records were written to {self.export_warc}", file=sys.stderr)
            num_answers, num_received = store.counts
            print(f"{num_answers} answers of {store.backend}, {num_received} responses of servers", file=sys.stderr)
        print(self.folder)
        return 0
