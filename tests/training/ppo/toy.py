"""A toy world with a known optimum: a web of two pages, and a language of a few words.

Every command and every answer is one token, so a random model finds the right ones by chance. The optimal policy (search for
the right animal, quote the right sentence, end, give the right answer with its citation) scores 1. The toy uses the real
environment, sampler and trainer, and takes seconds.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from agent.models.scalar_model import load_scalar_model
from agent.models.tokens import prompt_ids
from agent.policy import Completion, Prompt
from agent.rollouts.rollout import Task
from agent.score import Scored
from browser_env.backends import FakeBackend
from browser_env.pages.characters import END_OF_FIELD
from browser_env.pages.page import Page
from browser_env.records import Question, Settings
from browser_env.state import BrowserState
from training.ppo.config import PPOConfig
from training.ppo.networks import ValueNetwork
from training.ppo.trainer import PPO
from training.ppo.world import World

PAGES = (
    Page("http://a.org/crows", "Crows", "Crows bring gifts to people."),
    Page("http://a.org/owls", "Owls", "Owls hunt mice at night."),
)
QUESTIONS = (Question(id="crows", text="What do crows do"), Question(id="owls", text="What do owls do"))
RIGHT = {"What do crows do": "Gifts [1].", "What do owls do": "Mice [1]."}
COMMANDS = ("Search crows", "Search owls", "Quote: bring gifts", "Quote: hunt mice", "Top", "End: Answer", "End: Nonsense")
ANSWERS = ("Gifts [1].", "Mice [1].", "Gifts.", "Mice.")
READ = ("crows", "owls", "Search", "Quote", "gifts", "mice", "action")
"""The words of an observation that are tokens; prompts have a dozen."""


class ToyScore:
    """Scores 0.5 for the right answer and 0.5 for a reference to the right page."""

    name = "toy"

    def __call__(self, items: Sequence[Scored]) -> list[float]:
        return [self._score(item) for item in items]

    def _score(self, item: Scored) -> float:
        animal = item.question.split()[2]
        is_quoted = any(animal in reference.url for reference in item.references)
        return 0.5 * (item.answer == RIGHT[item.question]) + 0.5 * is_quoted


def toy_world() -> World:
    """The web, questions and score of the toy."""
    settings = Settings(view_width=40, view_height=4, max_actions=4)
    return World(backend=FakeBackend(PAGES), questions=QUESTIONS, settings=settings, score=ToyScore())


def toy_config(**changes: Any) -> PPOConfig:
    """Settings that learn the toy, with changes."""
    defaults = {
        "iterations": 16,
        "episodes": 64,
        "answers": 2,
        "min_actions": 3,
        "max_actions": 5,
        "max_command_tokens": 2,
        "max_answer_tokens": 2,
        "minibatches": 8,
        "learning_rate": 4e-3,
        "value_learning_rate": 3e-3,
        "kl_coefficient": 0.03,
        "kl_budget": 100.0,
        "no_answer_score": -0.2,
        "free": True,
    }
    return PPOConfig(**{**defaults, **changes})


def toy_run(out: Path, models: Path, accelerator: Any = None, sampler_of: Any = None, **changes: Any) -> PPO:
    """A run on the toy world.

    Args:
        out: Folder of the run.
        models: Folder of a policy that `toy_models` wrote.
        accelerator: See `PPO`.
        sampler_of: See `PPO`.
        changes: Changes to `toy_config`.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    policy: Any = AutoModelForCausalLM.from_pretrained(models, dtype=torch.float32)
    value = ValueNetwork(load_scalar_model(str(models)), starts_at_zero=True)
    tokenizer = AutoTokenizer.from_pretrained(models)
    options = {"accelerator": accelerator, "sampler_of": sampler_of}
    return PPO(toy_config(**changes), toy_world(), policy, tokenizer, value, out, **options)


def toy_tokenizer() -> Any:
    """A tokenizer with one token for each command, each answer and each word of `READ`."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    written = [*(f"{command}\n" for command in COMMANDS), *(f"{answer}{END_OF_FIELD}" for answer in ANSWERS)]
    words = ["<pad>", "<end>", "<unk>", *written, *READ]
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(rf"\b({'|'.join(READ)})\b"), behavior="removed", invert=True)
    tokenizer.decoder = decoders.Fuse()
    fast: Any = PreTrainedTokenizerFast
    return fast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<end>", unk_token="<unk>")


def toy_models(folder: Path, *, seed: int = 0) -> Path:
    """Write a tiny random policy with its tokenizer, which initializes the value network too; returns the folder."""
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = toy_tokenizer()
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=256,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
        initializer_range=0.1,
        eos_token_id=tokenizer.eos_token_id,
    )
    model: Any = LlamaForCausalLM(config)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


class Led:
    """A sampler of the toy world with a constrained decoding of its own, which always leads to an answer."""

    name = "led"

    def __init__(self, model: Any) -> None:
        self.model = model
        self.tokenizer = toy_tokenizer()

    def allowed(self, state: BrowserState) -> "NDArray[np.int64]":
        if state.phase == "answering":
            texts = [f"{answer}◼" for answer in ANSWERS]
        elif state.references:
            texts = ["End: Answer\n", "Top\n"]
        else:
            texts = [f"{command}\n" for command in COMMANDS if command.startswith("Quote" if state.visits else "Search")]
        return np.array(sorted(self.tokenizer.convert_tokens_to_ids(texts)))

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion]:
        return [self._complete(prompt) for prompt in prompts]

    def _complete(self, prompt: Prompt) -> Completion:
        ids = self.allowed(prompt.state)
        with torch.no_grad():
            logits = self.model(torch.tensor([prompt_ids(self.tokenizer, prompt.text)])).logits[0, -1]
        logprobs = logits[ids].log_softmax(-1)
        place = int(torch.multinomial(logprobs.exp(), 1, generator=torch.Generator().manual_seed(prompt.seed)))
        token = int(ids[place])
        text = self.tokenizer.decode([token]).rstrip("\n◼")
        return Completion(text, token_ids=(token,), logprobs=(float(logprobs[place]),))

    def allowed_tokens(self, state: BrowserState, prompt_length: int, token_ids: Sequence[int]) -> list[Any]:
        return [self.allowed(state)]


def led_tasks(number: int) -> dict[int, Task]:
    settings = replace(toy_world().settings, max_actions=20)
    return {index: Task(QUESTIONS[index % 2], 7 + index, settings) for index in range(number)}
