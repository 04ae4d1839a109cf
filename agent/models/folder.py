"""Model folders: their names, and the settings file that accompanies the weights.

A policy must see the observation format that it was trained on, so `webgpt ask`, `bench` and `sample` take the defaults of
their settings from this file.
"""

from dataclasses import asdict
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from browser_env.errors import UsageError
from browser_env.pages.characters import clean_line
from browser_env.records import Settings

SETTINGS_FILE = "settings.json"
"""Name of the file with the settings of the episodes that a model was trained on."""


def load_settings(folder: Path) -> Settings | None:
    """The settings of the episodes that a model was trained on; None if its folder has no settings file.

    Raises:
        UsageError: The file cannot be read as settings.
    """
    file = folder / SETTINGS_FILE
    if not file.is_file():
        return None
    try:
        return TypeAdapter(Settings).validate_json(file.read_bytes())
    except ValidationError as error:
        problem = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(map(str, problem["loc"])) or "the file"
        raise UsageError(f"{file} does not contain settings of episodes: {where}: {clean_line(problem['msg'])}") from error


def save_settings(folder: Path, settings: Settings) -> None:
    """Write the settings file of a model folder."""
    text: bytes = TypeAdapter(Settings).dump_json(Settings(**asdict(settings)), indent=2)
    (folder / SETTINGS_FILE).write_bytes(text + b"\n")


def model_source(spec: str) -> str:
    """The folder or hub id in a policy's name, as transformers takes it.

    Args:
        spec: A policy's name such as ``hf:PATH_OR_ID``.

    Raises:
        UsageError: The name is a path, and there is no model in that folder.
    """
    name = spec.partition(":")[2]
    folder = Path(name).expanduser()
    if _is_path(name) and not (folder / "config.json").is_file():
        raise UsageError(f"{spec} is not a folder with a model: {folder / 'config.json'} does not exist")
    return str(folder) if folder.is_dir() else name


def short_name(source: str) -> str:
    """The name of a model in records: the last part of a folder's path, or the hub id."""
    return Path(source).resolve().name if Path(source).is_dir() else source


def _is_path(name: str) -> bool:
    return name.startswith((".", "/", "~")) or name.count("/") > 1 or Path(name).exists()
