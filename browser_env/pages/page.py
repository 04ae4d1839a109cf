"""Pages: plain text, with links as spans of that text.

Link markers such as ``【3†text†domain】`` and wrapped lines, which a policy sees, are derived from the text and keep offsets
into it. Find and Quote therefore work on text without markers and line wraps, and a quote is always a span of the page's text.
"""

import hashlib
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal
from urllib.parse import urlsplit

from browser_env.pages.characters import clean_line
from browser_env.pages.matching import NormalText, normalize

PageKind = Literal["page", "results", "error"]
"""*results* is a page of search results, *error* replaces a page that is not available; neither has a domain in its title."""


@dataclass(frozen=True, slots=True)
class Link:
    """A link: a span of a page's text and the URL that it leads to."""

    start: int
    """Offset of the first character in `Page.text`."""
    end: int
    """Offset after the last character. A link is on one line; a longer one in the source becomes several links."""
    url: str
    """Absolute URL, with its fragment."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The text of a page wrapped to lines of a certain width."""

    lines: tuple[str, ...]
    """The lines, with link markers."""
    starts: tuple[int, ...]
    """Offset in `Page.text` of the start of each line."""

    def line_at(self, offset: int) -> int:
        """Index of the line that contains an offset of the page's text."""
        return max(0, bisect_right(self.starts, offset) - 1)


@dataclass(frozen=True)
class Page:
    """A rendered page, immutable. It has no slots, so that derived values can be cached on it.

    Text and title are cleaned (`characters.clean`). Lines end with a line feed, and an empty line separates blocks.
    """

    url: str
    """Final URL, after redirects."""
    title: str
    """Title on one line, without the domain."""
    text: str
    """The whole text, without link markers."""
    links: tuple[Link, ...] = ()
    """Links in text order; they do not overlap."""
    anchors: tuple[tuple[str, int], ...] = ()
    """Named places (``id`` or ``a[name]``) and their offsets in `text`, in text order."""
    headings: tuple[tuple[int, int], ...] = ()
    """Spans of headings and defined terms, which search ranks above other text."""
    kind: PageKind = "page"
    """*page*, *results* of a search, or *error*, which cannot be quoted."""
    notes: tuple[str, ...] = ()
    """Remarks of the renderer, such as ``truncated``, ``soft_404``, ``reader`` or ``12 hidden``."""

    @cached_property
    def domain(self) -> str:
        """Host name of the URL; empty for files."""
        return domain_of(self.url)

    @cached_property
    def full_title(self) -> str:
        """``<title> (<domain>)``, as in observations and citations (Appendix A); results and errors have no domain."""
        if self.kind != "page" or not self.domain:
            return self.title
        return f"{self.title} ({self.domain})"

    @cached_property
    def link_urls(self) -> tuple[str, ...]:
        """URLs by link id. Each URL has one id; ids count from 0 in order of first appearance."""
        return tuple(dict.fromkeys(link.url for link in self.links))

    @cached_property
    def link_ids(self) -> dict[str, int]:
        """Link ids by URL."""
        return {url: link_id for link_id, url in enumerate(self.link_urls)}

    @cached_property
    def digest(self) -> str:
        """Hash of URL, title, text and links that identifies this snapshot, 16 hexadecimal digits."""
        content = hashlib.sha256()
        for part in (self.url, self.title, self.text, *(f"{a.start} {a.end} {a.url}" for a in self.links)):
            content.update(part.encode("utf-8", "surrogatepass") + b"\0")
        return content.hexdigest()[:16]

    @cached_property
    def normal(self) -> NormalText:
        """The text in the normal form in which Find and Quote compare it."""
        return normalize(self.text)

    @cached_property
    def layouts(self) -> dict[int, Layout]:
        """Cached layouts by width, filled by `browser_env.pages.layout.lay_out`."""
        return {}

    def link_text(self, link_id: int) -> str:
        """Text of the first link with an id."""
        url = self.link_urls[link_id]
        return next(self.text[link.start : link.end] for link in self.links if link.url == url)

    def link_domain(self, url: str) -> str:
        """Domain to show in the marker of a link; empty if it is the page's own (Appendix A)."""
        domain = domain_of(url)
        return "" if domain == self.domain else domain

    def anchor(self, name: str) -> int | None:
        """Offset of a named place, or None."""
        return self._anchors.get(name)

    @cached_property
    def _anchors(self) -> dict[str, int]:
        return dict(reversed(self.anchors))  # browsers use the first of several equal names

    def link_before(self, offset: int) -> Link | None:
        """The last link that starts at or before an offset; on a results page, the result that a snippet belongs to."""
        index = bisect_right(self.links, offset, key=lambda link: link.start)
        return self.links[index - 1] if index else None

    def without_links(self, unwanted: Callable[[str], bool]) -> "Page":
        """Turn the links to unwanted URLs into plain text."""
        links = tuple(link for link in self.links if not unwanted(link.url))
        return self if len(links) == len(self.links) else replace(self, links=links)


def domain_of(url: str) -> str:
    """Host name of a URL; empty if it has none or cannot be parsed."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def error_page(url: str, message: str) -> Page:
    """Make the page that is shown in place of an unavailable one (Appendix A)."""
    return Page(url=url, title="Error", text=clean_line(message), kind="error")


class PageBuilder:
    """Builds a page from text and links, appended in order. All renderers use it."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._links: list[Link] = []
        self.length = 0

    def write(self, text: str) -> None:
        """Append cleaned text."""
        self._parts.append(text)
        self.length += len(text)

    def link(self, text: str, url: str) -> None:
        """Append a link on one line; a link without text is left out."""
        if text:
            self._links.append(Link(self.length, self.length + len(text), url))
            self.write(text)

    def page(
        self,
        url: str,
        title: str,
        *,
        kind: PageKind = "page",
        anchors: Iterable[tuple[str, int]] = (),
        headings: Iterable[tuple[int, int]] = (),
        notes: Iterable[str] = (),
    ) -> Page:
        """Make the page from the text and links written so far."""
        return Page(
            url=url,
            title=title,
            text="".join(self._parts),
            links=tuple(self._links),
            anchors=tuple(anchors),
            headings=tuple(headings),
            kind=kind,
            notes=tuple(notes),
        )
