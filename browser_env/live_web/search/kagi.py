"""Kagi: https://help.kagi.com/kagi/api/search.html."""

from collections.abc import Iterator
from typing import ClassVar

from browser_env.backends import SearchHit
from browser_env.live_web.search.provider import ApiRequest, Provider, entries, text


class Kagi(Provider):
    """Kagi Search API, version 1, which differs from version 0 in its fields and its authorization."""

    name: ClassVar = "kagi"
    default_url: ClassVar = "https://kagi.com"
    key_variable: ClassVar = "KAGI_API_KEY"

    def request(self, query: str) -> ApiRequest:
        body = {"query": query, "workflow": "search", "limit": 10}
        return self.post("/api/v1/search", body, {"Authorization": f"Bearer {self.key}"})

    def hits(self, reply: bytes) -> Iterator[SearchHit]:
        for entry in entries(reply, "data", "search"):
            yield SearchHit(text(entry, "url"), text(entry, "title"), text(entry, "snippet"))
