"""Which pages Chromium draws: those that show next to nothing until their scripts have run, all, or none.

The page is asked for without a browser first, so that most pages cost no browser at all and every page passes the same door.
"""

from dataclasses import dataclass
from typing import Literal

from browser_env.errors import FetchError, NeedsJavaScript
from browser_env.live_web.chromium import MISSING, Chromium
from browser_env.live_web.loading import fetch
from browser_env.network.client import Network
from browser_env.pages.document import Document
from browser_env.rendering.render import render

BrowserUse = Literal["auto", "never", "always"]
"""Whether Chromium draws pages: those that need it, none, or all."""


@dataclass(frozen=True, slots=True)
class Drawer:
    """Loads documents, drawn by a browser where that is needed: a `browser_env.live_web.loading.Load`."""

    network: Network
    chromium: Chromium | None
    """None: there is none; pages that need one say so."""
    always: bool = False
    """Whether every page is drawn."""

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
            return response.document  # what its source says is better than nothing


def needs_drawing(document: Document) -> bool:
    """Whether a page has little text of its own and scripts that would show more (an application)."""
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
