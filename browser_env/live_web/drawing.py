"""Decides which pages Chromium draws: those that show little text until their scripts have run, all, or none.

Each page is first fetched without a browser, so that most pages need none and the same rules hold for all.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from browser_env.errors import FetchError, NeedsJavaScript
from browser_env.live_web.installation import MISSING, is_installed, require_chromium
from browser_env.live_web.loading import Fetcher, Load, fetch
from browser_env.network.client import Network
from browser_env.pages.document import Document
from browser_env.rendering.render import render

if TYPE_CHECKING:
    from browser_env.live_web.chromium import Chromium

BrowserUse = Literal["auto", "never", "always"]
"""Pages that Chromium draws: those that need it, none, or all."""


@contextmanager
def document_loader(network: Network, browser: BrowserUse) -> Iterator[Load]:
    """Yield a loader of documents; its browser, if any, is closed at the end.

    Raises:
        UsageError: All pages are to be drawn, and no browser is installed.
    """
    if browser == "never":
        yield Fetcher(network)
    elif browser == "auto" and not is_installed():
        yield Drawer(network, None)
    else:
        executable = require_chromium()
        from browser_env.live_web.chromium import Chromium  # imports Playwright, which is optional

        with Chromium(network, executable=executable) as chromium:
            yield Drawer(network, chromium, always=browser == "always")


@dataclass(frozen=True, slots=True)
class Drawer:
    """Loads documents, drawn by a browser where they need one; implements `browser_env.live_web.loading.Load`."""

    network: Network
    chromium: "Chromium | None"
    """The browser; None if none is installed, so that a page that needs one is an error."""
    always: bool = False
    """Whether to draw every page."""

    def __call__(self, url: str) -> Document:
        response = fetch(self.network, url)
        if not self.always and not needs_drawing(response.document):
            return response.document
        if self.chromium is None:
            return _without_browser(response.document)
        try:
            return self.chromium.draw(response)
        except FetchError:
            if self.always or not _has_text(response.document):
                raise
            return response.document  # the text in its source is better than nothing


def needs_drawing(document: Document) -> bool:
    """Whether a page has little text in its source, and scripts that would show more."""
    try:
        return "embedded" in render(document).notes
    except NeedsJavaScript:
        return True
    except FetchError:
        return False


def _has_text(document: Document) -> bool:
    try:
        render(document)
    except FetchError:
        return False
    return True


def _without_browser(document: Document) -> Document:
    if not _has_text(document):
        raise NeedsJavaScript(f"{document.url} needs JavaScript to be read, and {MISSING}")
    return document
