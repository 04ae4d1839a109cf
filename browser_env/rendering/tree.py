"""Parsing of HTML to a small tree that is fast to build and to traverse.

The parser is libxml2, used through its events. Its own trees silently lose content beyond 256 nested elements or 10 MB of text;
its events do not. Building this tree takes a sixth of the time of BeautifulSoup with the same parser (10 ms against 63 ms for a
page of 167 kB).
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from lxml import etree

MAX_ELEMENTS = 300_000
"""Maximum number of elements; 5 MB of the densest real pages have fewer."""
MAX_WORK = 2_000_000_000
"""Maximum number of end tags times open elements, some seconds of work: libxml2 searches all open elements for each end tag.
50,000 nested elements stay within it."""
CHUNK = 65_536
"""Characters given to the parser at once; the limits are checked in between."""

_FORBIDDEN = re.compile("[\x00\ud800-\udfff]")
_NO_ATTRIBUTES: Mapping[str, str] = {}
_INDEXED = frozenset({"base", "h1", "h2", "h3", "h4", "h5", "h6", "meta", "noscript", "script", "title"})


class Element:
    """An element with its attributes and children. Compared by identity."""

    __slots__ = ("attributes", "children", "tag")

    def __init__(self, tag: str, attributes: Mapping[str, str] = _NO_ATTRIBUTES) -> None:
        self.tag = tag
        self.attributes = attributes
        self.children: list[Node] = []


Node: TypeAlias = Element | str


@dataclass(frozen=True, slots=True)
class Tree:
    """A parsed HTML document, with an index of some of its elements."""

    root: Element
    """An element without a tag that contains the document."""
    by_tag: Mapping[str, list[Element]]
    """Elements of some tags in document order: ``title``, ``meta``, ``base``, headings, ``script`` and ``noscript``."""
    num_read: int
    """Characters of the source that were parsed: all, unless a limit was reached."""


def parse(html: str) -> Tree:
    """Parse any text; never raises."""
    source = _FORBIDDEN.sub("", html).replace("\r\n", "\n").replace("\r", "\n")
    source = source.replace("&nbsp;", "\xa0")  # each entity is an event; these took a third of the time for pydoc's pages
    builder = _Builder()
    parser = etree.HTMLParser(target=builder)  # type: ignore[arg-type]  # lxml calls those methods that a target has
    work = num_read = 0
    while num_read < len(source) and not builder.full:
        chunk = source[num_read : num_read + CHUNK]
        depth = len(builder.open)
        parser.feed(chunk)
        num_read += len(chunk)
        work += max(depth, len(builder.open)) * chunk.count("</")
        builder.full = builder.full or work > MAX_WORK
    if source:
        parser.close()
    return Tree(builder.root, builder.by_tag, len(html) if num_read == len(source) else num_read)


def walk(element: Element, enter: Callable[[Element], bool] = lambda element: True) -> Iterator[Node]:
    """Yield all nodes inside an element, in document order.

    Args:
        element: The element.
        enter: Returns whether to visit the children of an element. Default: always.
    """
    stack = [iter(element.children)]
    while stack:
        for node in stack[-1]:
            yield node
            if isinstance(node, Element) and enter(node):
                stack.append(iter(node.children))
                break
        else:
            stack.pop()


def elements(element: Element) -> Iterator[Element]:
    """All elements inside an element, in document order."""
    return (node for node in walk(element) if isinstance(node, Element))


def texts(element: Element) -> Iterator[str]:
    """All texts inside an element, in document order."""
    return (node for node in walk(element) if isinstance(node, str))


def text_of(element: Element) -> str:
    """The text inside an element, with its white space."""
    return "".join(texts(element))


class _Builder:
    """Builds the tree from libxml2's events. It joins the pieces of text, which libxml2 splits at every entity."""

    def __init__(self) -> None:
        self.root = Element("")
        self.open = [self.root]
        self.by_tag: defaultdict[str, list[Element]] = defaultdict(list)
        self.full = False
        self._count = 0
        self._text: list[str] = []

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        if self.full:
            return
        self._end_text()
        element = Element(tag, attributes or _NO_ATTRIBUTES)
        self.open[-1].children.append(element)
        self.open.append(element)
        self._count += 1
        self.full = self._count >= MAX_ELEMENTS
        if tag in _INDEXED and not (tag == "title" and any(outer.tag == "svg" for outer in self.open[-8:])):
            self.by_tag[tag].append(element)

    def end(self, tag: str) -> None:
        if not self.full:
            self._end_text()
            self.open.pop()

    def data(self, text: str) -> None:
        if not self.full:
            self._text.append(text)

    def close(self) -> None:
        self._end_text()

    def _end_text(self) -> None:
        if self._text:
            self.open[-1].children.append("".join(self._text))
            self._text.clear()
