"""Configuration of behavior cloning."""

from dataclasses import dataclass
from typing import Annotated, Final, Literal

from tyro.conf import UseAppendAction, arg

from agent.models.shipped import SMALL
from training.supervised.optimization import Optimization

OPTIMIZATION: Final = Optimization(epochs=4.0, learning_rate=1e-3)
"""Defaults for a model of some million parameters on two cores."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloningConfig:
    """Everything that decides the result of behavior cloning."""

    demonstrations: Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="FILE[:WEIGHT]", help_behavior_hint="(repeatable)")]
    """File of episodes to learn from. WEIGHT multiplies the loss of its steps (default 1)."""
    base: Annotated[str, arg(metavar="PATH_OR_ID")] = SMALL
    """Language model to train: small or learned (both ship with the package), a folder (`webgpt train base` writes one), or a
    name on the Hugging Face hub."""
    optimization: Annotated[Optimization, arg(name="")] = OPTIMIZATION
    """Optimizer, schedule and checkpoints."""
    held_out: float = 0.04
    """Share of the questions, from 0 to below 1, whose demonstrations are held out of training for evaluation (§3.2)."""
    eval_every: int = 200
    """Number of optimizer steps between evaluations of the averaged weights."""
    eval_questions: int = 32
    """Number of held-out questions to answer in each evaluation. The latest average whose score is within a standard error,
    0.5 / sqrt(this number), of the best is saved. 0: no evaluation, the final average is saved."""
    patience: Annotated[int | None, arg(metavar="N")] = 5
    """Number of evaluations without a higher score after which training stops early. None: no early stopping."""
    replaced: float = 0.0
    """Share of the examples, 0 to 1, in which words are replaced by other words. Raise it for small models that would memorize
    the pages."""
    choice_weight: float = 1.0
    """Loss weight of the tokens that choose a command or a sentence, relative to tokens copied after them. Raise it (to 5, say)
    for a model that copies well but chooses badly."""
    learn_mistakes: bool = False
    """Learn also the steps that the demonstrator took back or that found nothing. The recovery from them is always learned."""
    copying_every: int = 0
    """Number of optimizer steps from one step with the copying task to the next. 0: the task is off. Use it for a base model
    that cannot copy yet."""
    lora_rank: int = 0
    """Rank of LoRA adapters on all linear layers, to train in place of the weights. Use 16, say, if the model is too large to
    train whole. 0: no adapters."""
    weights: Literal["bfloat16", "float32"] = "bfloat16"
    """Data type of the saved weights."""
    seed: int = 0
    """Random seed of the held-out split, the order of batches and the augmentations."""
