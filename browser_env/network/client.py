"""The network client, which sends every request except those to servers that the user has configured.

It checks where a request goes, limits the rate of requests to each host, follows redirects, and repeats a request when a busy
server asks for it. A request that a rule forbids raises `Refused`; a failure of the network or of a server, a plain
`FetchError`.
"""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from ssl import SSLContext, create_default_context
from typing import Final

from browser_env.cache import SingleFlight
from browser_env.errors import Refused
from browser_env.network.addresses import WebAddress, parse_address
from browser_env.network.connection import Resolver, resolve
from browser_env.network.exchange import exchange
from browser_env.network.messages import REDIRECTS, Request, Response
from browser_env.network.pacing import Pace
from browser_env.network.settings import NetworkSettings
from browser_env.pages.document import Document

ACCEPT: Final = "text/html, text/*;q=0.9, */*;q=0.5"
TRY_LATER: Final = frozenset({429, 503})
"""Statuses after which a request is sent once more, if the Retry-After header is short."""
_NOT_SETTABLE = frozenset(
    """accept-encoding connection content-length cookie host keep-alive proxy-authorization te transfer-encoding
    upgrade""".split()  # noqa: SIM905 - a list of words reads best as text
)
"""Request headers that callers cannot set."""


class Network:
    """HTTP client with address checks, size and time limits, and a rate limit per host. Thread-safe.

    Args:
        settings: Rules and limits.
        resolver: Returns the IP addresses of a host name.
        on_response: Called with every response to a GET, redirects included, to record snapshots.
        clock: Returns the time in seconds, from any origin, for the rate limit.
        sleep: Waits for a number of seconds.
    """

    def __init__(
        self,
        settings: NetworkSettings | None = None,
        *,
        resolver: Resolver = resolve,
        on_response: Callable[[Response], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.settings = settings or NetworkSettings()
        self._resolver = resolver
        self._on_response = on_response
        self._sleep = sleep
        limits = self.settings
        self._pace = Pace(limits.requests_per_second, limits.burst, limits.max_seconds, clock, sleep)
        self._requests: SingleFlight[object, Response] = SingleFlight()

    @cached_property
    def _ssl_context(self) -> SSLContext:
        """Created for the first https request: loading the certificates is slow."""
        return create_default_context()

    def get(self, url: str, *, wanted: Callable[[str], bool] | None = None) -> Document:
        """Fetch a document, whatever its status; see `request`."""
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
        """Send a request and return the response, whatever its status. Concurrent equal GETs are sent once.

        Args:
            url: An http or https URL; the fragment is not sent.
            method: HTTP method.
            headers: Additional headers. Cookies and headers of the connection are ignored; after a redirect to another origin
                only those that every visitor sends are kept.
            body: Request body.
            wanted: Returns whether to read a body, given its media type such as ``text/html``. Default: every body is read.
            follow: Whether to follow redirects; otherwise a redirect is the response.

        Raises:
            Refused: A rule forbids the request; the message names the rule.
            FetchError: No complete response came within the limits.
        """
        custom = {name.lower(): value for name, value in (headers or {}).items()}
        sent = {"user-agent": self.settings.user_agent, "accept": ACCEPT}
        sent |= {name: value for name, value in custom.items() if name not in _NOT_SETTABLE}
        request = Request(parse_address(url), method, sent, body)
        if method != "GET":
            return self._follow(request, wanted, follow)
        key = (str(request.address), tuple(sorted(sent.items())), wanted, follow)
        return self._requests.get(key, lambda: self._follow(request, wanted, follow))

    def _follow(self, request: Request, wanted: Callable[[str], bool] | None, follow: bool) -> Response:
        """Follow redirects to the last response; they share one time limit."""
        redirects: tuple[str, ...] = ()
        self._check_port(request.address)
        self._pace.wait(request.address.host)
        deadline = time.monotonic() + self.settings.max_seconds
        while True:
            response = self._send_with_retry(request, wanted, deadline)
            if self._on_response is not None and request.method == "GET":
                self._on_response(response)
            location = response.headers.get("location")
            if not follow or response.status not in REDIRECTS or location is None:
                return Response(response.url, response.status, response.headers, response.body, redirects)
            if len(redirects) == self.settings.max_redirects:
                raise Refused(f"{response.url} was reached after {len(redirects)} redirects, and redirects again")
            redirects = (*redirects, response.url)
            request = request.redirected(response.status, location)

    def _send_with_retry(self, request: Request, wanted: Callable[[str], bool] | None, deadline: float) -> Response:
        """Send a request, and once more if the server is busy and sends a short Retry-After."""
        response = self._send(request, wanted, deadline)
        if response.status not in TRY_LATER:
            return response
        seconds = retry_after(response.headers)
        if seconds is None or seconds > self.settings.max_retry_after or time.monotonic() + seconds >= deadline:
            return response
        self._sleep(seconds)
        return self._send(request, wanted, deadline)

    def _send(self, request: Request, wanted: Callable[[str], bool] | None, deadline: float) -> Response:
        self._check_port(request.address)
        return exchange(
            request,
            self.settings,
            resolver=self._resolver,
            ssl_context=self._ssl_context if request.address.scheme == "https" else None,
            deadline=deadline,
            wanted=wanted,
        )

    def _check_port(self, address: WebAddress) -> None:
        if address.port not in self.settings.ports:
            raise Refused(f"port {address.port} of {address.host} may not be connected to")


def retry_after(headers: Mapping[str, str], now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> float | None:
    """Seconds to wait according to the Retry-After header; None without a valid header."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:10])
    try:
        return max(0.0, (parsedate_to_datetime(value) - now()).total_seconds())
    except (ValueError, TypeError):  # not a date, or one without a time zone
        return None
