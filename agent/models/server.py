"""A server that speaks OpenAI's protocol: one request and its failures, whichever of its endpoints is asked.

What is likely to pass (a busy server, a lost connection, a reply that was cut) is tried again, a bounded number of times;
everything else is an error of its own prompt. Neither the key nor the address's credentials are in any message.
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
"""Seconds before the second, third and fourth attempt."""
MAX_WAIT = 10.0
"""Longest wait that a server may ask for, in seconds."""
MAX_REPLY = 4_000_000
"""Longest reply that is read, in bytes."""

T = TypeVar("T")
Item = TypeVar("Item")


class Transient(Exception):
    """Raised when another attempt may succeed, after so many seconds; None: as many as the number of attempts suggests."""

    def __init__(self, message: str, wait: float | None = None) -> None:
        super().__init__(message)
        self.wait = wait


class ServerError(BaseModel):
    """What a server says is wrong."""

    message: str = "it does not say what"
    param: str | None = None


class ModelServer:
    """One model of one server."""

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
        """Take a server by its address.

        Args:
            model: What messages call the model.
            base_url: Up to and with ``/v1``.
            api_key: Sent as a bearer token; None: none is sent.
            client: Connects to `base_url`; None: one is made.
            max_concurrent: Most requests at a time.
            max_seconds: For one reply.
            sleep: Waits before another attempt.
            clock: Seconds that only grow.
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

    def map(self, ask: Callable[[Item], T], items: Sequence[Item]) -> list[T]:
        """Ask for everything at once, a few at a time; the results are in order."""
        if len(items) <= 1:
            return [ask(item) for item in items]
        with ThreadPoolExecutor(min(len(items), self._max_concurrent), thread_name_prefix="model-server") as pool:
            return list(pool.map(ask, items))

    def request(
        self,
        path: str,
        body: Mapping[str, Any] | None,
        read: Callable[[bytes], T],
        *,
        optional: Mapping[str, Any] | None = None,
    ) -> T:
        """What is read out of the reply to a request, at one of some attempts.

        Args:
            path: Of the endpoint, relative to the address.
            body: Is posted; None: nothing is, and the reply is got.
            read: Makes something of a reply, or raises what `message` words: `Transient` or `PolicyError`.
            optional: Further keys of the body, each left out from the time on that the model refuses it.

        Raises:
            PolicyError: There is none.
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
        """One line that names the model and the server, and holds no key."""
        line = clean_line(text.replace(self._api_key, "…") if self._api_key else text)
        return f"{self._model} at {self._address}: {line[:300]}"

    def unreadable(self, content: bytes) -> PolicyError:
        """The error of a reply that is something else than was expected."""
        beginning = clean_line(content[:80].decode("utf-8", "replace"))
        return PolicyError(self.message(f"the reply is not what the protocol says: {beginning!r}"))

    def _attempt(self, path: str, body: Mapping[str, Any] | None, read: Callable[[bytes], T], optional: Mapping[str, Any]) -> T:
        """What is read out of the reply to one request.

        Raises:
            Transient: Another attempt may succeed.
            PolicyError: None will.
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
        """A body; a stream ends with its last event, whether or not the connection does."""
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
        """What a status other than 200 means, with optional keys in the body."""
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            # What the server says is left out: some repeat the key.
            said = "does not accept this key" if self._api_key else "wants a key"
            return PolicyError(self.message(f"the server {said} (HTTP {status}): set OPENAI_API_KEY"))
        try:
            error = _Failure.model_validate_json(content).error
        except ValidationError:
            error = None
        message = self.message(f"HTTP {status}: {error_text(error)}" if error else f"HTTP {status}")
        if status == HTTPStatus.NOT_FOUND:
            return PolicyError(f"{message}: there is no such model, or --base-url (OPENAI_BASE_URL) lacks a part such as /v1")
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
    """The words of an error."""
    return error if isinstance(error, str) else error.message


def _seconds(retry_after: str | None) -> float | None:
    """What a Retry-After header asks for: a number of seconds, or a date."""
    if retry_after is None:
        return None
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        date = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    return max(0.0, (date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
