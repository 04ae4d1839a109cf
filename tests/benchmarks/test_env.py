"""Commands per second of the environment on real pages in its caches."""

from itertools import cycle, islice
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from browser_env.env import BrowserEnv
from browser_env.offline_web.collection import Collection
from browser_env.offline_web.indexing import build
from browser_env.offline_web.sources.python_docs import PythonDocs

SESSION = (
    "Search shutil.copytree",
    "Clicked on link 0",
    "Scrolled down 2",
    "Find in page: copytree(",
    "Quote: Recursively copy a directory tree and return the destination directory.",
    "Scrolled up 1",
    "Back",
    "Search os.makedirs",
    "Clicked on link 0",
    "Find in page: makedirs(",
    "Quote: If the target directory already exists,━if exist_ok is False.",
    "Top",
)
NUM_STEPS = 1_000


@pytest.fixture(scope="module")
def docs(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    path = tmp_path_factory.mktemp("docs") / "python.sqlite"
    build(path, PythonDocs(modules=("os", "shutil", "textwrap")))
    return Collection.open(path)


def browse(env: BrowserEnv) -> int:
    problems = 0
    for command in islice(cycle(("", *SESSION)), NUM_STEPS):
        if command:
            problems += env.step(command).info.problem is not None
        else:
            env.reset("What does shutil.copytree do?")
    return problems


def test_steps_on_visited_pages(benchmark: BenchmarkFixture, docs: Collection) -> None:
    assert benchmark(browse, BrowserEnv(docs)) == 0


def test_many_environments_on_one_web(benchmark: BenchmarkFixture, docs: Collection, tmp_path: Path) -> None:
    """A thousand environments on one web, a session each."""

    def sessions() -> None:
        for _ in range(1_000):
            env = BrowserEnv(docs)
            env.reset("What does shutil.copytree do?")
            for command in SESSION:
                env.step(command)

    benchmark.pedantic(sessions, rounds=3)
