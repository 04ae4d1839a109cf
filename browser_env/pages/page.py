"""A page as the environment holds it: link-free text, with its links as spans of that text.

The text is the one source. What a policy sees (``【3†text†domain】``, wrapped to a width) is derived from it and carries
offsets back into it, so find and quote work on words that no marker or line wrap interrupts, and a quote is always a span
of the page's own text.
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


@dataclass(frozen=True, slots=True)
class Link:
    """A stretch of a page's text that leads elsewhere."""

    start: int
    """Offset of its first character in `Page.text`."""
    end: int
    """Offset after its last character. A link never spans a line break; a longer one is several links."""
    url: str
    """Absolute address, with its fragment."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The lines of a page at one width."""

    lines: tuple[str, ...]
    starts: tuple[int, ...]
    """Offset in `Page.text` at which each line begins."""

    def line_at(self, offset: int) -> int:
        """Number of the line that holds an offset of the page's text."""
        return max(0, bisect_right(self.starts, offset) - 1)


@dataclass(frozen=True)
class Page:
    """A document, immutable once fetched. Not slotted: what is derived from it is cached on it.

    Text, title and link texts have passed `characters.clean`; lines end with a line feed, blocks with an empty line.
    """

    url: str
    """Where it was finally found; relative links were resolved against it (or its ``<base href>``)."""
    title: str
    """One line, without the domain."""
    text: str
    links: tuple[Link, ...] = ()
    """In text order, not overlapping."""
    anchors: tuple[tuple[str, int], ...] = ()
    """Names of places (``id`` or ``a[name]``) and their offsets in `text`, in text order."""
    headings: tuple[tuple[int, int], ...] = ()
    """Spans of headings and defined terms, which search weighs over the body."""
    kind: PageKind = "page"
    """*results* is a list of search hits, *error* stands for a page that could not be had and cannot be quoted."""
    notes: tuple[str, ...] = ()
    """What a reader of records should know: ``truncated``, ``soft_404``, ``reader``, ``12 hidden`` and the like."""

    @cached_property
    def domain(self) -> str:
        """Host name of the address, or empty where it has none (files)."""
        return domain_of(self.url)

    @cached_property
    def full_title(self) -> str:
        """``<title> (<domain>)``, as titles are shown and cited (Appendix A); results and errors have no domain."""
        if self.kind != "page" or not self.domain:
            return self.title
        return f"{self.title} ({self.domain})"

    @cached_property
    def link_urls(self) -> tuple[str, ...]:
        """Address by link id. One id for one address, dense from 0, in the order in which they first appear."""
        return tuple(dict.fromkeys(link.url for link in self.links))

    @cached_property
    def link_ids(self) -> dict[str, int]:
        """Link id by address."""
        return {url: number for number, url in enumerate(self.link_urls)}

    @cached_property
    def digest(self) -> str:
        """Content hash: the identity of this snapshot, 16 hexadecimal digits."""
        content = hashlib.sha256()
        for part in (self.url, self.title, self.text, *(f"{a.start} {a.end} {a.url}" for a in self.links)):
            content.update(part.encode("utf-8", "surrogatepass") + b"\0")
        return content.hexdigest()[:16]

    @cached_property
    def normal(self) -> NormalText:
        """The text as find and quote compare it."""
        return normalize(self.text)

    @cached_property
    def layouts(self) -> dict[int, Layout]:
        """The text laid out, by width; `browser_env.pages.layout.lay_out` fills it."""
        return {}

    def link_text(self, link_id: int) -> str:
        """Text of the first link with this id."""
        url = self.link_urls[link_id]
        return next(self.text[link.start : link.end] for link in self.links if link.url == url)

    def link_domain(self, url: str) -> str:
        """Domain that a link's marker shows: empty if it is the page's own (Appendix A)."""
        domain = domain_of(url)
        return "" if domain == self.domain else domain

    def anchor(self, name: str) -> int | None:
        """Offset of a named place; None if the page has no such place."""
        return self._anchors.get(name)

    @cached_property
    def _anchors(self) -> dict[str, int]:
        return dict(reversed(self.anchors))  # the first of two equal names wins, as in browsers

    def link_before(self, offset: int) -> Link | None:
        """The last link that starts at or before an offset: on a results page, the hit that a snippet belongs to."""
        index = bisect_right(self.links, offset, key=lambda link: link.start)
        return self.links[index - 1] if index else None

    def without_links(self, unwanted: Callable[[str], bool]) -> "Page":
        """The same page; links whose address is unwanted keep their text and lose their id."""
        kept = tuple(link for link in self.links if not unwanted(link.url))
        return self if len(kept) == len(self.links) else replace(self, links=kept)


def domain_of(url: str) -> str:
    """Host name of an address; empty if it has none or cannot be parsed."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def error_page(url: str, message: str) -> Page:
    """The page that stands for one that could not be had (Appendix A)."""
    return Page(url=url, title="Error", text=clean_line(message), kind="error")


class PageBuilder:
    """Collects text and spans in order, and makes the page. Every renderer writes through it."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._links: list[Link] = []
        self.length = 0

    def write(self, text: str) -> None:
        """Append text that is already clean."""
        self._parts.append(text)
        self.length += len(text)

    def link(self, text: str, url: str) -> None:
        """Append a link on one line; without text nothing is written."""
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
        """The page made of what was written."""
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
