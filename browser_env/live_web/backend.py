"""The live web as a backend: a search engine, and pages fetched through the network client.

Results and pages are cached for ten minutes, because many rollouts request the same ones. The pages that an episode has
visited stay in its state, whatever their age.
"""

import time
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from browser_env.backends import SearchHit
from browser_env.cache import Cache, SingleFlight
from browser_env.live_web.loading import Load
from browser_env.live_web.search.engine import SearchEngine
from browser_env.network.robots import Robots
from browser_env.pages.page import Page
from browser_env.rendering.main_content import ReadingMode
from browser_env.rendering.render import render

V = TypeVar("V")

MAX_AGE: Final = 600.0
"""Seconds for which pages and results are cached."""
MAX_CHARACTERS: Final = 16_000_000
"""Capacity of the page cache and of the result cache, in characters. Find and Quote need about 9 more bytes a character."""
OVERHEAD: Final = 2_000
"""Characters that a cached page or list of results counts for, in addition to its text."""


class LiveWeb:
    """A `browser_env.backends.Backend` for the live web. Thread-safe.

    Args:
        engine: Search engine.
        load: Loads documents.
        robots: Rules of robots.txt files. Default: the files are not checked.
        mode: Whether to show pages in full or their main content only.
        clock: Returns the time in seconds, from any origin.
    """

    def __init__(
        self,
        engine: SearchEngine,
        load: Load,
        *,
        robots: Robots | None = None,
        mode: ReadingMode = "full",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = f"web:{engine.name}"
        self._engine = engine
        self._load = load
        self._robots = robots
        self._mode: ReadingMode = mode
        self._results: _RequestCache[tuple[SearchHit, ...]] = _RequestCache(
            clock, lambda hits: sum(len(hit.snippet) for hit in hits)
        )
        self._pages: _RequestCache[Page] = _RequestCache(clock, lambda page: len(page.text))

    def search(self, query: str) -> tuple[SearchHit, ...]:
        return self._results.get(query, self._engine.search)

    def fetch(self, url: str) -> Page:
        return self._pages.get(url.partition("#")[0], self._fetch)

    def _fetch(self, url: str) -> Page:
        if self._robots is not None:
            self._robots.check(url)
        document = self._load(url)
        if self._robots is not None and document.url != url:
            self._robots.check(document.url)
        return render(document, mode=self._mode)


class _RequestCache(Generic[V]):
    """Cache of results by request, each for `MAX_AGE` seconds. Concurrent equal requests are made once."""

    def __init__(self, clock: Callable[[], float], size: Callable[[V], int]) -> None:
        self._cache: Cache[str, V] = Cache(MAX_CHARACTERS, lambda value: OVERHEAD + size(value), max_age=MAX_AGE, clock=clock)
        self._requests: SingleFlight[str, V] = SingleFlight()

    def get(self, request: str, fetch: Callable[[str], V]) -> V:
        value = self._cache.get(request)
        return self._requests.get(request, lambda: self._cache.keep(request, fetch(request))) if value is None else value
