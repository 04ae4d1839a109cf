"""All providers by name, and the choice of one by option or environment variable."""

import os
from collections.abc import Mapping
from typing import Final

from browser_env.errors import Refused, UsageError
from browser_env.live_web.search.brave import Brave
from browser_env.live_web.search.duckduckgo import DuckDuckGo
from browser_env.live_web.search.exa import Exa
from browser_env.live_web.search.kagi import Kagi
from browser_env.live_web.search.mediawiki import MediaWiki
from browser_env.live_web.search.provider import Provider, url_variable
from browser_env.live_web.search.searxng import SearXNG
from browser_env.live_web.search.serper import Serper
from browser_env.live_web.search.tavily import Tavily
from browser_env.live_web.search.you import You
from browser_env.network.addresses import parse_address

PROVIDERS: Final[Mapping[str, type[Provider]]] = {
    provider.name: provider for provider in (SearXNG, Brave, Tavily, Exa, Serper, You, Kagi, MediaWiki, DuckDuckGo)
}
ALIASES: Final = {"ddgs": "duckduckgo", "wikipedia": "mediawiki"}
"""Other names of providers."""


def make_provider(
    name: str | None = None, *, base_url: str | None = None, environ: Mapping[str, str] | None = None
) -> Provider:
    """Create a search provider.

    Args:
        name: A name of `PROVIDERS` or `ALIASES`. Default: the variable ``SEARCH_PROVIDER``, or SearXNG.
        base_url: Base URL. Default: the provider's variable (``SEARXNG_URL``), or its usual URL.
        environ: Environment variables. Default: those of this process.

    Raises:
        UsageError: The provider is unknown, or its URL or key is missing or invalid; the message says what to set.
    """
    environ = os.environ if environ is None else environ
    requested = name or environ.get("SEARCH_PROVIDER") or SearXNG.name
    kind = PROVIDERS.get(ALIASES.get(requested, requested))
    if kind is None:
        raise UsageError(f"{requested[:80]!r} is not a search provider; pass one of {', '.join(PROVIDERS)}")
    variable = url_variable(kind.name)
    url = (base_url or environ.get(variable) or kind.default_url).rstrip("/")
    try:
        parse_address(url)
    except Refused as error:
        raise UsageError(f"{variable} is not the URL of a server, such as {kind.default_url}: {error}") from error
    if kind.key_variable is None:
        return kind(url)
    key = environ.get(kind.key_variable, "").strip()
    if not key:
        raise UsageError(f"{kind.name} needs a key: set {kind.key_variable}, or choose another provider (SEARCH_PROVIDER)")
    if not (key.isascii() and key.isprintable()):
        raise UsageError(f"{kind.key_variable} contains characters that are not valid in an API key")
    return kind(url, key)
