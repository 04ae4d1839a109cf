"""Packed rows: several completions share one prompt in one row, so that the prompt is computed once.

The sixteen answers over the same references have their prompt as a shared prefix. In a packed row every completion attends to
the prompt and itself and to no other completion: a boolean mask (T × T) ensures that, and position ids let each completion
begin where the prompt ends. The results equal those of separate rows, up to rounding.

Short convolutions (LFM2) mix neighboring tokens and would mix the answers. Each completion is therefore preceded by an
*overlap*: the last tokens of the prompt are repeated in front of it. The first convolution contaminates the first of these
tokens with another completion, the next convolution a few more; with (kernel − 1) tokens for each convolution, nothing reaches
the completion itself. Attention uses the prompt and never an overlap. Recurrences and sliding windows cannot be packed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

FULL, CONVOLUTION = "full_attention", "conv"
"""Kinds of layers in the configurations of transformers."""
Ids = NDArray[np.int64]
Allowed = Sequence[Ids | None]
"""For each token of a completion the ids that constrained decoding allowed at its position; None where all were."""


@dataclass(frozen=True, slots=True)
class Row:
    """Completions of one prompt, as token ids."""

    prompt: Sequence[int]
    completions: Sequence[Sequence[int]]
    allowed: Sequence[Allowed] = ()
    """The allowed ids of each completion. Empty: all ids were allowed."""

    @property
    def num_tokens(self) -> int:
        """Number of tokens in the completions."""
        return sum(map(len, self.completions))

    @property
    def length(self) -> int:
        """Number of tokens in the row, which omits the last token of each completion because it predicts nothing."""
        return len(self.prompt) + self.num_tokens - len(self.completions)


@dataclass(frozen=True, slots=True)
class MicroBatch:
    """Model inputs for some rows, and the positions that predict their N completion tokens, row by row."""

    input_ids: Tensor
    """Shape (B, T), padded on the right, where causal models do not look."""
    row_indices: Tensor
    """Row of each completion token, shape (N,)."""
    positions: Tensor
    """Position that predicts each completion token, shape (N,)."""
    targets: Tensor
    """The completion tokens, shape (N,)."""
    allowed: list[Ids | None] | None = None
    """Allowed ids at each of the N tokens. None: all ids are allowed everywhere."""
    position_ids: Tensor | None = None
    """Shape (B, T). None: 0, 1, 2, …"""
    mask: Tensor | None = None
    """True where the first position attends to the second, shape (B, 1, T, T). None: a causal mask."""

    def allowed_mask(self, vocab_size: int) -> Tensor | None:
        """True at the ids that could be sampled, shape (N, V); None if all could."""
        if self.allowed is None:
            return None
        constrained = [token for token, ids in enumerate(self.allowed) if ids is not None]
        choices = [ids for ids in self.allowed if ids is not None]
        mask = torch.ones(len(self.allowed), vocab_size, dtype=torch.bool)
        mask[constrained] = False
        tokens = np.repeat(constrained, [len(ids) for ids in choices])
        mask[torch.from_numpy(tokens), torch.from_numpy(np.concatenate(choices))] = True
        return mask.to(self.input_ids.device)


def collate(rows: Sequence[Row], device: torch.device | str = "cpu", *, overlap: int = 0) -> MicroBatch:
    """Make a micro-batch; rows with several completions are packed.

    Args:
        rows: Rows. The prompt of a packed row has at least `overlap` tokens.
        device: Device of the result.
        overlap: Number of prompt tokens to repeat in front of each completion of a packed row.
    """
    is_packed = any(len(row.completions) > 1 for row in rows)
    width = max(row.length + (overlap * len(row.completions) if is_packed else 0) for row in rows)
    inputs = _Inputs(
        input_ids=torch.zeros(len(rows), width, dtype=torch.long),
        position_ids=torch.zeros(len(rows), width, dtype=torch.long),
        # Padding attends to itself, because attention to nothing is NaN.
        mask=torch.eye(width, dtype=torch.bool).repeat(len(rows), 1, 1) if is_packed else None,
    )
    for index, row in enumerate(rows):
        inputs.write_row(index, row, overlap if len(row.completions) > 1 else 0)
    allowed = inputs.allowed
    return MicroBatch(
        inputs.input_ids.to(device),
        torch.tensor(inputs.row_indices, device=device),
        torch.tensor(inputs.positions, device=device),
        torch.tensor(inputs.targets, device=device),
        allowed if any(ids is not None for ids in allowed) else None,
        inputs.position_ids.to(device) if is_packed else None,
        None if inputs.mask is None else inputs.mask[:, None].to(device),
    )


@dataclass(slots=True)
class _Inputs:
    """The inputs of a micro-batch while rows are written to them."""

    input_ids: Tensor
    position_ids: Tensor
    mask: Tensor | None
    row_indices: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    targets: list[int] = field(default_factory=list)
    allowed: list[Ids | None] = field(default_factory=list)

    def write_row(self, index: int, row: Row, overlap: int) -> None:
        """Write a prompt and its completions, each behind its overlap."""
        prompt_length = len(row.prompt)
        assert prompt_length >= overlap
        self._write(index, 0, row.prompt, position=0)
        self._attend(index, 0, prompt_length, prefix=0)
        start = prompt_length
        for number, completion in enumerate(row.completions):
            if overlap:
                self._write(index, start, row.prompt[-overlap:], position=prompt_length - overlap)
                self._attend_from_overlap(index, start, overlap, prompt_length)
                start += overlap
            end = start + len(completion) - 1
            self._write(index, start, completion[:-1], position=prompt_length)
            self._attend(index, start, end - start, prefix=prompt_length)
            self.row_indices += [index] * len(completion)
            self.positions += [prompt_length - 1, *range(start, end)]
            self.targets += completion
            self.allowed += row.allowed[number] if row.allowed else [None] * len(completion)
            start = end

    def _write(self, index: int, start: int, tokens: Sequence[int], *, position: int) -> None:
        """Write tokens whose position ids count from `position`."""
        end = start + len(tokens)
        self.input_ids[index, start:end] = torch.as_tensor(tokens)
        self.position_ids[index, start:end] = torch.arange(position, position + len(tokens))

    def _attend(self, index: int, start: int, length: int, *, prefix: int) -> None:
        """Let tokens attend to a prefix of the row and causally to each other."""
        if self.mask is not None:
            rows = self.mask[index, start : start + length]
            rows[:, :prefix] = True
            rows[:, start : start + length] = torch.ones(length, length, dtype=torch.bool).tril()

    def _attend_from_overlap(self, index: int, start: int, overlap: int, prompt_length: int) -> None:
        """Let overlap tokens attend to the prompt up to their place there, and not to the overlap, which would count twice."""
        if self.mask is not None:
            rows = self.mask[index, start : start + overlap]
            rows[:, :prompt_length] = torch.ones(overlap, prompt_length, dtype=torch.bool).tril(prompt_length - overlap)
            rows[:, start : start + overlap] = False


def hidden_states(base_model: Any, batch: MicroBatch) -> Tensor:
    """The last hidden states of a trunk at the positions that predict completion tokens, shape (N, hidden size).

    There is no key-value cache: with one, some models of transformers ignore the mask of packed rows.
    """
    output = base_model(input_ids=batch.input_ids, use_cache=False, **masking(base_model.config, batch))
    states: Tensor = output.last_hidden_state[batch.row_indices, batch.positions]
    return states


def masking(config: Any, batch: MicroBatch) -> dict[str, Any]:
    """The mask and position ids of a micro-batch as a model's arguments; empty for a plain causal mask."""
    if batch.mask is None:
        return {}
    # A model with several kinds of layers takes a mask for each kind; that of a convolution is for padding on the left.
    mask = {FULL: batch.mask, CONVOLUTION: None} if CONVOLUTION in _layer_kinds(config) else batch.mask
    return {"attention_mask": mask, "position_ids": batch.position_ids}


@torch.no_grad()
def packing_overlap(base_model: Any, *, tolerance: float = 1e-3) -> int | None:
    """The overlap that a trunk needs to compute the same for packed and separate rows; None if it cannot be packed.

    The overlap follows from the configuration and is tested on a few tokens. A sliding window would pass this test and fail on
    long rows, so it is refused beforehand.
    """
    config = base_model.config
    kinds = _layer_kinds(config)
    if not set(kinds) <= {FULL, CONVOLUTION} or getattr(config, "sliding_window", None):
        return None
    overlap = kinds.count(CONVOLUTION) * (getattr(config, "conv_L_cache", 1) - 1)
    prompt = [(number * 7 + 1) % config.vocab_size for number in range(max(5, overlap))]
    completions = [[token % config.vocab_size for token in tokens] for tokens in ([6, 7, 8], [3, 2, 1, 4, 9, 5], [5])]
    device = next(base_model.parameters()).device
    try:
        packed = hidden_states(base_model, collate([Row(prompt, completions)], device, overlap=overlap))
    except (TypeError, ValueError, RuntimeError, KeyError):  # the model has no such arguments, or does not support the mask
        return None
    separate = hidden_states(base_model, collate([Row(prompt, [completion]) for completion in completions], device))
    return overlap if bool((packed - separate).abs().max() <= tolerance * separate.abs().max()) else None


def _layer_kinds(config: Any) -> list[str]:
    """The kind of each layer; a configuration without layer types has attention in all layers."""
    return list(getattr(config, "layer_types", None) or [FULL])
