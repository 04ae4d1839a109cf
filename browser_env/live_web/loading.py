"""Loading a document of the live web: the `Load` protocol, and the page that a loaded document becomes."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from browser_env.network.client import Network
from browser_env.network.messages import Response
from browser_env.pages.document import Document
from browser_env.rendering.refresh import refresh_target
from browser_env.rendering.render import is_html

Load = Callable[[str], Document]
"""From an address to the document there; raises FetchError. A browser that draws pages is one, as `Fetcher` is."""


NOT_READ: Final = re.compile(
    r"(?:image|audio|video|font|model)/.*|application/(?:.*zip|.*rar.*|font-.*|vnd\.ms-.*|vnd\.openxml.*)"
)
"""Media types of which nothing can be shown, so that they are not read."""


def is_readable(media_type: str) -> bool:
    """Whether a document of some media type may be a page; its first bytes decide in the end."""
    return NOT_READ.fullmatch(media_type) is None


def fetch(network: Network, url: str) -> Response:
    """What is at an address; of a page that soon sends its visitors on, what is there, once.

    Raises:
        FetchError: It could not be had.
    """
    response = network.request(url, wanted=is_readable)
    if response.status < 300 and is_html(response.document):
        target = refresh_target(response.body, response.content_type, response.url)
        if target is not None:
            return network.request(target, wanted=is_readable)
    return response


@dataclass(frozen=True, slots=True)
class Fetcher:
    """Loads documents as they are, without running their scripts."""

    network: Network

    def __call__(self, url: str) -> Document:
        return fetch(self.network, url).document
