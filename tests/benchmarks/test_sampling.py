"""Speed of the batched engine compared with transformers' ``generate``, with the same model and prompts.

``pytest tests/benchmarks/test_sampling.py --benchmark-enable --capture=no``; `WEBGPT_BENCHMARK_MODEL` names a trained model.
"""

from collections.abc import Sequence
from typing import Any

import pytest
import torch

from agent.models.completion_limits import SamplingOptions, TokenPrompt
from agent.models.language_model import LanguageModel, _pad_left
from agent.policy import Completion, Prompt
from agent.rollouts.rollout import rollout
from browser_env.env import BrowserEnv
from browser_env.errors import PolicyError
from browser_env.offline_web.collection import Collection
from browser_env.records import Episode, Question, Settings
from tests.benchmarks.interleaving import compare
from training.base_model.config import SMALL_VIEW

pytestmark = pytest.mark.timeout(3600)


class Generate:
    """A policy that calls ``generate`` with a batch, padded on the left, and returns no log-probabilities."""

    name = "generate"

    def __init__(self, ours: LanguageModel) -> None:
        self.ours = ours

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion]:
        encoded = [self.ours.limits.encode(prompt, self.name) for prompt in prompts]
        assert not any(isinstance(prompt, PolicyError) for prompt in encoded)
        return self.generate(encoded)  # type: ignore[arg-type]

    def generate(self, prompts: list[TokenPrompt], copies: int = 1) -> list[Completion]:
        ours = self.ours
        ids, mask = _pad_left([prompt.ids for prompt in prompts], ours.model.device)
        rows = [prompt for prompt in prompts for _ in range(copies)]

        def have_ended(sequences: Any, scores: Any, **_: Any) -> Any:
            written = sequences[:, ids.shape[1] :].tolist()
            return torch.tensor([ours.limits.has_ended(row, tokens) for row, tokens in zip(rows, written, strict=True)])

        sampling = (
            {"do_sample": True, "temperature": ours.temperature, "top_k": 0} if ours.temperature else {"do_sample": False}
        )
        output = ours.model.generate(
            ids,
            attention_mask=mask,
            max_new_tokens=max(prompt.max_tokens for prompt in prompts),
            num_return_sequences=copies,
            stopping_criteria=[have_ended],
            pad_token_id=ours.tokenizer.pad_token_id,
            **sampling,
        )
        completions = []
        for row, written in zip(rows, output[:, ids.shape[1] :].tolist(), strict=True):
            tokens = ours.limits.trim(row, written)
            completions.append(Completion(ours.limits.decode(row, tokens), token_ids=tuple(tokens)))
        return completions


def engines(small_model: tuple[Any, Any], temperature: float) -> tuple[LanguageModel, Generate]:
    model, tokenizer = small_model
    options = SamplingOptions(temperature=temperature, free=True, max_command_tokens=48, max_answer_tokens=48)
    ours = LanguageModel(model, tokenizer, name="ours", options=options)
    return ours, Generate(ours)


def test_rollouts(
    benchmark: Any, docs: Collection, questions: tuple[Question, ...], small_model: tuple[Any, Any], is_measured: bool
) -> None:
    """Whole episodes with greedy decoding, so that both engines browse alike."""
    ours, theirs = engines(small_model, temperature=0)
    asked = questions[: 8 if is_measured else 2]
    settings = Settings(view_height=SMALL_VIEW.view_height, max_actions=4 if is_measured else 2)
    commands: dict[str, dict[str, list[str]]] = {}

    def run(policy: Any) -> int:
        episodes = list(rollout(policy, docs, asked, settings, batch_size=8, threads=1))
        commands[policy.name] = {episode.question.id: [step.completion for step in episode.steps] for episode in episodes}
        assert not any(episode.failure for episode in episodes)
        return len(episodes)

    compare(benchmark, "episodes", lambda: run(ours), lambda: run(theirs), rounds=3)
    pairs = [(commands["ours"][id], commands["generate"][id]) for id in commands["ours"]]
    same = sum(ours_commands == their_commands for ours_commands, their_commands in pairs)
    steps = sum(len(ours_commands) for ours_commands, _ in pairs)
    print(f"{same} of {len(pairs)} episodes are identical; {steps / len(pairs):.1f} steps each")
    assert same > 0.8 * len(pairs)  # rounding decides between two equally probable tokens


def test_sixteen_answers_to_each_prompt(
    benchmark: Any, docs: Collection, demonstrations: list[Episode], small_model: tuple[Any, Any], is_measured: bool
) -> None:
    """The samples that PPO needs; the engine computes a prompt once for all of its answers."""
    ours, theirs = engines(small_model, temperature=1)
    prompts = [answering(docs, episode) for episode in demonstrations if episode.steps[-1].phase == "answering"]
    prompts = prompts[: 2 if is_measured else 1]
    copies = 16 if is_measured else 2

    def run_ours() -> int:
        seeds = range(copies)
        return len(ours.complete([Prompt(prompt.text, prompt.state, seed) for prompt in prompts for seed in seeds]))

    def run_theirs() -> int:
        torch.manual_seed(0)
        return len(theirs.generate([ours.limits.encode(prompt, "") for prompt in prompts], copies))  # type: ignore[misc]

    compare(benchmark, "answers", run_ours, run_theirs, rounds=3)


def answering(docs: Collection, episode: Episode) -> Prompt:
    """The prompt of an episode's last step."""
    env = BrowserEnv(docs, episode.settings)
    observation = env.reset(episode.question)
    for step in episode.steps[:-1]:
        observation = env.step(step.completion).observation
    return Prompt(observation, env.state, 0)
