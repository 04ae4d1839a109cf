"""A training run's folder: the resolved configuration, the versions it ran with, and the model it made."""

import json
import platform
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.models.folder import save_settings
from agent.models.shipped import model_path
from browser_env.errors import UsageError
from browser_env.pages.characters import clean_line
from browser_env.records import Settings

if TYPE_CHECKING:
    import torch
    from torch import Tensor

CONFIG_FILE = "config.json"
PACKAGES = ("open-webgpt", "torch", "transformers", "trl", "accelerate", "tokenizers", "datasets", "peft")


def begin_run(out: Path, config: Any) -> None:
    """Make the folder of a run and write down how it is made, or check that it is the same run that goes on.

    Args:
        out: The folder.
        config: A dataclass; everything that decides the result.

    Raises:
        UsageError: The folder holds a run with another configuration.
    """
    if not is_dataclass(config) or isinstance(config, type):
        raise ValueError(f"a run's configuration is a dataclass, got {config!r}")
    resolved = json.loads(json.dumps(asdict(config), default=str, sort_keys=True))
    file = out / CONFIG_FILE
    if file.is_file():
        earlier = json.loads(file.read_text())["config"]
        changed = sorted(key for key in {*resolved, *earlier} if resolved.get(key) != earlier.get(key))
        if changed:
            raise UsageError(
                f"{out} holds a run with another {', '.join(changed)}: name another folder with --out, or delete this one"
            )
        return
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"config": resolved, "versions": versions()}, indent=2)
    file.write_text(text + "\n")


def versions() -> dict[str, str]:
    """What a run depends on beside its configuration."""
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def save_model(folder: Path, model: Any, tokenizer: Any, settings: Settings, *, dtype: "torch.dtype | None" = None) -> None:
    """Write a model so that ``hf:FOLDER`` is a policy and transformers loads it.

    Args:
        folder: Made if there is none.
        model: Any model of transformers.
        tokenizer: Its tokenizer.
        settings: The format that it was trained on, which goes with it.
        dtype: Of the weights on disk; None: as they are.
    """
    folder.mkdir(parents=True, exist_ok=True)
    converted: dict[object, Tensor] = {}  # by address, so that weights that are tied stay one and are written once
    for value in model.state_dict().values():
        converted.setdefault((value.data_ptr(), value.shape), value.to(dtype) if dtype and value.is_floating_point() else value)
    state = {name: converted[value.data_ptr(), value.shape] for name, value in model.state_dict().items()}
    model.save_pretrained(folder, state_dict=state)
    tokenizer.save_pretrained(folder)
    save_settings(folder, settings)


def log_entry(file: Path, entry: Mapping[str, float | str]) -> None:
    """Add one line to a log of JSON Lines."""
    with file.open("a") as log:
        log.write(json.dumps(entry) + "\n")


RUN = "run"
"""Folder inside a trained model's: how it was made, checkpoints while it is made, figures."""


REPORT = "report.json"


def load_base(name: str) -> tuple[Any, Any]:
    """A causal language model in float32, to be trained, and its tokenizer with something that pads.

    Raises:
        UsageError: There is no such model.
    """
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM, AutoTokenizer

    source = model_path(name)
    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(source)
        model: Any = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise UsageError(f"{name} is no language model that can be loaded: {clean_line(str(error))[:300]}") from error
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return model, tokenizer
