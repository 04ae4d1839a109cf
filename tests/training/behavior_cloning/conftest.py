from pathlib import Path

import pytest
import torch

from agent.rollouts.rollout import rollout
from browser_env.records import Episode
from browser_env.records.storage import append_record
from tests.training.behavior_cloning.birds import SETTINGS, WEB, Demonstrating, question, save


@pytest.fixture(scope="session")
def episodes() -> list[Episode]:
    torch.set_num_threads(1)
    return list(rollout(Demonstrating(), WEB, [question(number) for number in range(20)], SETTINGS))


@pytest.fixture(scope="session")
def demonstrations(tmp_path_factory: pytest.TempPathFactory, episodes: list[Episode]) -> Path:
    path = tmp_path_factory.mktemp("demonstrations") / "birds.jsonl"
    for episode in episodes:
        append_record(path, episode)
    return path


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory, episodes: list[Episode]) -> Path:
    return save(tmp_path_factory.mktemp("base"), episodes)
