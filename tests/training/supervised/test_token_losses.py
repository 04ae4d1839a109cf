from dataclasses import replace
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

from training.supervised.batches import padded_rows
from training.supervised.rows import Row
from training.supervised.token_losses import predicts_label, token_losses


@pytest.mark.parametrize("kind", [(LlamaConfig, LlamaForCausalLM), (Qwen2Config, Qwen2ForCausalLM)], ids=["llama", "qwen2"])
def test_losses_and_gradients_equal_those_of_the_whole_logits(kind: Any) -> None:
    torch.manual_seed(1)
    sizes = {"vocab_size": 50, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2}
    model = kind[1](kind[0](**sizes, num_attention_heads=2, num_key_value_heads=1)).eval()
    rows = [Row((1, 2, 3), (4, 5)), Row((7,), (8, 9, 10, 11)), Row((3, 4, 5, 6, 7, 8), (9,))]
    batch = padded_rows(rows)
    mask = torch.tensor([[position < len(row.ids) for position in range(7)] for row in rows]).long()
    full = model(input_ids=batch["input_ids"], attention_mask=mask, labels=batch["labels"])
    losses = token_losses(model, batch)
    assert len(losses) == sum(len(row.completion) for row in rows) == int(predicts_label(batch["labels"]).sum())
    torch.testing.assert_close(losses.mean(), full.loss)
    ours, theirs = (torch.autograd.grad(loss, list(model.parameters())) for loss in (losses.mean(), full.loss))
    for gradient, expected in zip(ours, theirs, strict=True):
        torch.testing.assert_close(gradient, expected, atol=1e-6, rtol=1e-4)
    # a row's weight multiplies its losses
    weighted = token_losses(
        model, padded_rows([replace(row, weight=weight) for row, weight in zip(rows, (2, 0, 1), strict=True)])
    )
    torch.testing.assert_close(weighted, losses * torch.tensor([2.0] * 2 + [0.0] * 4 + [1.0]))
    # a token's weight multiplies its own loss
    chosen = token_losses(model, padded_rows([replace(rows[0], token_weights=(5.0, 1.0)), *rows[1:]]))
    torch.testing.assert_close(chosen, losses * torch.tensor([5.0] + [1.0] * 6))
