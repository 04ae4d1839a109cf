"""Backends: the webs that an environment browses. A backend searches for a query and fetches a URL.

Many environments share one backend and call it from many threads. `FakeBackend` is made of given pages, for tests.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from browser_env.errors import FetchError
from browser_env.pages.page import Page


@dataclass(frozen=True, slots=True)
class SearchHit:
    """One search result."""

    url: str
    """URL of the page."""
    title: str
    """Title of the page."""
    snippet: str
    """Text of the page around the match; empty if the search engine gives none."""


class Backend(Protocol):
    """A web to browse: live, offline, recorded, or fake for tests."""

    @property
    def name(self) -> str:
        """Name in records; webs of the same name have the same content."""
        ...

    def search(self, query: str) -> tuple[SearchHit, ...]:
        """Search for a query of any characters; returns the best results first, or none if nothing matches.

        Raises:
            FetchError: The search failed.
        """
        ...

    def fetch(self, url: str) -> Page:
        """Fetch the page at a URL; its fragment is ignored.

        Raises:
            FetchError: The page is not available; the message is shown to the policy.
        """
        ...


class FakeBackend:
    """A web made of given pages, for tests.

    A search finds the pages that contain any word of the query, those with the most words first.

    Args:
        pages: The pages of the web.
        results: Search results to return for particular queries.
    """

    def __init__(self, pages: Iterable[Page], results: Mapping[str, Iterable[SearchHit]] | None = None) -> None:
        self.name = "fake"
        self._pages = {page.url: page for page in pages}
        self._results = {query: tuple(hits) for query, hits in (results or {}).items()}

    def search(self, query: str) -> tuple[SearchHit, ...]:
        if query in self._results:
            return self._results[query]
        words = set(query.casefold().split())
        num_words = {
            url: sum(word in f"{page.title} {page.text}".casefold() for word in words) for url, page in self._pages.items()
        }
        ranked = sorted((page for page in self._pages.values() if num_words[page.url]), key=lambda page: -num_words[page.url])
        return tuple(SearchHit(page.url, page.title, page.text[:200].partition("\n\n")[0]) for page in ranked)

    def fetch(self, url: str) -> Page:
        page = self._pages.get(url.partition("#")[0])
        if page is None:
            raise FetchError(f"{url} does not exist")
        return page
