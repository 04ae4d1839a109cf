"""One HTTP request and its response, within limits on headers, body and time.

Each request has its own connection. Proxies, credentials and cookies of the environment are not used.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from ssl import SSLContext

import httpcore

from browser_env.errors import FetchError, Refused, Unreachable
from browser_env.network.compression import ACCEPT_ENCODING, decompress
from browser_env.network.connection import CheckedConnections, Resolver
from browser_env.network.messages import REDIRECTS, Request, Response
from browser_env.network.settings import NetworkSettings

_PDF = b"%PDF-"
_NOT_KEPT = frozenset({"content-encoding", "content-length", "transfer-encoding", "connection", "keep-alive", "set-cookie"})
"""Response headers that are dropped: cookies, and those that do not describe the decompressed body."""


def exchange(
    request: Request,
    settings: NetworkSettings,
    *,
    resolver: Resolver,
    ssl_context: SSLContext | None,
    deadline: float,
    wanted: Callable[[str], bool] | None = None,
) -> Response:
    """Send a request and read the response. Redirects are not followed, and their bodies are not read.

    Args:
        request: The request; its port has been checked.
        settings: Limits on headers and body, and the IP addresses that are allowed.
        resolver: Returns the IP addresses of a host name.
        ssl_context: Certificates for https; None for http.
        deadline: Time of `time.monotonic` at which the body must be complete.
        wanted: Returns whether to read a body, given its media type such as ``text/html``. Default: every body is read.

    Raises:
        Refused: The IP address is not allowed, or the response exceeds a limit.
        FetchError: The server could not be reached, or its response is incomplete or of an unwanted type.
    """
    url = str(request.address)
    try:
        with (
            httpcore.ConnectionPool(
                ssl_context=ssl_context,
                network_backend=CheckedConnections(settings, resolver, deadline),
                max_keepalive_connections=0,
            ) as pool,
            _stream(pool, request) as answer,
        ):
            return _response(url, answer, settings, wanted)
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException) as error:
        if time.monotonic() >= deadline:
            raise FetchError(f"{url} did not answer within {settings.max_seconds:g} seconds") from error
        kind = Unreachable if isinstance(error, httpcore.ConnectError) else FetchError
        raise kind(f"{url} could not be fetched: {str(error) or type(error).__name__}") from error


def _stream(pool: httpcore.ConnectionPool, request: Request) -> AbstractContextManager[httpcore.Response]:
    address = request.address
    headers = {"host": address.netloc, "accept-encoding": ACCEPT_ENCODING, **request.headers}
    return pool.stream(
        request.method,
        httpcore.URL(scheme=address.scheme, host=address.host, port=address.port, target=address.target),
        headers=[(name.title().encode("ascii"), value.encode("utf-8")) for name, value in headers.items()],
        content=request.body,
    )


def _response(url: str, answer: httpcore.Response, settings: NetworkSettings, wanted: Callable[[str], bool] | None) -> Response:
    headers = _headers(answer.headers, settings.max_header_bytes, url)
    fields = {name: value for name, value in headers.items() if name not in _NOT_KEPT}
    if answer.status in REDIRECTS and "location" in headers:
        return Response(url, answer.status, fields, b"")
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if wanted is not None and answer.status < 300 and not wanted(media_type):
        raise FetchError(f"{url} has an unsupported content type: {media_type or 'none'}")
    body = _body(url, answer.iter_stream(), headers.get("content-encoding", ""), settings)
    return Response(url, answer.status, fields, body)


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


def _header_text(value: bytes) -> str:
    """Decode a header's value as UTF-8, or as Latin-1, which old servers send."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _body(url: str, chunks: Iterable[bytes], content_encoding: str, settings: NetworkSettings) -> bytes:
    """Read and decompress a body; its size is checked before and after decompression."""
    body = bytearray()
    try:
        limit = max(settings.max_bytes, settings.max_pdf_bytes)
        for piece in decompress(_limited(url, chunks, limit), content_encoding):
            body += piece
            limit = settings.max_pdf_bytes if body.startswith(_PDF) else settings.max_bytes
            if len(body) > limit:
                raise _too_large(url, limit)
    except ValueError as error:
        raise FetchError(f"{url} could not be fetched: its body cannot be decompressed: {error}") from error
    return bytes(body)


def _limited(url: str, chunks: Iterable[bytes], limit: int) -> Iterator[bytes]:
    num_bytes = 0
    for chunk in chunks:
        num_bytes += len(chunk)
        if num_bytes > limit:
            raise _too_large(url, limit)
        yield chunk


def _too_large(url: str, limit: int) -> Refused:
    return Refused(f"{url} is larger than {limit / 1e6:g} MB")
