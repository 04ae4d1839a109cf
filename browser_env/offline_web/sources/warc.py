"""Source: the pages of a web archive (WARC), so that archives made by other programs can be browsed."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urljoin

from browser_env.network.messages import REDIRECTS
from browser_env.offline_web.sources import Item, Redirect, Skipped
from browser_env.snapshots.store import RecordedResponse
from browser_env.snapshots.warc import SUFFIXES, read_warc

PAGES: Final = re.compile(r"text/(?:html|plain|markdown)|application/(?:xhtml\+xml|pdf)")
"""Media types of pages. Other documents, such as scripts and style sheets, are left out without being reported."""


@dataclass(frozen=True)
class Warc:
    """The pages of a web archive. The first record of each URL is used."""

    path: Path
    """File of the web archive."""

    @property
    def label(self) -> str:
        """The file name without its suffix."""
        return next(self.path.name.removesuffix(end) for end in reversed(SUFFIXES) if self.path.name.endswith(end))

    @property
    def addresses(self) -> frozenset[str]:
        """Empty, because all URLs are http(s)."""
        return frozenset()

    def __iter__(self) -> Iterator[Item]:
        """Yield the pages in the order of the archive.

        Raises:
            SnapshotError: The file is not a web archive or is damaged.
        """
        seen: set[str] = set()
        for item in read_warc(self.path):
            if not isinstance(item, RecordedResponse) or item.response.url in seen:
                continue
            response = item.response
            media_type = (response.content_type or "").partition(";")[0].strip().lower()
            if response.status in REDIRECTS and "location" in response.headers:
                yield Redirect(response.url, urljoin(response.url, response.headers["location"]))
            elif response.status != 200:
                yield Skipped(response.url, f"HTTP {response.status}")
            elif PAGES.fullmatch(media_type):
                yield response.document
            else:
                continue
            seen.add(response.url)
