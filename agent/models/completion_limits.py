"""Prompts in tokens and the limits of completions, independent of the engine that computes them.

`agent.models.language_model` (transformers in this process), `agent.models.served_model` (a server) and
`agent.models.small_model` (NumPy) share this module. The same model therefore gets the same prompt tokens, stops at the same
token and rejects the same prompts in each.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agent.models.tokens import Phase, prompt_ids, stop_of
from agent.policy import Prompt
from browser_env.errors import PolicyError
from browser_env.state import BrowserState

STOP_TAIL = 4
"""Number of last tokens that are searched for the stop text, whose three bytes span up to three tokens, after a space."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingOptions:
    """Options of a policy that samples from a language model."""

    temperature: float = 0.8
    """Sampling temperature. 0 is greedy decoding, which gives no log-probabilities. The default is the paper's (§3.2)."""
    max_command_tokens: int = 256
    """Maximum number of tokens of a command. The paper's quotes have 125 on average (counted by WebGLM)."""
    max_answer_tokens: int = 512
    """Maximum number of tokens of an answer."""
    free: bool = False
    """Disable constrained decoding; the model may emit any text."""


@dataclass(frozen=True, slots=True)
class TokenPrompt:
    """A prompt in tokens, with the conditions that end its completion."""

    ids: list[int]
    seed: int
    stop: str
    """Text that ends the completion. The token that contains it, like the end-of-text token, is part of the completion: ending
    is an action of the model."""
    max_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionLimits:
    """A tokenizer and the limits of completions in its tokens."""

    tokenizer: Any
    end_tokens: frozenset[int]
    """All end-of-text tokens."""
    context: int | None
    """The model's context length in tokens, completion included; None if it is unlimited."""
    max_command_tokens: int
    max_answer_tokens: int

    def max_tokens(self, phase: Phase, prompt_length: int) -> int:
        """Maximum number of tokens of a completion; less than 1 if the prompt fills the context."""
        limit = self.max_answer_tokens if phase == "answering" else self.max_command_tokens
        return limit if self.context is None else min(limit, self.context - prompt_length)

    def encode(self, prompt: Prompt, policy_name: str) -> TokenPrompt | PolicyError:
        """The prompt in tokens, or an error that names the policy if the prompt fills the context."""
        ids = prompt_ids(self.tokenizer, prompt.text)
        phase = phase_of(prompt.state)
        max_tokens = self.max_tokens(phase, len(ids))
        if max_tokens < 1:
            return PolicyError(
                f"the prompt has {len(ids):,} tokens, but the context of {policy_name} is {self.context:,} tokens, completion "
                "included: lower --view-height, or use a model with a longer context"
            )
        return TokenPrompt(ids, prompt.seed, stop_of(phase), max_tokens)

    def has_ended(self, prompt: TokenPrompt, tokens: Sequence[int]) -> bool:
        """Whether the last of a completion's tokens ends it."""
        return (
            tokens[-1] in self.end_tokens
            or len(tokens) == prompt.max_tokens
            or prompt.stop in self._decode(tokens[-STOP_TAIL:])
        )

    def trim(self, prompt: TokenPrompt, tokens: list[int]) -> list[int]:
        """The tokens up to the first that ends the completion, for engines that sample beyond it."""
        for length in range(1, len(tokens)):
            if self.has_ended(prompt, tokens[:length]):
                return tokens[:length]
        return tokens

    def decode(self, prompt: TokenPrompt, tokens: Sequence[int]) -> str:
        """The text of a completion, without its stop text."""
        return self._decode(tokens).partition(prompt.stop)[0]

    def _decode(self, tokens: Sequence[int]) -> str:
        text: str = self.tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text


def phase_of(state: BrowserState) -> Phase:
    """The phase that decides whether a completion is a command or an answer."""
    return "answering" if state.phase == "answering" else "browsing"


def end_tokens(generation_config: Any, tokenizer: Any) -> frozenset[int]:
    """All end-of-text tokens; models name one, several or none.

    Args:
        generation_config: The model's ``GenerationConfig`` of transformers, or None.
        tokenizer: The model's tokenizer.
    """
    eos = None if generation_config is None else generation_config.eos_token_id
    tokens = [*eos] if isinstance(eos, list | tuple) else [eos]
    return frozenset(token for token in (*tokens, tokenizer.eos_token_id) if token is not None)
