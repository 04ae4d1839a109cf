"""Stages run once for the same inputs, resume after an interruption, and start over when their inputs change."""

import json
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path

import pytest

from training.reproduction.stages import DONE, Stages, stage_seconds


def ticking() -> Callable[[], float]:
    """A clock that advances by one second each time it is read."""
    ticks = count()
    return lambda: float(next(ticks))


class Recipe:
    """Two stages, the second of which depends on the first."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.made: list[str] = []
        self.fails = False

    def run(self, *, first: Mapping[str, object], second: Mapping[str, object]) -> None:
        stages = Stages(clock=ticking())
        digest = stages.run(self.out / "first", first, self.make("first"))
        stages.run(self.out / "second", {"first": digest, **second}, self.make("second"))

    def make(self, name: str) -> Callable[[], None]:
        def make() -> None:
            self.made.append(name)
            with (self.out / name / "work").open("a") as work:
                work.write("x")
            if self.fails:
                raise RuntimeError("stopped")

        return make


def test_finished_stages_are_skipped(tmp_path: Path) -> None:
    recipe = Recipe(tmp_path)
    recipe.run(first={"a": 1}, second={"b": 2})
    recipe.run(first={"a": 1}, second={"b": 2})
    assert recipe.made == ["first", "second"]
    assert [stage_seconds(tmp_path / name) for name in ("first", "second")] == [1.0, 1.0]


def test_a_stage_with_changed_inputs_starts_over_and_so_does_what_depends_on_it(tmp_path: Path) -> None:
    recipe = Recipe(tmp_path)
    recipe.run(first={"a": 1}, second={"b": 2})
    recipe.run(first={"a": 1}, second={"b": 3})
    assert recipe.made == ["first", "second", "second"]
    recipe.run(first={"a": 2}, second={"b": 3})
    assert recipe.made[3:] == ["first", "second"]
    assert (tmp_path / "second" / "work").read_text() == "x"


def test_an_interrupted_stage_resumes_in_its_folder(tmp_path: Path) -> None:
    recipe = Recipe(tmp_path)
    recipe.fails = True
    with pytest.raises(RuntimeError, match="stopped"):
        recipe.run(first={"a": 1}, second={"b": 2})
    recipe.fails = False
    recipe.run(first={"a": 1}, second={"b": 2})
    assert (tmp_path / "first" / "work").read_text() == "xx"
    assert stage_seconds(tmp_path / "first") == 2.0  # of both runs
    assert json.loads((tmp_path / "first" / DONE).read_text()) == {"seconds": 2.0}


def test_the_order_of_inputs_does_not_matter(tmp_path: Path) -> None:
    recipe = Recipe(tmp_path)
    recipe.run(first={"a": 1, "z": 2}, second={})
    recipe.run(first={"z": 2, "a": 1}, second={})
    assert recipe.made == ["first", "second"]
