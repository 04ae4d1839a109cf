"""A web of four birds, a scripted policy that answers questions about them, and a small model to train."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from agent.policy import Completion, Prompt
from browser_env.backends import FakeBackend
from browser_env.pages.page import Page
from browser_env.records import Episode, Evidence, Question, Settings
from training.base_model.tokenizer import train_tokenizer

SETTINGS = Settings(view_width=40, view_height=4, max_actions=6)
GIFTS = {"crows": "bring gifts", "owls": "hunt at night", "ducks": "swim in ponds", "larks": "sing at dawn"}
WEB = FakeBackend([Page(f"http://a.org/{bird}", bird.title(), f"{bird.title()} {does}.") for bird, does in GIFTS.items()])


class Demonstrating:
    """A policy that searches the bird of the question, quotes what it does, and answers with it."""

    name = "human:demonstrating"

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion]:
        return [Completion(self._say(prompt)) for prompt in prompts]

    def _say(self, prompt: Prompt) -> str:
        bird = next(bird for bird in GIFTS if bird in prompt.state.question.text)
        if prompt.state.phase == "answering":
            return f"{bird.title()} {GIFTS[bird]} [1]."
        return (f"Search {bird}", f"Quote: {bird.title()} {GIFTS[bird]}", "End: Answer")[prompt.state.actions_taken]


def question(number: int) -> Question:
    bird = [*GIFTS][number % len(GIFTS)]
    evidence = (Evidence(url=f"http://a.org/{bird}", sentences=(f"{bird.title()} {GIFTS[bird]}.",)),)
    return Question(
        id=str(number),
        text=f"{('What', 'Tell me what', 'Say what')[number % 3]} {bird} do{'?' * (number // 12)}",
        evidence=evidence,
    )


def make_tokenizer(episodes: Sequence[Episode]) -> Any:
    texts = [f"{step.observation}{step.completion}" for episode in episodes for step in episode.steps]
    return train_tokenizer(texts, vocab_size=400, max_length=512)


def save(folder: Path, episodes: Sequence[Episode], context: int = 512) -> Path:
    tokenizer = make_tokenizer(episodes)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=48,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=context,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=True,
        initializer_range=0.1,  # wide enough for attention to be learned in a few hundred steps
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
