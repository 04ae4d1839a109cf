"""The text browser of WebGPT as an environment: commands, pages, offline and live webs, snapshots and records."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from browser_env.actions import format_action, parse_action
    from browser_env.backends import Backend, FakeBackend, SearchHit
    from browser_env.command_line.web_options import WebOptions
    from browser_env.env import BrowserEnv
    from browser_env.errors import FetchError, WebGPTError
    from browser_env.live_web.backend import LiveWeb
    from browser_env.offline_web.collection import Collection
    from browser_env.offline_web.default_collection import default_collection
    from browser_env.offline_web.indexing import build
    from browser_env.offline_web.sources.folder import Folder
    from browser_env.offline_web.sources.python_docs import PythonDocs
    from browser_env.pages.document import Document
    from browser_env.pages.page import Page
    from browser_env.records import ComparedAnswer, Comparison, Episode, Question, Ratings, Reference, Settings, Step
    from browser_env.records.citations import check_citations
    from browser_env.records.storage import append_record, read_records
    from browser_env.rendering.render import render
    from browser_env.snapshots.backend import SnapshotBackend
    from browser_env.snapshots.store import SnapshotStore
else:
    from browser_env.lazy import lazy_imports

    __getattr__, __dir__ = lazy_imports(
        __name__,
        {
            "browser_env.actions": ("format_action", "parse_action"),
            "browser_env.backends": ("Backend", "FakeBackend", "SearchHit"),
            "browser_env.command_line.web_options": ("WebOptions",),
            "browser_env.env": ("BrowserEnv",),
            "browser_env.errors": ("FetchError", "WebGPTError"),
            "browser_env.live_web.backend": ("LiveWeb",),
            "browser_env.offline_web.collection": ("Collection",),
            "browser_env.offline_web.default_collection": ("default_collection",),
            "browser_env.offline_web.indexing": ("build",),
            "browser_env.offline_web.sources.folder": ("Folder",),
            "browser_env.offline_web.sources.python_docs": ("PythonDocs",),
            "browser_env.pages.document": ("Document",),
            "browser_env.pages.page": ("Page",),
            "browser_env.records": (
                "ComparedAnswer",
                "Comparison",
                "Episode",
                "Question",
                "Ratings",
                "Reference",
                "Settings",
                "Step",
            ),
            "browser_env.records.citations": ("check_citations",),
            "browser_env.records.storage": ("append_record", "read_records"),
            "browser_env.rendering.render": ("render",),
            "browser_env.snapshots.backend": ("SnapshotBackend",),
            "browser_env.snapshots.store": ("SnapshotStore",),
        },
    )

__all__ = [
    "Backend",
    "BrowserEnv",
    "Collection",
    "ComparedAnswer",
    "Comparison",
    "Document",
    "Episode",
    "FakeBackend",
    "FetchError",
    "Folder",
    "LiveWeb",
    "Page",
    "PythonDocs",
    "Question",
    "Ratings",
    "Reference",
    "SearchHit",
    "Settings",
    "SnapshotBackend",
    "SnapshotStore",
    "Step",
    "WebGPTError",
    "WebOptions",
    "append_record",
    "build",
    "check_citations",
    "default_collection",
    "format_action",
    "parse_action",
    "read_records",
    "render",
]
