"""The small base model that ships with the package, so that every training can begin without a download."""

import hashlib
from pathlib import Path
from typing import Final

SMALL: Final = "small"
"""What it is called wherever a model is named."""
SMALL_FOLDER: Final = Path(__file__).with_name("models") / "base"
WEIGHTS: Final = "model.safetensors"


def model_path(name: str) -> str:
    """Where a model is: the folder of the small one for its name, a folder as it is, or else a name on the hub."""
    if name == SMALL:
        return str(SMALL_FOLDER)
    folder = Path(name).expanduser()
    return str(folder) if folder.is_dir() else name


def model_digest(name: str) -> str:
    """What changes when a model does: of its weights if they are in a folder in one file, or else its name."""
    weights = Path(model_path(name)) / WEIGHTS
    return hashlib.sha256(weights.read_bytes()).hexdigest()[:16] if weights.is_file() else name
