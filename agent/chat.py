"""Any chat model behind a server that speaks OpenAI's protocol as a policy: OpenAI's own, vLLM, llama.cpp, Ollama and others.

A system text teaches the commands (`agent.chat_prompt`), the observation is the user's message, and the reply is read leniently
(`agent.chat_reply`) but recorded exactly. The prompts of a batch are sent at once, a few at a time. What is likely to pass (a
busy server, a lost connection, a reply that was cut) is tried again, a bounded number of times; everything else is an error of
its own prompt. Neither the key nor the address's credentials are in any message.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ValidationError

from agent.chat_prompt import ANSWERING, BROWSING
from agent.chat_reply import read_answer, read_command
from agent.policy import Completion, Prompt
from browser_env.actions import first_line
from browser_env.characters import END_OF_FIELD, SECTION, clean_line
from browser_env.errors import PolicyError
from browser_env.network import Client, ClientError, trusted_client

WAITS = (0.5, 1.0, 2.0)
"""Seconds before the second, third and fourth attempt."""
MAX_WAIT = 10.0
"""Longest wait that a server may ask for, in seconds."""
MAX_REPLY = 4_000_000
"""Longest reply that is read, in bytes."""
OPTIONAL = frozenset({"temperature", "seed", "stop"})
"""What is left out for a model that refuses it; reasoning models take neither a temperature nor a stop."""


class Chat:
    """A `Policy` over one model of one server."""

    def __init__(
        self,
        model: str,
        base_url: str,
        api_key: str | None = None,
        *,
        name: str | None = None,
        temperature: float | None = 0.8,
        stream: bool = False,
        client: Client | None = None,
        max_concurrent: int = 8,
        max_seconds: float = 300,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take a model by its name on a server.

        Args:
            model: As the server calls it.
            base_url: Up to and without ``/chat/completions``.
            api_key: Sent as a bearer token; None: none is sent.
            name: What records call it; None: ``openai:`` and the model.
            temperature: None: the server's.
            stream: Ask for the reply piece by piece, so that a slow one does not run into the time-outs of what lies between.
            client: Connects to `base_url`; None: one is made.
            max_concurrent: Most requests at a time.
            max_seconds: For one reply.
            sleep: Waits before another attempt.
            clock: Seconds that only grow.
        """
        self.name = name or f"openai:{model}"
        self._model = model
        self._api_key = api_key
        self._temperature = temperature
        self._stream = stream
        self._client = client or trusted_client(base_url, read_seconds=max_seconds)
        self._max_concurrent = max_concurrent
        self._max_seconds = max_seconds
        self._sleep = sleep
        self._clock = clock
        self._refused: set[str] = set()
        address = urlsplit(base_url)
        self._server = f"{address.hostname}:{address.port}" if address.port else str(address.hostname)

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion | PolicyError]:
        if len(prompts) <= 1:
            return [self._complete(prompt) for prompt in prompts]
        with ThreadPoolExecutor(min(len(prompts), self._max_concurrent), thread_name_prefix="chat") as pool:
            return list(pool.map(self._complete, prompts))

    def ask(self, system: str, user: str, *, seed: int | None = None, stop: Sequence[str] = ()) -> str:
        """The reply to a system text and a user's message, at one of some attempts.

        Raises:
            PolicyError: There is none.
        """
        message = _Asked(system, user, seed, stop)
        for wait in WAITS:
            try:
                return self._request(message)
            except _Transient as error:
                self._sleep(wait if error.wait is None else error.wait)
        try:
            return self._request(message)
        except _Transient as error:
            raise PolicyError(f"{error} (after {len(WAITS) + 1} attempts)") from error

    def _complete(self, prompt: Prompt) -> Completion | PolicyError:
        is_answer = prompt.state.phase == "answering"
        system, stop = (ANSWERING, END_OF_FIELD) if is_answer else (BROWSING, f"\n{SECTION}")
        try:
            reply = self.ask(system, prompt.text, seed=prompt.seed, stop=[stop])
        except PolicyError as error:
            return error
        if is_answer:
            answer = read_answer(reply)
            return Completion(reply, command=None if answer == reply else answer)
        command = read_command(reply, prompt.text)
        return Completion(reply, command=None if command == first_line(reply) else command)

    def _request(self, asked: "_Asked") -> str:
        """The reply to one request.

        Raises:
            _Transient: Another attempt may succeed.
            PolicyError: None will.
        """
        body = self._body(asked)
        headers = {"Authorization": f"Bearer {self._api_key}"} if self._api_key else {}
        try:
            with self._client.stream("POST", "chat/completions", json=body, headers=headers) as response:
                content = self._read(response.iter_bytes())
                status, retry_after = response.status_code, response.headers.get("Retry-After")
        except ClientError as error:
            raise _Transient(self._message(f"{type(error).__name__}: {error}")) from error
        if status == HTTPStatus.OK:
            return self._text(content)
        raise self._error(status, content, retry_after, body)

    def _body(self, asked: "_Asked") -> dict[str, Any]:
        optional = {"temperature": self._temperature, "seed": asked.seed, "stop": list(asked.stop) or None}
        return {
            "model": self._model,
            "messages": [{"role": "system", "content": asked.system}, {"role": "user", "content": asked.user}],
            "stream": self._stream,
            **{key: value for key, value in optional.items() if value is not None and key not in self._refused},
        }

    def _read(self, chunks: Iterator[bytes]) -> bytes:
        """A body; a stream ends with its last event, whether or not the connection does."""
        deadline = self._clock() + self._max_seconds
        content = bytearray()
        for chunk in chunks:
            content += chunk
            if len(content) > MAX_REPLY:
                raise PolicyError(self._message(f"the reply is larger than {MAX_REPLY / 1e6:g} MB"))
            if content[-16:].rstrip().endswith(b"[DONE]"):
                break
            if self._clock() > deadline:
                raise _Transient(self._message(f"the reply took more than {self._max_seconds:g} seconds"))
        return bytes(content)

    def _text(self, content: bytes) -> str:
        events, is_whole = [content], True
        if content.lstrip().startswith((b"data:", b"event:", b":")):
            events, is_whole = _events(content)
        parts: list[str] = []
        reason = None
        for event in events:
            try:
                reply = _Reply.model_validate_json(event)
            except ValidationError as error:
                if not is_whole and event is events[-1]:
                    break
                problem = clean_line(event[:80].decode("utf-8", "replace"))
                raise PolicyError(self._message(f"the reply is not what the protocol says: {problem!r}")) from error
            if reply.error is not None:
                raise PolicyError(self._message(f"error in the reply: {_said(reply.error)}"))
            for choice in reply.choices[:1]:
                message = choice.message or choice.delta
                parts.append(message.text if message else "")
                reason = choice.finish_reason or reason
        if not is_whole and reason is None:
            raise _Transient(self._message("the reply was cut off"))
        if not (text := "".join(parts)).strip():
            because = f" (it ended because of {reason!r})" if reason else ""
            raise PolicyError(self._message(f"the reply is empty{because}"))
        return text

    def _error(self, status: int, content: bytes, retry_after: str | None, body: dict[str, Any]) -> "PolicyError | _Transient":
        """What a status other than 200 means."""
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            # What the server says is left out: some repeat the key.
            said = "does not accept this key" if self._api_key else "wants a key"
            return PolicyError(self._message(f"the server {said} (HTTP {status}): set OPENAI_API_KEY"))
        try:
            error = _Reply.model_validate_json(content).error
        except ValidationError:
            error = None
        message = self._message(f"HTTP {status}: {_said(error)}" if error else f"HTTP {status}")
        if status == HTTPStatus.NOT_FOUND:
            return PolicyError(f"{message}: there is no such model, or --base-url (OPENAI_BASE_URL) lacks a part such as /v1")
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            wait = _seconds(retry_after)
            if wait is not None and wait > MAX_WAIT:
                return PolicyError(f"{message}: the server asks to wait {wait:,.0f} seconds")
            return _Transient(message, wait)
        if status == HTTPStatus.BAD_REQUEST and isinstance(error, _Error) and error.param in OPTIONAL & body.keys():
            self._refused.add(error.param)
            return _Transient(message, 0.0)
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.REQUEST_TIMEOUT:
            return _Transient(message)
        return PolicyError(message)

    def _message(self, text: str) -> str:
        """One line that names the model and the server, and holds no key."""
        line = clean_line(text.replace(self._api_key, "…") if self._api_key else text)
        return f"{self._model} at {self._server}: {line[:300]}"


@dataclass(frozen=True, slots=True)
class _Asked:
    system: str
    user: str
    seed: int | None
    stop: Sequence[str]


class _Transient(Exception):
    """Raised when another attempt may succeed, after so many seconds; None: as many as the number of attempts suggests."""

    def __init__(self, message: str, wait: float | None = None) -> None:
        super().__init__(message)
        self.wait = wait


class _Part(BaseModel):
    text: str = ""


class _Message(BaseModel):
    content: str | list[_Part] | None = None

    @property
    def text(self) -> str:
        if isinstance(self.content, list):
            return "".join(part.text for part in self.content)
        return self.content or ""


class _Choice(BaseModel):
    message: _Message | None = None
    delta: _Message | None = None
    finish_reason: str | None = None


class _Error(BaseModel):
    message: str = "it does not say what"
    param: str | None = None


class _Reply(BaseModel):
    """A reply, a piece of one, or an error: the keys that are read; servers add others."""

    choices: list[_Choice] = []
    error: _Error | str | None = None


def _said(error: _Error | str) -> str:
    return error if isinstance(error, str) else error.message


def _events(content: bytes) -> tuple[list[bytes], bool]:
    """The data of server-sent events, and whether the end was among them."""
    lines = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    events = [line.removeprefix(b"data:").strip() for line in lines if line.startswith(b"data:")]
    return [event for event in events if event and event != b"[DONE]"], b"[DONE]" in events


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
