"""Configuration of reward-model training."""

from dataclasses import dataclass
from typing import Annotated, Final, Literal

from tyro.conf import UseAppendAction, arg

from training.supervised.optimization import Optimization

OPTIMIZATION: Final = Optimization(epochs=1.0, learning_rate=5e-4)
"""Defaults for a model of some million parameters on two cores."""

NormalizationKind = Literal["none", "shift", "shift and scale"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardModelConfig:
    """Everything that decides the result of reward-model training."""

    policy: Annotated[str, arg(metavar="PATH_OR_ID")]
    """Cloned policy to start from: learned (ships with the package), a folder (`webgpt train bc`) or a hub name."""
    comparisons: Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="FILE", help_behavior_hint="(repeatable)")]
    """File of comparisons to learn from: this project's, published ones, or preferences in TRL's format."""
    validation: Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="FILE", help_behavior_hint="(repeatable)")] = ()
    """File of comparisons to validate with, in the same formats. Default: a share of the questions, --held-out."""
    optimization: Annotated[Optimization, arg(name="")] = OPTIMIZATION
    """Optimizer, schedule and checkpoints."""
    held_out: float = 0.2
    """Share of the questions, between 0 and 1, whose comparisons are held out for validation (the paper: a quarter of 21,500
    comparisons)."""
    eval_every: int = 0
    """Number of optimizer steps between evaluations of the averaged weights; the most accurate average is saved. 0: no
    evaluation, the final average is saved."""
    patience: Annotated[int | None, arg(metavar="N")] = None
    """Number of evaluations without a higher accuracy after which training stops early. Default: no early stopping."""
    replaced: float = 0.0
    """Share of the comparisons, 0 to 1, in which words are replaced by other words, anew in each epoch. Raise it if the model
    memorizes answers instead of relating them to their questions."""
    learning_curve: bool = False
    """Train also on an eighth, a quarter and a half of the training questions, and report each model's accuracy."""
    normalization: NormalizationKind = "shift"
    """Normalization of scores: shift makes their mean over the training answers 0, scale makes their standard deviation 1."""
    part: str = "1/1"
    """Part of the training questions to learn from, as NUMBER/PARTS. Train two models with 1/2 and 2/2 for a reward model and
    another to validate it with."""
    weights: Literal["bfloat16", "float32"] = "bfloat16"
    """Data type of the saved weights."""
    seed: int = 0
    """Random seed of the splits, the initial weights of the output, the order of batches and word replacement."""
