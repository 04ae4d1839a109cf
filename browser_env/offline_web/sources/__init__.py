"""Sources of collections: the Python documentation, a folder, a site or a web archive."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from browser_env.pages.document import Document


@dataclass(frozen=True, slots=True)
class Redirect:
    """A URL that redirects to another one."""

    url: str
    """URL that redirects."""
    target: str
    """URL to which it redirects."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A document that is left out of the collection, with the reason."""

    name: str
    """Name of the module or file, or URL of the page."""
    reason: str
    """Reason, in one line."""


@dataclass(frozen=True, slots=True)
class Expected:
    """The number of documents to come, if it is known in advance; for progress bars."""

    num_documents: int
    """Number of documents, including those that will be skipped."""


Item = Document | Redirect | Skipped | Expected
"""An item that a source yields."""


class Source(Protocol):
    """Yields the documents of a collection. A document that is not available is an item too, not an exception."""

    @property
    def label(self) -> str:
        """Default label of a collection made from the source."""
        ...

    @property
    def addresses(self) -> frozenset[str]:
        """URLs of the source's documents that are not http(s). Links to other such URLs become plain text."""
        ...

    def __iter__(self) -> Iterator[Item]: ...
