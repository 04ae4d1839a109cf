from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoModelForCausalLM

from agent.models.completion_limits import SamplingOptions
from agent.models.language_model import LanguageModel
from agent.models.tokens import prompt_ids
from agent.policy import Completion, Prompt
from agent.rollouts.rollout import Task
from agent.score import Scored
from browser_env.backends import FakeBackend
from browser_env.env import BrowserEnv
from browser_env.errors import PolicyError
from browser_env.records import Episode, Settings
from tests.training.ppo.random_models import ASKED, CROWS, policy_of, small_run
from tests.training.ppo.toy import Led, led_tasks, toy_run, toy_world
from training.ppo.experience import Experience, collect
from training.ppo.log import read_metrics
from training.ppo.world import iteration_tasks


def test_each_pass_asks_every_question_once_with_budgets_over_the_whole_range(models: Path, tmp_path: Path) -> None:
    run = toy_run(tmp_path, models, episodes=10, min_actions=2, max_actions=4)
    tasks = [task for iteration in range(6) for task in iteration_tasks(run.world, run.config, iteration)]
    for start in range(0, len(tasks), 2):
        assert {task.question.id for task in tasks[start : start + 2]} == {"crows", "owls"}
    assert len({tasks[start].question.id for start in range(0, len(tasks), 2)}) == 2
    assert Counter(task.settings.max_actions for task in tasks).keys() == {2, 3, 4}
    assert len({task.seed for task in tasks}) == len(tasks)
    assert iteration_tasks(run.world, run.config, 3) == iteration_tasks(run.world, run.config, 3)


def test_episodes_of_one_question_are_consecutive_and_have_different_seeds(models: Path, tmp_path: Path) -> None:
    run = toy_run(tmp_path, models, episodes=12, group_size=3)
    tasks = [task for iteration in range(3) for task in iteration_tasks(run.world, run.config, iteration)]
    asked = [task.question.id for task in tasks]
    assert all(len(set(asked[start : start + 3])) == 1 for start in range(0, len(asked), 3))
    assert all(set(asked[start : start + 6]) == {"crows", "owls"} for start in range(0, len(asked), 6))
    assert len({task.seed for task in tasks}) == len(tasks)


class ByQuestion:
    """Gives all answers to a question the same score."""

    name = "by question"

    def __call__(self, items: Sequence[Scored]) -> list[float]:
        return [100.0 * ("owls" in item.question) for item in items]


def test_group_baselines_remove_the_difficulty_of_a_question(models: Path, tmp_path: Path) -> None:
    changes: dict[str, Any] = {"kl_coefficient": 0.0, "episodes": 8, "no_answer_score": 0.0, "iterations": 1, "answers": 1}
    losses = []
    for name, group_size in (("alone", 1), ("group", 4)):
        run = toy_run(tmp_path / name, models, sampler_of=Led, group_size=group_size, **changes)
        run.world = replace(run.world, score=ByQuestion())
        run.run()
        losses.append(read_metrics(tmp_path / name)[0].value_loss)
    assert losses[0] > 1000
    assert losses[1] < 0.1


def test_an_episode_does_not_depend_on_its_batch(tokenizer: Any) -> None:
    sampler = LanguageModel(
        policy_of("lfm2", tokenizer), tokenizer, name="m", options=SamplingOptions(max_command_tokens=16, max_answer_tokens=8)
    )
    tasks = {
        index: Task(ASKED[index % 5], 7 + index, Settings(view_width=40, view_height=4, max_actions=2 + index % 3))
        for index in range(9)
    }
    backend = FakeBackend([CROWS])
    ended: list[Episode] = []
    together = collect(sampler, backend, tasks, tokenizer, num_answers=2, on_episode=ended.append)
    apart = [
        experience
        for index, task in tasks.items()
        for experience in collect(sampler, backend, {index: task}, tokenizer, num_answers=2, batch_size=1, threads=1)
    ]

    def tokens(experiences: list[Experience]) -> list[list[tuple[int, ...]]]:
        return [[turn.tokens for turn in experience.turns] for experience in experiences]

    assert tokens(together) == tokens(apart)
    assert len(ended) == 9
    assert [experience.index for experience in together] == [*tasks]
    assert [experience.episode.settings.max_actions for experience in together] == [
        task.settings.max_actions for task in tasks.values()
    ]


def test_answering_only_episodes_share_the_prompt_and_differ_in_their_answers(models: Path) -> None:
    sampler = Led(AutoModelForCausalLM.from_pretrained(models))
    for experience in collect(sampler, toy_world().backend, led_tasks(4), sampler.tokenizer, num_answers=6):
        episode, answering = experience.episode, experience.answering
        assert len(answering) == len(experience.answers) == 6
        assert len({turn.prompt for turn in answering}) == 1
        assert len({turn.tokens for turn in answering}) > 1
        whole, *others = experience.trajectories
        assert whole == (*experience.browsing, answering[0])
        assert others == [(turn,) for turn in answering[1:]]
        assert experience.answers[0] == Scored(episode.question.text, episode.references, episode.answer or "")


class WithoutLogprobs(Led):
    """A sampler that returns texts alone."""

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion]:
        return [Completion(completion.text) for completion in super().complete(prompts)]


def test_a_sampler_without_log_probabilities_is_refused(models: Path) -> None:
    sampler = WithoutLogprobs(AutoModelForCausalLM.from_pretrained(models))
    with pytest.raises(PolicyError, match="led returned no log-probabilities"):
        collect(sampler, toy_world().backend, led_tasks(2), sampler.tokenizer)


class Refusing(Led):
    """Refuses to answer once, after some answers."""

    def __init__(self, model: Any, answers: int) -> None:
        super().__init__(model)
        self.answers = answers

    def complete(self, prompts: Sequence[Prompt]) -> list[Any]:
        return [self._refuse_or_complete(prompt) for prompt in prompts]

    def _refuse_or_complete(self, prompt: Prompt) -> Completion | PolicyError:
        self.answers -= prompt.state.phase == "answering"
        return PolicyError("refused") if self.answers == -1 else self._complete(prompt)


@pytest.mark.parametrize("answers", [0, 1, 2], ids=["its own", "the first of the others", "the last"])
def test_an_experience_fails_with_any_of_its_answers(models: Path, answers: int) -> None:
    sampler = Refusing(AutoModelForCausalLM.from_pretrained(models), answers)
    [experience] = collect(sampler, toy_world().backend, led_tasks(1), sampler.tokenizer, num_answers=3)
    assert experience.episode.failure == "PolicyError: refused"
    assert experience.browsing
    assert not experience.trajectories
    assert not experience.answers


def test_failed_episodes_are_left_out(tokenizer: Any, tmp_path: Path) -> None:
    run = small_run("llama", tokenizer, tmp_path, iterations=1, min_actions=3, max_actions=6, episodes=10)
    sampler: Any = run.sampler
    first = BrowserEnv(run.world.backend, run.world.settings).reset(ASKED[0])
    sampler.limits = replace(
        sampler.limits, context=len(prompt_ids(tokenizer, first)) + 25
    )  # past actions and pages make some prompts longer
    run.run()
    [metrics] = read_metrics(tmp_path / "run")
    assert 0 < metrics.num_failed < 10
    assert metrics.num_episodes == 10 - metrics.num_failed
    sampler.limits = replace(sampler.limits, context=10)
    run.progress = type(run.progress)()
    with pytest.raises(PolicyError, match=r"all 10 episodes of an iteration failed; the first: PolicyError: the prompt has"):
        run.run()
