"""Losses of labeled tokens, without computing the logits of the others."""

from typing import Any

from torch import Tensor

from training.objectives import weighted_cross_entropy
from training.supervised.batches import IGNORED, Batch


def predicts_label(labels: Tensor) -> Tensor:
    """Whether the prediction at each position has a loss: True at t if token t + 1 is labeled, shape (B, T - 1)."""
    return labels[:, 1:] != IGNORED


def token_losses(model: Any, batch: Batch, unwrapped: Any = None) -> Tensor:
    """Weighted cross-entropy of each labeled token, in nats.

    The model needs no attention mask: it is causal, and rows are padded on the right.

    Args:
        model: A causal language model, possibly wrapped for distributed training.
        batch: ``input_ids``, ``labels`` and ``weights``, each of shape (B, T).
        unwrapped: The model without its wrapper. Default: `model` itself.

    Returns:
        Shape (labeled tokens,), row by row.
    """
    selected = predicts_label(batch["labels"])
    logits = _selected_logits(model, batch["input_ids"], selected, (unwrapped or model).get_output_embeddings())
    return weighted_cross_entropy(logits, batch["labels"][:, 1:][selected], batch["weights"][:, 1:][selected])


def _selected_logits(model: Any, input_ids: Tensor, selected: Tensor, unembedding: Any) -> Tensor:
    """Logits at the selected positions, shape (N, V).

    A hook selects hidden states just before the unembedding, so that the product with the vocabulary is small, and whatever the
    model does to its logits afterwards (scaling, capping) still happens.
    """

    def select(module: Any, arguments: tuple[Tensor, ...]) -> tuple[Tensor]:
        return (arguments[0][:, :-1][selected],)

    hook = unembedding.register_forward_pre_hook(select)
    try:
        logits: Tensor = model(input_ids=input_ids, use_cache=False).logits
    finally:
        hook.remove()
    return logits
