"""Optimizer options that behavior cloning and the reward model share."""

from dataclasses import dataclass
from typing import Annotated

from tyro.conf import arg


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimization:
    """Batches, optimizer, learning-rate schedule and checkpoints.

    A run's ``config.json`` has these fields beside those of the training itself (`training.runs.config_values`).
    """

    epochs: float
    """Maximum number of passes over the training data. The paper chose 2 to 5 of at most 12 for cloning, and 1 of at most 6 for
    the reward model."""
    batch_size: int = 32
    """Number of examples per optimizer step. For cloning an example is a step of an episode (the paper: 512, Table 5), for the
    reward model a comparison (the paper: 64 pairs, Table 6)."""
    micro_batch_size: Annotated[int | None, arg(metavar="N")] = None
    """Micro-batch size: examples in memory at once. Gradients accumulate over the batch. It must divide the batch size; lower
    it if memory runs out. Default: the whole batch."""
    learning_rate: float
    """Peak learning rate of AdamW. For models of 0.5 to 8 billion parameters take 1e-5 to 3e-5, for their LoRA adapters 2e-4.
    The paper scales the rate of pre-training by 0.1 for cloning and by 0.05 for the reward model (Tables 5 and 6)."""
    warmup: float = 0.05
    """Share of the optimizer steps over which the learning rate rises from 0; it then falls linearly to 0."""
    weight_decay: float = 0.01
    """AdamW weight decay."""
    max_grad_norm: float = 1.0
    """Gradient-norm clipping threshold."""
    ema_decay: float = 0.99
    """Decay per optimizer step of the moving average of the weights; the average is what is saved (Tables 5 and 6)."""
    save_every: int = 100
    """Number of optimizer steps between checkpoints. A stopped training resumes from the last one."""
    gradient_checkpointing: bool = False
    """Recompute activations in the backward pass: less memory, slower steps."""
    max_steps: Annotated[int | None, arg(metavar="N")] = None
    """Number of optimizer steps to train for, in place of --epochs. Default: as many as the epochs have."""
