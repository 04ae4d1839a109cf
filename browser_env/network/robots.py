"""What a site asks of robots: its robots.txt, read as RFC 9309 says.

The module of the standard library takes the first rule that fits, where the standard, and every site that is written for it,
means the longest; and it knows no wildcards.
"""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote

from browser_env.cache import SingleFlight
from browser_env.errors import FetchError, Refused
from browser_env.network.addresses import parse_address
from browser_env.network.client import Network

MAX_BYTES: Final = 512_000
"""Of a robots.txt that are read; the standard asks for 500 kB at least."""
MAX_AGE: Final = 3_600.0
"""Seconds for which a robots.txt is believed."""
PRODUCT: Final = re.compile(r"[A-Za-z_-]+")
"""The part of a User-Agent that a robots.txt calls it by."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What one robot may visit on one site."""

    rules: tuple[tuple[str, bool], ...] = ()
    """Patterns of paths, and whether they are allowed."""
    crawl_delay: float | None = None
    """Seconds between two requests, where the site says so; not in the standard, but in use."""

    def allow(self, target: str) -> bool:
        """Whether a path with its query may be visited: the longest pattern that fits decides, of two the one that allows."""
        target = _normal(target)
        if target == "/robots.txt":
            return True
        fitting = [(len(pattern), is_allowed) for pattern, is_allowed in self.rules if _fits(pattern, target)]
        return max(fitting, default=(0, True))[1]


NOTHING: Final = Rules((("/", False),))
"""Allows nothing: for a site whose robots.txt may not be read."""


def read_robots(text: str, user_agent: str) -> Rules:
    """The rules for a robot: those of every group that names it, or else those of the groups for all."""
    found = PRODUCT.match(user_agent)
    product = found[0].lower() if found else ""
    own: list[tuple[str, str]] = []
    common: list[tuple[str, str]] = []
    is_named = False
    for agents, lines in _groups(text):
        if product and product in agents:
            is_named = True
            own += lines
        elif "*" in agents:
            common += lines
    lines = own if is_named else common
    rules = tuple((_normal(value), name == "allow") for name, value in lines if name in ("allow", "disallow") and value)
    delays = [float(value) for name, value in lines if name == "crawl-delay" and re.fullmatch(r"\d{1,4}(\.\d+)?", value)]
    return Rules(rules, max(delays, default=None))


def _groups(text: str) -> Iterator[tuple[list[str], list[tuple[str, str]]]]:
    """Names of robots (in lower case), and the lines for them."""
    agents: list[str] = []
    lines: list[tuple[str, str]] = []
    for line in text.removeprefix("\ufeff").splitlines():
        name, _, value = line.partition("#")[0].partition(":")
        name, value = name.strip().lower(), value.strip()
        if name == "user-agent":
            if lines:
                yield agents, lines
                agents, lines = [], []
            match = PRODUCT.match(value)
            agents.append("*" if value == "*" else match[0].lower() if match else value)
        elif agents and name in ("allow", "disallow", "crawl-delay"):
            lines.append((name, value))
    if agents:
        yield agents, lines


def _normal(path: str) -> str:
    """A path or pattern with its escapes written in one way."""
    return quote(unquote(path, errors="surrogateescape"), safe="!$&'()*+,/:;=?@[]~", errors="surrogateescape")


def _fits(pattern: str, target: str) -> bool:
    """Whether a target begins as a pattern says: ``*`` is anything, ``$`` the end. Linear in both, whatever the pattern."""
    is_whole = pattern.endswith("$")
    first, *rest = pattern.removesuffix("$").split("*")
    if not target.startswith(first):
        return False
    place = len(first)
    for number, part in enumerate(rest):
        if is_whole and number == len(rest) - 1:
            return len(target) - len(part) >= place and target.endswith(part)
        place = target.find(part, place)
        if place < 0:
            return False
        place += len(part)
    return not is_whole or place == len(target)


class Robots:
    """The robots.txt of every site that is visited, each asked for once an hour; for many threads.

    Args:
        network: The door; its User-Agent is the robot's name.
        clock: Seconds from anywhere.
    """

    def __init__(self, network: Network, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._network = network
        self._clock = clock
        self._known: dict[str, tuple[float, Rules]] = {}
        self._flights: SingleFlight[str, Rules] = SingleFlight()

    def check(self, url: str) -> None:
        """Find out whether an address may be visited.

        Raises:
            Refused: The site's robots.txt forbids it.
            FetchError: The robots.txt cannot be had.
        """
        address = parse_address(url)
        if not self.rules(address.origin).allow(address.target):
            raise Refused(f"robots.txt of {address.host} forbids to visit {url}")

    def rules(self, origin: str) -> Rules:
        """The rules of a site for this robot: none if it has no robots.txt, `NOTHING` if that is closed.

        Raises:
            FetchError: The robots.txt cannot be had, so that nobody knows what is allowed.
        """
        known = self._known.get(origin)
        if known is not None and self._clock() < known[0]:
            return known[1]
        rules = self._flights.get(origin, lambda: self._fetch(origin))
        self._known[origin] = (self._clock() + MAX_AGE, rules)
        return rules

    def _fetch(self, origin: str) -> Rules:
        response = self._network.request(f"{origin}/robots.txt")
        if response.status in (401, 403):
            return NOTHING
        if response.status >= 500 or response.status == 429:
            raise FetchError(f"{response.url} answers HTTP {response.status}, so nothing may be fetched; try again later")
        if response.status >= 300:
            return Rules()
        text = response.body[:MAX_BYTES].decode("utf-8", "replace")
        return read_robots(text, self._network.settings.user_agent)
