"""All that the environment knows of the world: search for a query, fetch an address.

A `Backend` is shared by many environments and called from many threads. `FakeBackend` is one made of a dict, for the tests
of whoever uses this package.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from browser_env.errors import FetchError
from browser_env.pages.page import Page


@dataclass(frozen=True, slots=True)
class SearchHit:
    """One result of a search."""

    url: str
    title: str
    snippet: str
    """A stretch of the page's text around what matched, where the search engine gives one."""


class Backend(Protocol):
    """A web: live, indexed in a file, recorded, or made up."""

    @property
    def name(self) -> str:
        """What records call it; the same name means the same content."""
        ...

    def search(self, query: str) -> tuple[SearchHit, ...]:
        """The best results first; none for a query that matches nothing, whatever characters it has.

        Raises:
            FetchError: The search could not be made.
        """
        ...

    def fetch(self, url: str) -> Page:
        """The page at an address; the fragment, if any, is ignored.

        Raises:
            FetchError: It could not be had; the message is shown to the policy.
        """
        ...


class FakeBackend:
    """A web made of given pages. A search finds the pages that hold any of its words, those with most of them first."""

    def __init__(self, pages: Iterable[Page], results: Mapping[str, Iterable[SearchHit]] | None = None) -> None:
        self.name = "fake"
        self._pages = {page.url: page for page in pages}
        self._results = {query: tuple(hits) for query, hits in (results or {}).items()}

    def search(self, query: str) -> tuple[SearchHit, ...]:
        if query in self._results:
            return self._results[query]
        words = set(query.casefold().split())
        found = [(sum(word in f"{page.title} {page.text}".casefold() for word in words), page) for page in self._pages.values()]
        ranked = sorted((pair for pair in found if pair[0]), key=lambda pair: -pair[0])
        return tuple(SearchHit(page.url, page.title, page.text[:200].partition("\n\n")[0]) for _, page in ranked)

    def fetch(self, url: str) -> Page:
        page = self._pages.get(url.partition("#")[0])
        if page is None:
            raise FetchError(f"{url} does not exist")
        return page
