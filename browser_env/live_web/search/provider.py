"""The interface of a search provider: requests and replies, without I/O."""

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
    """A request to a provider. The API key, if any, is in a header, so that it appears in no URL."""

    url: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class Provider(ABC):
    """A search provider with its URL and key."""

    base_url: str
    """Base URL of the API, without a slash at the end."""
    key: str = field(default="", repr=False)
    """API key; empty if the provider needs none."""

    name: ClassVar[str]
    """Name in ``--provider`` and in records."""
    default_url: ClassVar[str]
    """Default of `base_url`."""
    key_variable: ClassVar[str | None] = None
    """Environment variable of the key; None if the provider needs no key."""
    requests_per_second: ClassVar[float] = 10
    """Maximum requests per second."""
    max_query: ClassVar[int] = 1_000
    """Maximum characters of a query; the rest is cut."""

    @abstractmethod
    def request(self, query: str) -> ApiRequest:
        """Create the request for a query."""
        ...

    @abstractmethod
    def hits(self, reply: bytes) -> Iterator[SearchHit]:
        """Read the hits in a reply, best first. A missing field is an empty string.

        Raises:
            FetchError: The reply does not have the documented format.
        """
        ...

    @property
    def refusal(self) -> str:
        """Advice for users when the provider refuses to answer (HTTP 401 or 403)."""
        if self.key_variable is not None:
            return f"set {self.key_variable} to a valid key"
        return f"set {url_variable(self.name)} to another URL, or choose another provider (SEARCH_PROVIDER)"

    def get(self, path: str, parameters: Mapping[str, str | int], headers: Mapping[str, str] | None = None) -> ApiRequest:
        """Create a GET request of a path below the base URL."""
        accept = {"Accept": "application/json"}
        return ApiRequest(f"{self.base_url}{path}?{urlencode(parameters)}", headers={**accept, **(headers or {})})

    def post(self, path: str, body: Mapping[str, object], headers: Mapping[str, str]) -> ApiRequest:
        """Create a POST request with a JSON body."""
        json_headers = {"Accept": "application/json", "Content-Type": "application/json"}
        return ApiRequest(f"{self.base_url}{path}", "POST", {**json_headers, **headers}, json.dumps(body).encode())


def url_variable(name: str) -> str:
    """Environment variable of a provider's base URL (``SEARXNG_URL``)."""
    return f"{name.upper()}_URL"


def entries(reply: bytes, *path: str) -> Iterator[Mapping[str, object]]:
    """Yield the objects in a list inside a JSON object; none if there is no such list.

    Args:
        reply: JSON.
        path: Keys that lead to the list.

    Raises:
        FetchError: The reply is not a JSON object.
    """
    try:
        value: object = json.loads(reply)
    except ValueError as error:  # also a UnicodeDecodeError
        raise FetchError("it answered with what is no JSON") from error
    except RecursionError as error:
        raise FetchError("it answered with JSON that is nested too deeply") from error
    if not isinstance(value, dict):
        raise FetchError("it answered with JSON that is no object")
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    if isinstance(value, list):
        yield from (entry for entry in value if isinstance(entry, dict))


def text(entry: Mapping[str, object], *keys: str) -> str:
    """The first of several fields that is a non-empty string; an empty string if there is none."""
    values = (entry.get(key) for key in keys)
    return next((value for value in values if isinstance(value, str) and value), "")


def joined(entry: Mapping[str, object], key: str) -> str:
    """The strings in a list field, joined by ellipses; empty if the field is not a list."""
    values = entry.get(key)
    return " … ".join(value for value in values if isinstance(value, str) and value) if isinstance(values, list) else ""
