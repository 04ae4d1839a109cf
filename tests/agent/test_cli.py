"""The behavior that all commands share, tested on the real program in a process of its own."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from itertools import pairwise
from pathlib import Path

import pytest

from agent.cli import COMMANDS, help_text, main

Run = Callable[..., "subprocess.CompletedProcess[str]"]

HEAVY = {"tyro", "rich", "lxml", "pydantic", "httpx", "markdown_it", "torch", "transformers", "textual", "playwright"}
LOADED = "import json, sys; {}; sys.stderr.write(json.dumps(sorted({{name.partition('.')[0] for name in sys.modules}})))"


def loaded_by(statement: str) -> set[str]:
    """Top-level modules that a statement loads in a fresh interpreter."""
    code = LOADED.format(statement)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return set(json.loads(done.stderr))


@pytest.mark.parametrize(
    "arguments", [[], ["--help"], ["-h"], ["help"]], ids=lambda arguments: " ".join(arguments) or "nothing"
)
def test_help_lists_every_command_on_stdout(webgpt: Run, arguments: list[str]) -> None:
    done = webgpt(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.rstrip("\n") == help_text(styled=False)
    for name, entry in COMMANDS.items():
        assert f"  {name}" in done.stdout
        assert entry.summary in done.stdout


def test_help_fits_a_terminal_of_eighty_columns() -> None:
    assert max(map(len, help_text(styled=False).split("\n"))) <= 80


def test_help_is_styled_for_terminals_alone() -> None:
    assert "\033[1m" in help_text(styled=True)
    assert "\033" not in help_text(styled=False)


def test_version_is_that_of_the_package(webgpt: Run) -> None:
    from importlib.metadata import version

    assert webgpt("--version").stdout == f"webgpt {version('open-webgpt')}\n"


@pytest.mark.parametrize("arguments", [[], ["--help"], ["--version"]])
def test_help_and_version_load_nothing_heavy(arguments: list[str]) -> None:
    assert loaded_by(f"import agent.cli; assert agent.cli.main({arguments}) == 0").isdisjoint(HEAVY)


def test_the_environment_loads_neither_models_nor_terminal_programs() -> None:
    package = Path(import_module("browser_env").__path__[0])
    paths = [path.relative_to(package.parent).with_suffix("") for path in package.rglob("*.py")]
    excluded = {"__init__", "chromium", "visit"}  # the last two need Playwright and are imported only to load pages with it
    modules = sorted(".".join(path.parts) for path in paths if "command_line" not in path.parts and path.stem not in excluded)
    assert len(modules) > 60
    assert loaded_by(f"import {', '.join(modules)}").isdisjoint({"torch", "transformers", "textual", "playwright", "tyro"})


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_prints_its_help_without_loading_a_model(webgpt: Run, name: str) -> None:
    module, _, cls = COMMANDS[name].target.partition(":")
    assert callable(getattr(import_module(module), cls).run)
    assert "torch" not in loaded_by(f"import {module}")
    for arguments in ([*name.split(), "--help"], ["help", *name.split()]):
        done = webgpt(*arguments)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith(f"usage: webgpt {name} ")


@pytest.mark.parametrize("name", COMMANDS)
def test_help_texts_flow_and_name_no_missing_default(webgpt: Run, name: str) -> None:
    lines = webgpt(*name.split(), "--help", COLUMNS="1000").stdout.splitlines()
    options = [line.strip("│ ") for line in lines if line.startswith("│") and "Format of the observations" not in line]
    assert options
    assert not [line for line in options if re.search(r"\(default: (None|False)?\)", line)]
    # At this width every text fits into one line, beside its flag or below it.
    is_text = [not re.match(r"--|-h|[A-Z|.]{2,}|─", line) for line in options]
    assert not any(map(all, pairwise(is_text)))


ALL = ", ".join(COMMANDS)


@pytest.mark.parametrize("arguments", [["train"], ["train", "--help"], ["help", "train"]], ids=" ".join)
def test_a_group_of_commands_lists_them(webgpt: Run, arguments: list[str]) -> None:
    done = webgpt(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("webgpt train base --out DIR")


MISTAKES = {
    "nearly a command": (["brwose"], 2, "there is no command 'brwose'; did you mean 'browse'? (webgpt --help)"),
    "no command": (["xyzzy"], 2, f"there is no command 'xyzzy'; it is one of {ALL} (webgpt --help)"),
    "escape": (["\x1b[31mred"], 2, f"there is no command '\\x1b[31mred'; it is one of {ALL} (webgpt --help)"),
    "no such training": (
        ["train", "xyzzy"],
        2,
        "there is no command 'train xyzzy'; webgpt train takes base, bc, rm, ppo",
    ),
    "setting": (["ask", "x", "--max-actions", "0"], 2, "--max-actions must be at least 1, got 0 (webgpt ask --help)"),
    "no collection": (["ask", "x", "--collection", "/no/such"], 1, "there is no collection /no/such"),
    "not writable": (["ask", "x", "--save", "/no/such/file"], 1, "/no/such/file: No such file or directory"),
}


@pytest.mark.parametrize(("arguments", "code", "message"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_usage_error_is_one_line_on_stderr(webgpt: Run, arguments: list[str], code: int, message: str) -> None:
    done = webgpt(*arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith(f"webgpt: {message}")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "arguments", [["ask", "x", "--nope"], ["ask", "x", "--seed", "one"], ["browse", "--view-width", "wide"]]
)
def test_arguments_that_cannot_be_read_exit_2(webgpt: Run, arguments: list[str]) -> None:
    done = webgpt(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--help" in done.stderr


def test_a_closed_pipe_ends_the_program_quietly(program: Path, small_collection: Path, environment: dict[str, str]) -> None:
    script = 'yes "Search copytree" | head -n 90 | "$0" browse --collection "$1" | head -n 1; exit "${PIPESTATUS[2]}"'
    command = ["bash", "-c", script, str(program), str(small_collection)]
    done = subprocess.run(command, env=environment, capture_output=True, encoding="utf-8", timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (141, "♦Question\n", "")


def test_text_that_the_terminal_cannot_encode_is_escaped(webgpt: Run, small_collection: Path) -> None:
    done = webgpt("browse", "--collection", small_collection, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert done.returncode == 0
    assert done.stdout.startswith("\\u2666Question\n")


def test_an_interrupt_message_says_what_was_saved(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt(name: str) -> object:
        raise KeyboardInterrupt("3 steps were saved")

    monkeypatch.setattr("agent.cli.import_module", interrupt)
    assert main(["ask", "x"]) == 130
    assert capsys.readouterr() == ("", "webgpt: interrupted: 3 steps were saved\n")
