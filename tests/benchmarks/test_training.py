"""Training tokens per second compared with TRL's own trainer, and PPO episodes per hour.

``pytest tests/benchmarks/test_training.py --benchmark-enable --capture=no``; `WEBGPT_BENCHMARK_MODEL` names the folder of a
trained model.
"""

import copy
import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import pytest
import torch
from datasets import Dataset
from transformers import PrinterCallback
from trl import SFTConfig, SFTTrainer  # type: ignore[attr-defined]  # it is exported lazily

from agent.models.reward_model import RewardModelScore
from agent.models.scalar_model import load_scalar_model
from browser_env.offline_web.collection import Collection
from browser_env.records import Episode, Question
from tests.benchmarks.interleaving import compare
from training.base_model.config import SMALL_VIEW
from training.behavior_cloning.data import StepSource
from training.ppo.config import PPOConfig
from training.ppo.log import read_metrics
from training.ppo.networks import ValueNetwork
from training.ppo.trainer import PPO, PPOCallbacks
from training.ppo.world import World
from training.supervised.batches import IGNORED
from training.supervised.optimization import Optimization
from training.supervised.trainers import CloningTrainer, training_arguments

pytestmark = pytest.mark.timeout(3600)


def test_cloning(
    benchmark: Any, demonstrations: list[Episode], small_model: tuple[Any, Any], is_measured: bool, tmp_path: Path
) -> None:
    """One epoch over the same rows in batches of 16, by `CloningTrainer` and by TRL's `SFTTrainer`.

    `CloningTrainer` batches rows of similar length and computes logits at action tokens alone. Padding is not counted.
    """
    model, tokenizer = small_model
    source = StepSource(((episode, 1.0) for episode in demonstrations), tokenizer, context=None, name="small")
    # Few rows, in the order of their episodes, because the first steps of an episode are shorter than the later ones.
    rows = [source.row(index, 0) for index in range(min(len(source.lengths), 48 if is_measured else 4))]
    labels = [[IGNORED] * len(row.prompt) + [*row.completion] for row in rows]
    plain = Dataset.from_dict({"input_ids": [[*row.ids] for row in rows], "labels": labels})
    tokens = sum(len(row.ids) for row in rows)
    optimization = Optimization(epochs=1, batch_size=16, learning_rate=1e-4, warmup=0, save_every=10_000)
    losses: dict[str, list[float]] = {"ours": [], "theirs": []}

    def train(name: str, trainer: Any) -> int:
        trainer.remove_callback(PrinterCallback)
        trainer.train()
        losses[name] = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
        return tokens

    def ours() -> int:
        rows_source = Rows(source, len(rows))
        trainer = CloningTrainer(copy.deepcopy(model), tokenizer, rows_source, tmp_path / "ours", optimization, seed=0)
        return train("ours", trainer)

    def theirs() -> int:
        made = training_arguments(SFTConfig, tmp_path / "theirs", optimization, seed=0)
        trainer = SFTTrainer(model=copy.deepcopy(model), args=made, train_dataset=plain, processing_class=tokenizer)
        return train("theirs", trainer)

    compare(benchmark, "training tokens", ours, theirs, rounds=3)
    assert median(losses["ours"]) == pytest.approx(median(losses["theirs"]), rel=0.3)
    share = sum(len(row.completion) for row in rows) / tokens
    print(f"{len(rows)} rows of {tokens / len(rows):.0f} tokens, {share:.1%} of them learned; {len(losses['ours'])} steps")


class Rows:
    """A source of the first rows of another source."""

    def __init__(self, source: StepSource, number: int) -> None:
        self.source = source
        self.lengths = source.lengths[:number]

    def batch(self, indices: Any, epoch: int) -> Any:
        return self.source.batch(indices, epoch)


def test_ppo(
    benchmark: Any,
    docs: Collection,
    questions: tuple[Question, ...],
    small_model: tuple[Any, Any],
    is_measured: bool,
    tmp_path: Path,
) -> None:
    """Iterations of PPO with the defaults of `webgpt train ppo` (16 answers for each episode) and a random reward model."""
    model, tokenizer = small_model
    model.save_pretrained(tmp_path / "policy")
    scorer = load_scalar_model(str(tmp_path / "policy"))
    score = RewardModelScore(copy.deepcopy(scorer), tokenizer, name="random")
    world = World(backend=docs, questions=questions, settings=SMALL_VIEW, score=score)
    config = PPOConfig(iterations=2, episodes=4, kl_budget=1e9)
    if not is_measured:
        small: dict[str, Any] = {"min_actions": 2, "max_actions": 2, "max_command_tokens": 8, "max_answer_tokens": 8}
        config = replace(config, iterations=1, episodes=2, answers=2, **small)
    marks = [0.0]
    seconds: list[float] = []

    def mark(*_: Any) -> None:
        now = time.process_time()
        seconds.append(now - marks[-1])
        marks.append(now)

    def run() -> None:
        trained = copy.deepcopy(model).float()
        ppo = PPO(config, world, trained, tokenizer, ValueNetwork(copy.deepcopy(scorer)), tmp_path / "run")
        torch.set_num_threads(1)
        marks[:] = [time.process_time()]
        ppo.run(PPOCallbacks(on_iteration=mark))

    benchmark.pedantic(run, rounds=1)
    metrics = read_metrics(tmp_path / "run")
    assert len(metrics) == config.iterations
    if is_measured:
        rate = median(config.episodes / elapsed * 3600 for elapsed in seconds)
        benchmark.extra_info["episodes_per_hour"] = round(rate)
        total = sum(sum(iteration.seconds.values()) for iteration in metrics)
        phases = {name: sum(iteration.seconds[name] for iteration in metrics) / total for name in metrics[0].seconds}
        print(
            f"\n{rate:,.0f} episodes per hour on one core, each of {median(iteration.commands for iteration in metrics):.1f} commands "
            f"and, if answered ({median(iteration.answered for iteration in metrics):.0%}), {config.answers} answers; "
            + ", ".join(f"{name} {share:.0%}" for name, share in phases.items())
        )
