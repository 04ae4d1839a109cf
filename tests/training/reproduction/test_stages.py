"""Stages are done once for the same inputs, go on where they were stopped, and begin anew when their inputs change."""

import json
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path

import pytest

from training.reproduction.stages import DONE, Stages


def ticking() -> Callable[[], float]:
    """A clock that is a second later each time it is looked at."""
    ticks = count()
    return lambda: float(next(ticks))


class Recipe:
    """Two stages, the second of which needs the first."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.made: list[str] = []
        self.fails = False

    def run(self, *, first: Mapping[str, object], second: Mapping[str, object]) -> Stages:
        stages = Stages(self.out, clock=ticking())
        digest = stages.run("first", first, self.make("first"))
        stages.run("second", {"first": digest, **second}, self.make("second"))
        return stages

    def make(self, name: str) -> Callable[[Path], None]:
        def make(folder: Path) -> None:
            self.made.append(name)
            with (folder / "work").open("a") as work:
                work.write("x")
            if self.fails:
                raise RuntimeError("stopped")

        return make


def test_what_is_done_is_not_done_again(tmp_path: Path) -> None:
    recipe = Recipe(tmp_path)
    recipe.run(first={"a": 1}, second={"b": 2})
    again = recipe.run(first={"a": 1}, second={"b": 2})
    assert recipe.made == ["first", "second"]
    assert again.seconds == {"first": 1.0, "second": 1.0}


def test_changed_inputs_make_a_stage_and_what_depends_on_it_anew(tmp_path: Path) -> None:
    recipe = Recipe(tmp_path)
    recipe.run(first={"a": 1}, second={"b": 2})
    recipe.run(first={"a": 1}, second={"b": 3})
    assert recipe.made == ["first", "second", "second"]
    recipe.run(first={"a": 2}, second={"b": 3})
    assert recipe.made[3:] == ["first", "second"]
    assert (tmp_path / "second" / "work").read_text() == "x"


def test_a_stage_that_was_stopped_finds_what_it_had_done(tmp_path: Path) -> None:
    recipe = Recipe(tmp_path)
    recipe.fails = True
    with pytest.raises(RuntimeError, match="stopped"):
        recipe.run(first={"a": 1}, second={"b": 2})
    recipe.fails = False
    stages = recipe.run(first={"a": 1}, second={"b": 2})
    assert (tmp_path / "first" / "work").read_text() == "xx"
    assert stages.seconds["first"] == 2.0  # of both starts
    assert json.loads((tmp_path / "first" / DONE).read_text()) == {"seconds": 2.0}


def test_the_order_of_inputs_does_not_matter(tmp_path: Path) -> None:
    recipe = Recipe(tmp_path)
    recipe.run(first={"a": 1, "z": 2}, second={})
    recipe.run(first={"z": 2, "a": 1}, second={})
    assert recipe.made == ["first", "second"]
