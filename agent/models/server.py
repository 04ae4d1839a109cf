"""A client for the endpoints of OpenAI's protocol: requests, retries and error messages.

Failures that may pass (a busy server, a lost connection, a truncated reply) are retried a limited number of times; any other
failure is the error of its prompt. Messages contain neither the key nor credentials in the address.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ValidationError

from browser_env.errors import PolicyError
from browser_env.network.trusted import Client, ClientError, trusted_client
from browser_env.pages.characters import clean_line

WAITS = (0.5, 1.0, 2.0)
"""Seconds to wait before the second, third and fourth attempt."""
MAX_WAIT = 10.0
"""Longest wait, in seconds, that a server may ask for with Retry-After."""
MAX_REPLY = 4_000_000
"""Maximum size of a reply in bytes."""

T = TypeVar("T")
Item = TypeVar("Item")


class Transient(Exception):
    """A failure that may pass."""

    def __init__(self, message: str, wait: float | None = None) -> None:
        """Make the error.

        Args:
            message: Description of the failure.
            wait: Seconds to wait before another attempt. Default: the next of `WAITS`.
        """
        super().__init__(message)
        self.wait = wait


class ServerError(BaseModel):
    """A server's description of an error."""

    message: str = "no message"
    param: str | None = None


class ModelServer:
    """A client for one model of one server."""

    def __init__(
        self,
        model: str,
        base_url: str,
        api_key: str | None = None,
        *,
        client: Client | None = None,
        max_concurrent: int = 8,
        max_seconds: float = 300,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make the client; no request is sent yet.

        Args:
            model: Name of the model in messages.
            base_url: Address of the API, including ``/v1``.
            api_key: Key to send as a bearer token, if the server needs one.
            client: HTTP client for `base_url`. Default: a new client.
            max_concurrent: Maximum number of concurrent requests.
            max_seconds: Maximum duration of a reply in seconds.
            sleep: Waits a number of seconds before another attempt.
            clock: Monotonic clock in seconds.
        """
        self._model = model
        self._api_key = api_key
        self._client = client or trusted_client(base_url, read_seconds=max_seconds)
        self._max_concurrent = max_concurrent
        self._max_seconds = max_seconds
        self._sleep = sleep
        self._clock = clock
        self._refused: set[str] = set()
        address = urlsplit(base_url)
        self._address = f"{address.hostname}:{address.port}" if address.port else str(address.hostname)

    def map(self, function: Callable[[Item], T], items: Sequence[Item]) -> list[T]:
        """Apply a function to all items, up to `max_concurrent` at a time; results are in order."""
        if len(items) <= 1:
            return [function(item) for item in items]
        with ThreadPoolExecutor(min(len(items), self._max_concurrent), thread_name_prefix="model-server") as pool:
            return list(pool.map(function, items))

    def request(
        self,
        path: str,
        body: Mapping[str, Any] | None,
        read: Callable[[bytes], T],
        *,
        optional: Mapping[str, Any] | None = None,
    ) -> T:
        """Send a request and read its reply, with retries.

        Args:
            path: Path of the endpoint, relative to the address.
            body: JSON body to post; None: send a GET request.
            read: Parses the content of a reply; raises `Transient` or `PolicyError` with a text from `message`.
            optional: Further keys of the body. A key that the model rejects is omitted from then on.

        Raises:
            PolicyError: All attempts failed, or the first failure is permanent.
        """
        for wait in WAITS:
            try:
                return self._attempt(path, body, read, optional or {})
            except Transient as error:
                self._sleep(wait if error.wait is None else error.wait)
        try:
            return self._attempt(path, body, read, optional or {})
        except Transient as error:
            raise PolicyError(f"{error} (after {len(WAITS) + 1} attempts)") from error

    def message(self, text: str) -> str:
        """An error message on one line that names the model and the server, with the key replaced by ``…``."""
        line = clean_line(text.replace(self._api_key, "…") if self._api_key else text)
        return f"{self._model} at {self._address}: {line[:300]}"

    def unreadable(self, content: bytes) -> PolicyError:
        """The error for a reply that does not follow the protocol."""
        beginning = clean_line(content[:80].decode("utf-8", "replace"))
        return PolicyError(self.message(f"the reply does not follow the protocol: {beginning!r}"))

    def _attempt(self, path: str, body: Mapping[str, Any] | None, read: Callable[[bytes], T], optional: Mapping[str, Any]) -> T:
        """Send a request once and read its reply.

        Raises:
            Transient: The failure may pass.
            PolicyError: The failure is permanent.
        """
        headers = {"Authorization": f"Bearer {self._api_key}"} if self._api_key else {}
        sent = None
        if body is not None:
            sent = {**body, **{key: value for key, value in optional.items() if key not in self._refused}}
        try:
            with self._client.stream("GET" if sent is None else "POST", path, json=sent, headers=headers) as response:
                content = self._content(response.iter_bytes())
                status, retry_after = response.status_code, response.headers.get("Retry-After")
        except ClientError as error:
            raise Transient(self.message(f"{type(error).__name__}: {error}")) from error
        if status == HTTPStatus.OK:
            return read(content)
        raise self._error(status, content, retry_after, {key for key in sent or {} if key in optional})

    def _content(self, chunks: Iterator[bytes]) -> bytes:
        """The content of a reply. A stream ends with its last event, even if the connection stays open."""
        deadline = self._clock() + self._max_seconds
        content = bytearray()
        for chunk in chunks:
            content += chunk
            if len(content) > MAX_REPLY:
                raise PolicyError(self.message(f"the reply is larger than {MAX_REPLY / 1e6:g} MB"))
            if content[-16:].rstrip().endswith(b"[DONE]"):
                break
            if self._clock() > deadline:
                raise Transient(self.message(f"the reply took more than {self._max_seconds:g} seconds"))
        return bytes(content)

    def _error(self, status: int, content: bytes, retry_after: str | None, optional: set[str]) -> PolicyError | Transient:
        """The error for a status other than 200, given the optional keys that the body had."""
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            # The server's message is left out: some servers repeat the key in it.
            problem = "does not accept this key" if self._api_key else "needs a key"
            return PolicyError(self.message(f"the server {problem} (HTTP {status}): set OPENAI_API_KEY"))
        try:
            error = _Failure.model_validate_json(content).error
        except ValidationError:
            error = None
        message = self.message(f"HTTP {status}: {error_text(error)}" if error else f"HTTP {status}")
        if status == HTTPStatus.NOT_FOUND:
            return PolicyError(f"{message}: the model does not exist, or --base-url (OPENAI_BASE_URL) lacks a part such as /v1")
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            wait = _seconds(retry_after)
            if wait is not None and wait > MAX_WAIT:
                return PolicyError(f"{message}: the server asks to wait {wait:,.0f} seconds")
            return Transient(message, wait)
        if status == HTTPStatus.BAD_REQUEST and isinstance(error, ServerError) and error.param in optional:
            self._refused.add(error.param)
            return Transient(message, 0.0)
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.REQUEST_TIMEOUT:
            return Transient(message)
        return PolicyError(message)


class _Failure(BaseModel):
    error: ServerError | str | None = None


def error_text(error: ServerError | str) -> str:
    """The message of an error."""
    return error if isinstance(error, str) else error.message


def _seconds(retry_after: str | None) -> float | None:
    """Seconds to wait by a Retry-After header, which contains a number of seconds or a date."""
    if retry_after is None:
        return None
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        date = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    return max(0.0, (date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
