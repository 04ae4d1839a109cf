"""Pages that scripts draw, by the Chromium or Chrome that is installed, without a network of its own.

Chromium is started so that no name and no address resolves for it. Whatever its pages ask for comes here, and `Network` asks
for it: the same rules, limits and snapshots hold for a script as for a page. Only what draws text is asked for, and only by
GET; each visit has a context of its own, so nothing is carried from one to the next. What is handed back is a `Document`, the
drawn page as HTML, and is rendered like any other.

Playwright's asynchronous API runs on one event loop in a thread of its own: it can be used from any thread, inside a
terminal program and where an event loop is running already.
"""

import asyncio
import os
import shutil
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from html import escape
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from browser_env.errors import FetchError, UsageError
from browser_env.network.client import Network
from browser_env.network.messages import Response
from browser_env.pages.document import Document
from browser_env.rendering.links import is_http
from browser_env.rendering.render import is_html

if TYPE_CHECKING:
    from playwright.async_api import Browser, BrowserContext, CDPSession, Page, Playwright, Route

NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
ELSEWHERE: Final = (
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "C:/Program Files/Google/Chrome/Application/chrome.exe",
    "C:/Program Files (x86)/Microsoft/Edge/Application/msedge.exe",
)
"""Where it is on systems that do not put programs on PATH."""
MISSING: Final = (
    "no Chromium or Chrome is installed, which pages drawn by scripts need: install one (Debian and Ubuntu: "
    "apt install chromium), or do without them by --browser never"
)

FLAGS: Final = (
    "--host-resolver-rules=MAP * ~NOTFOUND",  # also of addresses written in figures
    "--no-proxy-server",
    "--disable-quic",
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",  # or a page could send datagrams to any address
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-gpu",
    "--no-first-run",
    "--js-flags=--max-old-space-size=512",  # MB; a tab that wants more is closed
)
FETCHED: Final = frozenset({"document", "script", "stylesheet", "xhr", "fetch"})
"""What of a page is asked for; not images, media, fonts, event streams, beacons or what is wanted in advance."""
MAX_REQUESTS: Final = 100
MAX_BYTES: Final = 20_000_000
"""Of all that one visit asks for."""
MAX_HTML: Final = 5_000_000
"""Characters of the drawn page that are taken over."""
SHORT: Final = 200
"""Characters of text with which a page may still be loading."""
QUIET_SECONDS, LOADING_SECONDS, PATIENCE_SECONDS, POLL_SECONDS = 5, 15, 2, 0.1
"""How long to wait for a page to stop asking for things, then to be loaded, then, if it shows next to nothing, to show more;
and how often to look."""
CLOSING_SECONDS: Final = 5
"""After which a tab or browser that cannot be closed is left behind with its process killed."""
_UNSENT: Final = ("sec-", "user-agent", "referer", "upgrade-insecure-requests", "cache-control", "pragma")
"""Beginnings of headers that are Chromium's own and not the page's."""
_WITHOUT_WEBRTC: Final = (
    "for (const name of ['RTCPeerConnection', 'webkitRTCPeerConnection', 'WebTransport']) delete window[name];"
)


def find_chromium() -> Path | None:
    """The Chromium or Chrome of this machine."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    return Path(found) if found else next((path for path in map(Path, ELSEWHERE) if path.is_file()), None)


def is_installed() -> bool:
    """Whether there is a browser, and what drives it."""
    return find_spec("playwright") is not None and find_chromium() is not None


def require_chromium() -> Path:
    """The same, for whoever cannot do without.

    Raises:
        UsageError: There is none, or nothing to drive it with; the message says how to get it.
    """
    if find_spec("playwright") is None:
        raise UsageError("pages drawn by scripts need Playwright: pip install 'open-webgpt[web]', or use --browser never")
    if (path := find_chromium()) is None:
        raise UsageError(MISSING)
    return path


class Chromium:
    """One browser for many threads, started with the first page and closed when nothing has been drawn for a while.

    Args:
        network: Asks for everything.
        executable: The program; None: the one that is found.
        max_tabs: Pages that are drawn at the same time.
        max_seconds: For drawing one page, from its first byte.
        idle_seconds: After which the browser is closed; the next page starts it again.

    Raises:
        UsageError: There is no browser, or nothing to drive it with.
    """

    def __init__(
        self,
        network: Network,
        *,
        executable: Path | None = None,
        max_tabs: int = 4,
        max_seconds: float = 30,
        idle_seconds: float = 60,
    ) -> None:
        self._network = network
        self._executable = executable or require_chromium()
        self._max_seconds = max_seconds
        self._idle_seconds = idle_seconds
        self._loop = asyncio.new_event_loop()
        self._pool = ThreadPoolExecutor(4 * max_tabs, thread_name_prefix="chromium-requests")
        self._tabs = asyncio.Semaphore(max_tabs)
        self._starting = asyncio.Lock()
        self._playwright: Playwright | None = None
        self._browser: Browser | None = None
        self._num_visits = 0
        self._idle: asyncio.TimerHandle | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="chromium", daemon=True)
        self._thread.start()

    def draw(self, response: Response) -> Document:
        """What a page becomes when its scripts have run. What is no HTML is returned as it came.

        Args:
            response: What its server sent.

        Raises:
            FetchError: It did not become a page within the limits.
        """
        if not is_html(response.document):
            return response.document
        if self._loop.is_closed():
            raise FetchError(f"{response.url} cannot be drawn: the browser was closed")
        return asyncio.run_coroutine_threadsafe(self._draw(response), self._loop).result()

    @property
    def num_contexts(self) -> int:
        """Contexts that are open in the browser: none between visits."""
        return len(self._browser.contexts) if self._browser is not None else 0

    @property
    def is_running(self) -> bool:
        """Whether there is a browser now."""
        return self._browser is not None

    def close(self) -> None:
        """Close the browser for good."""
        if self._loop.is_closed():
            return
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._pool.shutdown(cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    # From here on everything runs in the thread of the loop.

    async def _draw(self, response: Response) -> Document:
        from playwright.async_api import Error

        async with self._tabs:
            if self._idle is not None:
                self._idle.cancel()
            self._num_visits += 1
            try:
                for is_last in (False, True):
                    browser = await self._running(response.url)
                    visit = Visit(self._network, self._pool, response)
                    try:
                        return await asyncio.wait_for(visit.document(browser), self._max_seconds)
                    except TimeoutError as error:
                        raise FetchError(f"{response.url} was not drawn within {self._max_seconds:g} seconds") from error
                    except Error as error:
                        if is_last or not await _is_lost(browser):
                            raise FetchError(f"{response.url} could not be drawn: {_reason(error)}") from error
                    finally:
                        await self._leave(browser, visit)
                raise AssertionError("the second try returns or raises")
            finally:
                self._num_visits -= 1
                if not self._num_visits:
                    self._idle = self._loop.call_later(self._idle_seconds, self._stop_soon)

    async def _running(self, url: str) -> "Browser":
        """The browser; a new one if there is none or it has crashed."""
        from playwright.async_api import Error, async_playwright

        async with self._starting:
            if self._browser is not None and self._browser.is_connected():
                return self._browser
            await self._stop()
            try:
                self._playwright = await async_playwright().start()
                self._browser = await self._playwright.chromium.launch(
                    executable_path=self._executable,
                    args=FLAGS,
                    chromium_sandbox=sys.platform != "linux" or os.geteuid() != 0,  # which root cannot use
                )
            except (Error, OSError) as error:
                await self._stop()
                raise FetchError(f"{url} could not be drawn: {self._executable} does not start: {_reason(error)}") from error
            return self._browser

    async def _leave(self, browser: "Browser", visit: "Visit") -> None:
        """Close a visit's context; of a browser that cannot do even that, nothing is kept."""
        from playwright.async_api import Error

        try:
            await asyncio.wait_for(visit.close(), CLOSING_SECONDS)
        except (Error, TimeoutError):
            if browser is self._browser:
                await self._stop()

    def _stop_soon(self) -> None:
        task = self._loop.create_task(self._stop_if_idle())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _stop_if_idle(self) -> None:
        async with self._starting:
            if not self._num_visits:
                await self._stop()

    async def _stop(self) -> None:
        """Close the browser and what drives it. Stopping the driver ends a browser that does not answer."""
        from playwright.async_api import Error

        if self._idle is not None:
            self._idle.cancel()
        browser, self._browser = self._browser, None
        playwright, self._playwright = self._playwright, None
        if browser is not None:
            with suppress(Error, TimeoutError):
                await asyncio.wait_for(browser.close(), CLOSING_SECONDS)
        if playwright is not None:
            with suppress(Error, TimeoutError):
                await asyncio.wait_for(playwright.stop(), CLOSING_SECONDS)


class Visit:
    """One page in a context of its own.

    Args:
        network: Asks for what the page wants.
        pool: Where it asks, since it blocks.
        response: What the page's server sent.
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

    async def document(self, browser: "Browser") -> Document:
        """The page as it is when its scripts have run.

        Raises:
            FetchError: It led away from the web.
            playwright.async_api.Error: It could not be opened, or crashed.
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
        """Close the context and all that is open in it."""
        if self._context is not None:
            await self._context.close()

    async def _drawn(self, page: "Page") -> tuple[str, str]:
        """Address and HTML."""
        from playwright.async_api import Error, TimeoutError

        await page.goto(self._url, wait_until="commit", timeout=0)
        with suppress(TimeoutError):
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
                drawn = None  # it is on its way to another page
            if drawn == "loading":
                patience = min(waited + PATIENCE_SECONDS, LOADING_SECONDS)
            elif drawn is not None:
                return str(drawn[0]), str(drawn[1])
            elif is_last:
                raise FetchError(f"{self._url} could not be drawn: it does not hold still")
            await asyncio.sleep(POLL_SECONDS)
            waited += POLL_SECONDS

    async def _answer(self, route: "Route") -> None:
        """Give a request of the page what its server sends, or nothing."""
        from playwright.async_api import Error

        response = await self._ask(route)
        is_page = route.request.is_navigation_request()
        with suppress(Error):  # the page has gone away
            if response is None:
                await route.abort("aborted" if is_page else "blockedbyclient")  # what is aborted stays where it is
            elif is_page and response.redirects:
                # Chromium would take the address that was asked for as the page's own, so it is told where to go.
                self._known[response.url] = replace(response, redirects=())
                await route.fulfill(
                    status=200,
                    content_type="text/html",
                    body=f'<meta http-equiv="refresh" content="0; url={escape(response.url)}">',
                )
            else:
                await route.fulfill(status=response.status, headers=dict(response.headers), body=response.body)

    async def _ask(self, route: "Route") -> Response | None:
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
            headers = {name: value for name, value in request.headers.items() if not name.startswith(_UNSENT)}
            asking = partial(self._network.request, url, method=request.method, headers=headers)
            try:
                response = await asyncio.get_running_loop().run_in_executor(self._pool, asking)
            except FetchError:
                return None
        self._num_bytes += len(response.body)
        if is_page and request.frame.parent_frame is None:
            self._status = response.status
        return response


def _serializer() -> str:
    """The script that writes a drawn page down as HTML."""
    return resources.files("browser_env.live_web").joinpath("serialize.js").read_text("utf-8")


async def _run(session: "CDPSession", script: str) -> Any:
    """The value of a script (None if it raises), in a world that the page's own scripts cannot reach."""
    frames = await session.send("Page.getFrameTree")
    frame = frames["frameTree"]["frame"]["id"]
    world = await session.send("Page.createIsolatedWorld", {"frameId": frame, "worldName": "open-webgpt"})
    asked = {"expression": script, "contextId": world["executionContextId"], "returnByValue": True}
    result = await session.send("Runtime.evaluate", asked)
    return result["result"].get("value")


async def _is_lost(browser: "Browser") -> bool:
    """Whether it has crashed; that is known a little later than what it was asked fails."""
    for _ in range(20):
        if not browser.is_connected():
            return True
        await asyncio.sleep(POLL_SECONDS)
    return False


async def _close(page: "Page") -> None:
    """Close a window that a page has opened."""
    from playwright.async_api import Error

    with suppress(Error):
        await page.close()


def _reason(error: Exception) -> str:
    """The first line of what Playwright says."""
    return str(error).strip().partition("\n")[0] or type(error).__name__
