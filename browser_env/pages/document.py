"""A document as it was found at an address, before rendering."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Document:
    """What was found at an address, before rendering."""

    url: str
    """Final address, after redirects."""
    body: bytes
    content_type: str | None = None
    """The Content-Type header with its parameters; None where there is none (files)."""
    status: int = 200
    """HTTP status."""
