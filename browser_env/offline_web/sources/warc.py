"""The pages of a web archive, so that one made elsewhere can be searched and browsed."""

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
"""Media types of what somebody may have read; style sheets and scripts are left out without a word."""


@dataclass(frozen=True)
class Warc:
    """Each address as the archive first has it."""

    path: Path

    @property
    def label(self) -> str:
        """The file's name, without what it ends in."""
        return next(self.path.name.removesuffix(end) for end in reversed(SUFFIXES) if self.path.name.endswith(end))

    @property
    def addresses(self) -> frozenset[str]:
        """None but those of the web."""
        return frozenset()

    def __iter__(self) -> Iterator[Item]:
        """Its pages, in order.

        Raises:
            SnapshotError: The file is no web archive, or broken.
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
