"""What a policy is trained on: prompts and completions as token ids."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from agent.tokens import completion_ids, prompt_ids
from browser_env.records import Episode, Step


@dataclass(frozen=True, slots=True)
class Row:
    """One step: what was shown and what was done. The state of an episode is in its prompt, so steps are independent."""

    prompt: tuple[int, ...]
    """Token ids that are only read."""
    completion: tuple[int, ...]
    """Token ids that are learned, the end included."""
    weight: float = 1.0
    """How much it counts."""

    @property
    def ids(self) -> tuple[int, ...]:
        """Prompt and completion."""
        return self.prompt + self.completion


def episode_rows(episode: Episode, tokenizer: Any, weight: float = 1.0) -> Iterator[Row]:
    """A row for each valid step of an episode."""
    for step in episode.steps:
        if step.problem is None:
            yield step_row(step, tokenizer, weight)


def step_row(step: Step, tokenizer: Any, weight: float = 1.0) -> Row:
    """The row of one step. Of a command only its first line is one; the answer is all of the text."""
    text = step.completion if step.command is None else step.command
    if step.phase == "browsing":
        text = text.partition("\n")[0]
    return Row(
        tuple(prompt_ids(tokenizer, step.observation)), tuple(completion_ids(tokenizer, text.strip(), step.phase)), weight
    )
