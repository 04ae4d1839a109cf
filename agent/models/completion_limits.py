"""Where a language model's completions begin and end, whichever engine computes them.

`agent.models.language_model` (transformers in this process) and `agent.models.served_model` (a server) share all of this, so
that the same model reads the same ids, stops at the same token and is refused the same prompts in both.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agent.models.tokens import Phase, prompt_ids, stop_of
from agent.policy import Prompt
from browser_env.errors import PolicyError
from browser_env.state import BrowserState

STOP_TAIL = 4
"""Tokens at the end that are looked at for the stop: a character of three bytes is in at most three, a space before it."""


@dataclass(frozen=True, slots=True)
class TokenPrompt:
    """A prompt as a model reads it, and what ends its completion."""

    ids: list[int]
    seed: int
    stop: str
    """Text that ends it. The token that holds it, or the end-of-text token, is its last: ending is an action of the model."""
    max_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """A tokenizer, and what completions in its tokens are bounded by."""

    tokenizer: Any
    end_tokens: frozenset[int]
    """Every token that ends a text."""
    context: int | None
    """Tokens that the model reads, its own included; None: any number."""
    max_command_tokens: int
    """Tokens of the longest command. The paper's quotes have 125 on average (WebGLM's count)."""
    max_answer_tokens: int
    """Tokens of the longest answer."""

    def max_tokens(self, phase: Phase, prompt_length: int) -> int:
        """How many tokens a completion may have; less than 1: the prompt leaves no room."""
        most = self.max_answer_tokens if phase == "answering" else self.max_command_tokens
        return most if self.context is None else min(most, self.context - prompt_length)

    def begin(self, prompt: Prompt, name: str) -> TokenPrompt | PolicyError:
        """A prompt in tokens, or an error if it leaves no room; `name` is what the error calls the policy."""
        ids = prompt_ids(self.tokenizer, prompt.text)
        phase = phase_of(prompt.state)
        most = self.max_tokens(phase, len(ids))
        if most < 1:
            return PolicyError(
                f"the prompt has {len(ids):,} tokens and {name} reads {self.context:,}, its own included: "
                "show less at a time with --view-height, or take a model that reads more"
            )
        return TokenPrompt(ids, prompt.seed, stop_of(phase), most)

    def has_ended(self, prompt: TokenPrompt, tokens: Sequence[int]) -> bool:
        """Whether the last of some tokens ends the completion."""
        return (
            tokens[-1] in self.end_tokens
            or len(tokens) == prompt.max_tokens
            or prompt.stop in self._decode(tokens[-STOP_TAIL:])
        )

    def text(self, prompt: TokenPrompt, tokens: Sequence[int]) -> str:
        """What a completion says, without its end."""
        return self._decode(tokens).partition(prompt.stop)[0]

    def _decode(self, tokens: Sequence[int]) -> str:
        text: str = self.tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text


def phase_of(state: BrowserState) -> Phase:
    """Which of the two kinds of completion a state asks for."""
    return "answering" if state.phase == "answering" else "browsing"


def end_tokens(generation_config: Any, tokenizer: Any) -> frozenset[int]:
    """Every token that ends a text: models name one, several or none.

    Args:
        generation_config: The model's, of transformers; None: it has none.
        tokenizer: Its tokenizer.
    """
    named = None if generation_config is None else generation_config.eos_token_id
    tokens = [*named] if isinstance(named, list | tuple) else [named]
    return frozenset(token for token in (*tokens, tokenizer.eos_token_id) if token is not None)
