"""What the web said during a recording, kept beside its journal by content, so that going on never needs the web again.

A page is a visit: two fetches of one address may have brought two pages, and each stays what was seen. An event of the
journal names what it was given by digest; a file is written before the event that names it.
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
from browser_env.records.files import make_folder, write_whole
from browser_env.records.record import record
from browser_env.records.storage import storable

MAX_FAILURE = 500
"""Longest message of a failed request that is kept, in characters."""


@record
class Reply:
    """What a backend said to one request."""

    request: Literal["search", "fetch"]
    argument: str
    """The query or the address."""
    content: str | None = None
    """Digest of the results or the page; None: the request failed."""
    failure: str | None = None
    """What was shown instead."""


class Visits:
    """A folder of pages and search results by digest. For many threads: what is written is never changed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._loaded: dict[str, Page | tuple[SearchHit, ...]] = {}

    def keep(self, content: Page | tuple[SearchHit, ...]) -> str:
        """Keep a page or search results; the digest is their name.

        Raises:
            RecordError: The disk cannot take it.
        """
        data = json.dumps(_encode(content)).encode()
        digest = hashlib.sha256(data).hexdigest()[:32]
        path = self._path(digest)
        try:
            if not path.exists():
                make_folder(self.folder)
                write_whole(path, data)
        except OSError as error:
            raise RecordError(f"{path}: cannot be written: {error.strerror}") from error
        self._loaded.setdefault(digest, content)
        return digest

    def load(self, digest: str) -> Page | tuple[SearchHit, ...]:
        """What was kept. The same digest gives the same object, so what was computed from a page is not computed again.

        Raises:
            RecordError: It is not there, or not what was kept.
        """
        if digest not in self._loaded:
            path = self._path(digest)
            try:
                data = path.read_bytes()
            except OSError as error:
                raise RecordError(f"{path}: cannot be read: {error.strerror}; the recording needs this page") from error
            if hashlib.sha256(data).hexdigest()[:32] != digest:
                raise RecordError(f"{path}: was changed; the recording needs this page as it was")
            self._loaded.setdefault(digest, _decode(json.loads(data)))
        return self._loaded[digest]

    def _path(self, digest: str) -> Path:
        return self.folder / f"{digest}.json"


class Listening:
    """A backend that keeps what another says. Whatever goes wrong there becomes a failed fetch, which is shown as a page."""

    def __init__(self, backend: Backend, visits: Visits) -> None:
        self.name = backend.name
        self.replies: list[Reply] = []
        self._backend = backend
        self._visits = visits

    def search(self, query: str) -> tuple[SearchHit, ...]:
        try:
            hits = tuple(self._backend.search(query))
        except Exception as error:
            raise self._failed("search", query, error) from error
        self.replies.append(Reply(request="search", argument=storable(query), content=self._visits.keep(hits)))
        return hits

    def fetch(self, url: str) -> Page:
        try:
            page = self._backend.fetch(url)
        except Exception as error:
            raise self._failed("fetch", url, error) from error
        digest = self._visits.keep(page)
        self.replies.append(Reply(request="fetch", argument=storable(url), content=digest))
        kept = self._visits.load(digest)
        assert isinstance(kept, Page)
        return kept

    def _failed(self, request: Literal["search", "fetch"], argument: str, error: Exception) -> FetchError:
        message = str(error) if isinstance(error, FetchError) else f"{type(error).__name__}: {error}"
        message = clean_line(message)[:MAX_FAILURE]
        self.replies.append(Reply(request=request, argument=storable(argument), failure=message))
        return FetchError(message)


class RecordedWeb:
    """A backend that says what was said during a recording, in the order in which it was said.

    A request that was not made then is an error, not a page: the commands are not those of the recording.
    """

    def __init__(self, name: str, replies: Iterable[Reply], visits: Visits) -> None:
        self.name = name
        self._replies = list(replies)
        self._visits = visits

    def search(self, query: str) -> tuple[SearchHit, ...]:
        content = self._next("search", query)
        if isinstance(content, Page):
            raise RecordError(f"{self._visits.folder}: what was kept of the search {query!r} is a page")
        return content

    def fetch(self, url: str) -> Page:
        content = self._next("fetch", url)
        if not isinstance(content, Page):
            raise RecordError(f"{self._visits.folder}: what was kept of {url} is no page")
        return content

    def _next(self, request: str, argument: str) -> Page | tuple[SearchHit, ...]:
        for index, reply in enumerate(self._replies):
            if (reply.request, reply.argument) == (request, storable(argument)):
                del self._replies[index]
                if reply.content is None:
                    raise FetchError(reply.failure or "it failed")
                return self._visits.load(reply.content)
        raise RecordError(f"{self._visits.folder}: the recording has no further {request} of {argument!r}")


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
    """The inverse; the digest has vouched for the row."""
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
