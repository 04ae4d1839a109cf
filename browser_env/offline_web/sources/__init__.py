"""Where the pages of a collection come from: the Python documentation, a folder, a site."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from browser_env.pages.document import Document


@dataclass(frozen=True, slots=True)
class Redirect:
    """An address that leads to another one."""

    url: str
    target: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something that is not in the collection, and why."""

    name: str
    """Module, file or address."""
    reason: str
    """One line."""


@dataclass(frozen=True, slots=True)
class Expected:
    """How many documents there will be, where that is known before them; some of them may turn out to be skipped."""

    num_documents: int


Item = Document | Redirect | Skipped | Expected


class Source(Protocol):
    """Yields documents one by one. What cannot be had is an item too, never an exception."""

    @property
    def label(self) -> str:
        """What a collection of it is called."""
        ...

    @property
    def addresses(self) -> frozenset[str]:
        """Addresses in this collection that are not http(s): links to them lead somewhere, others of their kind don't."""
        ...

    def __iter__(self) -> Iterator[Item]: ...
