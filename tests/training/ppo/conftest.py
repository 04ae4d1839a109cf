"""Fixtures of PPO: the toy's models, and a tokenizer for random models."""

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.training.ppo.random_models import CROWS
from tests.training.ppo.toy import toy_models
from training.base_model.tokenizer import train_tokenizer


@pytest.fixture(scope="package", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="package")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a random policy of the toy world."""
    return toy_models(tmp_path_factory.mktemp("toy"))


@pytest.fixture(scope="package")
def tokenizer() -> Any:
    return train_tokenizer([f"{CROWS.text} Search Find in page: Quote: End: Answer Scrolled down Clicked on link ♦◼"] * 5, 320)
