"""HTTP requests and responses, independent of the library that sends them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urljoin

from browser_env.errors import FetchError, Refused
from browser_env.network.addresses import WebAddress, parse_address
from browser_env.pages.document import Document

REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
"""Statuses of redirects that are followed."""
_SENT_ACROSS_ORIGINS = frozenset({"accept", "accept-language", "content-type", "user-agent"})
"""Request headers that are also sent after a redirect to another origin. API keys are not among them."""


@dataclass(frozen=True, slots=True)
class Response:
    """A server's response, with its body decompressed."""

    url: str
    """Final URL, after redirects."""
    status: int
    headers: Mapping[str, str]
    """Headers by name in lower case. Repeated headers are joined by commas; lengths, encodings and cookies are left out."""
    body: bytes
    redirects: tuple[str, ...] = ()
    """URLs that redirected to `url`, in order; the first is the requested one."""

    @property
    def content_type(self) -> str | None:
        """The Content-Type header with its parameters."""
        return self.headers.get("content-type")

    @property
    def document(self) -> Document:
        """The response as a document to render."""
        return Document(self.url, self.body, self.content_type, self.status)


@dataclass(frozen=True, slots=True)
class Request:
    """A request to one server."""

    address: WebAddress
    method: str
    headers: Mapping[str, str]
    """Headers by name in lower case."""
    body: bytes | None

    def redirected(self, status: int, location: str) -> "Request":
        """The request that a redirect asks for.

        Raises:
            Refused: The location is not an http(s) URL, or leads from https to http.
            FetchError: The location is malformed.
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
            headers = {name: value for name, value in headers.items() if name in _SENT_ACROSS_ORIGINS}
        if self.method == "POST" and status in (301, 302, 303):
            return Request(address, "GET", {name: headers[name] for name in headers if name != "content-type"}, None)
        return Request(address, self.method, headers, self.body)
