import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from agent.models.language_model import LanguageModel
from browser_env.backends import FakeBackend
from browser_env.errors import UsageError
from browser_env.records import Episode, Settings
from browser_env.records.storage import read_records
from tests.training.ppo.random_models import ASKED, CROWS, SMALL, folders
from tests.training.ppo.toy import toy_config, toy_run
from training.base_model.tokenizer import train_tokenizer
from training.ppo.config import PPOConfig
from training.ppo.log import read_metrics
from training.ppo.metrics import IterationMetrics, scalars
from training.ppo.train import train_ppo
from training.ppo.trainer import PPOCallbacks

SCRIPT = Path(__file__).with_name("toy_ppo.py")


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
