"""The providers by name, and how one is chosen: a flag, the environment, or a SearXNG instance on this machine."""

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
"""Other names under which people look for them."""


def make_provider(
    name: str | None = None, *, base_url: str | None = None, environ: Mapping[str, str] | None = None
) -> Provider:
    """The provider that somebody wants to search with.

    Args:
        name: One of `PROVIDERS`; None: ``SEARCH_PROVIDER``, or else SearXNG.
        base_url: Where it is; None: its variable (``SEARXNG_URL``, ``BRAVE_URL`` ...), or else where it usually is.
        environ: Where those and the keys are; None: this process's environment.

    Raises:
        UsageError: There is no such provider, or it lacks something; the message names what to set.
    """
    environ = os.environ if environ is None else environ
    asked = name or environ.get("SEARCH_PROVIDER") or SearXNG.name
    kind = PROVIDERS.get(ALIASES.get(asked, asked))
    if kind is None:
        raise UsageError(f"there is no search provider {asked[:80]!r}; it is one of {', '.join(PROVIDERS)}")
    variable = url_variable(kind.name)
    url = (base_url or environ.get(variable) or kind.default_url).rstrip("/")
    try:
        parse_address(url)
    except Refused as error:
        raise UsageError(f"{variable} is no address of a server, such as {kind.default_url}: {error}") from error
    if kind.key_variable is None:
        return kind(url)
    key = environ.get(kind.key_variable, "").strip()
    if not key:
        raise UsageError(f"{kind.name} needs a key: set {kind.key_variable}, or choose another provider (SEARCH_PROVIDER)")
    if not (key.isascii() and key.isprintable()):
        raise UsageError(f"{kind.key_variable} holds characters that no key has")
    return kind(url, key)
