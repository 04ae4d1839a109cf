"""Loading of documents with Chromium: for pages that show little text until their scripts have run, for all, or for none.

Each page is first fetched without a browser, because most pages do not need one.
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
"""Use of Chromium: for pages that need it, for none, or for all."""


@contextmanager
def document_loader(network: Network, browser: BrowserUse) -> Iterator[Load]:
    """Yield a function that loads documents; its browser, if any, is closed at the end of the block.

    Raises:
        UsageError: `browser` is *always*, and no browser is installed.
    """
    if browser == "never":
        yield Fetcher(network)
    elif browser == "auto" and not is_installed():
        yield DrawingFetcher(network, None)
    else:
        executable = require_chromium()
        from browser_env.live_web.chromium import Chromium  # imports Playwright, which is optional

        with Chromium(network, executable=executable) as chromium:
            yield DrawingFetcher(network, chromium, always=browser == "always")


@dataclass(frozen=True, slots=True)
class DrawingFetcher:
    """Loads documents, with Chromium where they need it; implements `browser_env.live_web.loading.Load`."""

    network: Network
    chromium: "Chromium | None"
    """The browser. None: no browser is installed, and loading a page that needs one is an error."""
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
    """Whether a page has little text in its source, and scripts that may show more."""
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
