import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from agent.models.completion_limits import SamplingOptions
from agent.models.language_model import LanguageModel
from agent.models.reward_model import RewardModelScore, scored_ids
from agent.models.scalar_model import load_scalar_model
from agent.rollouts.rollout import rollout
from agent.score import Scored
from tests.training.ppo.random_models import ASKED, KINDS, folders, small_run, weights
from tests.training.ppo.toy import QUESTIONS, Led, toy_run, toy_world
from training.ppo.log import read_metrics
from training.ppo.metrics import scalars
from training.ppo.networks import ValueNetwork
from training.ppo.packing import Row, collate


def test_ppo_reaches_the_optimum_of_the_toy_world(models: Path, tmp_path: Path) -> None:
    run = toy_run(tmp_path, models)
    run.run()
    metrics = read_metrics(tmp_path)
    assert metrics[0].score < 0 < 0.85 < max(iteration.score for iteration in metrics)
    assert metrics[-1].kl > 1 > abs(metrics[0].kl)
    assert metrics[-1].entropy < metrics[0].entropy
    greedy = LanguageModel(
        run.learner.policy.model,
        run.tokenizer,
        name="greedy",
        options=SamplingOptions(temperature=0, max_command_tokens=2, max_answer_tokens=2, free=True),
    )
    world = toy_world()
    answers = [Scored.of(episode) for episode in rollout(greedy, world.backend, QUESTIONS, world.settings)]
    assert world.score([answer for answer in answers if answer]) == [1.0, 1.0]


@pytest.mark.parametrize("kind", [*KINDS])
def test_before_the_first_step_the_policy_equals_the_cloned_policy_and_the_sampler(
    kind: str, tokenizer: Any, tmp_path: Path
) -> None:
    run = small_run(kind, tokenizer, tmp_path)
    before = weights(run)
    run.run()
    first, second = read_metrics(tmp_path / "run")
    assert first.first_ratio_error < 1e-5
    assert second.first_ratio_error < 1e-5
    assert first.kl == first.kl_k3 == 0  # policy and reference run the same computation
    assert second.kl_k3 > 0
    assert max(first.sampler_gap, second.sampler_gap) < 1e-5  # training applies the mask of constrained decoding
    assert first.invalid_commands == second.invalid_commands == 0
    assert first.num_episodes == 6
    assert first.num_answers == 3 * round(first.answered * 6)
    assert first.gold_score is not None
    assert all(math.isfinite(value) for value in scalars(second).values())
    assert all(not torch.equal(old, new) for old, new in zip(before, weights(run), strict=True))


def test_without_constrained_decoding_commands_may_be_invalid(tokenizer: Any, tmp_path: Path) -> None:
    run = small_run("llama", tokenizer, tmp_path, free=True, iterations=1)
    run.run()
    [metrics] = read_metrics(tmp_path / "run")
    assert metrics.invalid_commands > 0
    assert metrics.sampler_gap < 1e-5


def test_batch_sizes_do_not_change_the_steps(models: Path, tmp_path: Path) -> None:
    changes: dict[str, Any] = {"iterations": 2, "episodes": 12, "minibatches": 3}
    runs = [
        toy_run(tmp_path / name, models, **changes, **more)
        for name, more in {"large": {}, "small": {"batch_tokens": 60, "batch_size": 5}}.items()
    ]
    for run in runs:
        run.run()
    torch.testing.assert_close(weights(runs[0]), weights(runs[1]), atol=1e-4, rtol=1e-3)


def test_packed_and_separate_answers_make_the_same_step(models: Path, tmp_path: Path) -> None:
    changes: dict[str, Any] = {"iterations": 1, "minibatches": 1, "episodes": 8, "answers": 5, "sampler_of": Led}
    packed = toy_run(tmp_path / "packed", models, **changes)
    separate = toy_run(tmp_path / "separate", models, **changes, separate_answers=True)
    for run in (packed, separate):
        run.run()
    [metrics] = read_metrics(packed.out)
    assert metrics.num_answers > 20
    assert metrics.sampler_gap < 1e-5  # training applies the mask of constrained decoding
    torch.testing.assert_close(weights(packed), weights(separate), atol=1e-5, rtol=1e-3)


def test_initial_values_equal_the_reward_models_scores(tokenizer: Any, tmp_path: Path) -> None:
    _, reward = folders("lfm2", tokenizer, tmp_path)
    score = RewardModelScore.load(reward)
    item = Scored(ASKED[0].text, (), "They bring gifts.")
    ids = scored_ids(score.tokenizer, item)
    batch = collate([Row(ids, [[1]])])  # the value after the last token
    model = load_scalar_model(str(reward))
    with torch.no_grad():
        assert ValueNetwork(model, score.normalization)(batch).tolist() == pytest.approx(score([item]), abs=1e-5)
        assert ValueNetwork(model, score.normalization, starts_at_zero=True)(batch).tolist() == [0]


def test_training_ends_when_the_kl_budget_is_used_up(models: Path, tmp_path: Path) -> None:
    run = toy_run(tmp_path, models, kl_budget=0.05, iterations=20, episodes=16, learning_rate=1e-2)
    result = run.run()
    metrics = read_metrics(tmp_path)
    assert result.stopped_by == "kl_budget"
    assert result.iterations == len(metrics) - 1 < 20
    assert metrics[-1].kl > 0.05 >= max(iteration.kl for iteration in metrics[:-1])
    assert metrics[-1].policy_grad_norm == 0  # the iteration over budget takes no step
    again = toy_run(tmp_path, models, kl_budget=0.05, iterations=20, episodes=16, learning_rate=1e-2)
    assert again.run() == result
    assert read_metrics(tmp_path) == metrics


def test_the_value_network_can_be_trained_alone_at_first(models: Path, tmp_path: Path) -> None:
    run = toy_run(tmp_path, models, iterations=1, value_only_iterations=1, episodes=8)
    policy, value = (
        [parameter.detach().clone() for parameter in network.parameters()]
        for network in (run.learner.policy, run.learner.value)
    )
    run.run()
    assert all(torch.equal(old, new) for old, new in zip(policy, run.learner.policy.parameters(), strict=True))
    assert not all(torch.equal(old, new) for old, new in zip(value, run.learner.value.parameters(), strict=True))


class Rising:
    """Scores answers 5, 6, 7 and so on."""

    name = "rising"

    def __init__(self) -> None:
        self.seen = 4

    def __call__(self, items: Sequence[Scored]) -> list[float]:
        scores = [float(self.seen + number) for number in range(1, len(items) + 1)]
        self.seen += len(items)
        return scores


def test_an_episode_without_an_answer_has_the_lowest_score_of_the_run(models: Path, tmp_path: Path) -> None:
    changes: dict[str, Any] = {"no_answer_score": None, "min_actions": 1, "max_actions": 4, "answers": 3, "sampler_of": Led}
    run = toy_run(tmp_path, models, iterations=2, episodes=12, **changes)
    run.world = replace(run.world, score=Rising())
    run.run()
    assert run.progress.lowest_score == 5
    assert json.loads(next(tmp_path.glob("checkpoint-*/progress.json")).read_text())["lowest_score"] == 5
    first = read_metrics(tmp_path)[0]
    assert 0 < first.answered < 1
    own_scores = range(5, 5 + first.num_answers, 3)  # the first of three answers is the episode's own
    assert first.score == pytest.approx((sum(own_scores) + 5 * (12 - len(own_scores))) / 12)
