"""What a search provider is: how it is asked, and where its answer has the results. No I/O."""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar
from urllib.parse import urlencode

from browser_env.backends import SearchHit
from browser_env.errors import FetchError


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """What is sent to a provider; the key, if any, is in its headers and so in no address."""

    url: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class Provider(ABC):
    """A search service with its address and key."""

    base_url: str
    """Without a slash at its end."""
    key: str = field(default="", repr=False)
    """Empty for those that need none."""

    name: ClassVar[str]
    """What ``--provider`` and records call it."""
    default_url: ClassVar[str]
    """Where it is, unless told otherwise."""
    key_variable: ClassVar[str | None] = None
    """Environment variable of the key; None: it needs none."""
    requests_per_second: ClassVar[float] = 10
    """What it can bear, or allows."""
    max_query: ClassVar[int] = 1_000
    """Characters of a query; more are left out."""

    @abstractmethod
    def request(self, query: str) -> ApiRequest:
        """What to send for a query."""
        ...

    @abstractmethod
    def hits(self, reply: bytes) -> Iterator[SearchHit]:
        """The results in a reply, as they stand there, best first. One without an address has an empty one.

        Raises:
            FetchError: The reply is not what the provider documents.
        """
        ...

    @property
    def refusal(self) -> str:
        """What to do when it refuses to answer (401, 403)."""
        if self.key_variable is not None:
            return f"set {self.key_variable} to a valid key"
        return f"set {url_variable(self.name)} to another address, or choose another provider (SEARCH_PROVIDER)"

    def get(self, path: str, parameters: Mapping[str, str | int], headers: Mapping[str, str] | None = None) -> ApiRequest:
        """A GET request of an address below the base."""
        accept = {"Accept": "application/json"}
        return ApiRequest(f"{self.base_url}{path}?{urlencode(parameters)}", headers={**accept, **(headers or {})})

    def post(self, path: str, body: Mapping[str, object], headers: Mapping[str, str]) -> ApiRequest:
        """A POST request with a JSON body."""
        kinds = {"Accept": "application/json", "Content-Type": "application/json"}
        return ApiRequest(f"{self.base_url}{path}", "POST", {**kinds, **headers}, json.dumps(body).encode())


def url_variable(name: str) -> str:
    """Environment variable of a provider's base address."""
    return f"{name.upper()}_URL"


def entries(reply: bytes, *path: str) -> Iterator[Mapping[str, object]]:
    """The objects in the list that is found by a path of keys in a JSON object; none where the path ends early.

    Raises:
        FetchError: It is no JSON object.
    """
    try:
        found: object = json.loads(reply)
    except ValueError as error:  # also of bytes that are no text
        raise FetchError("it answered with what is no JSON") from error
    except RecursionError as error:
        raise FetchError("it answered with JSON that is nested too deeply") from error
    if not isinstance(found, dict):
        raise FetchError("it answered with JSON that is no object")
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    yield from (entry for entry in found if isinstance(entry, dict)) if isinstance(found, list) else ()


def text(entry: Mapping[str, object], *keys: str) -> str:
    """The first of some fields that is a text with something in it; empty if none is."""
    values = (entry.get(key) for key in keys)
    return next((value for value in values if isinstance(value, str) and value), "")


def joined(entry: Mapping[str, object], key: str) -> str:
    """A field that is a list of texts, as one text; empty if it is none."""
    values = entry.get(key)
    return " … ".join(value for value in values if isinstance(value, str) and value) if isinstance(values, list) else ""
