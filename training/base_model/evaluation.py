"""Accuracy of the base model on held-out pretext examples, by kind of command."""

import random
from collections import defaultdict
from collections.abc import Sequence
from itertools import islice
from typing import Any, Final

import torch
from torch import Tensor

from training.base_model.data import Batches
from training.base_model.model import next_token_loss
from training.base_model.pretext_tasks import PretextTasks

COMMANDS: Final = ("Search", "Clicked", "Find", "Quote", "End")
"""First word of each kind of command; any other completion is an answer."""
ROWS: Final = 20
"""Number of examples in a forward pass."""


def completion_accuracy(
    model: Any, tokenizer: Any, tasks: PretextTasks, batches: Batches, device: torch.device, number: int = 200, seed: int = 1
) -> dict[str, float]:
    """Share of completions whose every token is predicted given the right tokens before it, by kind of command.

    Args:
        model: The model to measure.
        tokenizer: Its tokenizer.
        tasks: Pretext tasks on pages that the model has not read.
        batches: Makes rows of the examples.
        device: Device of the model.
        number: Number of examples.
        seed: Seed of the examples.
    """
    rows = [batches.row(example) for example in islice(tasks.examples(random.Random(seed)), number)]
    hits: dict[str, list[bool]] = defaultdict(list)
    model.eval()
    with torch.inference_mode():
        for first in range(0, number, ROWS):
            part = rows[first : first + ROWS]
            _, right = next_token_loss(model, batches.micro_batch(part).to(device))
            completions: Sequence[Tensor] = torch.split(right.cpu(), [len(row.completion) for row, _ in part])
            for (row, _), completion in zip(part, completions, strict=True):
                hits[_kind(tokenizer.decode(row.completion))].append(bool(completion.all()))
    model.train()
    return {kind: sum(values) / len(values) for kind, values in sorted(hits.items())}


def _kind(completion: str) -> str:
    word = completion.split(" ")[0].rstrip(":")
    return word if word in COMMANDS else "Answer"
