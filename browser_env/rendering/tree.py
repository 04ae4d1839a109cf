"""HTML to a tree that is cheap to walk: the seam behind which the parser could be exchanged.

The parser is libxml2's, driven by its events. Its own trees silently lose a page beyond 256 nested elements and text beyond
10 MB; its events do not, and a tree of two slots made from them costs a sixth of BeautifulSoup's over the same parser
(a 100 kB page of pydoc: 6 ms against 34 ms).
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from lxml import etree

MAX_ELEMENTS = 300_000
"""Elements of a page that are read; 5 MB of the most tag-dense real pages have fewer."""
MAX_WORK = 2_000_000_000
"""End tags times levels. libxml2 looks for the start of each through all that is open; this is some seconds, and leaves room
for 50,000 levels."""
CHUNK = 65_536
"""Characters given to the parser at once; the bounds are checked in between."""

_FORBIDDEN = re.compile("[\x00\ud800-\udfff]")
_NO_ATTRIBUTES: Mapping[str, str] = {}
_INDEXED = frozenset({"base", "h1", "h2", "h3", "h4", "h5", "h6", "meta", "noscript", "script", "title"})


class Element:
    """A tag, its attributes, and the elements and stretches of text inside it. Equal only to itself."""

    __slots__ = ("attributes", "children", "tag")

    def __init__(self, tag: str, attributes: Mapping[str, str] = _NO_ATTRIBUTES) -> None:
        self.tag = tag
        self.attributes = attributes
        self.children: list[Node] = []


Node: TypeAlias = Element | str


@dataclass(frozen=True, slots=True)
class Tree:
    """A parsed page."""

    root: Element
    """Has no tag; holds ``html`` and whatever stands beside it."""
    by_tag: Mapping[str, list[Element]]
    """The elements that say something about the whole page, in order: ``title``, ``meta``, headings, scripts and the like."""
    num_read: int
    """Characters of the source that were read: all, unless there are too many elements, or too many levels of them."""


def parse(html: str) -> Tree:
    """The tree of any text whatsoever; never raises."""
    source = _FORBIDDEN.sub("", html).replace("\r\n", "\n").replace("\r", "\n")
    source = source.replace("&nbsp;", "\xa0")  # a third of the time on pydoc's pages: each entity is an event of its own
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
    """Everything inside an element, in order; what is inside those elements that `enter` refuses is passed over."""
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
    """The elements inside an element, in order."""
    return (node for node in walk(element) if isinstance(node, Element))


def texts(element: Element) -> Iterator[str]:
    """The stretches of text inside an element, in order."""
    return (node for node in walk(element) if isinstance(node, str))


def text_of(element: Element) -> str:
    """All text inside an element, as it stands in the source."""
    return "".join(texts(element))


class _Builder:
    """What libxml2 calls as it reads. The stretches of a text, which it cuts at every entity, are joined."""

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
