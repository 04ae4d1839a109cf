"""DuckDuckGo's page for browsers without JavaScript, the one that the package ``ddgs`` asks too: it needs no key.

That package opens connections of its own and poses as a browser; here the page goes through the one door and the visitor says
who it is. There is no promise that it answers: a fallback for a few questions, not for rollouts.
"""

from collections.abc import Iterator
from typing import ClassVar
from urllib.parse import urlencode, urljoin

from browser_env.backends import SearchHit
from browser_env.errors import FetchError
from browser_env.live_web.search.provider import ApiRequest, Provider
from browser_env.rendering.tree import Element, elements, parse, text_of


class DuckDuckGo(Provider):
    """Results come as HTML, their addresses behind a redirector, advertisements among them."""

    name: ClassVar = "duckduckgo"
    default_url: ClassVar = "https://html.duckduckgo.com"
    requests_per_second: ClassVar = 1
    max_query: ClassVar = 400

    def request(self, query: str) -> ApiRequest:
        headers = {"Accept": "text/html", "Content-Type": "application/x-www-form-urlencoded"}
        return ApiRequest(f"{self.base_url}/html/", "POST", headers, urlencode({"q": query, "kl": "wt-wt"}).encode())

    def hits(self, reply: bytes) -> Iterator[SearchHit]:
        root = parse(reply.decode("utf-8", "replace")).root
        if any(name.startswith("anomaly") for element in elements(root) for name in _classes(element)):
            raise FetchError("it asks whether a person is there; try again later, or another provider (SEARCH_PROVIDER)")
        for block in elements(root):
            if "result" not in (classes := _classes(block)) or "result--ad" in classes:
                continue
            parts = {name: element for element in elements(block) for name in _classes(element)}
            if (link := parts.get("result__a")) is not None:
                snippet = parts.get("result__snippet")
                href = link.attributes.get("href")
                url = urljoin(self.base_url, href) if href else ""
                yield SearchHit(url, text_of(link), text_of(snippet) if snippet else "")


def _classes(element: Element) -> list[str]:
    return element.attributes.get("class", "").split()
