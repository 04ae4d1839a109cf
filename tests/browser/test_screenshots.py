"""Screenshots for the documentation: the viewer on a benchmark of a few modules of the Python documentation.

They are written to docs/ if the environment variable SCREENSHOTS is docs.
"""

import os
import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import TimeoutError

from agent.evaluation.benchmark import Benchmark
from agent.evaluation.judges import Lexical
from agent.policies.scripted import Scripted
from agent.policies.search_only import SearchOnly
from agent.question_sets.registry import load_questions
from agent.question_sets.selection import choose
from agent.viewer.material import read_material
from agent.viewer.site import write_site
from browser_env.offline_web.collection import Collection
from browser_env.offline_web.indexing import build
from browser_env.offline_web.sources.python_docs import PythonDocs
from browser_env.records import Settings
from browser_env.records.files import Json

DOCS = Path(__file__).parent.parent.parent / "docs"
MODULES = ("bisect", "copy", "glob", "heapq", "json", "shutil", "statistics", "textwrap")


@pytest.fixture(scope="module")
def real_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("real")
    build(folder / "docs.sqlite", PythonDocs(modules=MODULES))
    with Collection.open(folder / "docs.sqlite") as web:
        questions = choose(list(load_questions("pydoc", open_docs=lambda: Collection.open(folder / "docs.sqlite"))), 100, 0)
        policies = (Scripted(), SearchOnly())
        names = [policy.name for policy in policies]
        config: dict[str, Json] = {"questions": "Python documentation", "policies": names, "backend": web.name, "seed": 0}
        with Benchmark.open(folder / "bench", questions, config) as benchmark:
            for policy in policies:
                benchmark.run(policy, web, Settings())
            benchmark.score(names, Lexical())
    return write_site(read_material(folder / "bench"), folder / "bench" / "view").parent


def open_list(window: Any) -> Any:
    page = window.open()
    page.locator(".questions").wait_for()
    return page


def open_episode(window: Any) -> Any:
    page = window.open("?kind=pair&policy=scripted&sort=verdict")
    page.locator("[data-question]").last.click()
    citation = page.locator(".citation a").first
    citation.click()
    page.locator("mark.own").first.wait_for()
    for _ in range(20):  # a page that is still scrolling hides the tooltip
        page.mouse.move(0, 0)
        citation.hover()
        with suppress(TimeoutError):
            page.get_by_role("tooltip").wait_for(timeout=500)
            return page
    raise AssertionError("there is no tooltip")


SHOTS: dict[str, tuple[Callable[[Any], Any], int]] = {
    "viewer.png": (open_episode, 1000),
    "viewer-benchmark.png": (open_list, 1360),
}
"""By file name: the function that opens the page to show, and the height of the picture in pixels."""


@pytest.mark.parametrize("name", SHOTS)
def test_screenshots_of_the_documentation_can_be_taken(
    visit: Callable[..., Any], real_site: Path, tmp_path: Path, name: str
) -> None:
    taken = Path(os.environ.get("SCREENSHOTS", tmp_path)) / name
    show, height = SHOTS[name]
    show(visit(real_site, height=height)).screenshot(path=taken)
    assert size(taken) == size(DOCS / name) == (1600, height)


def size(picture: Path) -> tuple[int, int]:
    """Width and height of a PNG."""
    width, height = struct.unpack(">II", picture.read_bytes()[16:24])
    return width, height
