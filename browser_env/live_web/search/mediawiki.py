"""Wikis on MediaWiki, such as Wikipedia: https://www.mediawiki.org/wiki/API:Search."""

from collections.abc import Iterator
from typing import ClassVar
from urllib.parse import quote, urlsplit

from browser_env.backends import SearchHit
from browser_env.live_web.search.provider import ApiRequest, Provider, entries, text


class MediaWiki(Provider):
    """The action API of one wiki.

    The base URL is that of the wiki's scripts (``https://en.wikipedia.org/w``) or of its host. Results contain only titles;
    URLs are made from them: ``/wiki/<title>`` if the path of the scripts is ``/w``, else ``index.php/<title>``.
    """

    name: ClassVar = "mediawiki"
    default_url: ClassVar = "https://en.wikipedia.org/w"
    requests_per_second: ClassVar = 5
    max_query: ClassVar = 300

    def request(self, query: str) -> ApiRequest:
        parameters: dict[str, str | int] = {"list": "search", "srsearch": query, "srlimit": 10, "srprop": "snippet"}
        return self.get("/api.php", {"action": "query", "format": "json", "formatversion": 2, **parameters})

    def hits(self, reply: bytes) -> Iterator[SearchHit]:
        for entry in entries(reply, "query", "search"):
            title = text(entry, "title")
            yield SearchHit(self._address(title) if title else "", title, text(entry, "snippet"))

    def _address(self, title: str) -> str:
        parts = urlsplit(self.base_url)
        name = quote(title.replace(" ", "_"), safe="/:@!$()*,;~'")
        if parts.path == "/w":
            return f"{parts.scheme}://{parts.netloc}/wiki/{name}"
        return f"{self.base_url}/index.php/{name}"
