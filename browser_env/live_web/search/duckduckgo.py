"""DuckDuckGo's results page for browsers without JavaScript; it needs no key.

The package ``ddgs`` reads the same page, but opens its own connections and imitates a browser. Here the request goes
through `browser_env.network`, with an honest User-Agent. DuckDuckGo may refuse to answer, so use it for a few questions, not
for rollouts.
"""

from collections.abc import Iterator
from typing import ClassVar
from urllib.parse import urlencode, urljoin

from bs4 import BeautifulSoup

from browser_env.backends import SearchHit
from browser_env.errors import FetchError
from browser_env.live_web.search.provider import ApiRequest, Provider


class DuckDuckGo(Provider):
    """DuckDuckGo; results are HTML, mixed with advertisements, and link through a redirector."""

    name: ClassVar = "duckduckgo"
    default_url: ClassVar = "https://html.duckduckgo.com"
    requests_per_second: ClassVar = 1
    max_query: ClassVar = 400

    def request(self, query: str) -> ApiRequest:
        headers = {"Accept": "text/html", "Content-Type": "application/x-www-form-urlencoded"}
        return ApiRequest(f"{self.base_url}/html/", "POST", headers, urlencode({"q": query, "kl": "wt-wt"}).encode())

    def hits(self, reply: bytes) -> Iterator[SearchHit]:
        page = BeautifulSoup(reply.decode("utf-8", "replace"), "lxml")
        if page.select_one("[class^=anomaly], [class*=' anomaly']"):
            raise FetchError("it asks whether a person is there; try again later, or another provider (SEARCH_PROVIDER)")
        for result in page.select(".result:not(.result--ad)"):
            if link := result.select_one(".result__a"):
                snippet = result.select_one(".result__snippet")
                href = link.get("href")
                url = urljoin(self.base_url, str(href)) if href else ""
                yield SearchHit(url, link.get_text(), snippet.get_text() if snippet else "")
