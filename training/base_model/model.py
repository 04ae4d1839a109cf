"""The small base model's architecture and its loss."""

from typing import TYPE_CHECKING, Any

from browser_env.errors import UsageError
from training.base_model.config import BaseModelConfig

if TYPE_CHECKING:
    from torch import Tensor

    from training.base_model.data import Batch


def make_model(config: BaseModelConfig, tokenizer: Any) -> Any:
    """An untrained model that transformers knows."""
    import torch
    from transformers import Lfm2Config, Lfm2ForCausalLM

    kinds = {"c": "conv", "a": "full_attention"}
    if not config.layers or not set(config.layers) <= set(kinds):
        raise UsageError(f"--layers is one letter a layer, c or a, got {config.layers!r}")
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
            layer_types=[kinds[letter] for letter in config.layers],
            max_position_embeddings=config.context,
            tie_word_embeddings=True,
            pad_token_id=tokenizer.pad_token_id,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
        )
    )


def next_token_loss(model: Any, batch: "Batch") -> tuple["Tensor", "Tensor"]:
    """Weighted mean loss over the learned tokens in nats, and which of them were predicted, shape (learned,).

    The product with the vocabulary is made for learned tokens only, which are one in ten. Padding stands on the right, where
    nothing that is learned looks, so no mask is needed.
    """
    import torch

    hidden = model.model(input_ids=batch.ids, use_cache=False).last_hidden_state.flatten(0, 1)
    logits = model.lm_head(hidden[batch.learned - 1])
    wanted = batch.ids.flatten()[batch.learned]
    losses = torch.nn.functional.cross_entropy(logits.float(), wanted, reduction="none")
    return (losses * batch.weights).sum() / batch.weights.sum(), logits.argmax(-1) == wanted
