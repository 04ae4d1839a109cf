"""A causal language model behind a server of OpenAI's completions protocol with token ids, as vLLM speaks it, as a policy.

It is asked as `agent.models.language_model` asks a model in this process: the same ids go in, the same tokens end a
completion, the same lengths hold, and token ids and log-probabilities come out. Only its tokenizer and configuration are
loaded here. What is held to the page needs to see every token before the next is sampled, which the protocol cannot do, so it
is always free.

All truncation of the distribution is turned off by name, because servers take defaults from a model's folder. Servers differ
in whose log-probabilities they give: at temperature 1 there is one answer; at others vLLM has to be started with
``--logprobs-mode processed_logprobs`` to give those of what was sampled.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from agent.models.completion_limits import Bounds, TokenPrompt, end_tokens
from agent.models.folder import load_settings, model_source, short_name
from agent.models.server import ModelServer, ServerError, said_by
from agent.policy import Completion, Prompt
from browser_env.errors import PolicyError, UsageError
from browser_env.pages.characters import clean_line
from browser_env.records import Settings
from browser_env.state import BrowserState

MAX_CONCURRENT = 64
"""Requests in flight: servers batch what they have at the same time, so every prompt of a batch should be there."""
WHOLE_DISTRIBUTION = {"top_p": 1.0, "top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0}
"""What samples from all of a model's distribution, as it is."""


class ServedModel:
    """A `Policy` over one model of one server."""

    def __init__(
        self,
        server: ModelServer,
        model: str,
        bounds: Bounds,
        *,
        name: str,
        temperature: float = 0.8,
        settings: Settings | None = None,
    ) -> None:
        """Take a model as its server has it.

        Args:
            server: Where it is.
            model: What the server calls it.
            bounds: Of its completions.
            name: What records call it.
            temperature: 0 is greedy, which has no log-probabilities.
            settings: Of the episodes that it was trained on; None: unknown.
        """
        self.name = name
        self.settings = settings
        self.bounds = bounds
        self.temperature = temperature
        self._server = server
        self._model = model

    @classmethod
    def load(
        cls,
        path_or_id: str,
        base_url: str,
        api_key: str | None = None,
        *,
        temperature: float = 0.8,
        max_command_tokens: int = 256,
        max_answer_tokens: int = 512,
    ) -> "ServedModel":
        """Find a model on a server, and load its tokenizer from a folder or the Hugging Face hub.

        Args:
            path_or_id: The folder, or the name on the hub. The server has it under this name or the last part of it.
            base_url: Up to and with ``/v1``.
            api_key: Sent as a bearer token; None: none is sent.
            temperature: See above.
            max_command_tokens: See `Bounds`, like the next.
            max_answer_tokens: See there.

        Raises:
            UsageError: transformers is not installed, there is no such tokenizer, or the server has no such model.
            PolicyError: The server does not say what it has.
        """
        spec = f"served:{path_or_id}"
        try:
            from transformers import AutoConfig, AutoTokenizer, GenerationConfig
        except ImportError as error:
            raise UsageError(f"{spec} needs transformers for its tokenizer: pip install 'open-webgpt[train]'") from error
        source = model_source(spec)
        try:
            tokenizer = AutoTokenizer.from_pretrained(source)
            config: Any = AutoConfig.from_pretrained(source)
        except (OSError, ValueError, RuntimeError) as error:
            raise UsageError(f"{spec} has no tokenizer that can be loaded: {clean_line(str(error))[:300]}") from error
        try:
            generation = GenerationConfig.from_pretrained(source)
        except OSError:
            generation = GenerationConfig.from_model_config(config)  # as transformers does for a model without one
        server = ModelServer(short_name(source), base_url, api_key, max_concurrent=MAX_CONCURRENT)
        served = _served(server, path_or_id, short_name(source))
        contexts = (served.max_model_len, getattr(config.get_text_config(), "max_position_embeddings", None))
        bounds = Bounds(
            tokenizer=tokenizer,
            end_tokens=end_tokens(generation, tokenizer),
            context=min((context for context in contexts if context is not None), default=None),
            max_command_tokens=max_command_tokens,
            max_answer_tokens=max_answer_tokens,
        )
        return cls(
            server,
            served.id,
            bounds,
            name=f"served:{short_name(source)}",
            temperature=temperature,
            settings=load_settings(Path(source)),
        )

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion | PolicyError]:
        return self._server.each(self._complete, prompts)

    def allowed_along(self, state: BrowserState, prompt_length: int, token_ids: Sequence[int]) -> list[None]:
        """Each token was chosen among all: see `LanguageModel.allowed_along`."""
        return [None] * len(token_ids)

    def _complete(self, prompt: Prompt) -> Completion | PolicyError:
        asked = self.bounds.begin(prompt, self.name)
        if isinstance(asked, PolicyError):
            return asked
        body = {
            "model": self._model,
            "prompt": asked.ids,
            "max_tokens": asked.max_tokens,
            "temperature": self.temperature,
            "seed": asked.seed,
            "stop": [asked.stop],
            "stop_token_ids": sorted(self.bounds.end_tokens),
            "logprobs": 0,  # those of what was sampled, and of none beside it
            "return_token_ids": True,
            **WHOLE_DISTRIBUTION,
        }
        try:
            return self._server.ask("completions", body, lambda content: self._completion(asked, content))
        except PolicyError as error:
            return error

    def _completion(self, asked: TokenPrompt, content: bytes) -> Completion:
        try:
            reply = _Reply.model_validate_json(content)
        except ValidationError as error:
            raise self._server.unreadable(content) from error
        if reply.error is not None:
            raise self._error(f"error in the reply: {said_by(reply.error)}")
        if not reply.choices:
            raise self._error("the reply is empty")
        choice = reply.choices[0]
        if choice.finish_reason not in ("stop", "length"):
            raise self._error(f"the reply ended because of {choice.finish_reason!r}")
        if choice.token_ids is None or choice.logprobs is None:
            missing = "token ids (return_token_ids)" if choice.token_ids is None else "log-probabilities (logprobs)"
            raise self._error(f"the reply has no {missing}; served: needs a server that gives them, as vLLM does")
        if choice.prompt_token_ids is not None and choice.prompt_token_ids != asked.ids:
            raise self._error("the server read another prompt than it was sent")
        tokens, logprobs = choice.token_ids, choice.logprobs.token_logprobs
        if not tokens or len(tokens) != len(logprobs):
            raise self._error(f"the reply has {len(tokens)} tokens and {len(logprobs)} log-probabilities")
        if not all(map(math.isfinite, logprobs)):
            raise self._error("the reply has log-probabilities that are not numbers")
        # A server that samples ahead may have gone beyond the end.
        length = next((end for end in range(1, len(tokens)) if self.bounds.has_ended(asked, tokens[:end])), len(tokens))
        tokens, logprobs = tokens[:length], logprobs[:length]
        text = self.bounds.text(asked, tokens)
        return Completion(text, token_ids=tuple(tokens), logprobs=tuple(logprobs) if self.temperature else None)

    def _error(self, text: str) -> PolicyError:
        return PolicyError(self._server.message(text))


class _Logprobs(BaseModel):
    token_logprobs: list[float]


class _Choice(BaseModel):
    token_ids: list[int] | None = None
    prompt_token_ids: list[int] | None = None
    logprobs: _Logprobs | None = None
    finish_reason: str | None = None


class _Reply(BaseModel):
    """The keys that are read; servers add others."""

    choices: list[_Choice] = []
    error: ServerError | str | None = None


class _Served(BaseModel):
    id: str
    root: str | None = None
    """Folder or hub name that it was loaded from."""
    max_model_len: int | None = None
    """Tokens that it reads."""


class _Models(BaseModel):
    data: list[_Served]


def _served(server: ModelServer, path_or_id: str, short: str) -> _Served:
    """The model of a server by one of its names."""

    def read(content: bytes) -> _Models:
        try:
            return _Models.model_validate_json(content)
        except ValidationError as error:
            raise server.unreadable(content) from error

    models = server.ask("models", None, read).data
    for model in models:
        if {model.id, model.root} & {path_or_id, short}:
            return model
    there = clean_line(", ".join(model.id for model in models))[:200] or "nothing"
    raise UsageError(f"served:{path_or_id}: the server has no model {path_or_id} or {short}, but {there}")
