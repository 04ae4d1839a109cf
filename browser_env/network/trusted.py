"""HTTP clients of servers that the user has configured, such as a model's API: without address checks, with timeouts."""

from collections.abc import Mapping

import httpx

from browser_env.network.settings import USER_AGENT

Client = httpx.Client
"""The client that `trusted_client` returns; only `browser_env.network` may import httpx."""
ClientError = httpx.HTTPError
"""Raised by a `Client` when a request fails."""


def trusted_client(
    base_url: str, *, headers: Mapping[str, str] | None = None, connect_seconds: float = 10, read_seconds: float = 300
) -> Client:
    """Create a client of one server. Proxies and credentials of the environment are not used.

    Args:
        base_url: URL that the paths of requests are relative to.
        headers: Headers of every request.
        connect_seconds: Timeout for connecting, and for waiting for a free connection.
        read_seconds: Timeout for each wait for the response or for its next bytes.
    """
    timeout = httpx.Timeout(connect_seconds, read=read_seconds, write=read_seconds)
    return httpx.Client(
        base_url=base_url, headers={"User-Agent": USER_AGENT, **(headers or {})}, timeout=timeout, trust_env=False
    )
