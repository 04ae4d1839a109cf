"""The decorator and schema version that all records share."""

from dataclasses import dataclass
from typing import Final, TypeVar, dataclass_transform

SCHEMA_VERSION: Final = 1
"""Version of the record format; a reader refuses others."""


T = TypeVar("T")


@dataclass_transform(frozen_default=True, kw_only_default=True)
def record(cls: type[T]) -> type[T]:
    """A frozen dataclass that pydantic reads strictly."""
    cls.__pydantic_config__ = {"extra": "forbid"}  # type: ignore[attr-defined]
    return dataclass(frozen=True, slots=True, kw_only=True)(cls)
