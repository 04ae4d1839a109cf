"""Exa: https://docs.exa.ai/reference/search."""

from collections.abc import Iterator
from typing import ClassVar

from browser_env.backends import SearchHit
from browser_env.live_web.search.provider import ApiRequest, Provider, entries, joined, text


class Exa(Provider):
    """Exa, a semantic search engine; the snippets are the highlights that the request asks for."""

    name: ClassVar = "exa"
    default_url: ClassVar = "https://api.exa.ai"
    key_variable: ClassVar = "EXA_API_KEY"

    def request(self, query: str) -> ApiRequest:
        body = {"query": query, "type": "auto", "numResults": 10, "contents": {"highlights": True}}
        return self.post("/search", body, {"x-api-key": self.key})

    def hits(self, reply: bytes) -> Iterator[SearchHit]:
        for entry in entries(reply, "results"):
            snippet = joined(entry, "highlights") or text(entry, "summary", "text")
            yield SearchHit(text(entry, "url"), text(entry, "title"), snippet)
