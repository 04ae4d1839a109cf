"""Rules of a site's robots.txt for this visitor (RFC 9309).

`urllib.robotparser` applies the first matching rule, where the standard says the longest, and knows no wildcards. Protego
stores each rule once for every user agent of its group: a robots.txt of 100 kB can cost it 17 seconds and 750 MB.
"""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from browser_env.cache import Cache, SingleFlight
from browser_env.errors import FetchError, Refused
from browser_env.network.addresses import parse_address
from browser_env.network.client import Network

MAX_BYTES: Final = 512_000
"""Maximum bytes of a robots.txt; the rest is ignored. RFC 9309 requires at least 500 KiB."""
MAX_AGE: Final = 3_600.0
"""Seconds for which the rules of a site are cached."""
MAX_SITES: Final = 10_000
"""Maximum number of sites whose rules are cached."""
PRODUCT_TOKEN: Final = re.compile(r"[A-Za-z_-]+")
"""The start of a User-Agent: the name of a crawler in robots.txt files."""

_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]")
_UNESCAPED = "%!&'()+,/:;=?@[]~"
"""Reserved characters, which differ from their escapes; without ``*`` and ``$``, which are special in patterns only."""

_Directive = tuple[str, str]
"""Name and value of a line."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one site for one crawler."""

    rules: tuple[tuple[str, bool], ...] = ()
    """Normalized path patterns, and whether each is allowed."""
    crawl_delay: float | None = None
    """Seconds between two requests, a common extension of RFC 9309. None: the site does not set it."""

    def allow(self, target: str) -> bool:
        """Whether a path with its query may be fetched: the longest matching pattern decides, *allow* in case of a tie."""
        target = _normalized(target)
        if target == "/robots.txt":
            return True
        matching = [(len(pattern), is_allowed) for pattern, is_allowed in self.rules if _matches(pattern, target)]
        return max(matching, default=(0, True))[1]


DISALLOW_ALL: Final = Rules((("/", False),))
"""The rules of a site that forbids to read its robots.txt."""


def read_robots(text: str, user_agent: str) -> Rules:
    """Rules for a crawler: the merged groups that name it, or else the merged groups for all crawlers (``*``)."""
    match = PRODUCT_TOKEN.match(user_agent)
    product = match[0].lower() if match else None
    named: list[_Directive] = []
    common: list[_Directive] = []
    is_named = False
    for agents, directives in _groups(text):
        if product in agents:
            is_named = True
            named += directives
        elif "*" in agents:
            common += directives
    directives = named if is_named else common
    rules = tuple((_pattern(value), name == "allow") for name, value in directives if name != "crawl-delay" and value)
    delays = [float(value) for name, value in directives if name == "crawl-delay" and re.fullmatch(r"\d{1,4}(\.\d+)?", value)]
    return Rules(rules, max(delays, default=None))


def _groups(text: str) -> Iterator[tuple[set[str], list[_Directive]]]:
    """Yield the user agents (product tokens in lower case, or ``*``) and the directives of each group."""
    agents: set[str] = set()
    directives: list[_Directive] = []
    for line in text.removeprefix("\ufeff").splitlines():
        name, _, value = line.partition("#")[0].partition(":")
        name, value = name.strip().lower(), value.strip()
        if name == "user-agent":
            if directives:
                yield agents, directives
                agents, directives = set(), []
            match = PRODUCT_TOKEN.match(value)
            agents.add(match[0].lower() if match else value)
        elif agents and name in ("allow", "disallow", "crawl-delay"):
            directives.append((name, value))
    if agents:
        yield agents, directives


def _normalized(path: str) -> str:
    """A path in one spelling (RFC 9309, 2.2.2): unreserved characters plain, reserved ones as they are, others escaped."""

    def unescaped(escape: re.Match[str]) -> str:
        character = chr(int(escape[1], 16))
        return character if _UNRESERVED.match(character) else escape[0].upper()

    return quote(_ESCAPE.sub(unescaped, path), safe=_UNESCAPED, errors="surrogateescape")


def _pattern(value: str) -> str:
    """A rule's pattern with its literal parts normalized."""
    end = "$" if value.endswith("$") else ""
    return "*".join(map(_normalized, value.removesuffix("$").split("*"))) + end


def _matches(pattern: str, target: str) -> bool:
    """Whether a path matches a pattern, in which ``*`` is any text and a final ``$`` the end of the path; in linear time."""
    is_anchored = pattern.endswith("$")
    first, *rest = pattern.removesuffix("$").split("*")
    if not target.startswith(first):
        return False
    position = len(first)
    for number, part in enumerate(rest):
        if is_anchored and number == len(rest) - 1:
            return len(target) - len(part) >= position and target.endswith(part)
        position = target.find(part, position)
        if position < 0:
            return False
        position += len(part)
    return not is_anchored or position == len(target)


class Robots:
    """The robots.txt rules of all visited sites, each fetched at most once an hour. Thread-safe.

    Args:
        network: Fetches the robots.txt files; its User-Agent names the crawler.
        clock: Returns the time in seconds, from any origin.
    """

    def __init__(self, network: Network, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._network = network
        self._cache: Cache[str, Rules] = Cache(MAX_SITES, lambda rules: 1, max_age=MAX_AGE, clock=clock)
        self._requests: SingleFlight[str, Rules] = SingleFlight()

    def check(self, url: str) -> None:
        """Check that a URL may be fetched.

        Raises:
            Refused: The site's robots.txt forbids it.
            FetchError: The robots.txt could not be fetched.
        """
        address = parse_address(url)
        if not self.rules(address.origin).allow(address.target):
            raise Refused(f"robots.txt of {address.host} forbids to visit {url}")

    def rules(self, origin: str) -> Rules:
        """Rules of a site: no rules if it has no robots.txt, `DISALLOW_ALL` if reading it is forbidden.

        Raises:
            FetchError: The robots.txt could not be fetched, so the rules are unknown.
        """
        rules = self._cache.get(origin)
        return self._requests.get(origin, lambda: self._cache.keep(origin, self._fetch(origin))) if rules is None else rules

    def _fetch(self, origin: str) -> Rules:
        response = self._network.request(f"{origin}/robots.txt")
        if response.status in (401, 403):
            return DISALLOW_ALL
        if response.status >= 500 or response.status == 429:
            raise FetchError(f"{response.url} answers HTTP {response.status}, so nothing may be fetched; try again later")
        if response.status >= 300:
            return Rules()
        text = response.body[:MAX_BYTES].decode("utf-8", "replace")
        return read_robots(text, self._network.settings.user_agent)
