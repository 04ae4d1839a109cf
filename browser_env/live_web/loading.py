"""Loading of documents from the live web without a browser."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from browser_env.network.client import Network
from browser_env.network.messages import Response
from browser_env.pages.document import Document
from browser_env.rendering.kinds import is_html
from browser_env.rendering.refresh import refresh_target

Load = Callable[[str], Document]
"""Returns the document at a URL; raises FetchError.

Implemented by `Fetcher` and `browser_env.live_web.drawing.DrawingFetcher`.
"""


NOT_READ: Final = re.compile(
    r"(?:image|audio|video|font|model)/.*|application/(?:.*zip|.*rar.*|font-.*|vnd\.ms-.*|vnd\.openxml.*)"
)
"""Media types that cannot be shown as text; their bodies are not read."""


def is_readable(media_type: str) -> bool:
    """Whether a document of a media type may contain text; its first bytes decide later."""
    return NOT_READ.fullmatch(media_type) is None


def fetch(network: Network, url: str) -> Response:
    """Fetch a URL, and follow one refresh of the page (``<meta http-equiv="refresh">``).

    Raises:
        FetchError: The URL could not be fetched.
    """
    response = network.request(url, wanted=is_readable)
    if response.status < 300 and is_html(response.document):
        target = refresh_target(response.body, response.content_type, response.url)
        if target is not None:
            return network.request(target, wanted=is_readable)
    return response


@dataclass(frozen=True, slots=True)
class Fetcher:
    """Loads documents without running their scripts; implements `Load`."""

    network: Network

    def __call__(self, url: str) -> Document:
        return fetch(self.network, url).document
