"""The policy and value networks of PPO, which are separate (Appendix E).

Each maps a `MicroBatch` to one number for every completion token. The output embedding, which costs a small model more than all
of its layers, is applied at these tokens alone and not at those of prompts.
"""

from typing import Any

import torch
from torch import Tensor, nn

from agent.models.reward_model import Normalization
from training.objectives import chosen_logprobs
from training.ppo.packing import MicroBatch, hidden_states, masking


class PolicyNetwork(nn.Module):
    """Log-probabilities of completions under a language model."""

    def __init__(self, model: Any, *, temperature: float = 1.0) -> None:
        """Wrap a causal language model of transformers; it is put in evaluation mode, because PPO uses no dropout.

        Args:
            model: A model of any architecture. If its logits are not a plain matrix product of the last hidden states (but
                capped or scaled, for example), this is detected, and the logits of all positions are computed.
            temperature: Sampling temperature, by which logits are divided.
        """
        super().__init__()
        self.model = model.eval()
        self.temperature = temperature
        self._head_is_plain = _head_is_plain(model)

    def forward(self, batch: MicroBatch) -> tuple[Tensor, Tensor]:
        """Log-probabilities (with gradient) and entropies (without) at the completion tokens, in nats, both of shape (N,)."""
        if self._head_is_plain:
            logits = self.model.get_output_embeddings()(hidden_states(self.model.base_model, batch))
        else:
            logits = self._all_logits(batch)[batch.row_indices, batch.positions]
        return chosen_logprobs(
            logits, batch.targets, temperature=self.temperature, allowed=batch.allowed_mask(logits.shape[-1])
        )

    def _all_logits(self, batch: MicroBatch) -> Tensor:
        output = self.model(input_ids=batch.input_ids, use_cache=False, **masking(self.model.config, batch))
        logits: Tensor = output.logits
        return logits


class ValueNetwork(nn.Module):
    """The expected final score of an episode, before each completion token."""

    def __init__(self, model: Any, normalization: Normalization | None = None, *, starts_at_zero: bool = False) -> None:
        """Initialize from a reward model, so that the value at an answer's last token is close to its score from the start.

        Args:
            model: A scalar model (`agent.models.scalar_model`).
            normalization: The reward model's normalization of outputs to scores.
            starts_at_zero: Keep the trunk and set the output layer to zero, as OpenAI's 2019 code does.
        """
        super().__init__()
        self.model = model.eval()
        self.normalization = Normalization() if starts_at_zero else (normalization or Normalization())
        if starts_at_zero:
            nn.init.zeros_(model.score.weight)

    def forward(self, batch: MicroBatch) -> Tensor:
        """Values at the completion tokens, shape (N,), float32."""
        outputs: Tensor = self.model.score(hidden_states(self.model.base_model, batch))[:, 0]
        return (outputs.float() - self.normalization.shift) / self.normalization.scale


@torch.no_grad()
def _head_is_plain(model: Any) -> bool:
    """Whether the logits are just the output embedding applied to the trunk's last hidden states."""
    ids = torch.tensor([[1, 2, 3]], device=next(model.parameters()).device)
    head = model.get_output_embeddings()
    if head is None or model.base_model is model:
        return False
    logits = model(input_ids=ids, use_cache=False).logits
    product = head(model.base_model(input_ids=ids, use_cache=False).last_hidden_state)
    return bool(torch.allclose(product.float(), logits.float(), rtol=1e-4, atol=1e-4))
