"""The search engine of the live web: sends the request of a provider, and cleans the hits in the reply."""

import html
import random
import re
import time
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from browser_env.backends import SearchHit
from browser_env.errors import FetchError, Refused, SearchConfigError, Unreachable
from browser_env.live_web.search.provider import Provider, url_variable
from browser_env.live_web.search.redirectors import unwrap
from browser_env.network.addresses import parse_address
from browser_env.network.client import Network
from browser_env.network.messages import Response
from browser_env.network.settings import NetworkSettings
from browser_env.rendering.links import is_http, without_tracking

MAX_HITS: Final = 20
"""Maximum number of hits of a search."""
MAX_TITLE, MAX_SNIPPET = 300, 1_000
"""Maximum characters of a title and of a snippet."""
MAX_SOURCE: Final = 10_000
"""Maximum characters of a title or snippet with its markup; the rest is ignored."""
WAIT: Final = 1.0
"""Minimum seconds before a failed search is repeated; a random delay of up to as many seconds is added."""
REFUSALS: Final = frozenset({401, 403})
"""HTTP statuses of a reply that rejects the key."""
QUOTA_SPENT: Final = frozenset({402, 432, 433})
"""HTTP statuses of a reply to a key whose quota is used up; the last two are Tavily's."""

_NOT_SHOWN = re.compile(r"<(script|style)\b.*?</\1\s*>|<!--.*?-->", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(
    r"</?(?:a|abbr|b|big|br|cite|code|dfn|div|em|font|h[1-6]|hr|i|img|kbd|li|mark|ol|p|q|s|samp|small|span|strong|sub|sup|td|th|tr"
    r"|tt|u|ul|var|wbr)(?:\s[^<>]*)?/?>",
    re.IGNORECASE,
)


class SearchEngine:
    """Searches with one provider. Thread-safe.

    Args:
        provider: The search provider.
        network: Network client. Default: a client that may connect to the port of the provider only.
        sleep: Waits for a number of seconds.
        jitter: Returns a random number between 0 and 1, so that threads do not repeat failed searches at the same time.
    """

    def __init__(
        self,
        provider: Provider,
        network: Network | None = None,
        *,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.provider = provider
        self._network = network or network_for(provider)
        self._sleep = sleep
        self._jitter = jitter
        self._has_answered = False

    @property
    def name(self) -> str:
        """Name of the provider."""
        return self.provider.name

    def search(self, query: str) -> tuple[SearchHit, ...]:
        """Search for a query; best hits first.

        Raises:
            FetchError: The provider did not answer, or its reply cannot be read.
            SearchConfigError: The provider refuses the key, its quota is used up, or no server answers at its URL.
        """
        query = " ".join(unicodedata.normalize("NFC", query).split())[: self.provider.max_query].strip()
        if not query:
            return ()
        try:
            return tuple(clean_hits(self.provider.hits(self._ask(query).body)))
        except Unreachable as error:
            if not self._has_answered:
                raise SearchConfigError(self._unreachable_message()) from error
            raise FetchError(f"the search failed: {self.name}: {error}") from error
        except FetchError as error:
            raise FetchError(f"the search failed: {self.name}: {error}") from error

    def _ask(self, query: str) -> Response:
        """Send a query, and once more if the provider is busy or failing."""
        try:
            response = self._send(query)
            is_failed = _is_temporary(response)
        except Refused:
            raise  # a rule of the network client forbids the second attempt, too
        except FetchError:
            is_failed = True  # the second attempt raises if it fails too
        if is_failed:
            self._sleep(WAIT * (1 + self._jitter()))
            response = self._send(query)
        return self._checked(response)

    def _send(self, query: str) -> Response:
        request = self.provider.request(query)
        response = self._network.request(
            request.url, method=request.method, headers=request.headers, body=request.body, follow=False
        )
        self._has_answered = True
        return response

    def _unreachable_message(self) -> str:
        variable = url_variable(self.name)
        return (
            f"no {self.name} answers at {self.provider.base_url}: set {variable}, or choose another provider (SEARCH_PROVIDER)"
        )

    def _checked(self, response: Response) -> Response:
        """Return a response whose status is 200. The text of error responses is never shown, because it may contain the key."""
        status = response.status
        if status in REFUSALS:
            raise SearchConfigError(f"{self.name} refuses to search (HTTP {status}): {self.provider.refusal}")
        if status in QUOTA_SPENT:
            raise SearchConfigError(
                f"{self.name} has no searches left for this key (HTTP {status}): "
                f"set {self.provider.key_variable} to another, or choose another provider (SEARCH_PROVIDER)"
            )
        if 300 <= status < 400:
            variable = url_variable(self.name)
            raise SearchConfigError(f"{self.name} is not at {self.provider.base_url} (HTTP {status}): set {variable}")
        if status == 429:
            raise FetchError("too many searches (HTTP 429); try again later")
        if status != 200:
            raise FetchError(f"it answered HTTP {status}")
        return response


def network_for(provider: Provider) -> Network:
    """Create a network client for one provider: its port only, no redirects, private addresses for a configured server."""
    address = parse_address(provider.base_url)
    is_configured = provider.base_url != provider.default_url or not provider.base_url.startswith("https:")
    return Network(
        NetworkSettings(
            ports=frozenset({address.port}),
            allow_private=is_configured,
            max_redirects=0,
            requests_per_second=provider.requests_per_second,
            burst=max(1, int(provider.requests_per_second)),
        )
    )


def clean_hits(hits: Iterable[SearchHit]) -> Iterator[SearchHit]:
    """Clean hits: plain text, URLs without redirectors, each page once, at most `MAX_HITS`."""
    pages: set[str] = set()
    for hit in hits:
        url = unwrap(hit.url.strip())
        page = without_tracking(url.partition("#")[0])
        if not is_http(url) or page in pages:
            continue
        pages.add(page)
        yield SearchHit(url, plain(hit.title)[:MAX_TITLE], plain(hit.snippet)[:MAX_SNIPPET])
        if len(pages) == MAX_HITS:
            return


def plain(text: str) -> str:
    """Convert HTML to text on one line. Only the tags that providers use are removed, so that ``List<int>`` survives."""
    return " ".join(html.unescape(_TAG.sub("", _NOT_SHOWN.sub(" ", text[:MAX_SOURCE]))).split())


def _is_temporary(response: Response) -> bool:
    """Whether repeating a request may help; not after a 429 with a Retry-After, which the network client obeys."""
    return response.status >= 500 or (response.status == 429 and "retry-after" not in response.headers)
