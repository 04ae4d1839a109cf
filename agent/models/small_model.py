"""The shipped models, a policy and its reward model, without torch and transformers.

The policy shares prompts, limits and constraint with `agent.models.language_model`. Greedy completions are the same; samples
use other random numbers. The models need NumPy (`agent.models.lfm2`) and the tokenizers library, a few megabytes.
"""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from agent.decoding.constraint import Constraint
from agent.decoding.token_trie import TokenIds, TokenTrie
from agent.models.completion_limits import CompletionLimits, SamplingOptions, TokenPrompt
from agent.models.folder import load_settings
from agent.models.lfm2 import Cache, Lfm2
from agent.models.reward_model import load_normalization, scored_ids
from agent.policy import Completion, Prompt
from agent.score import Scored
from browser_env.errors import PolicyError, UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from agent.decoding.constraint import ConstraintState


class SmallModel:
    """A `Policy` over an LFM2 model."""

    def __init__(self, folder: Path, *, name: str, options: SamplingOptions | None = None) -> None:
        """Load a model.

        Args:
            folder: A folder in the format of transformers.
            name: Name of the policy in records.
            options: Sampling options. Default: `SamplingOptions()`.

        Raises:
            UsageError: The folder does not contain an LFM2 model.
        """
        options = options or SamplingOptions()
        self.name = name
        self.settings = load_settings(folder)
        self.temperature = options.temperature
        self._model = Lfm2.load(folder)
        tokenizer = Tokenizer(folder)
        self.limits = CompletionLimits(
            tokenizer=tokenizer,
            end_tokens=frozenset() if tokenizer.eos_token_id is None else frozenset({tokenizer.eos_token_id}),
            context=self._model.context,
            max_command_tokens=options.max_command_tokens,
            max_answer_tokens=options.max_answer_tokens,
        )
        trie = None if options.free else TokenTrie(tokenizer, self._model.vocab_size, self.limits.end_tokens)
        self.constraint = None if trie is None else Constraint(trie)
        """The constraint on completions; None if decoding is free."""

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion | PolicyError]:
        return [self._complete(prompt) for prompt in prompts]

    def _complete(self, prompt: Prompt) -> Completion | PolicyError:
        token_prompt = self.limits.encode(prompt, self.name)
        if isinstance(token_prompt, PolicyError):
            return token_prompt
        constraint_state = None if self.constraint is None else self.constraint.start(prompt.state)
        tokens, logprobs = self._sample(token_prompt, constraint_state)
        text = self.limits.decode(token_prompt, tokens)
        return Completion(text, token_ids=tuple(tokens), logprobs=tuple(logprobs) if self.temperature else None)

    def _sample(self, prompt: TokenPrompt, constraint_state: "ConstraintState | None") -> tuple[list[int], list[float]]:
        """The tokens of a completion and their log-probabilities in nats."""
        generator = np.random.default_rng(prompt.seed)
        cache = Cache()
        tokens: list[int] = []
        logprobs: list[float] = []
        unread = prompt.ids
        while not tokens or not self.limits.has_ended(prompt, tokens):
            logits = self._model.logits(unread, cache)
            remaining = prompt.max_tokens - len(tokens)
            allowed = None if constraint_state is None else constraint_state.allowed_tokens(remaining)
            token, logprob = sample(logits, allowed, self.temperature, generator)
            tokens.append(token)
            logprobs.append(logprob)
            unread = [token]
            if constraint_state is not None:
                constraint_state.advance(token)
        return tokens, logprobs


class SmallScore:
    """A `Score` over an LFM2 reward model."""

    def __init__(self, folder: Path, *, name: str) -> None:
        """Load a model.

        Args:
            folder: A folder that `webgpt train rm` has written.
            name: Name of the score in records.

        Raises:
            UsageError: The folder does not contain an LFM2 model.
        """
        self.name = name
        self._model = Lfm2.load(folder)
        self._tokenizer = Tokenizer(folder)
        self._normalization = load_normalization(folder)

    def __call__(self, items: Sequence[Scored]) -> list[float]:
        return [self._normalization.score(self._model.output(scored_ids(self._tokenizer, item))) for item in items]


def sample(
    logits: "NDArray[np.float32]", allowed: TokenIds | None, temperature: float, generator: np.random.Generator
) -> tuple[int, float]:
    """Sample a token.

    Args:
        logits: Shape (V,).
        allowed: Allowed token ids; None: all.
        temperature: Sampling temperature; 0: take the most probable token.
        generator: Source of one random number, if the temperature is above 0.

    Returns:
        The token and its log-probability in nats under softmax(logits / temperature) over the allowed tokens.
    """
    values = (logits if allowed is None else logits[allowed]).astype(np.float64) / (temperature or 1.0)
    values -= values.max()
    values -= math.log(np.exp(values).sum())
    if temperature == 0:
        index = int(values.argmax())
    else:
        cumulative = np.exp(values).cumsum()
        index = min(int(np.searchsorted(cumulative, generator.random() * cumulative[-1], side="right")), len(values) - 1)
    return index if allowed is None else int(allowed[index]), float(values[index])


class Tokenizer:
    """The interface of transformers' fast tokenizers that prompts and constrained decoding use, without transformers."""

    def __init__(self, folder: Path) -> None:
        """Read ``tokenizer.json`` and ``tokenizer_config.json``.

        Raises:
            UsageError: The files are missing or cannot be read.
        """
        import tokenizers

        try:
            self.backend_tokenizer: Any = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
            config = json.loads((folder / "tokenizer_config.json").read_bytes())
        except Exception as error:  # the library raises nothing narrower
            raise UsageError(f"{folder} does not contain a tokenizer that can be read: {error}") from error
        self.backend_tokenizer.encode_special_tokens = True  # <|end|> on a page is plain text
        self.eos_token_id: int | None = self.backend_tokenizer.token_to_id(config["eos_token"])
        added = self.backend_tokenizer.get_added_tokens_decoder()
        self.all_special_ids = [token_id for token_id, token in added.items() if token.special]

    def __len__(self) -> int:
        size: int = self.backend_tokenizer.get_vocab_size()
        return size

    def __call__(self, text: str, *, add_special_tokens: bool = True, **ignored: object) -> dict[str, list[int]]:
        """The token ids of a text; special tokens in it are read as plain text."""
        return {"input_ids": self.backend_tokenizer.encode(text, add_special_tokens=add_special_tokens).ids}

    def convert_ids_to_tokens(self, ids: Sequence[int]) -> list[str | None]:
        """The vocabulary entries of token ids."""
        return [self.backend_tokenizer.id_to_token(token_id) for token_id in ids]

    def decode(self, ids: Sequence[int], *, skip_special_tokens: bool = True, **ignored: object) -> str:
        """The text of token ids."""
        text: str = self.backend_tokenizer.decode(list(ids), skip_special_tokens=skip_special_tokens)
        return text
