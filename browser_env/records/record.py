"""The class decorator and the schema version that all records share."""

from dataclasses import dataclass
from typing import Final, TypeVar, dataclass_transform

SCHEMA_VERSION: Final = 1
"""Version of the record format; readers reject all others."""

RecordClass = TypeVar("RecordClass")


@dataclass_transform(frozen_default=True, kw_only_default=True)
def record(cls: type[RecordClass]) -> type[RecordClass]:
    """Make a class a frozen, keyword-only dataclass whose unknown keys pydantic rejects."""
    cls.__pydantic_config__ = {"extra": "forbid"}  # type: ignore[attr-defined]
    return dataclass(frozen=True, slots=True, kw_only=True)(cls)
