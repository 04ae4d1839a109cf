"""Folders of models: how they are named, and what travels in one beside the weights: the settings that it was trained with.

A policy must see the format that it learned, so `webgpt ask`, `bench` and `sample` take these settings for their defaults.
"""

from dataclasses import asdict
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from browser_env.errors import UsageError
from browser_env.pages.characters import clean_line
from browser_env.records import Settings

SETTINGS_FILE = "settings.json"


def load_settings(folder: Path) -> Settings | None:
    """The settings of the episodes that a model was trained on; None: its folder names none.

    Raises:
        UsageError: The file holds no settings.
    """
    file = folder / SETTINGS_FILE
    if not file.is_file():
        return None
    try:
        return TypeAdapter(Settings).validate_json(file.read_bytes())
    except ValidationError as error:
        problem = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(map(str, problem["loc"])) or "the file"
        raise UsageError(f"{file} holds no settings of episodes: {where}: {clean_line(problem['msg'])}") from error


def save_settings(folder: Path, settings: Settings) -> None:
    """Write them beside the weights."""
    text: bytes = TypeAdapter(Settings).dump_json(Settings(**asdict(settings)), indent=2)
    (folder / SETTINGS_FILE).write_bytes(text + b"\n")


def model_source(spec: str) -> str:
    """The folder or hub name in a policy's name, as transformers takes it.

    Args:
        spec: ``hf:PATH_OR_ID``, say.

    Raises:
        UsageError: It is a path, and there is no model.
    """
    name = spec.partition(":")[2]
    folder = Path(name).expanduser()
    if _is_path(name) and not (folder / "config.json").is_file():
        raise UsageError(f"{spec} is no folder with a model: there is no {folder / 'config.json'}")
    return str(folder) if folder.is_dir() else name


def short_name(source: str) -> str:
    """What records call the model of a folder or hub name: the last part of the path, or the name."""
    return Path(source).resolve().name if Path(source).is_dir() else source


def _is_path(name: str) -> bool:
    return name.startswith((".", "/", "~")) or name.count("/") > 1 or Path(name).exists()
