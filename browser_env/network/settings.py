"""The rules and limits of requests to the network."""

from dataclasses import dataclass
from typing import Final

USER_AGENT: Final = "open-webgpt/0.1 (text browser for research)"
"""The default User-Agent header, which does not imitate a browser."""


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """Servers that may be visited, and limits on each request."""

    ports: frozenset[int] = frozenset({80, 443})
    """Ports that may be connected to."""
    allow_loopback: bool = False
    """Whether servers on this machine may be visited."""
    allow_private: bool = False
    """Whether any IP address may be visited: for a server that the user has configured, never for links on pages."""
    max_bytes: int = 5_000_000
    """Maximum bytes of a body, after decompression."""
    max_pdf_bytes: int = 20_000_000
    """Maximum bytes of a body that starts with a PDF signature."""
    max_header_bytes: int = 65_536
    """Maximum bytes of all response headers."""
    max_seconds: float = 15
    """Maximum seconds from the request to the end of the body, including redirects and waiting for a busy server."""
    max_redirects: int = 10
    """Maximum number of redirects that are followed."""
    max_retry_after: float = 10
    """Longest Retry-After, in seconds, after which a request is sent again."""
    requests_per_second: float = 10
    """Average rate of requests to one host."""
    burst: int = 20
    """Requests to one host that may be sent at once after a pause."""
    user_agent: str = USER_AGENT
    """The User-Agent header."""
