"""A `Policy` over a chat model behind a server of OpenAI's protocol: OpenAI, vLLM, llama.cpp, Ollama and others.

The system message explains the commands (`agent.models.chat.prompt`), and the observation is the user message. The reply is
parsed leniently (`agent.models.chat.reply`) and recorded unchanged. Requests, retries and errors are in `agent.models.server`.
"""

import time
from collections.abc import Callable, Sequence

from pydantic import BaseModel, ValidationError

from agent.models.chat.prompt import ANSWERING, BROWSING
from agent.models.chat.reply import read_answer, read_command
from agent.models.server import ModelServer, ServerError, Transient, error_text
from agent.policy import Completion, Prompt
from browser_env.actions import first_line
from browser_env.errors import PolicyError
from browser_env.network.trusted import Client
from browser_env.pages.characters import END_OF_FIELD, SECTION


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
        """Make the policy; no request is sent yet.

        Args:
            model: The server's name of the model.
            base_url: Address of the API, without ``/chat/completions``.
            api_key: Key to send as a bearer token, if the server needs one.
            name: Name of the policy in records. Default: ``openai:`` and the model.
            temperature: Sampling temperature; None: the server's default.
            stream: Stream replies, so that proxies do not time out while a slow reply is written.
            client: HTTP client for `base_url`. Default: a new client.
            max_concurrent: Maximum number of concurrent requests.
            max_seconds: Maximum duration of a reply in seconds.
            sleep: Waits a number of seconds before another attempt.
            clock: Monotonic clock in seconds.
        """
        self.name = name or f"openai:{model}"
        self._model = model
        self._temperature = temperature
        self._stream = stream
        self._server = ModelServer(
            model,
            base_url,
            api_key,
            client=client,
            max_concurrent=max_concurrent,
            max_seconds=max_seconds,
            sleep=sleep,
            clock=clock,
        )

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion | PolicyError]:
        return self._server.map(self._complete, prompts)

    def ask(self, system: str, user: str, *, seed: int | None = None, stop: Sequence[str] = ()) -> str:
        """The reply to a system message and a user message, after retries if necessary.

        Raises:
            PolicyError: All attempts failed.
        """
        body = {
            "model": self._model,
            "messages": [{"role": "system", "content": system}, {"role": "user", "content": user}],
            "stream": self._stream,
        }
        # Reasoning models reject a temperature and a stop text.
        optional = {"temperature": self._temperature, "seed": seed, "stop": list(stop) or None}
        given = {key: value for key, value in optional.items() if value is not None}
        return self._server.request("chat/completions", body, self._text, optional=given)

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

    def _text(self, content: bytes) -> str:
        """The text of a reply, which may be a stream even if none was requested."""
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
                raise self._server.unreadable(event) from error
            if reply.error is not None:
                raise PolicyError(self._server.message(f"error in the reply: {error_text(reply.error)}"))
            for choice in reply.choices[:1]:
                message = choice.message or choice.delta
                parts.append(message.text if message else "")
                reason = choice.finish_reason or reason
        if not is_whole and reason is None:
            raise Transient(self._server.message("the reply was cut off"))
        if not (text := "".join(parts)).strip():
            because = f" (it ended because of {reason!r})" if reason else ""
            raise PolicyError(self._server.message(f"the reply is empty{because}"))
        return text


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


class _Reply(BaseModel):
    """A reply, a part of a streamed reply, or an error: the keys that are used; servers add others."""

    choices: list[_Choice] = []
    error: ServerError | str | None = None


def _events(content: bytes) -> tuple[list[bytes], bool]:
    """The data of server-sent events, and whether the stream is complete."""
    lines = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    events = [line.removeprefix(b"data:").strip() for line in lines if line.startswith(b"data:")]
    return [event for event in events if event and event != b"[DONE]"], b"[DONE]" in events
