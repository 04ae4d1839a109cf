import json
import math
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from transformers import (
    AutoModelForCausalLM,
    Lfm2Config,
    Lfm2ForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from agent.models.completion_limits import SamplingOptions
from agent.models.language_model import LanguageModel
from agent.models.reward_model import Normalization, RewardModelScore, save_normalization, scored_ids
from agent.models.scalar_model import load_scalar_model
from agent.models.tokens import prompt_ids
from agent.policy import Completion, Prompt
from agent.rollouts.rollout import Task, rollout
from agent.score import Scored
from browser_env.backends import FakeBackend
from browser_env.env import BrowserEnv
from browser_env.errors import PolicyError, UsageError
from browser_env.pages.page import Page
from browser_env.records import Episode, Question, Settings
from browser_env.records.storage import read_records
from browser_env.state import BrowserState
from tests.training.ppo.toy import ANSWERS, COMMANDS, QUESTIONS, toy_config, toy_models, toy_run, toy_tokenizer, toy_world
from training.base_model.tokenizer import train_tokenizer
from training.ppo.config import PPOConfig
from training.ppo.experience import Experience, collect
from training.ppo.log import read_metrics
from training.ppo.metrics import IterationMetrics, scalars
from training.ppo.networks import ValueNetwork
from training.ppo.packing import Row, collate
from training.ppo.train import train_ppo
from training.ppo.trainer import PPO, PPOCallbacks
from training.ppo.world import World, iteration_tasks

SCRIPT = Path(__file__).with_name("toy_ppo.py")
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


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a random policy of the toy world."""
    return toy_models(tmp_path_factory.mktemp("toy"))


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return train_tokenizer([f"{CROWS.text} Search Find in page: Quote: End: Answer Scrolled down Clicked on link ♦◼"] * 5, 320)


def policy_of(kind: str, tokenizer: Any, **changes: Any) -> Any:
    model, config, sizes = KINDS[kind]
    torch.manual_seed(0)
    return model(config(**{**SIZES, **sizes, "vocab_size": len(tokenizer), **changes}))


def folders(kind: str, tokenizer: Any, folder: Path, **changes: Any) -> tuple[Path, Path]:
    """The folders of a random policy and of a random reward model that is initialised from it."""
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


# ------------------------------------------------------------------------------------------------------------ the algorithm


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


# ----------------------------------------------------------------------------------------------------------------- episodes


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


# -------------------------------------------------------------------------------------------------------------------- a run


def test_a_run_saves_a_policy_with_its_settings_and_refuses_another_configuration(tokenizer: Any, tmp_path: Path) -> None:
    policy, reward = folders("lfm2", tokenizer, tmp_path)
    settings = Settings(view_width=50, view_height=6, max_actions=9)
    reported: list[IterationMetrics] = []

    def train(**changes: Any) -> Any:
        return train_ppo(
            tmp_path / "out",
            policy=str(policy),
            reward_model=str(reward),
            backend=FakeBackend([CROWS]),
            questions=ASKED,
            questions_name="crows",
            settings=settings,
            config=PPOConfig(**{**SMALL, **changes}),
            callbacks=PPOCallbacks(on_iteration=lambda metrics, _: reported.append(metrics)),
        )

    assert train().iterations == 2
    assert [metrics.iteration for metrics in reported] == [0, 1]
    made = LanguageModel.load(str(tmp_path / "out"))
    assert made.settings == settings
    examples = list(read_records(tmp_path / "out" / "run" / "examples.jsonl", Episode))
    assert len(examples) == 2
    assert len({example.id for example in examples}) == 2
    assert train().iterations == 2
    assert len(reported) == 2  # all iterations were done
    with pytest.raises(UsageError, match="contains a run with another ppo"):
        train(seed=1)


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("none", {"episodes": 0}, "episodes must be at least 1, got 0"),
    ("step", {"learning_rate": 0.0}, "learning_rate must be above 0, got 0.0"),
    ("group", {"episodes": 6, "group_size": 4}, "episodes must be a multiple of group_size, got 6 and 4"),
    ("budget", {"min_actions": 5, "max_actions": 4}, "max_actions must be at least min_actions, got 4 and 5"),
]


@pytest.mark.parametrize(("changes", "message"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_the_error_names_the_wrong_setting(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        toy_config(**changes)


def test_a_reward_model_with_another_tokenizer_is_refused(tokenizer: Any, tmp_path: Path) -> None:
    policy, _ = folders("llama", tokenizer, tmp_path / "one")
    other = train_tokenizer(["Something else altogether, with its own words."] * 5, 300)
    _, reward = folders("llama", other, tmp_path / "other")
    with pytest.raises(UsageError, match="have different tokenizers"):
        train_ppo(
            tmp_path / "out",
            policy=str(policy),
            reward_model=str(reward),
            backend=FakeBackend([CROWS]),
            questions=ASKED,
            questions_name="crows",
        )


def comparable(out: Path) -> list[dict[str, float]]:
    """The figures of a run without the seconds."""
    return [
        {name: value for name, value in scalars(metrics).items() if not name.startswith("seconds/")}
        for metrics in read_metrics(out)
    ]


def final_weights(out: Path) -> dict[str, torch.Tensor]:
    [checkpoint] = out.glob("checkpoint-*")
    return {
        f"{file.name}/{name}": value
        for file in sorted(checkpoint.glob("pytorch_model*.bin"))
        for name, value in torch.load(file, weights_only=True).items()
    }


def test_a_killed_run_resumes_and_ends_like_an_uninterrupted_run(models: Path, tmp_path: Path) -> None:
    changes = {"iterations": 5, "episodes": 12}
    toy_run(tmp_path / "whole", models, **changes).run()
    command = [sys.executable, str(SCRIPT), str(models), str(tmp_path / "killed"), "iterations=5", "episodes=12"]
    killed = subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, text=True, stderr=subprocess.PIPE)
    log = tmp_path / "killed" / "metrics.jsonl"
    deadline = time.monotonic() + 90
    while not (log.is_file() and log.read_bytes().count(b"\n") >= 2):
        assert killed.poll() is None, killed.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.002)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    assert len(read_metrics(tmp_path / "killed")) < 5
    with log.open("a") as file:
        file.write('{"iteration": 99, "sco')  # a truncated line
    again = toy_run(tmp_path / "killed", models, **changes)
    assert 0 < again.progress.iteration < 5
    again.run()
    assert comparable(tmp_path / "killed") == comparable(tmp_path / "whole")
    first, second = final_weights(tmp_path / "whole"), final_weights(tmp_path / "killed")
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_an_unfinished_checkpoint_is_not_restored(models: Path, tmp_path: Path) -> None:
    toy_run(tmp_path, models, iterations=1, episodes=4).run()
    [whole] = tmp_path.glob("checkpoint-*")
    unfinished = tmp_path / "checkpoint-00009.unfinished"
    whole.rename(unfinished)
    run = toy_run(tmp_path, models, iterations=1, episodes=4)
    assert run.progress.iteration == 0
    run.run()
    assert [folder.name for folder in tmp_path.glob("checkpoint-*")] == ["checkpoint-00001"]
    assert len(read_metrics(tmp_path)) == 1
