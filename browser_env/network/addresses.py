"""Addresses of the web as they are asked for, and which of the internet's addresses anybody may ask.

What counts is the address that a name resolves to, not how it is spelled: ``2130706433``, ``0x7f.1`` and ``localhost`` are all
refused for being 127.0.0.1. Nothing here opens a connection; `browser_env.network.client` does, and only to what passes here.
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
"""Addresses whose last 32 bits are an IPv4 address that a gateway connects to."""
GLOBAL_UNICAST: Final = ipaddress.IPv6Network("2000::/3")
"""The only part of IPv6 from which public addresses are given out."""
NOT_PUBLIC: Final = tuple(map(ipaddress.ip_network, ("192.88.99.0/24", "3fff::/20")))
"""Relays of 6to4, and a second block for documentation: global to Python 3.11, but nobody's servers."""
DEFAULT_PORTS: Final = {"http": 80, "https": 443}

_HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+")
_CONTROLS = re.compile("[\x00-\x1f\x7f]")
_SAFE = "!$%&'()*+,/:;=?@[]~"
"""What stands in a path or query as it is; a percent sign is believed to be the start of an escape."""


def embedded_addresses(address: IPAddress) -> Iterator[IPAddress]:
    """Every IPv4 address that traffic to an IPv6 address may reach: mapped, translated or tunnelled."""
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
    """Whether an address, and each that is wrapped in it, belongs to the public internet.

    `is_global` alone is not enough: it holds for 224.0.0.1, and for 64:ff9b::7f00:1 and 2002:7f00:1::, which are 127.0.0.1.
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
    """An http or https address, its parts as they go over the wire."""

    scheme: str
    host: str
    """ASCII, in lower case; an IPv6 address without its brackets."""
    port: int
    target: str
    """Path and query, escaped; the fragment is not sent."""

    @property
    def netloc(self) -> str:
        """Host, and port if it is not the scheme's own, as in the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        """Scheme, host and port: what a browser's same-origin policy compares."""
        return f"{self.scheme}://{self.netloc}"

    def __str__(self) -> str:
        return f"{self.origin}{self.target}"


def parse_address(url: str) -> WebAddress:
    """Read an address.

    Raises:
        Refused: It is no http(s) address with a plain host, or it holds a user name or password.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
        host = _ascii_host(parts.hostname or "")
        target = quote(parts.path or "/", _SAFE) + (f"?{quote(parts.query, _SAFE)}" if parts.query else "")
    except ValueError as error:  # idna's errors and those of surrogates are of this kind
        raise Refused(f"{_shown(url)} is no web address: {_reason(error)}") from error
    if parts.scheme not in DEFAULT_PORTS or not _HOST.fullmatch(host):
        raise Refused(f"{_shown(url)} is no http or https address")
    if "@" in parts.netloc:
        raise Refused(f"the address of {host} holds a user name or password, which is not sent")
    if _CONTROLS.search(url):
        raise Refused(f"{_shown(url)} is no web address: it holds control characters")
    return WebAddress(parts.scheme, host, DEFAULT_PORTS[parts.scheme] if port is None else port, target)


def _reason(error: Exception) -> str:
    """What an error says, without an address that might hold a password."""
    return str(error) if "@" not in str(error) else "it cannot be read"


def _shown(url: str) -> str:
    """An address in a message; what may be a password is left out."""
    return repr(f"{url.partition(':')[0][:20]}:…{url.rpartition('@')[2][:200]}" if "@" in url else url[:200])


def _ascii_host(host: str) -> str:
    """A host as DNS knows it, mapped as browsers do (UTS 46): full-width digits and dots become plain ones."""
    if host.isascii():
        return host
    return idna.encode(host, uts46=True).decode("ascii")
