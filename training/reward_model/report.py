"""Results of reward-model training."""

from dataclasses import dataclass

from agent.models.reward_model import Normalization
from training.reward_model.measures import PreferenceFigures


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """A point of the learning curve: a reward model trained on a share of the questions."""

    share: float
    """Share of the training questions, 0 to 1."""
    groups: int
    """Number of training comparisons."""
    figures: PreferenceFigures
    """Figures on the held-out comparisons."""


@dataclass(frozen=True, slots=True)
class RewardModelReport:
    """The figures of a finished training."""

    groups: int
    """Number of training comparisons."""
    ties: int
    """Number of training comparisons whose answers are all tied."""
    tokens: int
    """Number of tokens of the training answers in one epoch, question and references included."""
    steps: int
    """Number of optimizer steps."""
    normalization: Normalization
    figures: PreferenceFigures
    """Figures on the held-out comparisons."""
    training_figures: PreferenceFigures
    """Figures on the training comparisons."""
    curve: tuple[CurvePoint, ...]
    """The learning curve; its last point is the saved model. Empty: it was not requested."""
    losses: tuple[tuple[int, float], ...]
    """Mean training loss of the steps up to each optimizer step."""
