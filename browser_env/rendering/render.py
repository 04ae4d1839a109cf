"""From what a server or a disk gave (bytes and a content type) to a `Page`: the one door into rendering."""

import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Literal, assert_never
from urllib.parse import urlsplit

from browser_env.errors import FetchError
from browser_env.pages.characters import clean_line
from browser_env.pages.document import Document
from browser_env.pages.page import Page
from browser_env.rendering.decoding import decode, http_encoding
from browser_env.rendering.html import render_html
from browser_env.rendering.links import is_http
from browser_env.rendering.main_content import ReadingMode
from browser_env.rendering.markdown import render_markdown
from browser_env.rendering.pdf import render_pdf
from browser_env.rendering.plain_text import render_json, render_text
from browser_env.rendering.walls import REASONS, wall

__all__ = ["RENDERER_VERSION", "Document", "ReadingMode", "render"]

RENDERER_VERSION = 3
"""Raised whenever the same bytes give another page; stored beside what was rendered."""
MAX_SAID = 500
"""Characters of its body that the message of an HTTP error holds."""
SNIFFED = 4096
"""Bytes that are looked at to tell what a document is."""
PDF_START = 1024
"""Bytes of a PDF in which its signature may come."""
FEW_CONTROLS, MAX_CONTROLS = 4, 0.02
"""Control characters, and their share, above which bytes are no text."""

_Kind = Literal["html", "markdown", "json", "pdf", "text"]

_PDF = b"%PDF-"
_SIGNATURES = {
    b"\x89PNG\r\n": "image/png",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
    b"\xff\xd8\xff": "image/jpeg",
    b"PK\x03\x04": "application/zip",
    b"\x1f\x8b": "application/gzip",
}
_VAGUE = frozenset({"", "text/plain", "application/octet-stream", "binary/octet-stream", "unknown/unknown"})
_KINDS: dict[str, _Kind] = {
    "text/html": "html",
    "application/xhtml+xml": "html",
    "text/markdown": "markdown",
    "text/x-markdown": "markdown",
    "application/json": "json",
    "text/json": "json",
    "application/javascript": "text",
    "application/sql": "text",
    "application/toml": "text",
    "application/x-ndjson": "text",
    "application/x-sh": "text",
    "application/x-tex": "text",
    "application/x-yaml": "text",
    "application/xml": "text",
    "application/yaml": "text",
    "message/rfc822": "text",
}
_EXTENSIONS: dict[str, _Kind] = {
    "htm": "html",
    "html": "html",
    "xhtml": "html",
    "md": "markdown",
    "markdown": "markdown",
    "json": "json",
    "csv": "text",
    "log": "text",
    "py": "text",
    "rst": "text",
    "txt": "text",
    "xml": "text",
}
_HTML_START = re.compile(rb"(?:\s|<\?xml[^>]*>|<!--.*?-->|\xef\xbb\xbf)*<(?:!doctype\s+html|html|head|body)\b", re.I | re.S)
_HTML_TAG = re.compile(rb"<(?:!doctype|title|meta|script|h[1-6]|p|div|table|ul|ol|br|a)(?:\s[^<>]*)?/?>", re.IGNORECASE)
_CONTROLS = bytes({*range(0x20)} - {*b"\t\n\f\r\x1b"})


def is_html(document: Document) -> bool:
    """Whether a document is HTML, whatever its status."""
    try:
        return _kind(document) == "html"
    except FetchError:
        return False


def render(document: Document, *, mode: ReadingMode = "full", followable: Callable[[str], bool] = is_http) -> Page:
    """The page that a document shows; `followable` says which absolute addresses become links.

    What a document is, is told by its first bytes, then by its Content-Type, then by the extension of its address.

    Raises:
        FetchError: An HTTP error, content that is no text, or a page that needs JavaScript; nothing else, whatever the bytes.
    """
    if document.status >= 400:
        raise FetchError(_http_error(document))
    page = _render(document, mode, followable)
    if (reason := wall(page, document.body)) is not None:
        raise FetchError(f"{document.url} {reason}")
    return page


def _render(document: Document, mode: ReadingMode, followable: Callable[[str], bool]) -> Page:
    kind = _kind(document)
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
    """``HTTP 404 Not Found: <address>``, and what the server said to it."""
    known = {status.value: f" {status.phrase}" for status in HTTPStatus}
    message = f"HTTP {document.status}{known.get(document.status, '')}: {document.url}"
    if document.status in REASONS:
        message += f" {REASONS[document.status]}."
    try:
        page = _render(document, "full", is_http)
        said = clean_line(page.text)[:MAX_SAID]
        if (reason := wall(page, document.body)) is not None and document.status not in REASONS:
            message += f" {reason}."
    except FetchError:
        said = ""
    return f"{message} The server says: {said}" if said else message


def _kind(document: Document) -> _Kind:
    head = document.body[:SNIFFED]
    for signature, media_type in _SIGNATURES.items():
        if head.startswith(signature):
            raise _unsupported(media_type, document)
    media_type = (document.content_type or "").partition(";")[0].strip().lower()
    if head.startswith(_PDF) or (media_type == "application/pdf" and _PDF in head[:PDF_START]):
        return "pdf"
    if _is_binary(head, document.content_type):
        raise _unsupported(f"{media_type}, but binary" if media_type in _KINDS else media_type or "binary data", document)
    if _HTML_START.match(head):
        return "html"
    if media_type in _VAGUE and (kind := _EXTENSIONS.get(_extension(document.url))):
        return kind
    if kind := _KINDS.get(media_type):
        return kind
    if media_type.endswith("+json"):
        return "json"
    if media_type.startswith("text/") or media_type.endswith("+xml"):
        return "text"
    if media_type in _VAGUE:
        return "html" if _HTML_TAG.search(head) else "text"
    raise _unsupported(media_type, document)


def _unsupported(media_type: str, document: Document) -> FetchError:
    return FetchError(f"Unsupported content type: {media_type} at {document.url}")


def _is_binary(head: bytes, content_type: str | None) -> bool:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or http_encoding(content_type) in ("utf-16-le", "utf-16-be"):
        return False
    return len(head) - len(head.translate(None, _CONTROLS)) > max(FEW_CONTROLS, MAX_CONTROLS * len(head))


def _extension(url: str) -> str:
    try:
        name = urlsplit(url).path.rpartition("/")[2]
    except ValueError:
        return ""
    return name.rpartition(".")[2].lower() if "." in name else ""
