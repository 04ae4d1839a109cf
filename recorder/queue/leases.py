"""Who is at work on what, among processes that share nothing but a folder.

An item is held by the newest of its lease files, ``<item>.<generation>.json``. To take a free item, or one that its holder
left, is to create the next generation, which the file system lets exactly one process do (``O_EXCL``). Nothing is deleted or
renamed away, so nobody can take away a lease that was just made, and a holder who was given up for lost finds the next
generation when it renews its own.

A holder is gone when its process is (on this machine), or when its lease, which it renews, was not renewed for `ttl` seconds
while somebody watched. That time is the watcher's own, so clocks that differ or jump do no harm; the price is that whoever
comes to the work of a machine that is gone waits for so long.
"""

import json
import os
import platform
import re
import time
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final, Literal, Self

from pydantic import TypeAdapter, ValidationError

from browser_env.errors import RecordError
from browser_env.records.files import make_folder, sync_folder, write_whole
from browser_env.records.record import record

TTL: Final = 60.0
"""Seconds without a renewal after which a holder is given up; renew every `TTL` / 4."""

_NAME = re.compile(r"(?P<item>[^.]+)\.(?P<generation>[0-9]+)\.json")


@record
class Process:
    """A process, as others on its machine can tell whether it runs."""

    machine: str
    boot: str
    """Of this start of the machine; empty where the system does not tell."""
    space: str
    """In which process ids mean something (containers); empty where the system does not tell."""
    pid: int
    started: str
    """Tells it from an earlier one with its id; empty where the system does not tell."""

    @classmethod
    def current(cls) -> Self:
        """This one."""
        return cls(
            machine=f"{platform.node()} {uuid.getnode():012x}",
            boot=_read("/proc/sys/kernel/random/boot_id"),
            space=_link("/proc/self/ns/pid"),
            pid=os.getpid(),
            started=_started(os.getpid()),
        )

    def is_gone(self, here: "Process") -> bool:
        """Whether it surely does not run any more, as seen from a process; what cannot be known is False."""
        if self.machine != here.machine:
            return False
        if self.boot != here.boot:
            return True
        if self.space != here.space or os.name != "posix":
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except OSError:
            return False  # it runs, for somebody else
        return _started(self.pid) != self.started


@record
class Hold:
    """What a lease file says."""

    annotator: str
    process: Process
    state: Literal["held", "released", "skipped", "done"] = "held"
    renewed: int = 0
    """How often."""
    reason: str | None = None
    """Why it was skipped."""
    seconds: float = 0.0
    """Of work, when it was left."""


_HOLD: Final = TypeAdapter(Hold)


@dataclass(frozen=True, slots=True)
class Holding:
    """The newest lease of an item."""

    generation: int
    hold: Hold | None
    """None: its holder was stopped right when making it, or is making it now."""


class Lease:
    """An item that this process holds."""

    def __init__(self, folder: Path, item: str, generation: int, hold: Hold) -> None:
        self.item = item
        self._folder = folder
        self._generation = generation
        self._hold = hold

    def renew(self) -> bool:
        """Say that the work goes on; to be called every `TTL` / 4 seconds. False: somebody else has taken it over."""
        if self._path(self._generation + 1).exists():
            return False
        self._write(replace(self._hold, renewed=self._hold.renewed + 1), durable=False)
        return True

    def release(self, seconds: float = 0.0) -> None:
        """Leave it unfinished: anybody can take it, and who held it is asked first."""
        self._write(replace(self._hold, state="released", seconds=seconds))

    def skip(self, reason: str, seconds: float = 0.0) -> None:
        """Leave it to others for a reason."""
        self._write(replace(self._hold, state="skipped", reason=reason, seconds=seconds))

    def finish(self, seconds: float) -> None:
        """It is done; nobody takes it again."""
        self._write(replace(self._hold, state="done", seconds=seconds))

    def _path(self, generation: int) -> Path:
        return self._folder / f"{self.item}.{generation}.json"

    def _write(self, hold: Hold, *, durable: bool = True) -> None:
        path = self._path(self._generation)
        try:
            write_whole(path, json.dumps(asdict(hold)).encode(), durable=durable)
        except OSError as error:
            raise RecordError(f"{path}: cannot be written: {error.strerror}") from error
        self._hold = hold


class Leases:
    """The leases in a folder, as one process sees them."""

    def __init__(
        self,
        folder: Path,
        annotator: str,
        *,
        ttl: float = TTL,
        clock: Callable[[], float] = time.monotonic,
        process: Process | None = None,
    ) -> None:
        self._folder = folder
        self._annotator = annotator
        self._ttl = ttl
        self._clock = clock
        self._process = process or Process.current()
        self._watched: dict[tuple[str, int], tuple[bytes, float]] = {}

    def all(self) -> dict[str, tuple[Holding, ...]]:
        """The leases of every item that has one, oldest first.

        Raises:
            RecordError: The folder cannot be read.
        """
        if not self._folder.exists():
            return {}
        found: dict[str, list[Holding]] = {}
        now = self._clock()
        try:
            for path in self._folder.iterdir():
                if match := _NAME.fullmatch(path.name):
                    data = path.read_bytes()
                    item, generation = match["item"], int(match["generation"])
                    if self._watched.get((item, generation), (None, 0.0))[0] != data:
                        self._watched[item, generation] = (data, now)
                    found.setdefault(item, []).append(Holding(generation, _parse(data)))
        except OSError as error:
            raise RecordError(f"{error.filename or self._folder}: cannot be read: {error.strerror}") from error
        return {item: tuple(sorted(holdings, key=lambda one: one.generation)) for item, holdings in found.items()}

    def is_left(self, item: str, holding: Holding) -> bool:
        """Whether an item's newest lease is nobody's any more: released, skipped, or its holder gone."""
        if holding.hold is not None:
            if holding.hold.state != "held":
                return holding.hold.state != "done"
            if holding.hold.process.is_gone(self._process):
                return True
        return self._clock() - self._watched[item, holding.generation][1] >= self._ttl

    def take(self, item: str, after: Holding | None) -> Lease | None:
        """Hold an item that is free, or that is left by its newest lease; None: somebody else was faster."""
        generation = 0 if after is None else after.generation + 1
        hold = Hold(annotator=self._annotator, process=self._process)
        path = self._folder / f"{item}.{generation}.json"
        try:
            make_folder(self._folder)
            with path.open("xb") as file:
                file.write(json.dumps(asdict(hold)).encode())
                file.flush()
                os.fsync(file.fileno())
            sync_folder(self._folder)
        except FileExistsError:
            return None
        except OSError as error:
            raise RecordError(f"{path}: cannot be written: {error.strerror}") from error
        return Lease(self._folder, item, generation, hold)


def _parse(data: bytes) -> Hold | None:
    try:
        return _HOLD.validate_json(data, strict=True)
    except ValidationError:
        return None


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


def _link(path: str) -> str:
    try:
        return str(Path(path).readlink())
    except OSError:
        return ""


def _started(pid: int) -> str:
    """Ticks of the machine at which a process was started: the 22nd field, counted behind the name in brackets."""
    return (_read(f"/proc/{pid}/stat").rpartition(")")[2].split() or [""] * 20)[19]
