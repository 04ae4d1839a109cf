"""You.com: https://documentation.you.com/api-reference/search."""

from collections.abc import Iterator
from typing import ClassVar

from browser_env.backends import SearchHit
from browser_env.live_web.search.provider import ApiRequest, Provider, entries, joined, text


class You(Provider):
    """You.com, whose results have a list of snippets and a description. The key variable is named as in its documentation."""

    name: ClassVar = "you"
    default_url: ClassVar = "https://ydc-index.io"
    key_variable: ClassVar = "YDC_API_KEY"

    def request(self, query: str) -> ApiRequest:
        return self.get("/v1/search", {"query": query, "count": 10}, {"X-API-Key": self.key})

    def hits(self, reply: bytes) -> Iterator[SearchHit]:
        for entry in entries(reply, "results", "web"):
            snippet = joined(entry, "snippets") or text(entry, "description")
            yield SearchHit(text(entry, "url"), text(entry, "title"), snippet)
