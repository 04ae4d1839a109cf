"""One search of the live web: ask a provider through the door, and make clean hits of what it says."""

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
"""Results of a search that are shown."""
MAX_TITLE, MAX_SNIPPET = 300, 1_000
"""Characters of each."""
MAX_SOURCE: Final = 10_000
"""Characters of a text with its markup that are looked at."""
WAIT: Final = 1.0
"""Seconds before a search that failed is made once more, and up to as many again."""
REFUSALS: Final = frozenset({401, 403})
QUOTA_SPENT: Final = frozenset({402, 432, 433})
"""Answers to a key whose credit or plan is used up; the last two are Tavily's."""

_NOT_SHOWN = re.compile(r"<(script|style)\b.*?</\1\s*>|<!--.*?-->", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(
    r"</?(?:a|abbr|b|big|br|cite|code|dfn|div|em|font|h[1-6]|hr|i|img|kbd|li|mark|ol|p|q|s|samp|small|span|strong|sub|sup|td|th|tr"
    r"|tt|u|ul|var|wbr)(?:\s[^<>]*)?/?>",
    re.IGNORECASE,
)


class SearchEngine:
    """Searches with one provider; safe to share between threads.

    Args:
        provider: Who is asked.
        network: The door; None: one whose rules fit the provider.
        sleep: Waits for so many seconds.
        jitter: A number between 0 and 1, so that many who failed at once do not come back at once.
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
        """The provider's."""
        return self.provider.name

    def search(self, query: str) -> tuple[SearchHit, ...]:
        """The results for a query, best first.

        Raises:
            FetchError: There was no answer that could be used.
            SearchConfigError: The provider refuses the key, has no searches left for it, or was never there.
        """
        query = " ".join(unicodedata.normalize("NFC", query).split())[: self.provider.max_query].strip()
        if not query:
            return ()
        try:
            return tuple(clean_hits(self.provider.hits(self._ask(query).body)))
        except Unreachable as error:
            if not self._has_answered:
                raise SearchConfigError(self._nobody_there()) from error
            raise FetchError(f"the search failed: {self.name}: {error}") from error
        except FetchError as error:
            raise FetchError(f"the search failed: {self.name}: {error}") from error

    def _ask(self, query: str) -> Response:
        """The answer to a query. One that a busy or broken provider did not give is asked for once more."""
        try:
            response = self._send(query)
            again = _is_worth_another(response)
        except Refused:
            raise  # a rule of the door forbids it the next time too
        except FetchError:
            again = True  # if it is still so, the second attempt says it
        if again:
            self._sleep(WAIT * (1 + self._jitter()))
            response = self._send(query)
        return self._checked(response)

    def _send(self, query: str) -> Response:
        asked = self.provider.request(query)
        response = self._network.request(asked.url, method=asked.method, headers=asked.headers, body=asked.body, follow=False)
        self._has_answered = True
        return response

    def _nobody_there(self) -> str:
        variable = url_variable(self.name)
        return (
            f"no {self.name} answers at {self.provider.base_url}: set {variable}, or choose another provider (SEARCH_PROVIDER)"
        )

    def _checked(self, response: Response) -> Response:
        """A response that has results; what it says otherwise is never shown, since it may repeat the key."""
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
    """A door for one provider: only to its port, without redirects, and to any address if a person has said where it is."""
    address = parse_address(provider.base_url)
    is_named = provider.base_url != provider.default_url or not provider.base_url.startswith("https:")
    return Network(
        NetworkSettings(
            ports=frozenset({address.port}),
            allow_private=is_named,
            max_redirects=0,
            requests_per_second=provider.requests_per_second,
            burst=max(1, int(provider.requests_per_second)),
        )
    )


def clean_hits(hits: Iterable[SearchHit]) -> Iterator[SearchHit]:
    """Hits as plain text with the addresses that they lead to, each page once, at most `MAX_HITS`."""
    known: set[str] = set()
    for hit in hits:
        url = unwrap(hit.url.strip())
        page = without_tracking(url.partition("#")[0])
        if not is_http(url) or page in known:
            continue
        known.add(page)
        yield SearchHit(url, plain(hit.title)[:MAX_TITLE], plain(hit.snippet)[:MAX_SNIPPET])
        if len(known) == MAX_HITS:
            return


def plain(text: str) -> str:
    """Text on one line, without HTML: what is marked up by providers that send HTML, and no more, so ``List<int>`` survives."""
    return " ".join(html.unescape(_TAG.sub("", _NOT_SHOWN.sub(" ", text[:MAX_SOURCE]))).split())


def _is_worth_another(response: Response) -> bool:
    """Whether the same request may succeed in a moment. After a Retry-After the network has waited already, if it was short."""
    return response.status >= 500 or (response.status == 429 and "retry-after" not in response.headers)
