"""The default collection: the documentation of the Python that runs this program."""

import sys
from pathlib import Path

from platformdirs import user_cache_path

from browser_env.errors import CollectionError
from browser_env.offline_web.collection import Collection
from browser_env.offline_web.index_writer import OnItem
from browser_env.offline_web.indexing import build, is_collection_file
from browser_env.offline_web.sources.python_docs import PythonDocs
from browser_env.rendering.render import RENDERER_VERSION


def default_collection(on_item: OnItem | None = None, *, folder: Path | None = None) -> Collection:
    """Open the documentation of the Python that runs this program, and index it first if necessary.

    The documentation is indexed on first use, after a change of the Python version or the renderer, and if its file is damaged.

    Args:
        on_item: Called with each item of a build, for a progress bar.
        folder: Folder of the file. Default: the platform's cache folder.

    Raises:
        CollectionError: The documentation cannot be indexed.
    """
    path = default_path(folder)
    made_from = python_version()
    try:
        collection = Collection.open(path)
        if collection.made_from == made_from:
            return collection
        collection.close()
    except CollectionError:
        if path.is_file() and not is_collection_file(path):
            path.unlink()  # the cache folder is this project's, so no other program needs the file
    build(path, PythonDocs(), made_from=made_from, on_item=on_item)
    return Collection.open(path)


def default_path(folder: Path | None = None) -> Path:
    """The file of the default collection, in a folder or in the platform's cache folder."""
    version = ".".join(map(str, sys.version_info[:3]))
    return (folder or user_cache_path("open-webgpt")) / f"pydoc-{version}.sqlite"


def python_version() -> str:
    """The Python version and the renderer version, to detect that the default collection is out of date."""
    return f"Python {sys.version}; renderer {RENDERER_VERSION}"
