"""Where links lead: addresses made absolute, and which of them can be followed."""

import re
from collections.abc import Callable
from urllib.parse import urljoin, urlsplit

from browser_env.pages.characters import clean

_HOST = re.compile(r"[\w.:%-]+")
_NOT_IN_ADDRESS = re.compile("[\t\n\r]")
_ESCAPED = re.compile('[\x00-\x20\x7f-\xa0\ud800-\udfff"<>]')
_TRACKING = re.compile(r"(?<=[?&])(?:utm_\w+|gclid|fbclid|msclkid|mc_[ce]id)=[^&#]*&?", re.IGNORECASE)


def is_http(url: str) -> bool:
    """Whether an address can be fetched from the web: http(s) with a plain host and without credentials."""
    try:
        parts = urlsplit(url)
        return (
            parts.scheme in ("http", "https")
            and parts.username is None
            and parts.port != 0  # reading it raises for a port that is no number
            and _HOST.fullmatch(parts.hostname or "") is not None
            and clean(parts.netloc) == parts.netloc  # a domain is shown
        )
    except ValueError:
        return False


def absolute(base: str, href: str) -> str | None:
    """An address as a browser resolves it; None if it cannot be read."""
    href = _NOT_IN_ADDRESS.sub("", href.strip())
    try:
        return _ESCAPED.sub(lambda match: f"%{ord(match[0]):02X}", urljoin(base, href))
    except ValueError:
        return None


def without_tracking(url: str) -> str:
    """An address without the parameters that only say where a visitor came from."""
    return _TRACKING.sub("", url).rstrip("?&")


class Links:
    """The addresses of one page, resolved once each."""

    def __init__(self, base: str, followable: Callable[[str], bool]) -> None:
        self._base = base
        self._followable = followable
        self._resolved: dict[str, str | None] = {}
        self._first: dict[str, str] = {}

    def resolve(self, href: str) -> str | None:
        """The absolute address; None if it cannot be followed.

        Addresses that differ only in tracking parameters are one: the first that was seen.
        """
        if href not in self._resolved:
            url = absolute(self._base, href)
            if url is not None and self._followable(url):
                self._resolved[href] = self._first.setdefault(without_tracking(url), url)
            else:
                self._resolved[href] = None
        return self._resolved[href]
