"""Recorded answers of a backend: the hits of a query or the page of a URL, as JSON, errors included."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from browser_env.backends import SearchHit
from browser_env.errors import FetchError
from browser_env.pages.page import Link, Page
from browser_env.records.storage import storable

Kind = Literal["search", "page"]
"""Kind of a request to a backend: *search* for a query, *page* for a URL."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer of a backend to one request."""

    kind: Kind
    request: str
    """The query or the URL."""
    url: str
    """Final URL of the page, or the requested URL if fetching it failed; empty for a search."""
    at: str
    """Time of the answer, ISO 8601 in UTC."""
    renderer: int
    """`RENDERER_VERSION` of the program that recorded the answer."""
    body: bytes
    """JSON: ``{"hits": [...]}``, ``{"page": {...}}`` or ``{"error": "..."}``."""

    def hits(self) -> tuple[SearchHit, ...]:
        """The hits of a search.

        Raises:
            FetchError: The search failed when it was recorded.
        """
        return tuple(SearchHit(**hit) for hit in self._content()["hits"])

    def page(self) -> Page:
        """The page that was fetched.

        Raises:
            FetchError: The page could not be fetched when it was recorded.
        """
        return _load_page(self._content()["page"])

    def _content(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.body)
        if "error" in content:
            raise FetchError(content["error"])
        return content


def dump_hits(hits: Iterable[SearchHit]) -> bytes:
    """Encode hits as the body of an answer to a search."""
    return _dump({"hits": [asdict(hit) for hit in hits]})


def dump_page(page: Page) -> bytes:
    """Encode a page as the body of an answer to a fetch."""
    return _dump({"page": asdict(page)})


def dump_error(error: FetchError) -> bytes:
    """Encode an error as the body of an answer."""
    return _dump({"error": str(error)})


def _dump(value: Mapping[str, object]) -> bytes:
    return storable(json.dumps(value, ensure_ascii=False, separators=(",", ":"))).encode()


def _load_page(value: Mapping[str, Any]) -> Page:
    spans = {name: tuple(map(tuple, value[name])) for name in ("anchors", "headings")}
    links = tuple(Link(**link) for link in value["links"])
    return Page(**{**value, **spans, "links": links, "notes": tuple(value["notes"])})
