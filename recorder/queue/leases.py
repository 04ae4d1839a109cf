"""Leases of items among processes that share only a folder.

The newest lease file of an item, ``<item>.<generation>.json``, names its holder. A process takes a free or abandoned item by
creating the file of the next generation, which the file system lets only one process do (``O_EXCL``). Lease files are never
deleted or renamed. A holder whose lease was considered abandoned sees the next generation when it renews its own lease.

A lease is abandoned if its process has ended (on the same machine), or if it was not renewed for `ttl` seconds while another
process watched it. The watcher measures this time with its own clock, so clocks may differ or jump. In return, a process has
to wait for `ttl` seconds before it can take an item of a machine that has stopped.
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
from browser_env.records.files import make_folder, sync_folder, write_atomically
from browser_env.records.record import record

TTL: Final = 60.0
"""Seconds without a renewal after which a lease is abandoned. Renew leases every `TTL` / 4 seconds."""

_NAME = re.compile(r"(?P<item>[^.]+)\.(?P<generation>[0-9]+)\.json")


@record
class Process:
    """Identity of a process, by which other processes on the same machine can tell whether it still runs."""

    machine: str
    boot: str
    """Boot id of the machine. Empty if unknown."""
    space: str
    """Namespace of process ids, which differs between containers. Empty if unknown."""
    pid: int
    started: str
    """Start time of the process in clock ticks, which distinguishes processes with the same id. Empty if unknown."""

    @classmethod
    def current(cls) -> Self:
        """Return the identity of this process."""
        return cls(
            machine=f"{platform.node()} {uuid.getnode():012x}",
            boot=_read("/proc/sys/kernel/random/boot_id"),
            space=_link("/proc/self/ns/pid"),
            pid=os.getpid(),
            started=_started(os.getpid()),
        )

    def is_gone(self, here: "Process") -> bool:
        """Whether the process has certainly ended, as seen from another one. False if unknown."""
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
            return False  # the process runs under another user
        return _started(self.pid) != self.started


@record
class LeaseContent:
    """Content of a lease file."""

    annotator: str
    process: Process
    state: Literal["held", "released", "skipped", "done"] = "held"
    renewed: int = 0
    """Number of renewals."""
    reason: str | None = None
    """Reason why the item was skipped."""
    seconds: float = 0.0
    """Seconds of work when the item was released, skipped or finished."""


_CONTENT: Final = TypeAdapter(LeaseContent)


@dataclass(frozen=True, slots=True)
class LeaseFile:
    """A lease file of an item."""

    generation: int
    content: LeaseContent | None
    """Content of the file. None if it is incomplete: a process is writing it, or was stopped while writing it."""


class Lease:
    """A lease that this process holds."""

    def __init__(self, folder: Path, item: str, generation: int, content: LeaseContent) -> None:
        self.item = item
        self._folder = folder
        self._generation = generation
        self._content = content

    def renew(self) -> bool:
        """Renew the lease. Call this every `TTL` / 4 seconds. Returns False if another process has taken the item."""
        if self._path(self._generation + 1).exists():
            return False
        self._write(replace(self._content, renewed=self._content.renewed + 1), durable=False)
        return True

    def release(self, seconds: float = 0.0) -> None:
        """Release the unfinished item, so that any annotator can take it. For this annotator it comes first in the queue."""
        self._write(replace(self._content, state="released", seconds=seconds))

    def skip(self, reason: str, seconds: float = 0.0) -> None:
        """Skip the item, leaving it to other annotators."""
        self._write(replace(self._content, state="skipped", reason=reason, seconds=seconds))

    def finish(self, seconds: float) -> None:
        """Mark the item as done."""
        self._write(replace(self._content, state="done", seconds=seconds))

    def _path(self, generation: int) -> Path:
        return self._folder / f"{self.item}.{generation}.json"

    def _write(self, content: LeaseContent, *, durable: bool = True) -> None:
        path = self._path(self._generation)
        try:
            write_atomically(path, json.dumps(asdict(content)).encode(), durable=durable)
        except OSError as error:
            raise RecordError(f"{path}: cannot be written: {error.strerror}") from error
        self._content = content


class Leases:
    """The leases in a folder, from the view of one process."""

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

    def all(self) -> dict[str, tuple[LeaseFile, ...]]:
        """Return the lease files of each item, oldest first.

        Raises:
            RecordError: The folder cannot be read.
        """
        if not self._folder.exists():
            return {}
        leases: dict[str, list[LeaseFile]] = {}
        now = self._clock()
        try:
            for path in self._folder.iterdir():
                if match := _NAME.fullmatch(path.name):
                    data = path.read_bytes()
                    item, generation = match["item"], int(match["generation"])
                    if self._watched.get((item, generation), (None, 0.0))[0] != data:
                        self._watched[item, generation] = (data, now)
                    leases.setdefault(item, []).append(LeaseFile(generation, _parse(data)))
        except OSError as error:
            raise RecordError(f"{error.filename or self._folder}: cannot be read: {error.strerror}") from error
        return {item: tuple(sorted(files, key=lambda file: file.generation)) for item, files in leases.items()}

    def is_available(self, item: str, file: LeaseFile) -> bool:
        """Whether an item can be taken, given its newest lease file: it was released, skipped or abandoned."""
        if file.content is not None:
            if file.content.state != "held":
                return file.content.state != "done"
            if file.content.process.is_gone(self._process):
                return True
        return self._clock() - self._watched[item, file.generation][1] >= self._ttl

    def take(self, item: str, after: LeaseFile | None) -> Lease | None:
        """Take an item, given its newest lease file if it has one. Returns None if another process has taken the item."""
        generation = 0 if after is None else after.generation + 1
        content = LeaseContent(annotator=self._annotator, process=self._process)
        path = self._folder / f"{item}.{generation}.json"
        try:
            make_folder(self._folder)
            with path.open("xb") as file:
                file.write(json.dumps(asdict(content)).encode())
                file.flush()
                os.fsync(file.fileno())
            sync_folder(self._folder)
        except FileExistsError:
            return None
        except OSError as error:
            raise RecordError(f"{path}: cannot be written: {error.strerror}") from error
        return Lease(self._folder, item, generation, content)


def _parse(data: bytes) -> LeaseContent | None:
    try:
        return _CONTENT.validate_json(data, strict=True)
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
    """Return the start time of a process: field 22 of its stat file, counted after the name in brackets."""
    return (_read(f"/proc/{pid}/stat").rpartition(")")[2].split() or [""] * 20)[19]
