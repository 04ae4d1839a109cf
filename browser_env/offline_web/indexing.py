"""Building collections: from the documents of a source to the file that `browser_env.offline_web.collection` reads.

A build works on a copy beside the file and renames it at the end. Programs that read the old file are not affected, and a
build that is killed leaves the old file unchanged. Pages whose source has not changed are not rendered again.
"""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from browser_env.errors import CollectionError
from browser_env.offline_web.file_format import APPLICATION_ID, SCHEMA, check_file, describe_error
from browser_env.offline_web.index_writer import IndexWriter, OnItem, Report
from browser_env.offline_web.sources import Source
from browser_env.records.files import hold_lock, sync_file, sync_folder

LOCK_SECONDS = 600
"""Seconds that a build waits for another build of the same file."""


def build(
    path: Path, source: Source, *, label: str | None = None, made_from: str = "", on_item: OnItem | None = None
) -> Report:
    """Build a collection from the documents of a source, or bring an existing collection up to date.

    Args:
        path: The collection's file. If another process is building it, this build waits.
        source: Yields the documents.
        label: First part of the collection's name. Default: the source's label.
        made_from: Stored in the collection as `Collection.made_from`.
        on_item: Called with each item of the source after it has been indexed, for a progress bar.

    Raises:
        CollectionError: The file cannot be written or is not a collection, or the source has no pages.
    """
    busy = CollectionError(f"{path} is being built by another program; wait until it has finished")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with hold_lock(path.with_name(f".{path.name}.lock"), busy, seconds=LOCK_SECONDS):
            return _build(path, source, label or source.label, made_from, on_item)
    except OSError as error:
        raise CollectionError(f"{path} cannot be written: {error.strerror or error}") from error
    except sqlite3.Error as error:
        raise CollectionError(describe_error(path, error)) from error


def is_collection_file(path: Path) -> bool:
    """Whether a file is empty or starts like a collection, of any version and even if the rest is damaged."""
    with path.open("rb") as file:
        head = file.read(100)
    return not head or (head.startswith(b"SQLite format 3\0") and head[68:72] == APPLICATION_ID.to_bytes(4, "big"))


def _build(path: Path, source: Source, label: str, made_from: str, on_item: OnItem | None) -> Report:
    if path.exists() and not is_collection_file(path):
        raise CollectionError(f"{path} exists and is not a collection; choose another file")
    building = path.with_name(f".{path.name}.building")
    try:
        with closing(_open_copy(path, building)) as connection:
            report = IndexWriter(connection, source.addresses).write(source, label, made_from, on_item)
        if not report.num_pages:
            reasons = f" ({report.skipped[0].name}: {report.skipped[0].reason})" if report.skipped else ""
            raise CollectionError(f"there are no pages to index{reasons}; {path} was left unchanged")
        sync_file(building)
        building.replace(path)
        sync_folder(path.parent)
    finally:
        building.unlink(missing_ok=True)
    return report


def _open_copy(path: Path, building: Path) -> sqlite3.Connection:
    """Open a copy of a collection for writing, or an empty collection if there is none or it is not usable."""
    building.unlink(missing_ok=True)
    if path.exists():
        shutil.copyfile(path, building)
        connection = sqlite3.connect(building, isolation_level=None)
        if _is_intact(connection, building):
            return connection
        connection.close()
        building.unlink()
    connection = sqlite3.connect(building, isolation_level=None)
    connection.executescript(SCHEMA)
    return connection


def _is_intact(connection: sqlite3.Connection, path: Path) -> bool:
    try:
        check_file(connection, path, path.stat().st_size)
        return bool(connection.execute("PRAGMA quick_check(1)").fetchone() == ("ok",))
    except (sqlite3.DatabaseError, CollectionError):
        return False
