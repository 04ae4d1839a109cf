"""Steps of episodes as training rows: prompts and completions as token ids, with loss weights."""

import re
from dataclasses import dataclass
from typing import Any, Final

from agent.models.tokens import Phase, completion_ids, prompt_ids
from browser_env.records import Step

COMMAND: Final = re.compile(r"Search(?= )|Clicked on link(?= )|Find in page: |Quote: |End: ")
"""The name of a command, before its argument."""
CHOICE_TOKENS: Final = 2
"""Number of tokens at the start of an argument or answer that choose it; the tokens after them are mostly copied."""


@dataclass(frozen=True, slots=True)
class Row:
    """One step of an episode. Its prompt holds the state of the episode, so rows are independent of each other."""

    prompt: tuple[int, ...]
    """Token ids without a loss."""
    completion: tuple[int, ...]
    """Token ids with a loss, the end-of-completion token included."""
    weight: float = 1.0
    """Loss weight of the row."""
    token_weights: tuple[float, ...] = ()
    """Loss weight of each token of the completion, multiplied by the row's. Empty: 1 for each."""

    @property
    def ids(self) -> tuple[int, ...]:
        """The prompt followed by the completion."""
        return self.prompt + self.completion


def step_row(step: Step, tokenizer: Any, weight: float = 1.0, choice_weight: float = 1.0) -> Row:
    """The row of one step. Only the first line of a command is learned; an answer is learned whole."""
    text = step.completion if step.command is None else step.command
    if step.phase == "browsing":
        text = text.partition("\n")[0]
    return text_row(step.observation, text.strip(), step.phase, tokenizer, weight, choice_weight)


def text_row(
    observation: str, completion: str, phase: Phase, tokenizer: Any, weight: float = 1.0, choice_weight: float = 1.0
) -> Row:
    """The row of an observation and its completion.

    Args:
        observation: The prompt.
        completion: A command or an answer.
        phase: Whether `completion` is a command (browsing) or an answer (answering).
        tokenizer: The model's tokenizer.
        weight: The loss weight of the row.
        choice_weight: The loss weight of the tokens that choose: the first of a command, and the first two of its argument or
            of an answer. The others weigh 1. One word decides which sentence is quoted; the twenty after it are copied, a skill
            that is learned much earlier.
    """
    ids = completion_ids(tokenizer, completion, phase)
    token_weights: tuple[float, ...] = ()
    if choice_weight != 1:
        choices = _choice_places(completion, phase, tokenizer)
        token_weights = tuple(choice_weight if place in choices else 1.0 for place in range(len(ids)))
    return Row(tuple(prompt_ids(tokenizer, observation)), tuple(ids), weight, token_weights)


def _choice_places(completion: str, phase: Phase, tokenizer: Any) -> set[int]:
    name = COMMAND.match(completion) if phase == "browsing" else None
    if phase == "browsing" and name is None:
        return {0}
    start = len(tokenizer(name[0])["input_ids"]) if name else 0
    return {0, *range(start, start + CHOICE_TOKENS)}
