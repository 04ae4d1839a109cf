"""The one door to the network: nothing else in this project opens a socket to the outside.

A page decides where its links lead, so an address is not trusted because it looks public. Names are resolved here, once;
every address that a name has must be public; and the connection goes to an address that was checked, with the name kept for
the Host header and for TLS. That happens where connections are made, so each redirect passes through it again. Nothing of the
environment is used: no proxies, no credentials, no cookies.

What a rule forbids raises `Refused` with the rule in its message; what the network or a server did, a plain `FetchError`.
"""

import ipaddress
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from ssl import SSLContext, create_default_context
from typing import Any, Final
from urllib.parse import urljoin

import httpcore
import httpx

from browser_env.cache import SingleFlight
from browser_env.errors import FetchError, Refused, Unreachable
from browser_env.network.addresses import IPAddress, WebAddress, is_public, parse_address
from browser_env.network.compression import ACCEPT_ENCODING, decompress
from browser_env.network.pacing import Pace
from browser_env.pages.document import Document

Resolver = Callable[[str, int], Iterable[str]]
"""From a host name and a port to its addresses; raises OSError."""

Client = httpx.Client
"""What `trusted_client` gives, for whoever may not import httpx."""
ClientError = httpx.HTTPError
"""What a `Client` raises when a request does not succeed."""

USER_AGENT: Final = "open-webgpt/0.1 (text browser for research)"
"""Says honestly who asks."""
ACCEPT: Final = "text/html, text/*;q=0.9, */*;q=0.5"
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
TRY_LATER: Final = frozenset({429, 503})
"""Answers after which the same request is made once more, if the server says when and that is soon."""
_PDF = b"%PDF-"
_OURS = frozenset(
    """accept-encoding connection content-length cookie host keep-alive proxy-authorization te transfer-encoding
    upgrade""".split()  # noqa: SIM905 - a list of words reads best as text
)
"""Headers of a request that nobody but this module decides; there are no cookies."""
_KEPT_ELSEWHERE = frozenset({"accept", "accept-language", "content-type", "user-agent"})
"""Headers that go on to another origin when a server redirects there. Keys do not."""
_SPENT = frozenset({"content-encoding", "content-length", "transfer-encoding", "connection", "keep-alive", "set-cookie"})
"""Headers of an answer that no longer describe it once it has been read, and cookies."""


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """What may be fetched, and how much of it."""

    ports: frozenset[int] = frozenset({80, 443})
    """Ports that may be connected to."""
    allow_loopback: bool = False
    """Whether servers on this machine may be visited."""
    allow_private: bool = False
    """Whether any address may be visited: for a server that the person has named, never for pages."""
    max_bytes: int = 5_000_000
    """Of a body, after decompression."""
    max_pdf_bytes: int = 20_000_000
    """Of a body that begins as a PDF does."""
    max_header_bytes: int = 65_536
    """Of all headers of an answer."""
    max_seconds: float = 15
    """From the request to the end of the body, redirects and waiting for a busy server included."""
    max_redirects: int = 10
    max_retry_after: float = 10
    """Seconds that a busy server may ask to wait before the request is made once more."""
    requests_per_second: float = 10
    """To one host, on average."""
    burst: int = 20
    """Requests to one host that may go at once after a pause."""
    user_agent: str = USER_AGENT


@dataclass(frozen=True, slots=True)
class Response:
    """What a server answered, read whole and no longer compressed."""

    url: str
    """Final address, after redirects."""
    status: int
    headers: Mapping[str, str]
    """Names in lower case; those that are repeated are joined by commas. Lengths, encodings and cookies are left out."""
    body: bytes
    redirects: tuple[str, ...] = ()
    """Addresses that led here, the one that was asked for first."""

    @property
    def content_type(self) -> str | None:
        """The Content-Type header with its parameters."""
        return self.headers.get("content-type")

    @property
    def document(self) -> Document:
        """The same, to be rendered."""
        return Document(self.url, self.body, self.content_type, self.status)


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a host, as the operating system knows them."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


@dataclass(frozen=True, slots=True)
class _Request:
    """What is asked of one server: a redirect makes another of it."""

    address: WebAddress
    method: str
    headers: Mapping[str, str]
    body: bytes | None

    def redirected(self, status: int, location: str) -> "_Request":
        """The request that a redirect asks for.

        Raises:
            Refused: It leads from https to http, or to no address of the web.
        """
        url = str(self.address)
        try:
            address = parse_address(urljoin(url, location))
        except ValueError as error:
            raise FetchError(f"{url} redirects to what is no address") from error
        if self.address.scheme == "https" and address.scheme == "http":
            raise Refused(f"{url} redirects from https to http, which is not followed")
        headers = self.headers
        if address.origin != self.address.origin:
            headers = {name: value for name, value in headers.items() if name in _KEPT_ELSEWHERE}
        if self.method == "POST" and status in (301, 302, 303):
            return _Request(address, "GET", {name: headers[name] for name in headers if name != "content-type"}, None)
        return _Request(address, self.method, headers, self.body)


class Network:
    """Asks servers under the rules above; safe to share between threads.

    Args:
        settings: What is allowed, and how much of it.
        resolver: Gives the addresses of a name.
        witness: Is given every answer to a GET, redirects included; snapshots are made of them.
        clock: Seconds from anywhere, for the pace at which a host is asked.
        sleep: Waits for so many seconds.
    """

    def __init__(
        self,
        settings: NetworkSettings | None = None,
        *,
        resolver: Resolver = resolve,
        witness: Callable[[Response], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.settings = settings or NetworkSettings()
        self._resolver = resolver
        self._witness = witness
        self._sleep = sleep
        limits = self.settings
        self._pace = Pace(limits.requests_per_second, limits.burst, limits.max_seconds, clock, sleep)
        self._flights: SingleFlight[object, Response] = SingleFlight()

    @cached_property
    def _ssl_context(self) -> SSLContext:
        """Reading all the authorities takes a while, and only https needs them."""
        return create_default_context()

    def get(self, url: str, *, wanted: Callable[[str], bool] | None = None) -> Document:
        """What is at an address, whatever its status: `request` for whoever wants to render it."""
        return self.request(url, wanted=wanted).document

    def request(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        wanted: Callable[[str], bool] | None = None,
        follow: bool = True,
    ) -> Response:
        """What a server answers, whatever its status. The same GET by several threads at once is made once.

        Args:
            url: An http or https address; the fragment is not sent.
            method: GET, HEAD, POST and the like.
            headers: Added to what is sent. Cookies and what belongs to the connection are left out; on a redirect to another
                origin only what every visitor sends goes along.
            body: What to send.
            wanted: Whether to read a body of some media type (``text/html``); None: any.
            follow: Whether redirects are followed; otherwise a redirect is the answer.

        Raises:
            Refused: A rule forbids it; the message names the rule.
            FetchError: Nothing whole came back within the limits.
        """
        given = {name.lower(): value for name, value in (headers or {}).items()}
        sent = {"user-agent": self.settings.user_agent, "accept": ACCEPT}
        sent |= {name: value for name, value in given.items() if name not in _OURS}
        request = _Request(parse_address(url), method, sent, body)
        if method != "GET":
            return self._follow(request, wanted, follow)
        key = (str(request.address), tuple(sorted(sent.items())), wanted, follow)
        return self._flights.get(key, lambda: self._follow(request, wanted, follow))

    def _follow(self, request: _Request, wanted: Callable[[str], bool] | None, follow: bool) -> Response:
        """The answer at the end of the redirects; the time limit is one for all of them."""
        passed: tuple[str, ...] = ()
        self._check(request.address)
        self._pace.wait(request.address.host)
        deadline = time.monotonic() + self.settings.max_seconds
        while True:
            response = self._patiently(request, wanted, deadline)
            if self._witness is not None and request.method == "GET":
                self._witness(response)
            location = response.headers.get("location")
            if not follow or response.status not in REDIRECTS or location is None:
                return Response(response.url, response.status, response.headers, response.body, passed)
            if len(passed) == self.settings.max_redirects:
                raise Refused(f"{response.url} was reached after {len(passed)} redirects, and redirects again")
            passed = (*passed, response.url)
            request = request.redirected(response.status, location)

    def _patiently(self, request: _Request, wanted: Callable[[str], bool] | None, deadline: float) -> Response:
        """An answer; of a server that asks to come back soon, the one after that."""
        response = self._send(request, wanted, deadline)
        if response.status not in TRY_LATER:
            return response
        seconds = retry_after(response.headers)
        if seconds is None or seconds > self.settings.max_retry_after or time.monotonic() + seconds >= deadline:
            return response
        self._sleep(seconds)
        return self._send(request, wanted, deadline)

    def _send(self, request: _Request, wanted: Callable[[str], bool] | None, deadline: float) -> Response:
        address = request.address
        self._check(address)
        url = str(address)
        try:
            with self._exchange(request, deadline) as answer:
                headers = _headers(answer.headers, self.settings.max_header_bytes, url)
                kept = {name: value for name, value in headers.items() if name not in _SPENT}
                if answer.status in REDIRECTS and "location" in headers:
                    return Response(url, answer.status, kept, b"")
                media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
                if wanted is not None and answer.status < 300 and not wanted(media_type):
                    raise FetchError(f"{url} has an unsupported content type: {media_type or 'none'}")
                body = self._read(url, answer, headers.get("content-encoding", ""))
                return Response(url, answer.status, kept, body)
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException) as error:
            if time.monotonic() >= deadline:
                raise FetchError(f"{url} did not answer within {self.settings.max_seconds:g} seconds") from error
            kind = Unreachable if isinstance(error, httpcore.ConnectError) else FetchError
            raise kind(f"{url} could not be fetched: {str(error) or type(error).__name__}") from error

    @contextmanager
    def _exchange(self, request: _Request, deadline: float) -> Iterator[httpcore.Response]:
        """One request on a connection of its own."""
        address = request.address
        door = _Door(self.settings, self._resolver, deadline)
        headers = {"host": address.netloc, "accept-encoding": ACCEPT_ENCODING, **request.headers}
        tls = self._ssl_context if address.scheme == "https" else None
        with (
            httpcore.ConnectionPool(ssl_context=tls, network_backend=door, max_keepalive_connections=0) as pool,
            pool.stream(
                request.method,
                httpcore.URL(scheme=address.scheme, host=address.host, port=address.port, target=address.target),
                headers=[(name.title().encode("ascii"), value.encode("utf-8")) for name, value in headers.items()],
                content=request.body,
            ) as answer,
        ):
            yield answer

    def _check(self, address: WebAddress) -> None:
        if address.port not in self.settings.ports:
            raise Refused(f"port {address.port} of {address.host} may not be connected to")

    def _read(self, url: str, answer: httpcore.Response, content_encoding: str) -> bytes:
        """The body, counted as it comes and again as it is decompressed."""
        limit = max(self.settings.max_bytes, self.settings.max_pdf_bytes)

        def raw() -> Iterator[bytes]:
            num_bytes = 0
            for chunk in answer.iter_stream():
                num_bytes += len(chunk)
                if num_bytes > limit:
                    raise Refused(f"{url} is larger than {limit / 1e6:g} MB")
                yield chunk

        body = bytearray()
        try:
            for piece in decompress(raw(), content_encoding):
                body += piece
                most = self.settings.max_pdf_bytes if body.startswith(_PDF) else self.settings.max_bytes
                if len(body) > most:
                    raise Refused(f"{url} is larger than {most / 1e6:g} MB")
        except ValueError as error:
            raise FetchError(f"{url} could not be fetched: its body cannot be decompressed: {error}") from error
        return bytes(body)


def retry_after(headers: Mapping[str, str], now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> float | None:
    """Seconds after which a server wants to be asked again; None if it does not say so."""
    said = headers.get("retry-after", "").strip()
    if said.isascii() and said.isdigit():
        return float(said[:10])
    try:
        return max(0.0, (parsedate_to_datetime(said) - now()).total_seconds())
    except (ValueError, TypeError):  # no date, or one without a time zone
        return None


def _header_text(value: bytes) -> str:
    """Addresses in headers come as UTF-8, where anything is not ASCII; old servers send Latin-1."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _headers(raw: Iterable[tuple[bytes, bytes]], max_bytes: int, url: str) -> dict[str, str]:
    headers: dict[str, str] = {}
    num_bytes = 0
    for raw_name, raw_value in raw:
        num_bytes += len(raw_name) + len(raw_value) + 4
        if num_bytes > max_bytes:
            raise Refused(f"the headers of {url} are larger than {max_bytes / 1024:g} kB")
        name, value = raw_name.decode("latin-1").lower(), _header_text(raw_value)
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


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
            if not self._may_visit(address):
                raise Refused(f"{host} is not on the public internet ({address})")
        for address in addresses[:-1]:
            try:
                return self._connect(address, port)
            except httpcore.ConnectError:
                continue  # the next address may answer
        return self._connect(addresses[-1], port)

    def _may_visit(self, address: IPAddress) -> bool:
        is_allowed_loopback = self._settings.allow_loopback and address.is_loopback
        return self._settings.allow_private or is_allowed_loopback or is_public(address)

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
                raise Unreachable(f"the host {host} is not known") from found
            case []:
                raise Unreachable(f"the host {host} has no address")
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
