"""Rendering of a document of any kind to a `Page`: the entry point of this package."""

from collections.abc import Callable
from http import HTTPStatus
from typing import assert_never

from browser_env.errors import FetchError
from browser_env.pages.characters import clean_line
from browser_env.pages.document import Document
from browser_env.pages.page import Page
from browser_env.rendering.decoding import decode
from browser_env.rendering.html import render_html
from browser_env.rendering.kinds import kind_of
from browser_env.rendering.links import is_http
from browser_env.rendering.main_content import ReadingMode
from browser_env.rendering.markdown import render_markdown
from browser_env.rendering.pdf import render_pdf
from browser_env.rendering.plain_text import render_json, render_text
from browser_env.rendering.walls import REASONS, wall

RENDERER_VERSION = 3
"""Version of the renderer, stored with rendered pages. Increase it whenever the same bytes give another page."""
MAX_SERVER_TEXT = 500
"""Maximum characters of an error response that are quoted in the error message."""


def render(document: Document, *, mode: ReadingMode = "full", followable: Callable[[str], bool] = is_http) -> Page:
    """Render a document to a page of text.

    Args:
        document: A document with its URL, content type and status.
        mode: *full* to render the whole of an HTML page, *reader* for its main content.
        followable: Returns whether an absolute URL becomes a link.

    Raises:
        FetchError: The status is an error, the content is not text, or the page needs JavaScript, shows a CAPTCHA or asks for a
            login. Nothing else is raised, whatever the bytes.
    """
    if document.status >= 400:
        raise FetchError(_http_error(document))
    page = _render(document, mode, followable)
    if (reason := wall(page, document.body)) is not None:
        raise FetchError(f"{document.url} {reason}")
    return page


def _render(document: Document, mode: ReadingMode, followable: Callable[[str], bool]) -> Page:
    kind = kind_of(document)
    if kind == "pdf":
        return render_pdf(document.body, document.url)
    text = decode(document.body, document.content_type).text
    match kind:
        case "html":
            return render_html(text, document.url, mode=mode, followable=followable)
        case "markdown":
            return render_markdown(text, document.url, mode=mode, followable=followable)
        case "json":
            return render_json(text, document.url)
        case "text":
            return render_text(text, document.url)
        case _:
            assert_never(kind)


def _http_error(document: Document) -> str:
    """Message for an error status: ``HTTP 404 Not Found: <URL>``, and the text of the response."""
    phrases = {status.value: f" {status.phrase}" for status in HTTPStatus}
    message = f"HTTP {document.status}{phrases.get(document.status, '')}: {document.url}"
    if document.status in REASONS:
        message += f" {REASONS[document.status]}."
    try:
        page = _render(document, "full", is_http)
        text = clean_line(page.text)[:MAX_SERVER_TEXT]
        if (reason := wall(page, document.body)) is not None and document.status not in REASONS:
            message += f" {reason}."
    except FetchError:
        text = ""
    return f"{message} The server says: {text}" if text else message
