"""What is to be done next: questions or comparisons in order or shuffled, shared by annotators who never get the same one.

::

    DIR/queue/<item>.<generation>.json       who holds what (`recorder.queue.leases`)
    DIR/recordings/<item>/<annotator>/       the journal and pages of one recording

A screen calls `Queue.take` for the next `Job`, opens a `Session` or a `Rating` in its folder, calls `Job.renew` every
`leases.TTL` / 4 seconds, and ends it with `Job.finish`, `Job.skip` or `Job.release`. What an annotator left unfinished, in
whatever way the program ended, comes first when they return. An item that somebody skipped is left to the others.
"""

import random
import re
import statistics
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from browser_env.errors import UsageError
from browser_env.records.digests import short_hash
from recorder.queue.leases import TTL, Holding, Lease, Leases, Process

QUEUE: Final = "queue"
RECORDINGS: Final = "recordings"


@dataclass(frozen=True, slots=True)
class Skipped:
    """An item that somebody left to others."""

    item: str
    annotator: str
    reason: str


@dataclass(frozen=True, slots=True)
class Work:
    """What one annotator has done."""

    done: int
    skipped: int
    seconds: float
    """On all that is done."""
    median_seconds: float | None
    """On one; None: nothing is done."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far everybody is."""

    total: int
    """Items; one that every annotator does counts once for whoever asks."""
    done: int
    held: int
    """Others are at work on them now."""
    left: int
    """Free, or left unfinished by somebody."""
    mine: int
    """Done by whoever asks."""
    skipped: tuple[Skipped, ...]
    """By whom and why; others may have done them since."""
    annotators: dict[str, Work]
    seconds: dict[str, float]
    """Of work, by item that is done."""


class Job:
    """An item that this annotator is at work on."""

    def __init__(self, item: str, folder: Path, lease: Lease) -> None:
        self.item = item
        """As the queue was given it."""
        self.folder = folder
        """For its recording. It is there if this annotator was at work on it before."""
        self._lease = lease

    def renew(self) -> bool:
        """Say that the work goes on. False: this program was given up for lost, and somebody else is at work on it.

        The recording stays, and can be finished: it is this annotator's own.
        """
        return self._lease.renew()

    def finish(self, seconds: float) -> None:
        """It is done, in so many seconds of work."""
        self._lease.finish(seconds)

    def skip(self, reason: str, seconds: float = 0.0) -> None:
        """Leave it to others for a reason.

        Raises:
            UsageError: There is no reason.
        """
        if not reason.strip():
            raise UsageError("say why it is skipped")
        self._lease.skip(reason.strip(), seconds)

    def release(self, seconds: float = 0.0) -> None:
        """Leave it for now."""
        self._lease.release(seconds)


class Queue:
    """Items to be done, as one annotator in one process sees them."""

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
        """Look at a folder that others may share.

        Args:
            folder: Where everybody records.
            items: Their names, each once. Everybody gives the same; the order may differ.
            annotator: Who asks.
            seed: Shuffles the items; None: in their order.
            common: Items that every annotator does, to find out how far they agree.
            ttl: Seconds without a renewal after which somebody is given up.
            clock: Seconds that only grow.
            process: For tests; None: this one.

        Raises:
            UsageError: An item is there twice, or the annotator has no name.
        """
        if not annotator.strip():
            raise UsageError("an annotator needs a name")
        if len(set(items)) < len(items):
            twice = next(item for index, item in enumerate(items) if item in items[:index])
            raise UsageError(f"{twice!r} is there twice; every question needs an id of its own")
        self._items = list(items)
        if seed is not None:
            random.Random(seed).shuffle(self._items)
        self._annotator = annotator
        self._folder = folder
        self._keys = {item: _name(item, annotator if item in common else None) for item in self._items}
        self._leases = Leases(folder / QUEUE, annotator, ttl=ttl, clock=clock, process=process)

    def take(self) -> Job | None:
        """The next item: what this annotator left first, then what is free.

        None: everything is done, skipped or with others; those may still leave something (`progress` says how many).

        Raises:
            RecordError: The folder cannot be read or written.
        """
        leases = self._leases.all()
        for item in sorted(self._items, key=lambda one: not self._is_mine(leases.get(self._keys[one], ()))):
            held = leases.get(self._keys[item], ())
            if self._is_open(self._keys[item], held):
                lease = self._leases.take(self._keys[item], held[-1] if held else None)
                if lease is not None:
                    return Job(item, self.folder_of(item), lease)
        return None

    def folder_of(self, item: str) -> Path:
        """Where this annotator's recording of an item is."""
        return self._folder / RECORDINGS / _name(item) / _name(self._annotator)

    def progress(self) -> Progress:
        """How far everybody is.

        Raises:
            RecordError: The folder cannot be read.
        """
        leases = self._leases.all()
        seconds, skipped, held = {}, [], 0
        done: dict[str, list[float]] = {}
        skips: dict[str, int] = {}
        for item in self._items:
            holdings = leases.get(self._keys[item], ())
            for hold in (holding.hold for holding in holdings):
                if hold is not None and hold.state == "skipped":
                    skipped.append(Skipped(item, hold.annotator, hold.reason or ""))
                    skips[hold.annotator] = skips.get(hold.annotator, 0) + 1
            last = holdings[-1] if holdings else None
            if last is None:
                continue
            if last.hold is not None and last.hold.state == "done":
                seconds[item] = last.hold.seconds
                done.setdefault(last.hold.annotator, []).append(last.hold.seconds)
            elif not self._leases.is_left(self._keys[item], last):
                held += 1
        works = {
            name: Work(
                done=len(done.get(name, ())),
                skipped=skips.get(name, 0),
                seconds=sum(done.get(name, ())),
                median_seconds=statistics.median(done[name]) if name in done else None,
            )
            for name in sorted({*done, *skips})
        }
        return Progress(
            total=len(self._items),
            done=len(seconds),
            held=held,
            left=len(self._items) - len(seconds) - held,
            mine=len(done.get(self._annotator, ())),
            skipped=tuple(skipped),
            annotators=works,
            seconds=seconds,
        )

    def _is_mine(self, holdings: tuple[Holding, ...]) -> bool:
        """Whether this annotator was the last at work on it, and did not finish."""
        last = holdings[-1].hold if holdings else None
        return last is not None and last.annotator == self._annotator and last.state in ("held", "released")

    def _is_open(self, key: str, holdings: tuple[Holding, ...]) -> bool:
        if not holdings:
            return True
        skipped_by = {one.hold.annotator for one in holdings if one.hold and one.hold.state == "skipped"}
        return self._annotator not in skipped_by and self._leases.is_left(key, holdings[-1])


def _name(*parts: str | None) -> str:
    """A file name that tells values apart, and that a person can read."""
    given = [part for part in parts if part is not None]
    readable = re.sub(r"[^A-Za-z0-9_-]+", "-", given[0])[:40].strip("-")
    return "-".join(filter(None, (readable, short_hash(*given))))
