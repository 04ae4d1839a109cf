"""A backend that records the answers of another one, or replays them offline."""

from urllib.parse import urljoin

from browser_env.backends import Backend, SearchHit
from browser_env.errors import FetchError, SnapshotError
from browser_env.network.messages import REDIRECTS
from browser_env.pages.document import Document
from browser_env.pages.page import Page
from browser_env.rendering.render import render
from browser_env.snapshots.answers import dump_error, dump_hits, dump_page
from browser_env.snapshots.store import SnapshotStore

MAX_REDIRECTS = 10
"""Maximum number of redirects in an archive that are followed."""


class SnapshotBackend:
    """A backend that records another one, or replays a recording.

    Args:
        store: Recorded answers; a request that has one is not made again.
        backend: The backend to record. Default: replay only; a request without a recorded answer is an error.

    Raises:
        SnapshotError: The store contains snapshots of another backend, or none to replay.
    """

    def __init__(self, store: SnapshotStore, backend: Backend | None = None) -> None:
        self._store = store
        self._backend = backend
        if backend is not None:
            store.begin(backend.name)
        name = store.backend
        if name is None:
            raise SnapshotError(f"there is nothing to replay in {store.path.parent}")
        self.name: str = name

    def search(self, query: str) -> tuple[SearchHit, ...]:
        answer = self._store.answer("search", query)
        if answer is None:
            backend = self._backend_for(f"the search {query[:200]!r}")
            try:
                body = dump_hits(backend.search(query))
            except FetchError as error:
                body = dump_error(error)
            answer = self._store.keep("search", query, "", body)
        return answer.hits()

    def fetch(self, url: str) -> Page:
        url = url.partition("#")[0]
        answer = self._store.answer("page", url)
        if answer is None:
            if self._backend is None and (document := self._archived(url)) is not None:
                return render(document)
            backend = self._backend_for(url)
            try:
                page = backend.fetch(url)
            except FetchError as error:
                answer = self._store.keep("page", url, url, dump_error(error))
            else:
                answer = self._store.keep("page", url, page.url, dump_page(page))
        return answer.page()

    def _backend_for(self, request: str) -> Backend:
        """The backend that is recorded, for a request without a recorded answer.

        Raises:
            SnapshotError: Nothing is recorded, only replayed.
        """
        if self._backend is None:
            raise SnapshotError(
                f"{request} is not among the snapshots in {self._store.path.parent}; a replay makes no requests"
            )
        return self._backend

    def _archived(self, url: str) -> Document | None:
        """The response to a URL in an imported web archive, which has responses but no answers. Redirects are followed."""
        for _ in range(MAX_REDIRECTS):
            recorded = self._store.last_response(url)
            if recorded is None:
                return None
            response = recorded.response
            if response.status not in REDIRECTS or "location" not in response.headers:
                return response.document
            url = urljoin(url, response.headers["location"]).partition("#")[0]
        return None
