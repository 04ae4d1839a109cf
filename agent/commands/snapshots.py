"""`webgpt snapshots`: describe a folder of recorded web pages, export it to a web archive or import one."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg

from browser_env.errors import UsageError

if TYPE_CHECKING:
    from browser_env.snapshots.store import SnapshotStore


@dataclass(frozen=True, slots=True)
class Snapshots:
    """Describe a folder of recorded web pages, export it to a web archive (WARC file), or import one into it.

    The option --record of ask, browse, record, sample and bench writes such a folder, and --replay browses it. The folder's
    path is printed to stdout, and the number of recorded pages and responses to stderr.

    Exit codes: 0 done, 1 failure, 2 usage.
    """

    folder: Annotated[Path, Positional, arg(metavar="DIR")]
    """Folder of the recorded pages."""
    export_warc: Annotated[Path | None, arg(metavar="FILE")] = None
    """Write all recordings to this WARC file, compressed if its name ends in .gz; --import-warc reads it back."""
    import_warc: Annotated[Path | None, arg(metavar="FILE")] = None
    """Add the contents of this WARC file to the folder, which is created if needed."""

    def run(self) -> int:
        """Import, export, then describe the folder."""
        from browser_env.snapshots.store import SnapshotStore

        with SnapshotStore(self.folder, create=self.import_warc is not None) as store:
            if self.import_warc is not None or self.export_warc is not None:
                self._exchange(store)
            num_answers, num_received = store.counts
            print(f"{num_answers} answers of {store.backend}, {num_received} responses of servers", file=sys.stderr)
        print(self.folder)
        return 0

    def _exchange(self, store: "SnapshotStore") -> None:
        try:
            from browser_env.snapshots.warc import export_warc, import_warc
        except ImportError as error:
            raise UsageError("web archives need the package warcio; install it with: make install EXTRAS=web") from error
        if self.import_warc is not None:
            print(f"{import_warc(self.import_warc, store)} records read from {self.import_warc}", file=sys.stderr)
        if self.export_warc is not None:
            print(f"{export_warc(store, self.export_warc)} records written to {self.export_warc}", file=sys.stderr)
