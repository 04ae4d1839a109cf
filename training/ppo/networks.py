"""The two networks of PPO: the policy, and the value network that is its baseline (Appendix E: separate networks).

Each maps a `Batch` to one number for every token of its completions. The vocabulary product, which costs a small model more
than all of its layers, is made at these tokens alone and not at what was read.
"""

from typing import Any

import torch
from torch import Tensor, nn

from agent.models.reward_model import Normalization
from training.objectives import chosen_logprobs
from training.ppo.packing import Batch, hidden_states, masking


class PolicyNetwork(nn.Module):
    """Log-probabilities of completions under a language model."""

    def __init__(self, model: Any, *, temperature: float = 1.0) -> None:
        """Take a causal language model of transformers, in evaluation mode: PPO is without dropout.

        Args:
            model: Any architecture. One that does more behind its last hidden states than one matrix product (a cap or a scale
                on its logits) is noticed, and all of its logits are computed.
            temperature: Of sampling; the logits are divided by it.
        """
        super().__init__()
        self.model = model.eval()
        self.temperature = temperature
        self._head_is_plain = _head_is_plain(model)

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Log-probabilities (with gradient) and entropies (without) of the tokens, in nats, both of shape (N,)."""
        if self._head_is_plain:
            logits = self.model.get_output_embeddings()(hidden_states(self.model.base_model, batch))
        else:
            logits = self._all_logits(batch)[batch.rows, batch.places]
        return chosen_logprobs(
            logits, batch.targets, temperature=self.temperature, allowed=batch.allowed_mask(logits.shape[-1])
        )

    def _all_logits(self, batch: Batch) -> Tensor:
        output = self.model(input_ids=batch.input_ids, use_cache=False, **masking(self.model.config, batch))
        logits: Tensor = output.logits
        return logits


class ValueNetwork(nn.Module):
    """The score that an episode is expected to end with, before each token of a completion."""

    def __init__(self, model: Any, normalization: Normalization | None = None, *, starts_at_zero: bool = False) -> None:
        """Take a reward model, so that the value of an answer's last token is nearly its score from the start.

        Args:
            model: See `agent.models.scalar_model`.
            normalization: The reward model's own, by which its outputs are scores.
            starts_at_zero: Forget what the reward model puts out and keep its trunk (OpenAI's 2019 code starts so).
        """
        super().__init__()
        self.model = model.eval()
        self.normalization = Normalization() if starts_at_zero else (normalization or Normalization())
        if starts_at_zero:
            nn.init.zeros_(model.score.weight)

    def forward(self, batch: Batch) -> Tensor:
        """Values, shape (N,), float32."""
        outputs: Tensor = self.model.score(hidden_states(self.model.base_model, batch))[:, 0]
        return (outputs.float() - self.normalization.shift) / self.normalization.scale


@torch.no_grad()
def _head_is_plain(model: Any) -> bool:
    """Whether the logits are the output embedding of the trunk's last hidden states and nothing else."""
    ids = torch.tensor([[1, 2, 3]], device=next(model.parameters()).device)
    head = model.get_output_embeddings()
    if head is None or model.base_model is model:
        return False
    logits = model(input_ids=ids, use_cache=False).logits
    own = head(model.base_model(input_ids=ids, use_cache=False).last_hidden_state)
    return bool(torch.allclose(own.float(), logits.float(), rtol=1e-4, atol=1e-4))
