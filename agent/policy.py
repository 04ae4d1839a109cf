"""What acts: a batch of prompts in, a batch of completions out.

A person, a program and a model give the same thing, a text whose first line is a command (or all of it the answer). Policies
work on batches because models do: rollouts keep many episodes in flight and ask for all their next actions at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from browser_env.errors import PolicyError
from browser_env.state import BrowserState


@dataclass(frozen=True, slots=True)
class Prompt:
    """One observation to act on."""

    text: str
    """Exactly what `browser_env.observation.observe` shows."""
    state: BrowserState
    """What it was made from: for decoding held to what the page allows, and for programs that need no parser.

    A policy decides from what is shown; the rest of the page is not its to read.
    """
    seed: int
    """Seed of this completion alone, so that a sample does not depend on what else is in its batch."""


@dataclass(frozen=True, slots=True)
class Completion:
    """What a policy said."""

    text: str
    """Exactly as it came."""
    command: str | None = None
    """The command (or answer), where it was read leniently out of `text`; None: its first line (or all of it)."""
    token_ids: tuple[int, ...] | None = None
    """In the policy's tokens, if it has any."""
    logprobs: tuple[float, ...] | None = None
    """Log-probability of each token under the distribution that was sampled, in nats."""


class Policy(Protocol):
    """Maps observations to completions."""

    @property
    def name(self) -> str:
        """What records call it."""
        ...

    def complete(self, prompts: Sequence[Prompt]) -> Sequence[Completion | PolicyError]:
        """One completion for each prompt, in order; an error in place of one that could not be had."""
        ...
