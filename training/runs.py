"""The folder of a training run: its resolved configuration, package versions, report and model."""

import json
import platform
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from agent.models.folder import save_settings
from browser_env.errors import RecordError, UsageError
from browser_env.records import Settings
from browser_env.records.storage import append_line

if TYPE_CHECKING:
    import torch
    from torch import Tensor

RUN = "run"
"""Folder inside a trained model's folder: configuration, report, and checkpoints during training."""
CONFIG_FILE = "config.json"
REPORT = "report.json"
PACKAGES = ("open-webgpt", "torch", "transformers", "trl", "accelerate", "tokenizers", "datasets", "peft")

Report = TypeVar("Report")


def begin_run(out: Path, config: Any) -> None:
    """Create the folder of a run and save its configuration, or check that the folder belongs to the same run.

    Args:
        out: The folder of the run.
        config: A dataclass instance with everything that decides the result.

    Raises:
        UsageError: The folder contains a run with another configuration.
    """
    if not is_dataclass(config) or isinstance(config, type):
        raise ValueError(f"the configuration of a run must be a dataclass instance, got {config!r}")
    resolved = json.loads(json.dumps(config_values(config), default=str, sort_keys=True))
    file = out / CONFIG_FILE
    if file.is_file():
        earlier = json.loads(file.read_text())["config"]
        changed = sorted(key for key in {*resolved, *earlier} if resolved.get(key) != earlier.get(key))
        if changed:
            raise UsageError(
                f"{out} contains a run with another {', '.join(changed)}: pass another folder to --out, or delete this one"
            )
        return
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"config": resolved, "versions": versions()}, indent=2)
    file.write_text(text + "\n")


def config_values(config: Any) -> dict[str, object]:
    """The fields of a configuration, those of a nested ``optimization`` beside the others, as on the command line."""
    values: dict[str, object] = asdict(config)
    optimization = values.pop("optimization", {})
    assert isinstance(optimization, dict)
    return values | optimization


def versions() -> dict[str, str]:
    """The versions of Python, the platform and the installed packages that affect training."""
    numbers = {"python": platform.python_version(), "platform": platform.platform()}
    for package in PACKAGES:
        try:
            numbers[package] = version(package)
        except PackageNotFoundError:
            continue
    return numbers


def save_model(folder: Path, model: Any, tokenizer: Any, settings: Settings, *, dtype: "torch.dtype | None" = None) -> None:
    """Save a model so that ``hf:FOLDER`` is a policy and transformers can load it.

    Args:
        folder: The folder to write to; created if it does not exist.
        model: A model of transformers.
        tokenizer: The model's tokenizer.
        settings: The format of the episodes that the model was trained on, saved with it.
        dtype: The data type of the saved weights. Default: that of the model.
    """
    folder.mkdir(parents=True, exist_ok=True)
    converted: dict[object, Tensor] = {}  # by address, so that tied weights stay tied and are written once
    for value in model.state_dict().values():
        converted.setdefault((value.data_ptr(), value.shape), value.to(dtype) if dtype and value.is_floating_point() else value)
    state = {name: converted[value.data_ptr(), value.shape] for name, value in model.state_dict().items()}
    model.save_pretrained(folder, state_dict=state)
    tokenizer.save_pretrained(folder)
    save_settings(folder, settings)


def log_entry(file: Path, entry: Mapping[str, float | str]) -> None:
    """Append one line to a log in JSON Lines format."""
    append_line(file, json.dumps(entry))


def write_report(file: Path, report: Any) -> None:
    """Save the report of a finished training, a dataclass instance, as JSON."""
    file.write_text(json.dumps(asdict(report), indent=2) + "\n")


def read_report(file: Path, kind: type[Report]) -> Report:
    """Read the report of a finished training.

    Raises:
        RecordError: The file is not such a report.
    """
    try:
        return TypeAdapter(kind).validate_json(file.read_bytes())
    except ValidationError as error:
        raise RecordError(f"{file} is not a valid training report: delete it to train again") from error
