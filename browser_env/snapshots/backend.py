"""A backend that records what another one returns, and replays it offline."""

from dataclasses import asdict
from urllib.parse import urljoin

from browser_env.backends import Backend, SearchHit
from browser_env.errors import FetchError, SnapshotError
from browser_env.network.messages import REDIRECTS
from browser_env.pages.document import Document
from browser_env.pages.page import Page
from browser_env.rendering.render import render
from browser_env.snapshots.store import MAX_REDIRECTS, SnapshotStore, _dumped, _loaded, load_page


class SnapshotBackend:
    """A web that is recorded as it is seen, or one that was.

    Args:
        store: Where answers are kept. What is there is not asked for again.
        backend: The web that is recorded. None: nothing is asked of any web, and what is not in the store is an error.

    Raises:
        SnapshotError: The store holds snapshots of another web, or of none where one is to be replayed.
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
        kept = self._store.answer("search", query)
        if kept is None:
            backend = self._recorded(f"the search {query[:200]!r}")
            try:
                value: dict[str, object] = {"hits": [asdict(hit) for hit in backend.search(query)]}
            except FetchError as error:
                value = {"error": str(error)}
            kept = self._store.keep("search", query, "", _dumped(value))
        return tuple(SearchHit(**hit) for hit in _loaded(kept)["hits"])

    def fetch(self, url: str) -> Page:
        url = url.partition("#")[0]
        kept = self._store.answer("page", url)
        if kept is not None:
            return load_page(_loaded(kept)["page"])
        if self._backend is None and (document := self._document(url)) is not None:
            return render(document)  # of an archive that was made elsewhere
        backend = self._recorded(url)
        try:
            page = backend.fetch(url)
        except FetchError as error:
            kept = self._store.keep("page", url, url, _dumped({"error": str(error)}))
        else:
            kept = self._store.keep("page", url, page.url, _dumped({"page": asdict(page)}))
        return load_page(_loaded(kept)["page"])

    def _recorded(self, asked: str) -> Backend:
        if self._backend is None:
            raise SnapshotError(
                f"{asked} is not among the snapshots in {self._store.path.parent}; nothing else is asked in a replay"
            )
        return self._backend

    def _document(self, url: str) -> Document | None:
        """What an archive has at an address, its redirects followed."""
        for _ in range(MAX_REDIRECTS):
            received = self._store.received(url)
            if received is None:
                return None
            response = received.response
            if response.status not in REDIRECTS or "location" not in response.headers:
                return response.document
            url = urljoin(url, response.headers["location"]).partition("#")[0]
        return None
