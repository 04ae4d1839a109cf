"""What a policy is trained on: prompts and completions as token ids."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from agent.models.tokens import Phase, completion_ids, prompt_ids
from browser_env.records import Episode, Step

COMMAND: Final = re.compile(r"Search(?= )|Clicked on link(?= )|Find in page: |Quote: |End: ")
"""What stands before the argument of a command; an answer is all argument."""
CHOSEN: Final = 2
"""Tokens of an argument that say what is taken; those behind them are mostly copied."""


@dataclass(frozen=True, slots=True)
class Row:
    """One step: what was shown and what was done. The state of an episode is in its prompt, so steps are independent."""

    prompt: tuple[int, ...]
    """Token ids that are only read."""
    completion: tuple[int, ...]
    """Token ids that are learned, the end included."""
    weight: float = 1.0
    """How much it counts."""
    token_weights: tuple[float, ...] = ()
    """How much each token of the completion counts in it; empty: 1 each."""

    @property
    def ids(self) -> tuple[int, ...]:
        """Prompt and completion."""
        return self.prompt + self.completion


def episode_rows(episode: Episode, tokenizer: Any, weight: float = 1.0) -> Iterator[Row]:
    """A row for each valid step of an episode."""
    for step in episode.steps:
        if step.problem is None:
            yield step_row(step, tokenizer, weight)


def step_row(step: Step, tokenizer: Any, weight: float = 1.0, choice_weight: float = 1.0) -> Row:
    """The row of one step. Of a command only its first line is one; the answer is all of the text."""
    text = step.completion if step.command is None else step.command
    if step.phase == "browsing":
        text = text.partition("\n")[0]
    return text_row(step.observation, text.strip(), step.phase, tokenizer, weight, choice_weight)


def text_row(
    observation: str, completion: str, phase: Phase, tokenizer: Any, weight: float = 1.0, choice_weight: float = 1.0
) -> Row:
    """The row of what was shown and what was done.

    Args:
        observation: The prompt.
        completion: A command or an answer.
        phase: Which of the two.
        tokenizer: Of the model.
        weight: How much the row counts.
        choice_weight: What tokens count that choose, where the others count 1: the first of a command, and the first two of
            its argument or of an answer. Which sentence to quote is said by one word, and copying the twenty behind it is
            learned long before.
    """
    ids = completion_ids(tokenizer, completion, phase)
    token_weights: tuple[float, ...] = ()
    if choice_weight != 1:
        name = COMMAND.match(completion) if phase == "browsing" else None
        start = len(tokenizer(name[0])["input_ids"]) if name else 0
        chosen = {0, *range(start, start + CHOSEN)} if name or phase == "answering" else {0}
        token_weights = tuple(choice_weight if place in chosen else 1.0 for place in range(len(ids)))
    return Row(tuple(prompt_ids(tokenizer, observation)), tuple(ids), weight, token_weights)
