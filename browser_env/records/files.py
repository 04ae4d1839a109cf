"""Text files, atomic writes and locks between processes.

A file is written under a temporary name, flushed to disk and then renamed, so a program that is killed leaves either the old
content or the new one.
"""

import gzip
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO

from browser_env.errors import RecordError, UsageError, WebGPTError

Json = str | int | float | bool | None | Sequence["Json"] | Mapping[str, "Json"]


@contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Yield a temporary file beside `path` to write to; at the end of the block it is renamed to `path`.

    If the block raises, the temporary file is removed and `path` stays as it was.

    Args:
        path: The file to create or replace.
        durable: Wait until the new content is on disk, so that it survives a power cut.

    Raises:
        OSError: The file cannot be written.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield unfinished
        if durable:
            sync_file(unfinished)
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    if durable:
        sync_folder(path.parent)


def write_atomically(path: Path, content: bytes | str, *, durable: bool = True) -> None:
    """Create or replace a file atomically (see `replacing`); text is encoded as UTF-8."""
    with replacing(path, durable=durable) as unfinished:
        unfinished.write_bytes(content.encode() if isinstance(content, str) else content)


def make_folder(folder: Path) -> None:
    """Create a folder and its parents, and wait until they are on disk."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for path in missing:
        sync_folder(path.parent)


def sync_file(path: Path) -> None:
    """Wait until the content of a file is on disk."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Wait until the file names in a folder are on disk; does nothing on systems that cannot open folders."""
    if hasattr(os, "O_DIRECTORY"):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def hold_lock(lock: Path, error: WebGPTError, *, seconds: float = 0) -> Iterator[None]:
    """Hold a lock that only one process can hold at a time.

    The lock is a SQLite lock on an empty file, which is never deleted. The operating system releases the lock when the process
    ends, for whatever reason.

    Args:
        lock: The lock file, created if it does not exist.
        error: Raised if another process holds the lock.
        seconds: Seconds to wait for the other process.
    """
    with closing(sqlite3.connect(lock, timeout=seconds, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as busy:
            raise error from busy
        yield


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Keep other processes from working in a folder.

    Raises:
        UsageError: Another process has locked it.
    """
    with hold_lock(folder / ".lock", UsageError(f"another program is at work in {folder}; wait until it has finished")):
        yield


def read_text_lines(path: Path) -> Iterator[str]:
    """Read the lines of a UTF-8 text file, without line ends; ``.gz`` files are decompressed.

    Raises:
        RecordError: The file cannot be read or is not UTF-8.
    """
    number = 0
    try:
        with _open_text(path) as file:
            for line in file:
                number += 1
                yield line.rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise RecordError(f"{path}:{number + 1}: is not UTF-8") from error
    except (OSError, EOFError) as error:
        raise RecordError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error


def _open_text(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="\n")
    return path.open(encoding="utf-8-sig", newline="\n")
