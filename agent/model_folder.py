"""What travels in a model's folder beside its weights: the settings of the episodes that it was trained on.

A policy must see the format that it learned, so `webgpt ask`, `bench` and `sample` take these settings for their defaults.
"""

from dataclasses import asdict
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from browser_env.characters import clean_line
from browser_env.errors import UsageError
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
