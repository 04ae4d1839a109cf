"""Small random models of several architectures, and a short run on them."""

from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoModelForCausalLM,
    Lfm2Config,
    Lfm2ForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from agent.models.reward_model import Normalization, RewardModelScore, save_normalization
from agent.models.scalar_model import load_scalar_model
from browser_env.backends import FakeBackend
from browser_env.pages.page import Page
from browser_env.records import Question, Settings
from training.ppo.config import PPOConfig
from training.ppo.networks import ValueNetwork
from training.ppo.trainer import PPO
from training.ppo.world import World

CROWS = Page("http://a.org/crows", "Crows", "Crows bring gifts to people.\n\nThey are clever birds.\n\nThey live in parks.")
ASKED = [Question(id=str(number), text=f"What do crows do{'?' * number}") for number in range(5)]
SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 1024,
    "pad_token_id": 0,
    "bos_token_id": None,
    "eos_token_id": 1,
    "initializer_range": 0.1,
}
KINDS: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "llama": (LlamaForCausalLM, LlamaConfig, {}),
    "qwen2": (Qwen2ForCausalLM, Qwen2Config, {"tie_word_embeddings": True}),
    "lfm2": (Lfm2ForCausalLM, Lfm2Config, {"layer_types": ["conv", "full_attention"]}),
}


def policy_of(kind: str, tokenizer: Any, **changes: Any) -> Any:
    model, config, sizes = KINDS[kind]
    torch.manual_seed(0)
    return model(config(**{**SIZES, **sizes, "vocab_size": len(tokenizer), **changes}))


def folders(kind: str, tokenizer: Any, folder: Path, **changes: Any) -> tuple[Path, Path]:
    """The folders of a random policy and of a random reward model that is initialized from it."""
    policy, reward = folder / "policy", folder / "reward"
    policy_of(kind, tokenizer, **changes).save_pretrained(policy)
    tokenizer.save_pretrained(policy)
    load_scalar_model(str(policy)).save_pretrained(reward)
    tokenizer.save_pretrained(reward)
    save_normalization(reward, Normalization(shift=0.5, scale=2.0))
    return policy, reward


SMALL: dict[str, Any] = {
    "iterations": 2,
    "episodes": 6,
    "answers": 3,
    "min_actions": 2,
    "max_actions": 4,
    "max_command_tokens": 24,
    "max_answer_tokens": 12,
    "minibatches": 3,
    "learning_rate": 1e-3,
}


def small_run(kind: str, tokenizer: Any, folder: Path, **changes: Any) -> PPO:
    policy, reward = folders(kind, tokenizer, folder)
    world = World(
        backend=FakeBackend([CROWS]),
        questions=ASKED,
        settings=Settings(view_width=40, view_height=4),
        score=RewardModelScore.load(reward),
        gold=lambda episodes: [float(len(episode.references)) for episode in episodes],
    )
    value = ValueNetwork(load_scalar_model(str(reward)), Normalization(0.5, 2.0))
    model: Any = AutoModelForCausalLM.from_pretrained(policy, dtype=torch.float32)
    return PPO(PPOConfig(**{**SMALL, **changes}), world, model, tokenizer, value, folder / "run")


def weights(run: PPO) -> list[torch.Tensor]:
    return [
        parameter.detach().clone() for network in (run.learner.policy, run.learner.value) for parameter in network.parameters()
    ]
