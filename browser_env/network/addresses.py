"""Parsing of web addresses, and the test whether an IP address is public.

Rules apply to the IP address that a host name resolves to, not to its spelling: ``2130706433``, ``0x7f.1`` and ``localhost``
are all refused as 127.0.0.1. The rules are applied in `browser_env.network.connection`.
"""

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlsplit

import idna

from browser_env.errors import Refused

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
"""IPv6 addresses whose last 32 bits are an IPv4 address, to which a gateway connects."""
GLOBAL_UNICAST: Final = ipaddress.IPv6Network("2000::/3")
"""The only IPv6 block from which public addresses are assigned."""
NOT_PUBLIC: Final = tuple(map(ipaddress.ip_network, ("192.88.99.0/24", "3fff::/20")))
"""Blocks that Python 3.11 calls global, but that contain no servers: 6to4 relays, and a block for documentation."""
DEFAULT_PORTS: Final = {"http": 80, "https": 443}

_HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+")
_CONTROLS = re.compile("[\x00-\x1f\x7f]")
_SAFE = "!$%&'()*+,/:;=?@[]~"
"""Characters that are not escaped in a path or query; a percent sign is assumed to start an escape."""


def embedded_addresses(address: IPAddress) -> Iterator[IPAddress]:
    """Yield the IPv4 addresses that an IPv6 address may lead to: mapped, translated or tunneled."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            yield address.ipv4_mapped
        if address.sixtofour:
            yield address.sixtofour
        if address.teredo:
            yield from address.teredo
        if address in NAT64:
            yield ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)


def is_public(address: IPAddress) -> bool:
    """Whether an IP address, with every address embedded in it, belongs to the public internet.

    `is_global` is not enough: it is true for 224.0.0.1, and for 64:ff9b::7f00:1 and 2002:7f00:1::, which lead to 127.0.0.1.
    """
    if wrapped := list(embedded_addresses(address)):
        return all(map(is_public, wrapped))
    if address.version == 6 and address not in GLOBAL_UNICAST:
        return False
    return (
        address.is_global
        and not (address.is_multicast or address.is_reserved or address.is_link_local)
        and not any(address in network for network in NOT_PUBLIC)
    )


@dataclass(frozen=True, slots=True)
class WebAddress:
    """An http or https address, with its parts as they are sent."""

    scheme: str
    host: str
    """Host name in ASCII and lower case, or an IP address; IPv6 without brackets."""
    port: int
    target: str
    """Escaped path and query, without the fragment."""

    @property
    def netloc(self) -> str:
        """Value of the Host header: the host, and the port unless it is the default."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        """Origin as in the same-origin policy: scheme, host and port."""
        return f"{self.scheme}://{self.netloc}"

    def __str__(self) -> str:
        return f"{self.origin}{self.target}"


def parse_address(url: str) -> WebAddress:
    """Parse an http or https address.

    Raises:
        Refused: The text is not an http(s) address with a plain host name, or contains a user name or password.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
        host = _ascii_host(parts.hostname or "")
        target = quote(parts.path or "/", _SAFE) + (f"?{quote(parts.query, _SAFE)}" if parts.query else "")
    except ValueError as error:  # includes errors of idna and of lone surrogates
        raise Refused(f"{_shown(url)} is no web address: {_reason(error)}") from error
    if parts.scheme not in DEFAULT_PORTS or not _HOST.fullmatch(host):
        raise Refused(f"{_shown(url)} is no http or https address")
    if "@" in parts.netloc:
        raise Refused(f"the address of {host} holds a user name or password, which is not sent")
    if _CONTROLS.search(url):
        raise Refused(f"{_shown(url)} is no web address: it holds control characters")
    return WebAddress(parts.scheme, host, DEFAULT_PORTS[parts.scheme] if port is None else port, target)


def _reason(error: Exception) -> str:
    """Message of an error, without an address that may contain a password."""
    return str(error) if "@" not in str(error) else "it cannot be read"


def _shown(url: str) -> str:
    """An address as shown in a message: shortened, and without a part that may be a password."""
    return repr(f"{url.partition(':')[0][:20]}:…{url.rpartition('@')[2][:200]}" if "@" in url else url[:200])


def _ascii_host(host: str) -> str:
    """A host name in ASCII, mapped as browsers do (UTS 46): full-width digits and dots become plain ones."""
    if host.isascii():
        return host
    return idna.encode(host, uts46=True).decode("ascii")
