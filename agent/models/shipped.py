"""The models that ship with the package, for use without a download: the base model, the policy and its reward model."""

import hashlib
from pathlib import Path
from typing import Final

MODELS: Final = Path(__file__).with_name("weights")
"""Folder of the shipped models."""
SMALL: Final = "small"
"""Name of the shipped base model."""
SMALL_FOLDER: Final = MODELS / "base"
LEARNED: Final = "learned"
"""Name of the shipped policy."""
LEARNED_FOLDER: Final = MODELS / "policy"
REWARD_FOLDER: Final = MODELS / "reward"
"""Folder of the shipped policy's reward model."""
WEIGHTS: Final = "model.safetensors"
"""Name of the file with a model's weights."""


def model_path(name: str) -> str:
    """The folder or hub id of a model to train: the name of a shipped model, a folder, or a hub id."""
    if name in (SMALL, LEARNED):
        return str(SMALL_FOLDER if name == SMALL else LEARNED_FOLDER)
    folder = Path(name).expanduser()
    return str(folder) if folder.is_dir() else name


def model_digest(name: str) -> str:
    """A key that changes with the model: the digest of its weights if they are in one local file, otherwise its name."""
    weights = Path(model_path(name)) / WEIGHTS
    return hashlib.sha256(weights.read_bytes()).hexdigest()[:16] if weights.is_file() else name
