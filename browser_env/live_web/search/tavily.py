"""Tavily: https://docs.tavily.com/documentation/api-reference/endpoint/search."""

from collections.abc import Iterator
from typing import ClassVar

from browser_env.backends import SearchHit
from browser_env.live_web.search.provider import ApiRequest, Provider, entries, text


class Tavily(Provider):
    """Tavily, a search engine for language models; the snippets are matching passages."""

    name: ClassVar = "tavily"
    default_url: ClassVar = "https://api.tavily.com"
    key_variable: ClassVar = "TAVILY_API_KEY"
    max_query: ClassVar = 400

    def request(self, query: str) -> ApiRequest:
        body = {"query": query, "search_depth": "basic", "max_results": 10}
        return self.post("/search", body, {"Authorization": f"Bearer {self.key}"})

    def hits(self, reply: bytes) -> Iterator[SearchHit]:
        for entry in entries(reply, "results"):
            yield SearchHit(text(entry, "url"), text(entry, "title"), text(entry, "content"))
