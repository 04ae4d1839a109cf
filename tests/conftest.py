"""Fixtures for the tests of several packages: the real program, a small offline web, and servers of language models."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from browser_env.live_web.installation import find_chromium
from browser_env.offline_web.indexing import build
from browser_env.offline_web.sources.python_docs import PythonDocs
from tests.completions_server import CompletionsServer

Run = Callable[..., "subprocess.CompletedProcess[str]"]


hypothesis.settings.register_profile("untimed", deadline=None)  # the load of the machine is no property of the code
hypothesis.settings.load_profile("untimed")

os.environ.setdefault("OMP_NUM_THREADS", "1")  # torch's threads: several processes run tests at the same time

LONG = (
    "tests/test_examples.py",
    "tests/training/reproduction/test_reproduce.py",
    "tests/recorder/demonstrations/test_killed.py",
    "tests/agent/commands/test_best_of_commands.py",
)
"""Files whose tests take a minute or so together."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start the longest tests first, so that no worker runs one alone after the others have finished."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> None:
    """A shell that starts the tests in the background makes them ignore SIGINT, and their children would inherit that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def chromium_path() -> Path:
    """Chromium as it is installed; without it the test is skipped, or fails where all tests must run."""
    path = find_chromium()
    if path is None:
        missing = "there is no Chromium or Chrome (Debian: apt-get install chromium)"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    return path


@pytest.fixture(scope="session")
def program() -> Path:
    """`webgpt`, as it was installed."""
    return Path(sys.executable).with_name("webgpt")


@pytest.fixture(scope="session")
def small_collection(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two modules of the Python documentation."""
    path = tmp_path_factory.mktemp("collection") / "small.sqlite"
    build(path, PythonDocs(modules=("shutil", "textwrap")))
    return path


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of somebody with an empty home and no keys."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "XDG_", "PYTHON"))}
    return kept | {"HOME": str(tmp_path_factory.mktemp("home")), "TERM": "xterm-256color", "COLUMNS": "80"}


@pytest.fixture(scope="session")
def webgpt(program: Path, environment: dict[str, str]) -> Run:
    """Runs the program to its end."""

    def run(*arguments: object, stdin: str = "", **variables: str) -> "subprocess.CompletedProcess[str]":
        command = [str(program), *map(str, arguments)]
        return subprocess.run(
            command, input=stdin, capture_output=True, encoding="utf-8", env=environment | variables, timeout=60, check=False
        )

    return run


@pytest.fixture
def serve() -> Iterator[Callable[..., CompletionsServer]]:
    """Starts servers, which end with the test; see `CompletionsServer`."""
    servers: list[CompletionsServer] = []

    def start(*args: Any, **kwargs: Any) -> CompletionsServer:
        servers.append(CompletionsServer(*args, **kwargs))
        return servers[-1]

    yield start
    for server in servers:
        server.close()
