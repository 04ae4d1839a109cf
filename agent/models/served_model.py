"""A `Policy` over a causal language model behind a server of OpenAI's completions protocol with token ids, such as vLLM.

Requests follow `agent.models.language_model`: the same prompt tokens, end tokens and limits, and completions with token ids and
log-probabilities. Only the tokenizer and the configuration are loaded in this process. Constrained decoding must see each token
before the next is sampled, which the protocol does not allow, so decoding is always free.

Servers take sampling defaults from a model's folder, so every truncation of the distribution is turned off explicitly. At
temperatures other than 1, servers differ in whose log-probabilities they return; start vLLM with ``--logprobs-mode
processed_logprobs`` for those of the sampled distribution.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from agent.models.completion_limits import CompletionLimits, SamplingOptions, TokenPrompt, end_tokens
from agent.models.folder import load_settings, model_source, short_name
from agent.models.pretrained import load_errors
from agent.models.server import ModelServer, ServerError, error_text
from agent.policy import Completion, Prompt
from browser_env.errors import PolicyError, UsageError
from browser_env.pages.characters import clean_line
from browser_env.records import Settings
from browser_env.state import BrowserState

MAX_CONCURRENT = 64
"""Maximum number of concurrent requests. Servers batch concurrent requests, so a whole batch of prompts is sent at once."""
UNTRUNCATED = {"top_p": 1.0, "top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0}
"""Parameters for sampling from the model's whole distribution."""


class ServedModel:
    """A `Policy` over one model of one server."""

    def __init__(
        self,
        server: ModelServer,
        model: str,
        limits: CompletionLimits,
        *,
        name: str,
        temperature: float = 0.8,
        settings: Settings | None = None,
    ) -> None:
        """Wrap a model of a server.

        Args:
            server: The server.
            model: The server's name of the model.
            limits: Limits of the completions, with the model's tokenizer.
            name: Name of the policy in records.
            temperature: Sampling temperature; 0 is greedy decoding, which gives no log-probabilities.
            settings: Settings of the episodes that the model was trained on, if known.
        """
        self.name = name
        self.settings = settings
        self.limits = limits
        self.temperature = temperature
        self._server = server
        self._model = model

    @classmethod
    def load(
        cls, path_or_id: str, base_url: str, api_key: str | None = None, *, options: SamplingOptions | None = None
    ) -> "ServedModel":
        """Find a model on a server, and load its tokenizer from a folder or the Hugging Face hub.

        Args:
            path_or_id: Folder or hub id. The server must offer the model under this name or its last part.
            base_url: Address of the API, including ``/v1``.
            api_key: Key to send as a bearer token, if the server needs one.
            options: Sampling options; `free` is ignored, because decoding is always free. Default: `SamplingOptions()`.

        Raises:
            UsageError: transformers is not installed, the tokenizer does not exist, or the server does not offer the model.
            PolicyError: The server does not list its models.
        """
        options = options or SamplingOptions()
        source = model_source(f"served:{path_or_id}")
        tokenizer, config, generation_config = _load(source, f"served:{path_or_id}")
        server = ModelServer(short_name(source), base_url, api_key, max_concurrent=MAX_CONCURRENT)
        served = _find_model(server, path_or_id, short_name(source))
        contexts = (served.max_model_len, getattr(config.get_text_config(), "max_position_embeddings", None))
        limits = CompletionLimits(
            tokenizer=tokenizer,
            end_tokens=end_tokens(generation_config, tokenizer),
            context=min((context for context in contexts if context is not None), default=None),
            max_command_tokens=options.max_command_tokens,
            max_answer_tokens=options.max_answer_tokens,
        )
        name = f"served:{short_name(source)}"
        settings = load_settings(Path(source))
        return cls(server, served.id, limits, name=name, temperature=options.temperature, settings=settings)

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion | PolicyError]:
        return self._server.map(self._complete, prompts)

    def allowed_tokens(self, state: BrowserState, prompt_length: int, token_ids: Sequence[int]) -> list[None]:
        """All tokens are allowed at each token; see `LanguageModel.allowed_tokens`."""
        return [None] * len(token_ids)

    def _complete(self, prompt: Prompt) -> Completion | PolicyError:
        token_prompt = self.limits.encode(prompt, self.name)
        if isinstance(token_prompt, PolicyError):
            return token_prompt
        body = {
            "model": self._model,
            "prompt": token_prompt.ids,
            "max_tokens": token_prompt.max_tokens,
            "temperature": self.temperature,
            "seed": token_prompt.seed,
            "stop": [token_prompt.stop],
            "stop_token_ids": sorted(self.limits.end_tokens),
            "logprobs": 0,  # of the sampled token, and of no alternatives
            "return_token_ids": True,
            **UNTRUNCATED,
        }
        try:
            return self._server.request("completions", body, lambda content: self._completion(token_prompt, content))
        except PolicyError as error:
            return error

    def _completion(self, prompt: TokenPrompt, content: bytes) -> Completion:
        try:
            reply = _Reply.model_validate_json(content)
        except ValidationError as error:
            raise self._server.unreadable(content) from error
        tokens, logprobs = self._tokens(reply, prompt)
        tokens = self.limits.trim(prompt, tokens)
        return Completion(
            self.limits.decode(prompt, tokens),
            token_ids=tuple(tokens),
            logprobs=tuple(logprobs[: len(tokens)]) if self.temperature else None,
        )

    def _tokens(self, reply: "_Reply", prompt: TokenPrompt) -> tuple[list[int], list[float]]:
        """The tokens of a reply and their log-probabilities, after checking the reply."""
        if reply.error is not None:
            raise self._error(f"error in the reply: {error_text(reply.error)}")
        if not reply.choices:
            raise self._error("the reply is empty")
        choice = reply.choices[0]
        if choice.finish_reason not in ("stop", "length"):
            raise self._error(f"the reply ended because of {choice.finish_reason!r}")
        if choice.token_ids is None or choice.logprobs is None:
            missing = "token ids (return_token_ids)" if choice.token_ids is None else "log-probabilities (logprobs)"
            raise self._error(f"the reply has no {missing}; served: needs a server that returns them, such as vLLM")
        if choice.prompt_token_ids is not None and choice.prompt_token_ids != prompt.ids:
            raise self._error("the server read a different prompt from the one that was sent")
        tokens, logprobs = choice.token_ids, choice.logprobs.token_logprobs
        if not tokens or len(tokens) != len(logprobs):
            raise self._error(f"the reply has {len(tokens)} tokens and {len(logprobs)} log-probabilities")
        if not all(map(math.isfinite, logprobs)):
            raise self._error("the reply has log-probabilities that are not numbers")
        return tokens, logprobs

    def _error(self, text: str) -> PolicyError:
        return PolicyError(self._server.message(text))


def _load(source: str, name: str) -> tuple[Any, Any, Any]:
    """The tokenizer, configuration and generation configuration of a folder or hub id."""
    try:
        from transformers import AutoConfig, AutoTokenizer, GenerationConfig
    except ImportError as error:
        raise UsageError(f"{name} needs transformers for its tokenizer: make install EXTRAS=train") from error
    with load_errors(f"the tokenizer of {name} cannot be loaded"):
        tokenizer = AutoTokenizer.from_pretrained(source)
        config: Any = AutoConfig.from_pretrained(source)
    try:
        generation_config = GenerationConfig.from_pretrained(source)
    except OSError:  # a model without one; transformers does the same
        generation_config = GenerationConfig.from_model_config(config)
    return tokenizer, config, generation_config


class _Logprobs(BaseModel):
    token_logprobs: list[float]


class _Choice(BaseModel):
    token_ids: list[int] | None = None
    prompt_token_ids: list[int] | None = None
    logprobs: _Logprobs | None = None
    finish_reason: str | None = None


class _Reply(BaseModel):
    """The keys that are used; servers add others."""

    choices: list[_Choice] = []
    error: ServerError | str | None = None


class _Model(BaseModel):
    id: str
    root: str | None = None
    """Folder or hub id that the server loaded the model from."""
    max_model_len: int | None = None
    """Context length in tokens."""


class _Models(BaseModel):
    data: list[_Model]


def _find_model(server: ModelServer, path_or_id: str, short: str) -> _Model:
    """The server's model that has the hub id or path, or its last part, as its id or root.

    Raises:
        UsageError: The server offers no such model.
    """

    def read(content: bytes) -> _Models:
        try:
            return _Models.model_validate_json(content)
        except ValidationError as error:
            raise server.unreadable(content) from error

    models = server.request("models", None, read).data
    for model in models:
        if {model.id, model.root} & {path_or_id, short}:
            return model
    offered = clean_line(", ".join(model.id for model in models))[:200] or "nothing"
    raise UsageError(f"served:{path_or_id}: the server does not offer {path_or_id} or {short}; it offers {offered}")
