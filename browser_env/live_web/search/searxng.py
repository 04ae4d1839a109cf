"""SearXNG, a self-hosted metasearch engine: https://docs.searxng.org/dev/search_api.html."""

from collections.abc import Iterator
from typing import ClassVar

from browser_env.backends import SearchHit
from browser_env.live_web.search.provider import ApiRequest, Provider, entries, text


class SearXNG(Provider):
    """A SearXNG instance; its settings must allow the JSON format, which is off by default."""

    name: ClassVar = "searxng"
    default_url: ClassVar = "http://localhost:8080"

    @property
    def refusal(self) -> str:
        return "add json to search.formats in its settings.yml, or set SEARXNG_URL to another instance"

    def request(self, query: str) -> ApiRequest:
        return self.get("/search", {"q": query, "format": "json", "categories": "general"})

    def hits(self, reply: bytes) -> Iterator[SearchHit]:
        for entry in entries(reply, "results"):
            yield SearchHit(text(entry, "url"), text(entry, "title"), text(entry, "content"))
