"""A queue of questions or comparison tasks that annotators share, each item for one annotator.

::

    DIR/queue/<item>.<generation>.json       leases of items (`recorder.queue.leases`)
    DIR/recordings/<item>/<annotator>/       the journal and pages of one recording

A program calls `Queue.take` for the next `Job`, opens a `Session` or a `Rating` in its folder, calls `Job.renew` every
`leases.TTL` / 4 seconds, and ends the job with `Job.finish`, `Job.skip` or `Job.release`. An annotator gets their unfinished
items first, however the program ended. A skipped item is left to the other annotators.
"""

import random
import re
import statistics
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from browser_env.errors import UsageError
from browser_env.records.digests import short_hash
from recorder.queue.leases import TTL, Lease, LeaseFile, Leases, Process

QUEUE: Final = "queue"
"""Name of the subfolder with leases."""
RECORDINGS: Final = "recordings"
"""Name of the subfolder with recordings."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """An item that an annotator skipped."""

    item: str
    annotator: str
    reason: str


@dataclass(frozen=True, slots=True)
class Work:
    """The work of one annotator."""

    done: int
    skipped: int
    seconds: float
    """Total seconds for the finished items."""
    median_seconds: float | None
    """Median seconds per finished item. None if there is none."""


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of all annotators, from the view of one of them."""

    total: int
    """Number of items. An item for every annotator counts once, for the annotator whose view this is."""
    done: int
    """Number of finished items."""
    held: int
    """Number of items in progress."""
    left: int
    """Number of other items: free, released, skipped or abandoned."""
    mine: int
    """Number of items finished by the annotator whose view this is."""
    skipped: tuple[Skipped, ...]
    """All skips, including those of items that others have finished since."""
    annotators: dict[str, Work]
    """Work by name of the annotator."""
    seconds: dict[str, float]
    """Seconds of work by finished item."""


class Job:
    """An item that this annotator is working on."""

    def __init__(self, item: str, folder: Path, lease: Lease) -> None:
        self.item = item
        """Name of the item."""
        self.folder = folder
        """Folder for the recording. It exists if this annotator has worked on the item before."""
        self._lease = lease

    def renew(self) -> bool:
        """Renew the lease. Returns False if it was considered abandoned and another annotator has taken the item.

        The recording can still be finished: each annotator has their own.
        """
        return self._lease.renew()

    def finish(self, seconds: float) -> None:
        """Mark the item as done after some seconds of work."""
        self._lease.finish(seconds)

    def skip(self, reason: str, seconds: float = 0.0) -> None:
        """Skip the item, leaving it to other annotators.

        Raises:
            UsageError: The reason is empty.
        """
        if not reason.strip():
            raise UsageError("a reason is needed to skip an item")
        self._lease.skip(reason.strip(), seconds)

    def release(self, seconds: float = 0.0) -> None:
        """Release the unfinished item after some seconds of work."""
        self._lease.release(seconds)


class Queue:
    """The queue from the view of one annotator in one process."""

    def __init__(
        self,
        folder: Path,
        items: Sequence[str],
        annotator: str,
        *,
        seed: int | None = None,
        common: Collection[str] = (),
        ttl: float = TTL,
        clock: Callable[[], float] = time.monotonic,
        process: Process | None = None,
    ) -> None:
        """Open a queue in a folder.

        Args:
            folder: Folder shared by all annotators.
            items: Names of the items, without duplicates. Must be the same for all annotators, in any order.
            annotator: Name of the annotator.
            seed: Seed to shuffle the items. None to keep their order.
            common: Items for every annotator, to measure agreement.
            ttl: Seconds without a renewal after which a lease is abandoned.
            clock: A monotonic clock, in seconds.
            process: Identity of the process. None for this one.

        Raises:
            UsageError: An item is listed twice, or the name of the annotator is empty.
        """
        if not annotator.strip():
            raise UsageError("the name of the annotator is empty")
        if len(set(items)) < len(items):
            twice = next(item for index, item in enumerate(items) if item in items[:index])
            raise UsageError(f"the item {twice!r} is listed twice; ids must be unique")
        self._items = list(items)
        if seed is not None:
            random.Random(seed).shuffle(self._items)
        self._annotator = annotator
        self._folder = folder
        self._keys = {item: _file_name(item, annotator if item in common else None) for item in self._items}
        self._leases = Leases(folder / QUEUE, annotator, ttl=ttl, clock=clock, process=process)

    def take(self) -> Job | None:
        """Take the next item: first the annotator's unfinished ones, then free ones.

        Returns None if all items are done, skipped or in progress. Items in progress may become free again.

        Raises:
            RecordError: The folder cannot be read or written.
        """
        leases = self._leases.all()
        for item in sorted(self._items, key=lambda item: not self._is_mine(leases.get(self._keys[item], ()))):
            files = leases.get(self._keys[item], ())
            if self._is_open(self._keys[item], files):
                lease = self._leases.take(self._keys[item], files[-1] if files else None)
                if lease is not None:
                    return Job(item, self.folder_of(item), lease)
        return None

    def folder_of(self, item: str) -> Path:
        """Return the folder of this annotator's recording of an item."""
        return self._folder / RECORDINGS / _file_name(item) / _file_name(self._annotator)

    def progress(self) -> Progress:
        """Return the progress of all annotators.

        Raises:
            RecordError: The folder cannot be read.
        """
        leases = self._leases.all()
        seconds: dict[str, float] = {}
        skipped: list[Skipped] = []
        done: dict[str, list[float]] = {}
        held = 0
        for item in self._items:
            files = leases.get(self._keys[item], ())
            contents = [file.content for file in files if file.content is not None]
            skipped += (
                Skipped(item, content.annotator, content.reason or "") for content in contents if content.state == "skipped"
            )
            last = files[-1] if files else None
            if last is not None and last.content is not None and last.content.state == "done":
                seconds[item] = last.content.seconds
                done.setdefault(last.content.annotator, []).append(last.content.seconds)
            elif last is not None and not self._leases.is_available(self._keys[item], last):
                held += 1
        return Progress(
            total=len(self._items),
            done=len(seconds),
            held=held,
            left=len(self._items) - len(seconds) - held,
            mine=len(done.get(self._annotator, ())),
            skipped=tuple(skipped),
            annotators=_works(done, Counter(skip.annotator for skip in skipped)),
            seconds=seconds,
        )

    def _is_mine(self, files: tuple[LeaseFile, ...]) -> bool:
        """Whether this annotator holds or has released the item."""
        last = files[-1].content if files else None
        return last is not None and last.annotator == self._annotator and last.state in ("held", "released")

    def _is_open(self, key: str, files: tuple[LeaseFile, ...]) -> bool:
        if not files:
            return True
        skipped_by = {file.content.annotator for file in files if file.content and file.content.state == "skipped"}
        return self._annotator not in skipped_by and self._leases.is_available(key, files[-1])


def _works(done: Mapping[str, Sequence[float]], skips: Mapping[str, int]) -> dict[str, Work]:
    """Return the work of each annotator, given the seconds for each finished item and the number of skips."""
    return {
        name: Work(
            done=len(done.get(name, ())),
            skipped=skips.get(name, 0),
            seconds=sum(done.get(name, ())),
            median_seconds=statistics.median(done[name]) if name in done else None,
        )
        for name in sorted({*done, *skips})
    }


def _file_name(*parts: str | None) -> str:
    """Return a readable file name that is unique for these parts."""
    given = [part for part in parts if part is not None]
    readable = re.sub(r"[^A-Za-z0-9_-]+", "-", given[0])[:40].strip("-")
    return "-".join(filter(None, (readable, short_hash(*given))))
