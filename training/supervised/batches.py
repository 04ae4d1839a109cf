"""Training examples as padded tensors, in batches of similar length."""

import random
from collections.abc import Iterator, Sequence
from typing import Protocol

import torch
from torch import Tensor
from torch.utils.data import Sampler

from training.supervised.rows import Row

IGNORED = -100
"""Label of positions without a loss."""
MEGABATCH = 50
"""Number of batches that are sorted by length together: enough for little padding, few enough that their mixture varies by
epoch."""

Batch = dict[str, Tensor]


class Source(Protocol):
    """The examples of a training."""

    @property
    def lengths(self) -> Sequence[int]:
        """Approximate number of tokens of each example."""
        ...

    def batch(self, indices: Sequence[int], epoch: int) -> Batch:
        """Tensors of some examples. A pure function of its arguments, so that a resumed training sees the same batches."""
        ...


class LengthBuckets(Sampler[int]):
    """Every index once per epoch, in batches of examples of similar length.

    The order depends on the seed and the epoch alone, so a resumed training sees the same one.
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int) -> None:
        self._lengths = lengths
        self._batch_size = batch_size
        self._seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Select the epoch; accelerate calls this before each."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self._lengths)

    def __iter__(self) -> Iterator[int]:
        draw = random.Random(f"{self._seed} {self.epoch}")
        order = draw.sample(range(len(self._lengths)), len(self._lengths))
        size = self._batch_size
        number_whole = len(order) - len(order) % size
        batches: list[list[int]] = []
        for start in range(0, number_whole, MEGABATCH * size):
            megabatch = order[start : min(start + MEGABATCH * size, number_whole)]
            megabatch.sort(key=lambda index: self._lengths[index])
            batches += [megabatch[first : first + size] for first in range(0, len(megabatch), size)]
        draw.shuffle(batches)
        batches.append(order[number_whole:])  # the incomplete batch comes last
        return iter([index for batch in batches for index in batch])


def padded_rows(rows: Sequence[Row]) -> Batch:
    """Rows as one batch, padded on the right.

    Returns:
        ``input_ids``, ``labels`` and ``weights``, each of shape (B, T).
    """
    width = max(len(row.ids) for row in rows)
    input_ids = torch.zeros(len(rows), width, dtype=torch.long)
    labels = torch.full((len(rows), width), IGNORED)
    weights = torch.zeros(len(rows), width)
    for index, row in enumerate(rows):
        start, end = len(row.prompt), len(row.ids)
        input_ids[index, :end] = torch.tensor(row.ids)
        labels[index, start:end] = torch.tensor(row.completion)
        weights[index, start:end] = row.weight * torch.tensor(row.token_weights or 1.0)
    return {"input_ids": input_ids, "labels": labels, "weights": weights}


def padded_groups(groups: Sequence[Sequence[Sequence[int]]], levels: Sequence[Sequence[float]], pad: int) -> Batch:
    """Groups of compared texts as one batch, padded on the right.

    Args:
        groups: The token ids of each text of each group.
        levels: The preference level of each text.
        pad: The token id of padding.

    Returns:
        ``input_ids`` of shape (texts, T) with the texts of all groups one after another; ``members`` of shape (B, K), the row
        of each text of a group; ``mask``, True where a group has a text; ``levels``.
    """
    texts = [text for group in groups for text in group]
    input_ids = torch.full((len(texts), max(map(len, texts))), pad)
    for index, text in enumerate(texts):
        input_ids[index, : len(text)] = torch.tensor(text)
    size = max(map(len, groups))
    members = torch.zeros(len(groups), size, dtype=torch.long)
    mask = torch.zeros(len(groups), size, dtype=torch.bool)
    padded_levels = torch.zeros(len(groups), size)
    first = 0
    for index, group in enumerate(groups):
        members[index, : len(group)] = torch.arange(first, first + len(group))
        mask[index, : len(group)] = True
        padded_levels[index, : len(group)] = torch.tensor(levels[index])
        first += len(group)
    return {"input_ids": input_ids, "members": members, "mask": mask, "levels": padded_levels}
