"""Files that are whole or not there, whatever ends the program: written, flushed to the disk, then put in place."""

import hashlib
import os
from pathlib import Path


def key(*parts: object) -> str:
    """Sixteen hexadecimal digits that stand for some values' texts: the same in every process, and a good file name."""
    return hashlib.sha256("\0".join(map(str, parts)).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def make_folder(folder: Path) -> None:
    """A folder, with those above it, that is still there after a power cut."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for one in missing:
        sync_folder(one.parent)


def write_whole(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Put a file in place of the one there, or leave that as it is.

    Raises:
        OSError: It cannot be written.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    with unfinished.open("wb") as file:
        file.write(content)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    unfinished.replace(path)
    if durable:
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Wait until the disk has a folder's names; a system that cannot keeps them by itself."""
    if hasattr(os, "O_DIRECTORY"):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
