"""Brave Search: https://api-dashboard.search.brave.com/app/documentation/web-search/get-started."""

from collections.abc import Iterator
from typing import ClassVar

from browser_env.backends import SearchHit
from browser_env.live_web.search.provider import ApiRequest, Provider, entries, text


class Brave(Provider):
    """Brave Search, which has its own index; descriptions are HTML."""

    name: ClassVar = "brave"
    default_url: ClassVar = "https://api.search.brave.com"
    key_variable: ClassVar = "BRAVE_API_KEY"
    max_query: ClassVar = 400

    def request(self, query: str) -> ApiRequest:
        first_words = " ".join(query.split()[:50])  # the API rejects longer queries
        parameters: dict[str, str | int] = {"q": first_words, "count": 20, "text_decorations": "false"}
        return self.get("/res/v1/web/search", parameters, {"X-Subscription-Token": self.key})

    def hits(self, reply: bytes) -> Iterator[SearchHit]:
        for entry in entries(reply, "web", "results"):
            yield SearchHit(text(entry, "url"), text(entry, "title"), text(entry, "description"))
