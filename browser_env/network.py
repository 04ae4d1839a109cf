"""The one door to the network: nothing else in this project opens a socket to the outside.

A page decides where its links lead, so an address is not trusted because it looks public. Names are resolved here, once;
every address that a name has must be public; and the connection goes to an address that was checked, with the name kept for
the Host header and for TLS. That happens where connections are made, so each redirect passes through it again. Nothing of the
environment is used: no proxies, no credentials, no cookies.
"""

import ipaddress
import re
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from ssl import SSLContext, create_default_context
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import httpcore
import httpx

from browser_env.documents import Document
from browser_env.errors import FetchError

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolver = Callable[[str, int], Iterable[str]]
"""From a host name and a port to its addresses; raises OSError."""

Client = httpx.Client
"""What `trusted_client` gives, for whoever may not import httpx."""
ClientError = httpx.HTTPError
"""What a `Client` raises when a request does not succeed."""

USER_AGENT: Final = "open-webgpt/0.1 (text browser for research)"
"""Says honestly who asks."""
_HOST = re.compile(rb"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+")
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
"""Addresses whose last 32 bits are an IPv4 address that a gateway connects to."""


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """What may be fetched, and how much of it."""

    ports: frozenset[int] = frozenset({80, 443})
    """Ports that may be connected to."""
    allow_loopback: bool = False
    """Whether servers on this machine may be visited."""
    max_bytes: int = 5_000_000
    """Of a body, after decompression."""
    max_seconds: float = 15
    """From the request to the end of the body, redirects included."""
    max_redirects: int = 10
    user_agent: str = USER_AGENT


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a host, as the operating system knows them."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def embedded_addresses(address: IPAddress) -> Iterator[IPAddress]:
    """An address, and every IPv4 address that traffic to it may reach: mapped, translated or tunnelled."""
    yield address
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
    wrapped = list(embedded_addresses(address))[1:]
    if wrapped:
        return all(map(is_public, wrapped))
    is_site_local = isinstance(address, ipaddress.IPv6Address) and address.is_site_local
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_link_local or is_site_local)


class Network:
    """Fetches addresses under the rules above; safe to share between threads."""

    def __init__(self, settings: NetworkSettings | None = None, *, resolver: Resolver = resolve) -> None:
        self.settings = settings or NetworkSettings()
        self._resolver = resolver
        self._ssl_context = create_default_context()

    def get(self, url: str, *, wanted: Callable[[str], bool] | None = None) -> Document:
        """What is at an address, whatever its status.

        Args:
            url: An http or https address; the fragment is not sent.
            wanted: Whether to read a body of some media type (``text/html``); None: any.

        Raises:
            FetchError: The address is not allowed, or nothing whole came back within the limits.
        """
        deadline = time.monotonic() + self.settings.max_seconds
        for _ in range(self.settings.max_redirects + 1):
            answer = self._request(url, wanted, deadline)
            if isinstance(answer, Document):
                return answer
            if urlsplit(url).scheme == "https" and urlsplit(answer).scheme == "http":
                raise FetchError(f"{url} redirects from https to http, which is not followed")
            url = answer
        raise FetchError(f"{url} was reached after {self.settings.max_redirects} redirects, and redirects again")

    def _request(self, url: str, wanted: Callable[[str], bool] | None, deadline: float) -> Document | str:
        """A document, or the address that it is redirected to."""
        target = self._check(url)
        headers = {"User-Agent": self.settings.user_agent, "Accept": "text/html, text/*;q=0.9, */*;q=0.5"}
        door = _Door(self.settings, self._resolver, deadline)
        try:
            with (
                _Transport(door, self._ssl_context) as transport,
                httpx.Client(transport=transport, trust_env=False, headers=headers, timeout=None) as client,
                client.stream("GET", target) as response,
            ):
                if response.is_redirect:
                    return urljoin(url, response.headers["Location"])
                content_type = response.headers.get("Content-Type")
                media_type = (content_type or "").partition(";")[0].strip().lower()
                if wanted is not None and response.is_success and not wanted(media_type):
                    raise FetchError(f"{url} has an unsupported content type: {media_type or 'none'}")
                return Document(str(target), self._read(url, response), content_type, response.status_code)
        except (httpx.HTTPError, httpx.InvalidURL, httpcore.TimeoutException) as error:
            if time.monotonic() >= deadline:
                raise FetchError(f"{url} did not answer within {self.settings.max_seconds:g} seconds") from error
            raise FetchError(f"{url} could not be fetched: {error or type(error).__name__}") from error

    def _check(self, url: str) -> httpx.URL:
        try:
            target = httpx.URL(url).copy_with(fragment=None)
            port = target.port or (443 if target.scheme == "https" else 80)
        except (httpx.InvalidURL, TypeError, ValueError) as error:
            raise FetchError(f"{url[:200]!r} is no web address: {error}") from error
        if target.scheme not in ("http", "https") or not _HOST.fullmatch(target.raw_host):
            raise FetchError(f"{url[:200]!r} is no http or https address")
        if target.userinfo:
            raise FetchError(f"the address of {target.host} holds a user name or password, which is not sent")
        if port not in self.settings.ports:
            raise FetchError(f"port {port} of {target.host} may not be connected to")
        return target

    def _read(self, url: str, response: httpx.Response) -> bytes:
        body = bytearray()
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > self.settings.max_bytes:
                raise FetchError(f"{url} is larger than {self.settings.max_bytes / 1e6:g} MB")
        return bytes(body)


class _Door(httpcore.NetworkBackend):
    """Makes the connections of one request: to checked addresses only, and nothing after the deadline."""

    def __init__(self, settings: NetworkSettings, resolver: Resolver, deadline: float) -> None:
        self._settings = settings
        self._resolver = resolver
        self._deadline = deadline
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        addresses = self._resolve(host, port)
        for address in addresses:
            if not (is_public(address) or (self._settings.allow_loopback and address.is_loopback)):
                raise FetchError(f"{host} is not on the public internet ({address})")
        for address in addresses[:-1]:
            try:
                return self._connect(address, port)
            except httpcore.ConnectError:
                continue  # the next address may answer
        return self._connect(addresses[-1], port)

    def _connect(self, address: IPAddress, port: int) -> httpcore.NetworkStream:
        stream = self._sockets.connect_tcp(str(address), port, timeout=_left(self._deadline))
        return _LimitedStream(stream, self._deadline)

    def _resolve(self, host: str, port: int) -> list[IPAddress]:
        """Its addresses. The system's resolver knows no limit, so it is left behind when it takes too long."""
        found: list[str] | OSError | None = None

        def ask() -> None:
            nonlocal found
            try:
                found = list(self._resolver(host, port))
            except (OSError, UnicodeError) as error:
                found = OSError(str(error))

        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        thread.join(_left(self._deadline))
        match found:
            case None:
                raise httpcore.ConnectTimeout
            case OSError():
                raise FetchError(f"the host {host} is not known") from found
            case []:
                raise FetchError(f"the host {host} has no address")
            case _:
                return [ipaddress.ip_address(address.partition("%")[0]) for address in found]


class _LimitedStream(httpcore.NetworkStream):
    """A connection whose every wait ends at the deadline: a server that sends a byte a second gains nothing by it."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(self._deadline))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(self._deadline))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        stream = self._stream.start_tls(ssl_context, server_hostname, _left(self._deadline))
        return _LimitedStream(stream, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _left(deadline: float) -> float:
    """Seconds until then."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout
    return left


class _Transport(httpx.BaseTransport):
    """httpx over connections of our own making."""

    def __init__(self, door: _Door, ssl_context: SSLContext) -> None:
        self._pool = httpcore.ConnectionPool(ssl_context=ssl_context, network_backend=door, max_keepalive_connections=0)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        try:
            response = self._pool.handle_request(
                httpcore.Request(
                    method=request.method,
                    url=httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                    headers=request.headers.raw,
                    content=request.stream,
                )
            )
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException) as error:
            raise httpx.TransportError(str(error) or type(error).__name__) from error
        assert isinstance(response.stream, Iterable)
        return httpx.Response(response.status, headers=response.headers, stream=_Body(response))

    def close(self) -> None:
        self._pool.close()


class _Body(httpx.SyncByteStream):
    """The body of a response, its errors in httpx's words."""

    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._response.iter_stream()
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException) as error:
            raise httpx.TransportError(str(error) or type(error).__name__) from error

    def close(self) -> None:
        self._response.close()


def trusted_client(
    base_url: str, *, headers: Mapping[str, str] | None = None, connect_seconds: float = 10, read_seconds: float = 300
) -> Client:
    """A client for a server that the person has named, a model's on this machine for instance: no guard, but time-outs.

    Args:
        base_url: What the paths of its requests are relative to.
        headers: Sent with every request.
        connect_seconds: Limit for connecting, and for waiting for a free connection.
        read_seconds: Limit for each wait for an answer, or for the next piece of it.
    """
    timeout = httpx.Timeout(connect_seconds, read=read_seconds, write=read_seconds)
    return httpx.Client(
        base_url=base_url, headers={"User-Agent": USER_AGENT, **(headers or {})}, timeout=timeout, trust_env=False
    )
