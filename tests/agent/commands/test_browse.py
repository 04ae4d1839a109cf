"""`webgpt browse`: the program with commands on standard input, and in a terminal."""

import os
import pty
import select
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.commands.browse import COMMANDS, LETTERS, expand
from browser_env.actions import Invalid, parse_action
from browser_env.env import BrowserEnv
from browser_env.offline_web.collection import Collection
from browser_env.records import Episode, Settings
from browser_env.records.storage import read_records

Run = Callable[..., "subprocess.CompletedProcess[str]"]

QUESTION = "What does copytree do?"
SCRIPT = [
    "Search copytree",
    "Clicked on link 0",
    "Find in page: copytree(",
    "Scrolled up 3",
    "Clicked on link 9999",
    "nonsense",
    "Quote: Recursively copy a directory tree",
    "Back",
    "End: Answer",
]
ANSWER = "It copies [1].\n\nRecursively."


def test_stdout_is_exactly_what_a_policy_sees(webgpt: Run, small_collection: Path, tmp_path: Path) -> None:
    saved = tmp_path / "episodes.jsonl"
    with Collection.open(small_collection) as web:
        env = BrowserEnv(web, Settings(view_height=12))
        observations = [env.reset(QUESTION), *(env.step(command).observation for command in SCRIPT)]
    arguments = ["--collection", small_collection, "--view-height", "12", "--save", saved, "--name", "ada"]
    done = webgpt("browse", QUESTION, *arguments, stdin="\n".join([*SCRIPT, ANSWER]) + "\n")
    assert done.returncode == 0
    assert done.stdout == "".join(observations) + "\n"  # the answering prompt ends without a line break
    (episode,) = read_records(saved, Episode)
    assert [step.observation for step in episode.steps] == observations
    assert [step.completion for step in episode.steps] == [*SCRIPT, ANSWER]
    assert (episode.actor, episode.ending, episode.answer, episode.failure) == ("human:ada", "answer", ANSWER, None)


def test_problems_and_notes_are_printed_to_stderr(webgpt: Run, small_collection: Path) -> None:
    script = "Search copytree\n\nTop\nScrolled up 1\nClicked on link 9999\nfoo\n"
    done = webgpt("browse", "--collection", small_collection, stdin=script)
    note, no_link, no_command = done.stderr.splitlines()
    assert note == "! this is the top of the page"
    assert no_link.startswith("! link 9999 is not on this page (0-")
    assert no_command.startswith("! 'foo' is not a command; expected Search <query>")
    assert done.stdout.endswith("♦Actions left: 95\n♦Next action\n")


@pytest.mark.parametrize("end", ["", "quit\nSearch never\n", "exit\n"])
def test_leaving_exits_0_and_saves_the_steps_so_far(webgpt: Run, small_collection: Path, tmp_path: Path, end: str) -> None:
    saved = tmp_path / "episodes.jsonl"
    done = webgpt("browse", "--collection", small_collection, "--save", saved, stdin=f"Search copytree\n{end}")
    assert (done.returncode, done.stderr) == (0, "")
    (episode,) = read_records(saved, Episode)
    assert ([step.completion for step in episode.steps], episode.ending) == (["Search copytree"], None)


def test_leaving_at_once_saves_an_episode_without_steps(webgpt: Run, small_collection: Path, tmp_path: Path) -> None:
    saved = tmp_path / "episodes.jsonl"
    assert webgpt("browse", "--collection", small_collection, "--save", saved).returncode == 0
    assert [episode.steps for episode in read_records(saved, Episode)] == [()]


def test_help_is_printed_to_stderr_and_is_not_an_action(webgpt: Run, small_collection: Path) -> None:
    done = webgpt("browse", "--collection", small_collection, stdin="help\n?\n", COLUMNS="120")
    assert done.stdout.count("♦Actions left: 100") == 1
    for command, _, meaning in COMMANDS:
        assert done.stderr.count(command) == 2
        assert done.stderr.count(meaning) == 2


SHORT = {
    "search": ("s how to copy", "Search how to copy"),
    "search nothing": ("s", "Search "),
    "click": ("c 3", "Clicked on link 3"),
    "find": ("f copytree(", "Find in page: copytree("),
    "quote": ("q from here━to there", "Quote: from here━to there"),
    "down": ("d", "Scrolled down 1"),
    "down by two": ("d 2", "Scrolled down 2"),
    "up": ("u", "Scrolled up 1"),
    "top": ("t", "Top"),
    "back": ("b", "Back"),
    "answer": ("a", "End: Answer"),
    "no argument wanted": ("t 3", "t 3"),
    "no letter": ("x 3", "x 3"),
    "a command": ("Search s", "Search s"),
    "part of a word": ("copy", "copy"),
}


@pytest.mark.parametrize(("line", "command"), SHORT.values(), ids=SHORT.keys())
def test_a_short_form_means_one_exact_command(line: str, command: str) -> None:
    assert expand(line) == command


def test_no_short_form_hides_a_command() -> None:
    assert all(isinstance(parse_action(letter), Invalid) for letter in LETTERS)
    assert not isinstance(parse_action("Top"), Invalid)


def test_a_short_form_is_shown_and_recorded_as_its_command(webgpt: Run, small_collection: Path, tmp_path: Path) -> None:
    saved = tmp_path / "episodes.jsonl"
    done = webgpt("browse", "--collection", small_collection, "--save", saved, stdin="s copytree\nd\n")
    assert done.stderr == "= Search copytree\n= Scrolled down 1\n! this is the end of the page\n"
    (episode,) = read_records(saved, Episode)
    assert [step.completion for step in episode.steps] == ["Search copytree", "Scrolled down 1"]


def test_a_question_from_standard_input_is_refused(webgpt: Run, small_collection: Path) -> None:
    done = webgpt("browse", "-", "--collection", small_collection)
    assert (done.returncode, done.stdout) == (2, "")


def test_a_terminal_has_a_prompt_and_shows_the_answer_with_references(
    program: Path, small_collection: Path, environment: dict[str, str]
) -> None:
    ours, theirs = pty.openpty()
    command = [program, "browse", QUESTION, "--collection", small_collection]
    with subprocess.Popen(list(map(str, command)), stdin=theirs, stdout=theirs, stderr=theirs, env=environment) as process:
        os.close(theirs)
        shown = until(ours, "♦Next action")
        for line, awaited in [
            ("s copytree", "= Search copytree"),
            ("c 0", "♦Actions left: 98"),
            ("q Recursively copy a directory tree", "♦Actions left: 97"),
            ("a", "end it with an empty line"),
            ("It copies [1].", ""),
            ("", "http://pydoc.localhost/"),
        ]:
            os.write(ours, f"{line}\n".encode())
            shown += until(ours, awaited)
        assert process.wait(30) == 0
    os.close(ours)
    assert "\033[1m♦Question" in shown
    assert "› " in shown
    assert "\033[36m[1]\033[0m" in shown
    assert (Path(environment["HOME"]) / ".local/state/open-webgpt/browse_history").is_file()


def until(terminal: int, awaited: str) -> str:
    """The output of a terminal up to and including an expected text."""
    shown = b""
    while awaited.encode() not in shown:
        assert select.select([terminal], [], [], 60)[0], f"{awaited!r} is not in {shown!r}"
        shown += os.read(terminal, 65_536)
    return shown.decode("utf-8", "replace")
