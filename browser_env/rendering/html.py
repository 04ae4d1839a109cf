"""Rendering of HTML to a `Page`: the text that a person would see.

Mode *full* keeps everything visible, *reader* the main content. Each rule is a row of the table in
``tests/browser_env/rendering/test_html.py``. Block elements such as ``div`` are separated by an empty line. Rows of a layout
table are lines; their cells share a line unless one takes several. A superscript is ``x^2``, ``x^{10}`` if longer, ``word^[1]``
if bracketed. Buttons keep their text and selections their chosen option; other form controls have no text. The fallback content
of audio, video and objects is kept, since it is meant for text browsers.
"""

import re
from collections.abc import Callable
from urllib.parse import unquote

from browser_env.errors import NeedsJavaScript
from browser_env.pages.characters import clean_line
from browser_env.pages.page import Page, domain_of
from browser_env.rendering.embedded import embedded_text, needs_javascript
from browser_env.rendering.flow import Flow
from browser_env.rendering.links import Links, absolute, is_http
from browser_env.rendering.main_content import ReadingMode, main_content
from browser_env.rendering.tree import Element, Tree, parse, text_of
from browser_env.rendering.truncation import cut, truncation_line
from browser_env.rendering.walker import Walker

MAX_TITLE = 300
"""Maximum characters of a title."""
SHORT = 200
"""Characters of visible text below which the text may be in a dialog or written by a script."""
SOFT_404_CHARACTERS = 600
"""Maximum characters of a "not found" page whose status is 200."""
MIN_MAIN_CHARACTERS, MIN_MAIN_SHARE = 250, 0.15
"""Minimum characters of the main content, and minimum share of the full text; with less, the full page is shown."""

_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
_BLOCK = "(?:p|div|li|tr|table|pre|ul|ol|dl|dt|dd|h[1-6]|section|article|blockquote)"
_BLOCK_END = re.compile(rf"</{_BLOCK}\s*>|(?=<{_BLOCK}[\s>])", re.IGNORECASE)
_NOT_FOUND = re.compile(
    r"\b(?:404|not found|page (?:does not|doesn.t) exist|no longer (?:available|exists)|page missing|can.t find th\w+ page)\b",
    re.IGNORECASE,
)


def render_html(html: str, url: str, *, mode: ReadingMode = "full", followable: Callable[[str], bool] = is_http) -> Page:
    """Render HTML to a page of text.

    Args:
        html: Decoded source.
        url: URL of the page.
        mode: *full* to render the whole page, *reader* for its main content.
        followable: Returns whether an absolute URL becomes a link.

    Raises:
        NeedsJavaScript: The page shows almost no text without its scripts.
    """
    source = cut(html, _BLOCK_END)
    tree = parse(source)
    links = Links(_base(tree, url), followable)
    walker = _walk(tree.root, links)
    notes: list[str] = []
    if walker.dialogs and walker.flow.length < SHORT:
        walker = _walk(tree.root, links, dialogs=True)
        notes.append("consent_wall")
    if walker.flow.length < SHORT and needs_javascript(tree, len(source)):
        _write_embedded(tree, walker.flow, url)
        notes.append("embedded")
    title = _title(tree, url)
    if walker.flow.length < SOFT_404_CHARACTERS and any(map(_NOT_FOUND.search, (title, _heading(tree)))):
        notes.append("soft_404")
    if mode == "reader":
        main = _walk(main_content(tree.root), links)
        if main.flow.length >= max(MIN_MAIN_CHARACTERS, MIN_MAIN_SHARE * walker.flow.length):
            walker = main
            notes.append("reader")
    if walker.hidden:
        notes.append(f"{len(walker.hidden)} hidden")
    num_read = tree.num_read if tree.num_read < len(source) else len(source)
    if num_read < len(html):
        walker.flow.block()
        walker.flow.text(truncation_line(num_read, len(html)))
        notes.append("truncated")
    return walker.flow.page(url, title, notes)


def _walk(root: Element, links: Links, *, dialogs: bool = False) -> Walker:
    walker = Walker(links, dialogs=dialogs)
    walker.walk(root)
    walker.flow.close_link()
    return walker


def _write_embedded(tree: Tree, flow: Flow, url: str) -> None:
    paragraphs = embedded_text(tree)
    if not paragraphs:
        text = clean_line(flow.page(url, "").text)
        raise NeedsJavaScript(f"{url} needs JavaScript to be read" + (f"; without it, it says: {text}" if text else ""))
    for paragraph in paragraphs:
        flow.block()
        flow.text(paragraph)
    flow.block()


def _base(tree: Tree, url: str) -> str:
    """Base URL of links: the first ``<base href>``, or the URL of the page."""
    for element in tree.by_tag.get("base", []):
        if "href" in element.attributes:
            return absolute(url, element.attributes["href"]) or url
    return url


def _title(tree: Tree, url: str) -> str:
    """Title of the page: the first of title, ``og:title``, heading, domain and last part of the URL that is not empty."""
    candidates = (
        *(text_of(element) for element in tree.by_tag.get("title", [])[:1]),
        *(
            element.attributes.get("content", "")
            for element in tree.by_tag.get("meta", [])
            if element.attributes.get("property") == "og:title"
        ),
        _heading(tree),
        domain_of(url),
        unquote(url.rstrip("/").rpartition("/")[2]),
    )
    return next(filter(None, map(clean_line, candidates)), "")[:MAX_TITLE]


def _heading(tree: Tree) -> str:
    """Text of the first heading of the highest level."""
    return next((clean_line(text_of(tree.by_tag[tag][0])) for tag in _HEADINGS if tree.by_tag.get(tag)), "")
