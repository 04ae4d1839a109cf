"""Detection of the kind of a document from its first bytes, its Content-Type and the extension of its URL."""

import re
from typing import Literal
from urllib.parse import urlsplit

from browser_env.errors import FetchError
from browser_env.pages.document import Document
from browser_env.rendering.decoding import http_encoding

SNIFFED = 4096
"""Bytes at the start of a document that are examined."""
PDF_START = 1024
"""Bytes at the start of a PDF in which its signature is searched."""
FEW_CONTROLS, MAX_CONTROLS = 4, 0.02
"""Maximum number of control characters in text, or their maximum share if that is more."""

Kind = Literal["html", "markdown", "json", "pdf", "text"]
"""Kinds of documents that can be rendered."""

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
"""Media types that servers send for files of any kind."""
_KINDS: dict[str, Kind] = {
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
_EXTENSIONS: dict[str, Kind] = {
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
        return kind_of(document) == "html"
    except FetchError:
        return False


def kind_of(document: Document) -> Kind:
    """The kind of a document.

    Raises:
        FetchError: The document is binary, or of a type that cannot be rendered.
    """
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
