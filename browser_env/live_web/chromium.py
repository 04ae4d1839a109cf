"""A Chromium process, without a network of its own, for pages that are drawn by scripts.

Chromium is started with flags by which no host name and no IP address resolves. The requests of its pages are answered by
`browser_env.network.client.Network`, so the same rules, limits and snapshots hold for scripts as for pages. Only GET and HEAD
requests for documents, scripts, style sheets and data are sent. Each visit has its own browser context, so it leaves no
cookies or storage behind. The drawn page is returned as a `Document` of HTML, and rendered like any other.

Playwright's asynchronous API runs on an event loop in its own thread, so that a `Chromium` can be used from any thread,
even from one that runs another event loop, as in a terminal program.
"""

import asyncio
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from playwright.async_api import Browser, Error, Playwright, async_playwright

from browser_env.errors import FetchError
from browser_env.live_web.installation import require_chromium
from browser_env.live_web.visit import POLL_SECONDS, Visit
from browser_env.network.client import Network
from browser_env.network.messages import Response
from browser_env.pages.document import Document
from browser_env.rendering.kinds import is_html

FLAGS: Final = (
    "--host-resolver-rules=MAP * ~NOTFOUND",  # for IP addresses, too
    "--no-proxy-server",
    "--disable-quic",
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",  # otherwise a page could send UDP packets to any address
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-gpu",
    "--no-first-run",
    "--js-flags=--max-old-space-size=512",  # MB; a tab that needs more crashes
)
CLOSING_SECONDS: Final = 5
"""Seconds to wait for a tab or browser to close before its process is killed."""


class Chromium:
    """A browser shared by threads. It is started for the first page and closed when it has been idle for a while.

    Args:
        network: Client that sends the requests of pages.
        executable: Path of the browser. Default: the installed browser.
        max_tabs: Maximum number of pages that are drawn at the same time.
        max_seconds: Seconds that drawing one page may take.
        idle_seconds: Seconds without a page after which the browser is closed; the next page starts it again.

    Raises:
        UsageError: No browser is installed.
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
        """Run the scripts of a page and return the result. A response that is not HTML is returned unchanged.

        Args:
            response: The server's answer to the request for the page.

        Raises:
            FetchError: The page could not be drawn within the limits.
        """
        if not is_html(response.document):
            return response.document
        if self._loop.is_closed():
            raise FetchError(f"{response.url} cannot be drawn: the browser was closed")
        return asyncio.run_coroutine_threadsafe(self._draw(response), self._loop).result()

    @property
    def num_contexts(self) -> int:
        """Number of open browser contexts; 0 between visits."""
        return len(self._browser.contexts) if self._browser is not None else 0

    @property
    def is_running(self) -> bool:
        """Whether the browser process is running."""
        return self._browser is not None

    def close(self) -> None:
        """Close the browser and its thread; nothing can be drawn afterwards."""
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

    # The methods below run in the thread of the event loop.

    async def _draw(self, response: Response) -> Document:
        async with self._tabs:
            if self._idle is not None:
                self._idle.cancel()
            self._num_visits += 1
            try:
                for is_last in (False, True):
                    browser = await self._started(response.url)
                    visit = Visit(self._network, self._pool, response)
                    try:
                        return await asyncio.wait_for(visit.document(browser), self._max_seconds)
                    except TimeoutError as error:
                        raise FetchError(f"{response.url} was not drawn within {self._max_seconds:g} seconds") from error
                    except Error as error:
                        if is_last or not await _is_lost(browser):
                            raise FetchError(f"{response.url} could not be drawn: {_reason(error)}") from error
                    finally:
                        await self._end_visit(browser, visit)
                raise AssertionError("the second try returns or raises")
            finally:
                self._num_visits -= 1
                if not self._num_visits:
                    self._idle = self._loop.call_later(self._idle_seconds, self._stop_soon)

    async def _started(self, url: str) -> Browser:
        """The running browser, started first if there is none or it has crashed."""
        async with self._starting:
            if self._browser is not None and self._browser.is_connected():
                return self._browser
            await self._stop()
            try:
                self._playwright = await async_playwright().start()
                self._browser = await self._playwright.chromium.launch(
                    executable_path=self._executable,
                    args=FLAGS,
                    chromium_sandbox=sys.platform != "linux" or os.geteuid() != 0,  # root cannot use the sandbox
                )
            except (Error, OSError) as error:
                await self._stop()
                raise FetchError(f"{url} could not be drawn: {self._executable} does not start: {_reason(error)}") from error
            return self._browser

    async def _end_visit(self, browser: Browser, visit: Visit) -> None:
        """Close a visit's context, or the browser if that fails."""
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
        """Close the browser and Playwright's driver; stopping the driver kills a browser that does not respond."""
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


async def _is_lost(browser: Browser) -> bool:
    """Whether a browser has crashed. Waits up to two seconds, because the crash is reported after the call that failed."""
    for _ in range(20):
        if not browser.is_connected():
            return True
        await asyncio.sleep(POLL_SECONDS)
    return False


def _reason(error: Exception) -> str:
    """The first line of a Playwright error message."""
    return str(error).strip().partition("\n")[0] or type(error).__name__
