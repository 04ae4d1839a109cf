"""Resolving links to absolute URLs, and the test whether a URL can be followed."""

import re
from collections.abc import Callable
from urllib.parse import urljoin, urlsplit

from browser_env.pages.characters import clean

_HOST = re.compile(r"[\w.:%-]+")
_NOT_IN_ADDRESS = re.compile("[\t\n\r]")
_ESCAPED = re.compile('[\x00-\x20\x7f-\xa0\ud800-\udfff"<>]')
_TRACKING = re.compile(r"(?<=[?&])(?:utm_\w+|gclid|fbclid|msclkid|mc_[ce]id)=[^&#]*&?", re.IGNORECASE)


def is_http(url: str) -> bool:
    """Whether a URL can be fetched: http(s) with a plain host name and without credentials."""
    try:
        parts = urlsplit(url)
        return (
            parts.scheme in ("http", "https")
            and parts.username is None
            and parts.port != 0  # raises for a port that is not a number
            and _HOST.fullmatch(parts.hostname or "") is not None
            and clean(parts.netloc) == parts.netloc  # observations show the domain
        )
    except ValueError:
        return False


def absolute(base: str, href: str) -> str | None:
    """Resolve a URL as browsers do; None if it is malformed."""
    href = _NOT_IN_ADDRESS.sub("", href.strip())
    try:
        return _ESCAPED.sub(lambda match: f"%{ord(match[0]):02X}", urljoin(base, href))
    except ValueError:
        return None


def without_tracking(url: str) -> str:
    """Remove tracking parameters such as ``utm_source`` from a URL."""
    return _TRACKING.sub("", url).rstrip("?&")


class Links:
    """Resolves the links of one page.

    Args:
        base: URL that relative links are resolved against.
        followable: Returns whether an absolute URL can be followed.
    """

    def __init__(self, base: str, followable: Callable[[str], bool]) -> None:
        self._base = base
        self._followable = followable
        self._resolved: dict[str, str | None] = {}
        self._first: dict[str, str] = {}

    def resolve(self, href: str) -> str | None:
        """Absolute URL of a link; None if it cannot be followed.

        URLs that differ only in tracking parameters resolve to the first of them.
        """
        if href not in self._resolved:
            url = absolute(self._base, href)
            if url is not None and self._followable(url):
                self._resolved[href] = self._first.setdefault(without_tracking(url), url)
            else:
                self._resolved[href] = None
        return self._resolved[href]
