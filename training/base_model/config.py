"""Settings of the small base model and its training."""

from dataclasses import dataclass, field

from browser_env.records import Settings

SMALL_VIEW = Settings(view_width=80, view_height=12, max_actions=30)
"""Format of the small model's observations: 12 lines are about 200 tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseModelConfig:
    """Architecture, data and training of the small base model."""

    hidden_size: int = 192
    """Width of the hidden states."""
    layers: str = "cacaca"
    """Layers from input to output, one letter each: c for a short convolution, a for attention."""
    heads: int = 4
    """Number of attention heads."""
    intermediate_size: int = 320
    """Width of the feed-forward layers."""
    vocabulary: int = 6144
    """Vocabulary size of the tokenizer, special tokens and all 256 bytes included."""
    context: int = 2048
    """Context length in tokens."""
    tokens: int = 40_000_000
    """Number of training tokens, without padding."""
    batch_tokens: int = 4096
    """Approximate number of tokens in a batch. Larger batches, such as 16384, use a GPU better."""
    learning_rate: float = 2e-3
    """Peak learning rate of AdamW."""
    warmup_steps: int = 100
    """Number of steps over which the learning rate rises to its peak."""
    cooldown: float = 0.25
    """Last share of the training over which the learning rate falls linearly to almost zero."""
    copy_length: int = 400
    """Final length in tokens of the texts in the copying curriculum."""
    copy_every: int = 6
    """After the curriculum, every N-th step is a copying task."""
    read_every: int = 9
    """After the curriculum, every N-th step is next-token prediction on documentation."""
    replaced: float = 0.6
    """Share of the pretext examples in which words are replaced consistently by other words."""
    shortest_view: int = 3
    """Minimum number of lines in the views of pretext examples; the maximum is --settings.view-height. In shorter views the
    target is among less text, and an example costs less."""
    choice_weight: float = 5.0
    """Loss weight of the tokens that choose a command, a quote or an answer, relative to the tokens copied after them."""
    seed: int = 0
    """Random seed of the initial weights and of the data."""
    settings: Settings = field(default_factory=lambda: SMALL_VIEW)
    """Format of the observations, saved with the model."""
