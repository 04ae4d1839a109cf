"""One visit of a page in Chromium: scripts run, the network client answers their requests, and the result is HTML."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from html import escape
from importlib import resources
from typing import Any, Final

from playwright.async_api import Browser, BrowserContext, CDPSession, Error, Page, Route
from playwright.async_api import TimeoutError as PlaywrightTimeout

from browser_env.errors import FetchError
from browser_env.network.client import Network
from browser_env.network.messages import Response
from browser_env.pages.document import Document
from browser_env.rendering.links import is_http

FETCHED: Final = frozenset({"document", "script", "stylesheet", "xhr", "fetch"})
"""Types of requests that are answered; images, media, fonts, event streams, beacons and prefetching are not."""
MAX_REQUESTS: Final = 100
"""Maximum number of requests of one visit."""
MAX_BYTES: Final = 20_000_000
"""Maximum bytes of all responses of one visit; once they are exceeded, no further request is sent."""
MAX_HTML: Final = 5_000_000
"""Maximum characters of HTML taken from the drawn page."""
SHORT: Final = 200
"""Characters of text below which a page may still be loading."""
QUIET_SECONDS: Final = 5
"""Seconds to wait for the page's requests to end."""
LOADING_SECONDS: Final = 15
"""Seconds to wait for a page whose source is still being read."""
PATIENCE_SECONDS: Final = 2
"""Seconds to wait for a page with little text to show more."""
POLL_SECONDS: Final = 0.1
"""Seconds between two checks of a page."""
_BROWSER_HEADERS: Final = ("sec-", "user-agent", "referer", "upgrade-insecure-requests", "cache-control", "pragma")
"""Prefixes of request headers that Chromium adds by itself; they are not sent."""
_WITHOUT_WEBRTC: Final = (
    "for (const name of ['RTCPeerConnection', 'webkitRTCPeerConnection', 'WebTransport']) delete window[name];"
)


class Visit:
    """A visit of one page, in a browser context of its own.

    Args:
        network: Sends the requests of the page.
        pool: Threads for those requests, which block.
        response: The server's answer to the request for the page.
    """

    def __init__(self, network: Network, pool: ThreadPoolExecutor, response: Response) -> None:
        self._network = network
        self._pool = pool
        self._url = response.url
        self._known = {response.url: replace(response, redirects=())}
        self._status = response.status
        self._num_requests = 0
        self._num_bytes = 0
        self._context: BrowserContext | None = None

    async def document(self, browser: Browser) -> Document:
        """Open the page, wait until its scripts have run, and return the result.

        Raises:
            FetchError: The page crashed its tab, kept navigating, or navigated to a URL that is not http or https.
            playwright.async_api.Error: The page could not be opened.
        """
        self._context = await browser.new_context(
            user_agent=self._network.settings.user_agent, service_workers="block", accept_downloads=False
        )
        await self._context.route("**/*", self._answer)
        await self._context.add_init_script(_WITHOUT_WEBRTC)
        page = await self._context.new_page()
        self._context.on("page", _close)
        crash = asyncio.Event()
        page.on("crash", lambda _: crash.set())
        drawing, crashed = asyncio.ensure_future(self._drawn(page)), asyncio.ensure_future(crash.wait())
        try:
            await asyncio.wait((drawing, crashed), return_when=asyncio.FIRST_COMPLETED)
            if crashed.done():
                raise FetchError(f"{self._url} could not be drawn: it crashed its tab")
            url, html = await drawing
        finally:
            drawing.cancel()
            crashed.cancel()
        if not is_http(url):
            raise FetchError(f"{self._url} leads to {url[:100]!r}, which is no web address")
        return Document(url, html.encode("utf-8", "replace"), "text/html; charset=utf-8", self._status)

    async def close(self) -> None:
        """Close the context with its pages."""
        if self._context is not None:
            await self._context.close()

    async def _drawn(self, page: Page) -> tuple[str, str]:
        """URL and HTML of the page, as soon as it shows text or the time is up."""
        await page.goto(self._url, wait_until="commit", timeout=0)
        with suppress(PlaywrightTimeout):
            await page.wait_for_load_state("networkidle", timeout=1000 * QUIET_SECONDS)
        assert self._context is not None
        session = await self._context.new_cdp_session(page)
        waited, patience = 0.0, float(PATIENCE_SECONDS)
        while True:
            is_last = waited >= patience
            try:
                drawn = await _run(session, f"({_serializer()})({MAX_HTML}, {SHORT}, {str(is_last).lower()})")
            except Error:
                if page.is_closed() or is_last:
                    raise
                drawn = None  # the page is navigating to another one
            if drawn == "loading":
                patience = min(waited + PATIENCE_SECONDS, LOADING_SECONDS)
            elif drawn is not None:
                return str(drawn[0]), str(drawn[1])
            elif is_last:
                raise FetchError(f"{self._url} could not be drawn: it does not hold still")
            await asyncio.sleep(POLL_SECONDS)
            waited += POLL_SECONDS

    async def _answer(self, route: Route) -> None:
        """Give the page the response to one of its requests, or block the request."""
        response = await self._response(route)
        is_page = route.request.is_navigation_request()
        with suppress(Error):  # the page has been closed
            if response is None:
                await route.abort("aborted" if is_page else "blockedbyclient")  # an aborted navigation leaves the page as it is
            elif is_page and response.redirects:
                # A fulfilled request keeps its URL, so the page is sent to the final one by a refresh.
                self._known[response.url] = replace(response, redirects=())
                await route.fulfill(
                    status=200,
                    content_type="text/html",
                    body=f'<meta http-equiv="refresh" content="0; url={escape(response.url)}">',
                )
            else:
                await route.fulfill(status=response.status, headers=dict(response.headers), body=response.body)

    async def _response(self, route: Route) -> Response | None:
        """The server's response to a request of the page; None if the request is blocked or fails."""
        request = route.request
        self._num_requests += 1
        if (
            request.resource_type not in FETCHED
            or request.method not in ("GET", "HEAD")
            or self._num_requests > MAX_REQUESTS
            or self._num_bytes > MAX_BYTES
        ):
            return None
        url = request.url.partition("#")[0]
        is_page = request.is_navigation_request()
        response = self._known.pop(url, None) if is_page else None
        if response is None:
            headers = {name: value for name, value in request.headers.items() if not name.startswith(_BROWSER_HEADERS)}
            send = partial(self._network.request, url, method=request.method, headers=headers)
            try:
                response = await asyncio.get_running_loop().run_in_executor(self._pool, send)
            except FetchError:
                return None
        self._num_bytes += len(response.body)
        if is_page and request.frame.parent_frame is None:
            self._status = response.status
        return response


def _serializer() -> str:
    """The script that serializes a drawn page as HTML."""
    return resources.files("browser_env.live_web").joinpath("serialize.js").read_text("utf-8")


async def _run(session: CDPSession, script: str) -> Any:
    """Run a script where the page's scripts cannot interfere, and return its value; None if it throws."""
    frames = await session.send("Page.getFrameTree")
    frame = frames["frameTree"]["frame"]["id"]
    world = await session.send("Page.createIsolatedWorld", {"frameId": frame, "worldName": "open-webgpt"})
    parameters = {"expression": script, "contextId": world["executionContextId"], "returnByValue": True}
    result = await session.send("Runtime.evaluate", parameters)
    return result["result"].get("value")


async def _close(page: Page) -> None:
    """Close a window that the page opened."""
    with suppress(Error):
        await page.close()
