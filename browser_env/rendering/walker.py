"""Conversion of the visible content of a tree to text, with a handler for each tag.

A handler receives an element and returns the steps that replace it: nodes to visit, and functions to call in between. The
walker keeps them on a stack of its own, so nesting is not limited by recursion. The children of elements without a handler are
visited.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import islice, takewhile
from typing import TypeAlias

from browser_env.pages.characters import clean_line
from browser_env.pages.page import Page
from browser_env.rendering.flow import LINE, PARAGRAPH, Flow
from browser_env.rendering.links import Links
from browser_env.rendering.lists import ItemCounter
from browser_env.rendering.tables import HEADER_EVERY, DataTable, data_table
from browser_env.rendering.tree import Element, Node, elements, text_of, walk
from browser_env.rendering.visibility import background, is_dialog, is_hidden, is_invisible_on, is_preformatted, style_of

Step: TypeAlias = Node | Callable[[], object]
"""A step of the walker: an element to visit, a text to write, or a function to call."""
Handler: TypeAlias = "Callable[[Walker, Element], Sequence[Step]]"

SCANNED = 100
"""Maximum nodes inside an element that a handler examines; without a limit, nested elements would take quadratic time."""

_MEANINGFUL_ATTRIBUTES = frozenset({"aria-hidden", "aria-modal", "class", "hidden", "id", "role", "style"})
_HEADING_CLASS = "section-title"
"""CSS class of the cells that are headings on pydoc's pages."""
_PERMALINKS = frozenset("¶#§🔗")
_TEX = re.compile(r"\{\\(?:display|text)style\s+(.*)\}", re.DOTALL)
_TINY = re.compile(r"\s*[01](?:px)?\s*")


class Walker:
    """Writes the visible content of elements to a `Flow`.

    Args:
        links: Resolves the links of the page.
        dialogs: Whether to write dialogs as well.
        one_line: Whether to write everything on one line, as in a table cell.
    """

    def __init__(self, links: Links, *, dialogs: bool = False, one_line: bool = False) -> None:
        self.flow = Flow(one_line=one_line)
        self.hidden: set[Element] = set()
        """Hidden elements with text, which were not written."""
        self.dialogs: set[Element] = set()
        """Dialogs with text, which were not written."""
        self._links = links
        self._with_dialogs = dialogs
        self._lists: list[ItemCounter] = []
        self._preformatted = 0
        self._background: str | None = None

    def walk(self, root: Element) -> None:
        """Write the visible content of an element."""
        stack: list[Step] = [root]
        while stack:
            step = stack.pop()
            if isinstance(step, str):
                if self._preformatted:
                    self.flow.preformatted(step)
                else:
                    self.flow.text(step)
            elif isinstance(step, Element):
                handler = HANDLERS.get(step.tag)
                if not _MEANINGFUL_ATTRIBUTES.isdisjoint(step.attributes):
                    if not self._enter(step, stack):
                        continue
                    if step.attributes.get("role") == "heading" or _HEADING_CLASS in step.attributes.get("class", ""):
                        handler = Walker.heading
                stack.extend(reversed(step.children if handler is None else handler(self, step)))
            else:
                step()

    def _enter(self, element: Element, stack: list[Step]) -> bool:
        """Apply the attributes of an element; returns whether it is visible."""
        if self._is_hidden(element):
            return False
        attributes = element.attributes
        if is_dialog(element) and self._skips_dialog(element):
            return False
        if name := attributes.get("id"):
            self.flow.anchor(name)
        if "style" in attributes:
            style = style_of(element)
            if is_preformatted(style):
                self._preformatted += 1
                stack.append(self._leave_preformatted)
            if (color := background(style)) is not None:
                stack.append(partial(setattr, self, "_background", self._background))
                self._background = color
        return True

    def _is_hidden(self, element: Element) -> bool:
        hidden = is_hidden(element)
        if not hidden and "style" in element.attributes:
            style = style_of(element)
            hidden = is_invisible_on(style, background(style) or self._background)
        if hidden and text_of(element).strip():
            self.hidden.add(element)
        return hidden

    def _skips_dialog(self, dialog: Element) -> bool:
        if not self._with_dialogs and text_of(dialog).strip():
            self.dialogs.add(dialog)
        return not self._with_dialogs

    def _leave_preformatted(self) -> None:
        self._preformatted -= 1

    # Blocks

    def nothing(self, element: Element) -> Sequence[Step]:
        return ()

    def block(self, element: Element) -> Sequence[Step]:
        self.flow.block()
        return (*element.children, self.flow.block)

    def dialog(self, element: Element) -> Sequence[Step]:
        return () if self._skips_dialog(element) else self.block(element)

    def line(self, element: Element) -> Sequence[Step]:
        self.flow.block(LINE)
        return (*element.children, partial(self.flow.block, LINE))

    def line_break(self, element: Element) -> Sequence[Step]:
        self.flow.line_break()
        return element.children

    def heading(self, element: Element) -> Sequence[Step]:
        self.flow.block()
        self.flow.open_heading()
        return (*element.children, self.flow.close_heading, self.flow.block)

    def quotation(self, element: Element) -> Sequence[Step]:
        self.flow.block()
        return (*self._indented("  ", element.children), self.flow.block)

    def preformatted(self, element: Element) -> Sequence[Step]:
        self.flow.block()
        self._preformatted += 1
        children = element.children
        if children and isinstance(first := children[0], str):
            children = [first.removeprefix("\n"), *children[1:]]
        return (*children, self._leave_preformatted, self.flow.block)

    # Lists

    def list(self, element: Element) -> Sequence[Step]:
        gap = LINE if self._lists else PARAGRAPH
        self._lists.append(ItemCounter.of(element))
        self.flow.block(gap)
        return (*element.children, self._lists.pop, partial(self.flow.block, gap))

    def item(self, element: Element) -> Sequence[Step]:
        self.flow.block(LINE)
        marker = self._lists[-1].marker(element) if self._lists else "* "
        return (*self._indented(marker, element.children), partial(self.flow.block, LINE))

    def term(self, element: Element) -> Sequence[Step]:
        self.flow.block(LINE)
        self.flow.open_heading()
        return (*element.children, self.flow.close_heading, partial(self.flow.block, LINE))

    def definition(self, element: Element) -> Sequence[Step]:
        self.flow.block(LINE)
        self.flow.keep_tight()
        inside = element.children
        content = list(takewhile(lambda node: isinstance(node, str) or node.tag not in ("dd", "dt"), inside))
        # Unlike browsers, the parser does not end a definition where the next one begins.
        return (*self._indented("    ", content), partial(self.flow.block, LINE), *inside[len(content) :])

    def _indented(self, marker: str, content: Sequence[Step]) -> Sequence[Step]:
        outer = self.flow.begin_item(marker)
        return (*content, partial(self.flow.end_item, outer))

    # Tables

    def table(self, element: Element) -> Sequence[Step]:
        self.flow.block()
        data = data_table(element, self._is_hidden)
        if data is None:
            return (*element.children, self.flow.block)
        captions = (step for caption in data.captions for step in (caption, partial(self.flow.block, LINE)))
        return (*captions, partial(self._rows, data), self.flow.block)

    def _rows(self, data: DataTable) -> None:
        cells = {cell: self._cell(cell) for row in data.rows for cell in row.cells if cell is not None}
        filled = sorted({column for row in data.rows for column, cell in enumerate(row.cells) if cell and cells[cell].text})
        headers: list[list[Page]] = []
        for number, row in enumerate(data.rows):
            if name := row.element.attributes.get("id"):
                self.flow.anchor(name)
            line = [cells[cell] if (cell := row.cells[column]) else _EMPTY for column in filled if column < len(row.cells)]
            while line and not line[-1].text:
                line.pop()
            if number < data.num_header_rows:
                headers.append(line)
            elif number > data.num_header_rows and (number - data.num_header_rows) % HEADER_EVERY == 0:
                for header in headers:
                    self.flow.row(header)
            if line:
                self.flow.row(line)
        if len(data.rows) < data.num_rows:
            self.flow.text(f"[Table truncated: {len(data.rows)} of {data.num_rows:,} rows]")

    def _cell(self, cell: Element) -> Page:
        """Render a cell on one line, as a page."""
        walker = Walker(self._links, dialogs=self._with_dialogs, one_line=True)
        walker.hidden, walker.dialogs, walker._background = self.hidden, self.dialogs, self._background
        walker.walk(cell)
        return walker.flow.page("", "")

    def row(self, element: Element) -> Sequence[Step]:
        """A row of a layout table: a line, or a block if it takes several lines."""
        self.flow.block(LINE)
        before = self.flow.num_breaks
        return (*element.children, lambda: self.flow.block(PARAGRAPH if self.flow.num_breaks > before else LINE))

    def layout_cell(self, element: Element) -> Sequence[Step]:
        before = self.flow.num_breaks
        return (*element.children, lambda: self.flow.end_cell(broken=self.flow.num_breaks > before))

    # Links and images

    def link(self, element: Element) -> Sequence[Step]:
        attributes = element.attributes
        if name := attributes.get("name"):
            self.flow.anchor(name)
        href = attributes.get("href")
        if href is None:
            return element.children
        if href.startswith("#") and _short_text(element) in _PERMALINKS:
            return ()  # a permalink of a heading
        content = element.children if self._has_visible_text(element) else self._label(element)
        url = self._links.resolve(href)
        return content if url is None else (partial(self.flow.open_link, url), *content, self.flow.close_link)

    def _has_visible_text(self, element: Element) -> bool:
        """Whether an element contains visible text; true if it contains many nodes."""

        def is_visible(inside: Element) -> bool:
            return HANDLERS.get(inside.tag) is not Walker.nothing and inside.tag != "svg" and not is_hidden(inside)

        nodes = walk(element, is_visible)
        return any(isinstance(node, str) and node.strip() for node in islice(nodes, SCANNED)) or next(nodes, None) is not None

    def _label(self, element: Element) -> Sequence[Step]:
        """Text of a link without visible text: its label, the label of an element in it, or else its children."""
        for node in (element, *_first_nodes(element)):
            if isinstance(node, str):
                continue
            for name in ("aria-label", "title", "alt"):
                if label := clean_line(node.attributes.get(name, "")):
                    return (label,)
            if node.tag == "title" and (label := clean_line(text_of(node))):
                return (label,)
        return element.children

    def area(self, element: Element) -> Sequence[Step]:
        """A link of an image map."""
        return (" ", *self.link(element), " ")

    def image(self, element: Element) -> Sequence[Step]:
        attributes = element.attributes
        if attributes.get("role", "") in ("presentation", "none") or any(
            _TINY.fullmatch(attributes.get(side, "")) for side in ("width", "height")
        ):
            return ()
        if "alt" not in attributes:
            title = clean_line(attributes.get("title", ""))
            return (f"[Image: {title}]" if title else "[Image]",)
        alt = clean_line(attributes["alt"])
        if tex := _TEX.fullmatch(alt):
            return (tex[1],)
        return (f"[Image: {alt}]",) if alt else ()

    # Inside a line

    def spaced(self, element: Element) -> Sequence[Step]:
        return (self.flow.space, *element.children, self.flow.space)

    def superscript(self, element: Element) -> Sequence[Step]:
        return _script("^", element)

    def subscript(self, element: Element) -> Sequence[Step]:
        return _script("_", element)

    def inline_quotation(self, element: Element) -> Sequence[Step]:
        return ("“", *element.children, "”")

    def ruby_text(self, element: Element) -> Sequence[Step]:
        return ("(", *element.children, ")")

    def selection(self, element: Element) -> Sequence[Step]:
        options = [option for option in elements(element) if option.tag == "option"]
        chosen = [option for option in options if "selected" in option.attributes] or options[:1]
        return (self.flow.space, *(text_of(option) + " " for option in chosen))

    def math(self, element: Element) -> Sequence[Step]:
        """A formula: its TeX source if it is given, else its parts."""
        notations = (
            text_of(part)
            for part in _first_nodes(element)
            if isinstance(part, Element) and part.attributes.get("encoding", "").lower() == "application/x-tex"
        )
        tex = (element.attributes.get("alttext") or next(notations, "")).strip()
        match = _TEX.fullmatch(tex)
        return (match[1] if match else tex,) if tex else element.children

    def fraction(self, element: Element) -> Sequence[Step]:
        parts = [child for child in element.children if isinstance(child, Element)]
        return ("(", *parts[:1], ")/(", *parts[1:], ")")

    def raised(self, element: Element) -> Sequence[Step]:
        parts = [child for child in element.children if isinstance(child, Element)]
        return (*parts[:1], *(step for part in parts[1:] for step in _script("_" if element.tag == "msub" else "^", part)))


_EMPTY = Page("", "", "")


def _first_nodes(element: Element) -> Iterable[Node]:
    """The first nodes inside an element, up to `SCANNED`."""
    return islice(walk(element), SCANNED)


def _short_text(element: Element) -> str | None:
    """The stripped text of an element; None if it contains too many nodes."""
    nodes = list(_first_nodes(element))
    return "".join(node for node in nodes if isinstance(node, str)).strip() if len(nodes) < SCANNED else None


def _script(mark: str, element: Element) -> Sequence[Step]:
    text = _short_text(element)
    if text == "":
        return element.children
    if text is not None and (len(text) == 1 or (text[0], text[-1]) in (("[", "]"), ("(", ")"))):
        return (mark, *element.children)
    return (f"{mark}{{", *element.children, "}")


HANDLERS: Mapping[str, Handler] = {
    tag: handler
    for tags, handler in (
        (
            "annotation annotation-xml base col colgroup datalist defs desc embed frame head iframe input link meta metadata "
            "noembed noscript param rp script source style template title track",
            Walker.nothing,
        ),
        (
            "address article aside center details div fieldset figure footer form frameset header hgroup hr main "
            "nav noframes p search section",
            Walker.block,
        ),
        ("dialog", Walker.dialog),
        ("caption figcaption legend summary", Walker.line),
        ("h1 h2 h3 h4 h5 h6", Walker.heading),
        ("br", Walker.line_break),
        ("blockquote", Walker.quotation),
        ("listing plaintext pre textarea xmp", Walker.preformatted),
        ("dir dl menu ol ul", Walker.list),
        ("li", Walker.item),
        ("dt", Walker.term),
        ("dd", Walker.definition),
        ("table", Walker.table),
        ("tr", Walker.row),
        ("td th", Walker.layout_cell),
        ("a", Walker.link),
        ("area", Walker.area),
        ("img", Walker.image),
        ("button text", Walker.spaced),
        ("sup", Walker.superscript),
        ("sub", Walker.subscript),
        ("q", Walker.inline_quotation),
        ("rt", Walker.ruby_text),
        ("select", Walker.selection),
        ("math", Walker.math),
        ("mfrac", Walker.fraction),
        ("msub msup", Walker.raised),
    )
    for tag in tags.split()
}
