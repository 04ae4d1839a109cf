"""Architecture and loss of the small base model."""

from typing import Any

import torch
from torch import Tensor
from transformers import Lfm2Config, Lfm2ForCausalLM

from browser_env.errors import UsageError
from training.base_model.config import BaseModelConfig
from training.base_model.data import MicroBatch

LAYER_TYPES = {"c": "conv", "a": "full_attention"}
"""Layer type of transformers for each letter of `BaseModelConfig.layers`."""


def make_model(config: BaseModelConfig, tokenizer: Any) -> Any:
    """Create an untrained model of the LFM2 type of transformers.

    Raises:
        UsageError: The layers of the configuration are not valid.
    """
    if not config.layers or not set(config.layers) <= set(LAYER_TYPES):
        raise UsageError(f"--layers must be one letter for each layer, c or a, got {config.layers!r}")
    torch.manual_seed(config.seed)
    return Lfm2ForCausalLM(
        Lfm2Config(
            vocab_size=len(tokenizer),
            hidden_size=config.hidden_size,
            intermediate_size=config.intermediate_size,
            block_auto_adjust_ff_dim=False,
            num_hidden_layers=len(config.layers),
            num_attention_heads=config.heads,
            num_key_value_heads=config.heads,
            layer_types=[LAYER_TYPES[letter] for letter in config.layers],
            max_position_embeddings=config.context,
            tie_word_embeddings=True,
            pad_token_id=tokenizer.pad_token_id,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
        )
    )


def next_token_loss(model: Any, batch: MicroBatch) -> tuple[Tensor, Tensor]:
    """Weighted mean of the cross-entropy over the learned tokens.

    Logits are computed for the learned tokens only, about one token in ten. Padding is on the right, where causal layers do not
    look, so no attention mask is needed.

    Returns:
        The loss in nats, and whether each learned token was predicted, shape (learned,).
    """
    hidden = model.model(input_ids=batch.ids, use_cache=False).last_hidden_state.flatten(0, 1)
    logits = model.lm_head(hidden[batch.learned - 1])
    targets = batch.ids.flatten()[batch.learned]
    losses = torch.nn.functional.cross_entropy(logits.float(), targets, reduction="none")
    return (losses * batch.weights).sum() / batch.weights.sum(), logits.argmax(-1) == targets
