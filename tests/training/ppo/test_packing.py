from typing import Any

import numpy as np
import pytest
import torch
from transformers import (
    Lfm2Config,
    Lfm2ForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from training.ppo.networks import PolicyNetwork
from training.ppo.packing import Row, collate, hidden_states, packing_overlap

SIZES: dict[str, Any] = {
    "vocab_size": 40,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
}
DEEP = SIZES | {"num_hidden_layers": 5, "initializer_range": 0.1}  # weights large enough that a contamination is noticed
MODELS: dict[str, tuple[Any, Any]] = {
    "llama": (LlamaForCausalLM, LlamaConfig(**SIZES)),
    "qwen2": (Qwen2ForCausalLM, Qwen2Config(**SIZES, tie_word_embeddings=True)),
    "lfm2": (Lfm2ForCausalLM, Lfm2Config(**SIZES, layer_types=["conv", "full_attention"])),
    "deep": (Lfm2ForCausalLM, Lfm2Config(**DEEP, layer_types=["conv", "full_attention", "conv", "full_attention", "conv"])),
    "window": (MistralForCausalLM, MistralConfig(**SIZES, sliding_window=4)),
}
PROMPT = [5, 9, 2, 7, 7, 3]
COMPLETIONS = [[4, 1, 8], [4], [11, 30, 2, 5, 1], [8, 8]]
OTHER = Row([3, 1], [[9, 9, 2]])


def network(kind: str) -> PolicyNetwork:
    torch.manual_seed(0)
    model, config = MODELS[kind]
    return PolicyNetwork(model(config))


def separate(completions: list[list[int]]) -> list[Row]:
    return [Row(PROMPT, [completion]) for completion in completions]


@pytest.mark.parametrize("kind", ["llama", "qwen2", "lfm2", "deep"])
def test_packed_answers_have_the_log_probabilities_and_gradients_of_separate_ones(kind: str) -> None:
    policy = network(kind)
    weights = torch.arange(1.0, 15.0)
    found = []
    overlap = packing_overlap(policy.model.base_model)
    assert overlap is not None
    for groups in ([OTHER, Row(PROMPT, COMPLETIONS)], [OTHER, *separate(COMPLETIONS)]):
        policy.zero_grad()
        logprobs, entropies = policy(collate(groups, overlap=overlap))
        (logprobs * weights).sum().backward()
        gradient = torch.cat([parameter.grad.flatten() for parameter in policy.parameters() if parameter.grad is not None])
        # Entries are sums of large terms that cancel, so they are as exact as the largest of them.
        found.append((logprobs.detach(), entropies, gradient / gradient.abs().max()))
    torch.testing.assert_close(found[0], found[1], atol=5e-6, rtol=1e-4)


@pytest.mark.parametrize(("kind", "overlap"), [("llama", 0), ("deep", 6)])
def test_a_completion_does_not_depend_on_the_others_in_its_row(kind: str, overlap: int) -> None:
    policy = network(kind)
    with torch.no_grad():
        one = policy(collate([Row(PROMPT, COMPLETIONS)], overlap=overlap))[0]
        other = policy(collate([Row(PROMPT, [[12, 13, 14], *COMPLETIONS[1:]])], overlap=overlap))[0]
    torch.testing.assert_close(one[3:], other[3:])
    assert not torch.allclose(one[:3], other[:3])


def test_convolutions_mix_the_answers_if_the_overlap_is_too_short() -> None:
    policy = network("deep")
    with torch.no_grad():
        expected = policy(collate(separate(COMPLETIONS)))[0]
        for overlap, is_enough in ((0, False), (5, False), (6, True)):
            packed = policy(collate([Row(PROMPT, COMPLETIONS)], overlap=overlap))[0]
            assert torch.allclose(packed, expected, atol=1e-6) is is_enough


OVERLAPS = [("llama", 0), ("qwen2", 0), ("lfm2", 2), ("deep", 6), ("window", None)]


@pytest.mark.parametrize(("kind", "expected"), OVERLAPS, ids=[case[0] for case in OVERLAPS])
def test_the_overlap_that_an_architecture_needs(kind: str, expected: int | None) -> None:
    assert packing_overlap(network(kind).model.base_model) == expected


@pytest.mark.parametrize("kind", [*MODELS])
def test_log_probabilities_are_those_of_plain_unpadded_passes(kind: str) -> None:
    policy = network(kind)
    groups = [OTHER, *separate(COMPLETIONS)]
    with torch.no_grad():
        got, _ = policy(collate(groups))
        expected = []
        for group in groups:
            ids = torch.tensor([[*group.prompt, *group.completions[0]]])
            logprobs = policy.model(ids).logits[0].log_softmax(-1)
            expected += [logprobs[len(group.prompt) + place - 1, token] for place, token in enumerate(group.completions[0])]
    torch.testing.assert_close(got, torch.stack(expected), atol=1e-5, rtol=1e-5)


class Capped(LlamaForCausalLM):  # type: ignore[no-untyped-call]  # transformers has no types here
    """A model with a cap on its logits."""

    def forward(self, *args: Any, **inputs: Any) -> Any:
        output = super().forward(*args, **inputs)
        output.logits = 3 * torch.tanh(output.logits / 3)
        return output


def test_a_model_that_caps_its_logits_is_detected() -> None:
    torch.manual_seed(0)
    model: Any = Capped(LlamaConfig(**SIZES, initializer_range=0.5))
    with torch.no_grad():
        got, _ = PolicyNetwork(model)(collate([OTHER]))
        logprobs = model(torch.tensor([[3, 1, 9, 9, 2]])).logits[0].log_softmax(-1)
    torch.testing.assert_close(got, logprobs[[1, 2, 3], [9, 9, 2]])


def test_ids_that_were_not_allowed_have_no_probability() -> None:
    policy = network("llama")
    allowed = [np.array([4, 6]), None, np.array([8])]
    with torch.no_grad():
        got, entropies = policy(collate([Row(PROMPT, [COMPLETIONS[0]], [allowed]), OTHER]))
        free, _ = policy(collate([Row(PROMPT, [COMPLETIONS[0]]), OTHER]))
        logits = policy.model(torch.tensor([PROMPT])).logits[0, -1]
    torch.testing.assert_close(got[0], logits[[4, 6]].log_softmax(-1)[0])
    assert got[2] == 0
    assert entropies[2] == 0
    torch.testing.assert_close(got[[1, 3, 4, 5]], free[[1, 3, 4, 5]])


def test_a_packed_row_reads_its_prompt_once() -> None:
    group = Row(PROMPT, COMPLETIONS)
    batch = collate([group])
    assert batch.input_ids.shape == (1, group.length) == (1, len(PROMPT) + 2 + 0 + 4 + 1)
    assert len(batch.targets) == group.num_tokens == 11
    assert hidden_states(network("llama").model.base_model, batch).shape == (11, 32)
