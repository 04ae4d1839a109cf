"""Several completions of one prompt in one row, so that the prompt is read once.

The sixteen answers over the same references differ in their last tokens only. In a packed row every completion sees the prompt
and itself and none of the others: a boolean mask (T × T) says so, and position ids let each begin where the prompt ends. The
numbers are those of separate rows, to rounding.

Short convolutions (LFM2) move information between neighbours and would mix the answers. So each completion takes a *run-up*:
the last tokens of the prompt stand in front of it once more. The first of them see the neighbours of another row through the
first convolution, the next ones through the second, and if there are (kernel − 1) of them for each convolution, none of that
arrives at the completion, while attention looks at the prompt itself and never at a run-up. Recurrences and windows cannot
be packed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

FULL, CONVOLUTION = "full_attention", "conv"
"""Kinds of layers, as transformers calls them."""
Ids = NDArray[np.int64]
Allowed = Sequence[Ids | None]
"""For each token of a completion the ids among which it was chosen; None: all of them."""


@dataclass(frozen=True, slots=True)
class Group:
    """Completions of one prompt, as token ids."""

    prompt: Sequence[int]
    completions: Sequence[Sequence[int]]
    allowed: Sequence[Allowed] = ()
    """One for each completion; empty: nothing is forbidden."""

    @property
    def num_tokens(self) -> int:
        """Tokens of the completions."""
        return sum(map(len, self.completions))

    @property
    def length(self) -> int:
        """Tokens of the row: the last of a completion predicts nothing and is left out."""
        return len(self.prompt) + self.num_tokens - len(self.completions)


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows for a model, and where in them N tokens of completions are predicted. Those of a group stand together, in order."""

    input_ids: Tensor
    """Shape (B, T), padded on the right, where no token of a causal model looks."""
    rows: Tensor
    """Row in which a token is predicted, shape (N,)."""
    places: Tensor
    """Position from which it is predicted, shape (N,)."""
    targets: Tensor
    """The tokens, shape (N,)."""
    allowed: list[Ids | None] | None = None
    """For each of the N tokens; None: nothing is forbidden."""
    position_ids: Tensor | None = None
    """Shape (B, T); None: 0, 1, 2, …"""
    mask: Tensor | None = None
    """True where the second position is seen from the first, shape (B, 1, T, T); None: all before it and itself."""

    def allowed_mask(self, vocab_size: int) -> Tensor | None:
        """True at the tokens that could be sampled, shape (N, V)."""
        if self.allowed is None:
            return None
        held = [row for row, ids in enumerate(self.allowed) if ids is not None]
        chosen = [ids for ids in self.allowed if ids is not None]
        mask = torch.ones(len(self.allowed), vocab_size, dtype=torch.bool)
        mask[held] = False
        rows = np.repeat(held, [len(ids) for ids in chosen])
        mask[torch.from_numpy(rows), torch.from_numpy(np.concatenate(chosen))] = True
        return mask.to(self.input_ids.device)


def collate(groups: Sequence[Group], device: torch.device | str = "cpu", *, run_up: int = 0) -> Batch:
    """The batch of some groups; those of several completions become packed rows.

    Args:
        groups: Those of several completions have prompts of at least `run_up` tokens.
        device: Where it is used.
        run_up: Tokens that are repeated in front of each completion of a packed row.
    """
    is_packed = any(len(group.completions) > 1 for group in groups)
    run_up = run_up if is_packed else 0
    width = max(group.length + run_up * len(group.completions) for group in groups)
    input_ids = torch.zeros(len(groups), width, dtype=torch.long)
    position_ids = torch.zeros(len(groups), width, dtype=torch.long)
    mask = torch.eye(width, dtype=torch.bool).repeat(len(groups), 1, 1) if is_packed else None  # padding sees itself, or is NaN
    rows: list[int] = []
    places: list[int] = []
    targets: list[int] = []
    allowed: list[Ids | None] = []
    for row, group in enumerate(groups):
        read = len(group.prompt)
        input_ids[row, :read] = torch.as_tensor(group.prompt)
        position_ids[row, :read] = torch.arange(read)
        if mask is not None:
            mask[row, :read, :read] = torch.ones(read, read, dtype=torch.bool).tril()
        start = read
        for number, completion in enumerate(group.completions):
            if run_up and len(group.completions) > 1:
                assert read >= run_up
                end = start + run_up
                input_ids[row, start:end] = torch.as_tensor(group.prompt[-run_up:])
                position_ids[row, start:end] = torch.arange(read - run_up, read)
                if mask is not None:
                    mask[row, start:end, :read] = torch.ones(run_up, read, dtype=torch.bool).tril(read - run_up)
                    mask[row, start:end, start:end] = False  # each sees itself in the prompt, and must not count twice
                start = end
            end = start + len(completion) - 1
            input_ids[row, start:end] = torch.as_tensor(completion[:-1])
            position_ids[row, start:end] = torch.arange(read, read + end - start)
            if mask is not None:
                mask[row, start:end, :read] = True
                mask[row, start:end, start:end] = torch.ones(end - start, end - start, dtype=torch.bool).tril()
            rows += [row] * len(completion)
            places += [read - 1, *range(start, end)]
            targets += completion
            allowed += group.allowed[number] if group.allowed else [None] * len(completion)
            start = end
    return Batch(
        input_ids.to(device),
        torch.tensor(rows, device=device),
        torch.tensor(places, device=device),
        torch.tensor(targets, device=device),
        allowed if any(ids is not None for ids in allowed) else None,
        position_ids.to(device) if is_packed else None,
        None if mask is None else mask[:, None].to(device),
    )


def hidden_states(base_model: Any, batch: Batch) -> Tensor:
    """What a trunk has computed where the tokens of a batch are predicted, shape (N, hidden size).

    No key-value cache: with one, some of transformers' models would read packed rows as if they were not.
    """
    output = base_model(input_ids=batch.input_ids, use_cache=False, **masking(base_model.config, batch))
    states: Tensor = output.last_hidden_state[batch.rows, batch.places]
    return states


def masking(config: Any, batch: Batch) -> dict[str, Any]:
    """What a model is given besides token ids; nothing if every token sees all before it."""
    if batch.mask is None:
        return {}
    # A model of several kinds of layers takes a mask for each: that of a convolution is for padding on the left.
    mask = {FULL: batch.mask, CONVOLUTION: None} if CONVOLUTION in _kinds(config) else batch.mask
    return {"attention_mask": mask, "position_ids": batch.position_ids}


@torch.no_grad()
def packing_run_up(base_model: Any, *, tolerance: float = 1e-3) -> int | None:
    """The run-up that a trunk needs to compute the same for packed rows as for separate ones; None: none would do.

    What its configuration says is tried out on a few tokens. Attention over a window would pass such a trial and fail on long
    rows, so it counts as unable.
    """
    config = base_model.config
    kinds = _kinds(config)
    if not set(kinds) <= {FULL, CONVOLUTION} or getattr(config, "sliding_window", None):
        return None
    run_up = kinds.count(CONVOLUTION) * (getattr(config, "conv_L_cache", 1) - 1)
    prompt = [(number * 7 + 1) % config.vocab_size for number in range(max(5, run_up))]
    completions = [[token % config.vocab_size for token in tokens] for tokens in ([6, 7, 8], [3, 2, 1, 4, 9, 5], [5])]
    device = next(base_model.parameters()).device
    try:
        packed = hidden_states(base_model, collate([Group(prompt, completions)], device, run_up=run_up))
    except (TypeError, ValueError, RuntimeError, KeyError):  # it has no such inputs, or cannot read such a mask
        return None
    apart = hidden_states(base_model, collate([Group(prompt, [completion]) for completion in completions], device))
    return run_up if bool((packed - apart).abs().max() <= tolerance * apart.abs().max()) else None


def _kinds(config: Any) -> list[str]:
    """Of the layers; models that name none have attention in all of them."""
    return list(getattr(config, "layer_types", None) or [FULL])
