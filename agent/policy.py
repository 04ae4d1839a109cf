"""The policy interface: a batch of prompts in, a batch of completions out.

People, programs and models return the same thing: a text whose first line is a command, or which is the answer. The interface
takes batches because models are faster with them: rollouts ask for the next actions of many episodes at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from browser_env.errors import PolicyError
from browser_env.state import BrowserState


@dataclass(frozen=True, slots=True)
class Prompt:
    """An observation to act on."""

    text: str
    """The text of `browser_env.observation.observe`, unchanged."""
    state: BrowserState
    """The state behind the observation, for constrained decoding and for programs that do not parse text.

    Decisions are based on the observation alone; a policy may not read the rest of the page.
    """
    seed: int
    """Seed of this completion, so that a sample does not depend on the rest of its batch."""


@dataclass(frozen=True, slots=True)
class Completion:
    """A policy's reply to a prompt."""

    text: str
    """The reply, unchanged."""
    command: str | None = None
    """The command or answer that was parsed leniently from `text`; None if it is the first line of `text`, or all of it for an
    answer."""
    token_ids: tuple[int, ...] | None = None
    """The reply in the policy's tokens, if it has any."""
    logprobs: tuple[float, ...] | None = None
    """Log-probability of each token under the sampled distribution, in nats."""


class Policy(Protocol):
    """A function from prompts to completions."""

    @property
    def name(self) -> str:
        """Name of the policy in records."""
        ...

    def complete(self, prompts: Sequence[Prompt]) -> Sequence[Completion | PolicyError]:
        """The completion of each prompt, in order, or an error in its place."""
        ...
