"""Replies of the web during a recording, stored by digest next to its journal, so that a replay does not need the web.

Two fetches of one URL may return different pages; both are stored. Events of the journal refer to replies by
digest, and a file is written before the event that refers to it.
"""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from browser_env.backends import Backend, SearchHit
from browser_env.errors import FetchError, RecordError
from browser_env.pages.characters import clean_line
from browser_env.pages.page import Link, Page
from browser_env.records.files import make_folder, write_atomically
from browser_env.records.record import record
from browser_env.records.storage import storable

MAX_FAILURE = 500
"""Maximum length of the message of a failed request, in characters; the rest is cut off."""


@record
class Reply:
    """The reply of a backend to one request."""

    request: Literal["search", "fetch"]
    argument: str
    """The query or the URL."""
    content: str | None = None
    """Digest of the results or the page. None if the request failed."""
    failure: str | None = None
    """Error message of a failed request. None if it succeeded."""


class ReplyStore:
    """A folder of pages and search results, stored by digest. Thread-safe: files are never changed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._loaded: dict[str, Page | tuple[SearchHit, ...]] = {}

    def save(self, content: Page | tuple[SearchHit, ...]) -> str:
        """Store a page or search results and return the digest.

        Raises:
            RecordError: The file cannot be written.
        """
        data = json.dumps(_encode(content)).encode()
        digest = hashlib.sha256(data).hexdigest()[:32]
        path = self._path(digest)
        try:
            if not path.exists():
                make_folder(self.folder)
                write_atomically(path, data)
        except OSError as error:
            raise RecordError(f"{path}: cannot be written: {error.strerror}") from error
        self._loaded.setdefault(digest, content)
        return digest

    def load(self, digest: str) -> Page | tuple[SearchHit, ...]:
        """Return the page or search results with a digest.

        The same digest gives the same object, so that values cached on a page are not computed again.

        Raises:
            RecordError: The file is missing or was changed.
        """
        if digest not in self._loaded:
            path = self._path(digest)
            try:
                data = path.read_bytes()
            except OSError as error:
                raise RecordError(f"{path}: cannot be read: {error.strerror}; restore this page of the recording") from error
            if hashlib.sha256(data).hexdigest()[:32] != digest:
                raise RecordError(f"{path}: was changed; restore this page of the recording from a backup")
            self._loaded.setdefault(digest, _decode(json.loads(data)))
        return self._loaded[digest]

    def _path(self, digest: str) -> Path:
        return self.folder / f"{digest}.json"


class RecordingBackend:
    """A backend that stores the replies of another one, whose exceptions all become `FetchError`s, shown as error pages."""

    def __init__(self, backend: Backend, store: ReplyStore) -> None:
        self.name = backend.name
        self.replies: list[Reply] = []
        self._backend = backend
        self._store = store

    def search(self, query: str) -> tuple[SearchHit, ...]:
        try:
            hits = tuple(self._backend.search(query))
        except Exception as error:
            raise self._failed("search", query, error) from error
        self.replies.append(Reply(request="search", argument=storable(query), content=self._store.save(hits)))
        return hits

    def fetch(self, url: str) -> Page:
        try:
            page = self._backend.fetch(url)
        except Exception as error:
            raise self._failed("fetch", url, error) from error
        digest = self._store.save(page)
        self.replies.append(Reply(request="fetch", argument=storable(url), content=digest))
        stored = self._store.load(digest)
        assert isinstance(stored, Page)
        return stored

    def _failed(self, request: Literal["search", "fetch"], argument: str, error: Exception) -> FetchError:
        message = str(error) if isinstance(error, FetchError) else f"{type(error).__name__}: {error}"
        message = clean_line(message)[:MAX_FAILURE]
        self.replies.append(Reply(request=request, argument=storable(argument), failure=message))
        return FetchError(message)


class RecordedWeb:
    """A backend that gives the recorded replies, each once and in order.

    A request without a recorded reply raises `RecordError`: the commands differ from those of the recording.
    """

    def __init__(self, name: str, replies: Iterable[Reply], store: ReplyStore) -> None:
        self.name = name
        self._replies = list(replies)
        self._store = store

    def search(self, query: str) -> tuple[SearchHit, ...]:
        content = self._next("search", query)
        if isinstance(content, Page):
            raise RecordError(f"{self._store.folder}: expected results of the search {query!r}, got a page")
        return content

    def fetch(self, url: str) -> Page:
        content = self._next("fetch", url)
        if not isinstance(content, Page):
            raise RecordError(f"{self._store.folder}: expected a page for {url}, got search results")
        return content

    def _next(self, request: str, argument: str) -> Page | tuple[SearchHit, ...]:
        for index, reply in enumerate(self._replies):
            if (reply.request, reply.argument) == (request, storable(argument)):
                del self._replies[index]
                if reply.content is None:
                    raise FetchError(reply.failure or "it failed")
                return self._store.load(reply.content)
        raise RecordError(f"{self._store.folder}: the recording has no reply to the {request} of {argument!r}")


def _encode(content: Page | tuple[SearchHit, ...]) -> dict[str, Any]:
    if not isinstance(content, Page):
        return {"hits": [[hit.url, hit.title, hit.snippet] for hit in content]}
    return {
        "url": content.url,
        "title": content.title,
        "text": content.text,
        "links": [[link.start, link.end, link.url] for link in content.links],
        "anchors": content.anchors,
        "headings": content.headings,
        "kind": content.kind,
        "notes": content.notes,
    }


def _decode(row: dict[str, Any]) -> Page | tuple[SearchHit, ...]:
    """Inverse of `_encode`. The row needs no validation: its digest was checked."""
    if "hits" in row:
        return tuple(SearchHit(*hit) for hit in row["hits"])
    return Page(
        url=row["url"],
        title=row["title"],
        text=row["text"],
        links=tuple(Link(*link) for link in row["links"]),
        anchors=tuple((name, offset) for name, offset in row["anchors"]),
        headings=tuple((start, end) for start, end in row["headings"]),
        kind=row["kind"],
        notes=tuple(row["notes"]),
    )
