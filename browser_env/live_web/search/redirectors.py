"""Where results really lead: some search pages put an address of their own in between, which counts clicks."""

import base64
import re
from collections.abc import Callable
from typing import Final
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

MAX_LAYERS: Final = 3
"""Redirectors within each other that are unwrapped."""
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_YAHOO = re.compile(r"/RU=([^/]+)/")


def unwrap(url: str) -> str:
    """The address that a redirector's address leads to, of whatever scheme; any other as it is."""
    for _ in range(MAX_LAYERS):
        try:
            parts = urlsplit(url)
            found = next((read(parts) for is_redirector, read in _REDIRECTORS if is_redirector(parts)), None)
        except ValueError:
            return url
        if not found:
            return url
        url = found
    return url


def _is_on(domain: str, path: str) -> Callable[[SplitResult], bool]:
    """Whether an address is on a domain (a pattern) and its path starts so."""
    host = re.compile(rf"(?:[\w-]+\.)*{domain}")
    return lambda parts: host.fullmatch(parts.hostname or "") is not None and parts.path.startswith(path)


def _parameter(*names: str) -> Callable[[SplitResult], str | None]:
    def read(parts: SplitResult) -> str | None:
        query = parse_qs(parts.query)
        return next((query[name][0] for name in names if _ABSOLUTE.match(query.get(name, [""])[0])), None)

    return read


def _bing(parts: SplitResult) -> str | None:
    """``u`` is ``a1`` and the address in base 64."""
    coded = parse_qs(parts.query).get("u", [""])[0].removeprefix("a1")
    decoded = base64.urlsafe_b64decode(coded + "=" * (-len(coded) % 4)).decode("utf-8")
    return decoded if _ABSOLUTE.match(decoded) else None


def _yahoo(parts: SplitResult) -> str | None:
    match = _YAHOO.search(parts.path)
    return unquote(match[1]) if match else None


_REDIRECTORS: Final[tuple[tuple[Callable[[SplitResult], bool], Callable[[SplitResult], str | None]], ...]] = (
    (_is_on(r"google\.[a-z.]{2,6}", "/url"), _parameter("q", "url")),
    (_is_on(r"duckduckgo\.com", "/l/"), _parameter("uddg")),
    (_is_on(r"bing\.com", "/ck/a"), _bing),
    (_is_on(r"search\.yahoo\.com", "/"), _yahoo),
)
