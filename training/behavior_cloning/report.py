"""Results of behavior cloning."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CloningEvaluation:
    """An evaluation of the averaged weights."""

    step: int
    """Number of the optimizer step."""
    score: float | None
    """Score of rollouts on held-out questions, 0 to 1. None: not measured."""
    held_out_loss: float | None
    """Mean loss of held-out action tokens, in nats. None: nothing is held out, or the training was resumed after this step."""


@dataclass(frozen=True, slots=True)
class CloningReport:
    """The figures of a finished training."""

    rows: int
    """Number of training rows, one for each step of an episode."""
    held_out_rows: int
    tokens: int
    """Number of tokens of the training rows in one epoch, prompts included."""
    action_tokens: int
    """Number of tokens of the training rows that have a loss."""
    steps: int
    """Number of optimizer steps."""
    best_step: int | None
    """Optimizer step of the saved weights. None: there was no evaluation, and the last ones were saved."""
    score: float | None
    """Rollout score of the saved weights. None: there was no evaluation."""
    held_out_loss: float | None
    """Held-out loss of the saved weights, in nats per token. None: nothing is held out."""
    losses: tuple[tuple[int, float], ...]
    """Mean training loss of the steps up to each optimizer step."""
    evaluations: tuple[CloningEvaluation, ...]
