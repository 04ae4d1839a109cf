"""Serper, an API for Google's results: https://serper.dev."""

from collections.abc import Iterator
from typing import ClassVar

from browser_env.backends import SearchHit
from browser_env.live_web.search.provider import ApiRequest, Provider, entries, text


class Serper(Provider):
    """Serper, which gives the URL of a result in the field ``link``."""

    name: ClassVar = "serper"
    default_url: ClassVar = "https://google.serper.dev"
    key_variable: ClassVar = "SERPER_API_KEY"

    def request(self, query: str) -> ApiRequest:
        return self.post("/search", {"q": query, "num": 10}, {"X-API-KEY": self.key})

    def hits(self, reply: bytes) -> Iterator[SearchHit]:
        for entry in entries(reply, "organic"):
            yield SearchHit(text(entry, "link"), text(entry, "title"), text(entry, "snippet"))
