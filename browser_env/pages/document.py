"""Documents, the input of rendering."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Document:
    """The content of a URL, before rendering."""

    url: str
    """Final URL, after redirects."""
    body: bytes
    """Decompressed content."""
    content_type: str | None = None
    """Content-Type header with its parameters. None: there is none, as for files."""
    status: int = 200
    """HTTP status code."""
