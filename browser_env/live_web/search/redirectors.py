"""Target URLs of the redirectors with which search engines count clicks."""

import base64
import re
from collections.abc import Callable
from typing import Final
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

MAX_LAYERS: Final = 3
"""Maximum number of nested redirectors that are unwrapped."""
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_YAHOO = re.compile(r"/RU=([^/]+)/")


def unwrap(url: str) -> str:
    """The target of a redirector's URL, of any scheme; any other URL is returned unchanged."""
    for _ in range(MAX_LAYERS):
        try:
            parts = urlsplit(url)
            target = next((read(parts) for is_redirector, read in _REDIRECTORS if is_redirector(parts)), None)
        except ValueError:
            return url
        if not target:
            return url
        url = target
    return url


def _is_on(domain: str, path: str) -> Callable[[SplitResult], bool]:
    """Make a test whether a URL is on a domain (a regular expression) and its path starts with `path`."""
    host = re.compile(rf"(?:[\w-]+\.)*{domain}")
    return lambda parts: host.fullmatch(parts.hostname or "") is not None and parts.path.startswith(path)


def _parameter(*names: str) -> Callable[[SplitResult], str | None]:
    """Make a function that returns the first of some query parameters whose value is an absolute URL."""

    def read(parts: SplitResult) -> str | None:
        query = parse_qs(parts.query)
        return next((query[name][0] for name in names if _ABSOLUTE.match(query.get(name, [""])[0])), None)

    return read


def _bing(parts: SplitResult) -> str | None:
    """Target of a Bing URL: parameter ``u`` is ``a1`` and the target in base64."""
    coded = parse_qs(parts.query).get("u", [""])[0].removeprefix("a1")
    decoded = base64.urlsafe_b64decode(coded + "=" * (-len(coded) % 4)).decode("utf-8")
    return decoded if _ABSOLUTE.match(decoded) else None


def _yahoo(parts: SplitResult) -> str | None:
    """Target of a Yahoo URL: the part ``RU=`` of its path."""
    match = _YAHOO.search(parts.path)
    return unquote(match[1]) if match else None


_REDIRECTORS: Final[tuple[tuple[Callable[[SplitResult], bool], Callable[[SplitResult], str | None]], ...]] = (
    (_is_on(r"google\.[a-z.]{2,6}", "/url"), _parameter("q", "url")),
    (_is_on(r"duckduckgo\.com", "/l/"), _parameter("uddg")),
    (_is_on(r"bing\.com", "/ck/a"), _bing),
    (_is_on(r"search\.yahoo\.com", "/"), _yahoo),
)
