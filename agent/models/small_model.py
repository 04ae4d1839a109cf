"""The small models that ship, a policy and the reward model that chooses among its answers, without torch and transformers.

The policy has the same prompts, ends, limits and feasible commands as `agent.models.language_model`, which gives the same
completions when it is greedy; samples have other random numbers. The reward model gives the scores of `agent.score`. They
need NumPy (`agent.models.lfm2`), and their tokenizer the library that transformers uses too, which is a few megabytes.
"""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from agent.decoding.constraint import Feasible
from agent.decoding.token_trie import Vocabulary
from agent.models.completion_limits import Bounds
from agent.models.folder import load_settings
from agent.models.lfm2 import Cache, Lfm2
from agent.models.reward_model import load_normalization, scored_ids
from agent.policy import Completion, Prompt
from agent.score import Scored
from browser_env.errors import PolicyError, UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray


class SmallModel:
    """A `Policy` over an LFM2 model."""

    def __init__(
        self,
        folder: Path,
        *,
        name: str,
        temperature: float = 0.8,
        max_command_tokens: int = 256,
        max_answer_tokens: int = 512,
        free: bool = False,
    ) -> None:
        """Load a model.

        Args:
            folder: As transformers writes it.
            name: What records call it.
            temperature: The logits are divided by it; 0 is greedy, which has no log-probabilities.
            max_command_tokens: See `Bounds`, like the next.
            max_answer_tokens: See there.
            free: Write anything, not just what the environment can do.

        Raises:
            UsageError: There is no such model.
        """
        self.name = name
        self.settings = load_settings(folder)
        self.temperature = temperature
        self._model = Lfm2.load(folder)
        tokenizer = Tokenizer(folder)
        self.bounds = Bounds(
            tokenizer=tokenizer,
            end_tokens=frozenset() if tokenizer.eos_token_id is None else frozenset({tokenizer.eos_token_id}),
            context=self._model.context,
            max_command_tokens=max_command_tokens,
            max_answer_tokens=max_answer_tokens,
        )
        self.feasible = None if free else Feasible(Vocabulary(tokenizer, self._model.vocab_size, self.bounds.end_tokens))
        """What commands are held to; None: nothing."""

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion | PolicyError]:
        return [self._complete(prompt) for prompt in prompts]

    def _complete(self, prompt: Prompt) -> Completion | PolicyError:
        asked = self.bounds.begin(prompt, self.name)
        if isinstance(asked, PolicyError):
            return asked
        walk = None if self.feasible is None else self.feasible.begin(prompt.state)
        draw = np.random.default_rng(asked.seed)
        cache = Cache()
        tokens: list[int] = []
        logprobs: list[float] = []
        logits = self._model.logits(asked.ids, cache)
        while True:
            allowed = None if walk is None else walk.allowed(asked.max_tokens - len(tokens))
            token, logprob = choose(logits, allowed, self.temperature, draw)
            tokens.append(token)
            logprobs.append(logprob)
            if self.bounds.has_ended(asked, tokens):
                break
            if walk is not None:
                walk.advance(token)
            logits = self._model.logits([token], cache)
        return Completion(
            self.bounds.text(asked, tokens), token_ids=tuple(tokens), logprobs=tuple(logprobs) if self.temperature else None
        )


class SmallScore:
    """A `Score` over a reward model of this kind."""

    def __init__(self, folder: Path, *, name: str) -> None:
        """Load a model.

        Args:
            folder: As `webgpt train rm` writes it.
            name: What records call it.

        Raises:
            UsageError: There is no such model.
        """
        self.name = name
        self._model = Lfm2.load(folder)
        self._tokenizer = Tokenizer(folder)
        self._normalization = load_normalization(folder)

    def __call__(self, items: Sequence[Scored]) -> list[float]:
        outputs = (self._model.output(scored_ids(self._tokenizer, item)) for item in items)
        return [(output - self._normalization.shift) / self._normalization.scale for output in outputs]


def choose(
    logits: "NDArray[np.float32]", allowed: "NDArray[np.int64] | None", temperature: float, draw: np.random.Generator
) -> tuple[int, float]:
    """One token, and its log-probability in nats under softmax(logits / temperature) of what is allowed.

    Args:
        logits: Shape (V,).
        allowed: Ids; None: all.
        temperature: 0: the most probable token.
        draw: Draws one number.
    """
    values = (logits if allowed is None else logits[allowed]).astype(np.float64) / (temperature or 1.0)
    values -= values.max()
    values -= math.log(np.exp(values).sum())
    if temperature == 0:
        index = int(values.argmax())
    else:
        cumulative = np.exp(values).cumsum()
        index = min(int(np.searchsorted(cumulative, draw.random() * cumulative[-1], side="right")), len(values) - 1)
    return index if allowed is None else int(allowed[index]), float(values[index])


class Tokenizer:
    """The part of transformers' fast tokenizers that prompts and feasible decoding need, over the library below them."""

    def __init__(self, folder: Path) -> None:
        """Read ``tokenizer.json`` and ``tokenizer_config.json``.

        Raises:
            UsageError: They hold no tokenizer.
        """
        import tokenizers

        try:
            self.backend_tokenizer: Any = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
            told = json.loads((folder / "tokenizer_config.json").read_bytes())
        except Exception as error:  # the library raises nothing narrower
            raise UsageError(f"{folder} holds no tokenizer that can be read: {error}") from error
        self.backend_tokenizer.encode_special_tokens = True  # on a page, <|end|> is plain text
        self.eos_token_id: int | None = self.backend_tokenizer.token_to_id(told["eos_token"])
        added = self.backend_tokenizer.get_added_tokens_decoder()
        self.all_special_ids = [number for number, token in added.items() if token.special]

    def __len__(self) -> int:
        size: int = self.backend_tokenizer.get_vocab_size()
        return size

    def __call__(self, text: str, *, add_special_tokens: bool = True, **ignored: object) -> dict[str, list[int]]:
        """The ids of a text, special tokens in it read as plain text."""
        return {"input_ids": self.backend_tokenizer.encode(text, add_special_tokens=add_special_tokens).ids}

    def convert_ids_to_tokens(self, ids: Sequence[int]) -> list[str | None]:
        """What the tokens are called."""
        return [self.backend_tokenizer.id_to_token(number) for number in ids]

    def decode(self, ids: Sequence[int], *, skip_special_tokens: bool = True, **ignored: object) -> str:
        """The text of some tokens."""
        text: str = self.backend_tokenizer.decode(list(ids), skip_special_tokens=skip_special_tokens)
        return text
