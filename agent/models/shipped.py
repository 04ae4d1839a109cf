"""The models that ship with the package, so that nothing must be downloaded: to train, to ask, and to choose among answers."""

import hashlib
from pathlib import Path
from typing import Final

MODELS: Final = Path(__file__).with_name("weights")
SMALL: Final = "small"
"""What the base model is called."""
SMALL_FOLDER: Final = MODELS / "base"
LEARNED: Final = "learned"
"""What the policy is called that this project trained."""
LEARNED_FOLDER: Final = MODELS / "policy"
REWARD_FOLDER: Final = MODELS / "reward"
"""The reward model of the learned policy."""
WEIGHTS: Final = "model.safetensors"


def model_path(name: str) -> str:
    """Where a model to train is: the folder of one that ships for its name, a folder as it is, or else a name on the hub."""
    if name in (SMALL, LEARNED):
        return str(SMALL_FOLDER if name == SMALL else LEARNED_FOLDER)
    folder = Path(name).expanduser()
    return str(folder) if folder.is_dir() else name


def model_digest(name: str) -> str:
    """What changes when a model does: of its weights if they are in a folder in one file, or else its name."""
    weights = Path(model_path(name)) / WEIGHTS
    return hashlib.sha256(weights.read_bytes()).hexdigest()[:16] if weights.is_file() else name
