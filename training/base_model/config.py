"""Settings of the small base model and its training."""

from dataclasses import dataclass, field

from browser_env.records import Settings

SMALL_VIEW = Settings(view_width=80, view_height=12, max_actions=30)
"""What the small model sees: 12 lines are about 200 tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseModelConfig:
    """How the small base model is made."""

    hidden_size: int = 192
    layers: str = "cacaca"
    """One letter a layer: c for a short convolution, a for attention."""
    heads: int = 4
    intermediate_size: int = 320
    vocabulary: int = 6144
    """Tokens of the tokenizer."""
    context: int = 2048
    """Tokens that the model reads at most."""
    tokens: int = 40_000_000
    """Read before training ends, padding not counted."""
    batch_tokens: int = 4096
    learning_rate: float = 2e-3
    warmup_steps: int = 100
    cooldown: float = 0.25
    """Last share of the tokens, over which the learning rate falls to nothing."""
    copy_length: int = 400
    """Tokens at which texts to copy from stop growing."""
    copy_every: int = 6
    """Steps from one copying step to the next, when copying is mastered."""
    read_every: int = 9
    """Steps from one step of plain reading to the next."""
    replaced: float = 0.6
    """Share of the examples in which words are replaced."""
    shortest_view: int = 3
    """Lines of the shortest views that are learned on, the settings' being the longest: what is to be found stands among less,
    and an example costs less."""
    choice_weight: float = 5.0
    """What the tokens that choose count, where those that are copied behind them count 1."""
    seed: int = 0
    settings: Settings = field(default_factory=lambda: SMALL_VIEW)
    """Format of the observations; it goes with the model."""
