"""`webgpt sample`: adding episodes to a file, and continuing after the process is killed."""

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.commands.options import EpisodeOptions, PolicyOptions
from agent.commands.sample import Sample
from browser_env.command_line.web_options import WebOptions
from browser_env.errors import UsageError
from browser_env.records import Episode, Settings
from browser_env.records.storage import read_records

PROGRAM = "import sys, tyro; from agent.commands.sample import Sample; sys.exit(tyro.cli(Sample, args=sys.argv[1:]).run())"
"""The command by itself."""


def sample(collection: Path, out: Path, **options: Any) -> list[Episode]:
    Sample(
        questions="pydoc", out=out, web=WebOptions(collection=collection), policy="scripted", **{"limit": 6, **options}
    ).run()
    return list(read_records(out, Episode))


def done(episodes: list[Episode]) -> dict[str, Any]:
    """The content of episodes without measured times."""
    return {
        episode.id: (episode.question, episode.seed, [replace(step, seconds=None) for step in episode.steps])
        for episode in episodes
    }


def test_each_question_has_its_number_of_episodes_with_different_seeds(small_collection: Path, tmp_path: Path) -> None:
    episodes = sample(small_collection, tmp_path / "e.jsonl", num=3)
    assert len(episodes) == len({episode.id for episode in episodes}) == 18
    seeds = {
        question: {e.seed for e in episodes if e.question.id == question} for question in {e.question.id for e in episodes}
    }
    assert len(seeds) == 6
    assert all(len(own) == 3 and 0 in own for own in seeds.values())
    assert {episode.actor for episode in episodes} == {"scripted"}


def test_a_larger_number_adds_episodes_to_the_file(
    small_collection: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "e.jsonl"
    before = sample(small_collection, out)
    after = sample(small_collection, out, num=2, limit=8)
    assert after[: len(before)] == before
    assert len(after) == 16
    assert capsys.readouterr().err.splitlines()[-1] == "scripted: 16 episodes, 6 of them from before"
    assert done(after) == done(sample(small_collection, tmp_path / "once.jsonl", num=2, limit=8))


def test_finished_browsing_is_answered_again(small_collection: Path, tmp_path: Path) -> None:
    out = tmp_path / "e.jsonl"
    browsed = [episode for episode in sample(small_collection, out, limit=10) if episode.answer is not None]
    assert browsed
    episodes = sample(small_collection, out, limit=10, answers_only=2)
    again = [episode for episode in episodes if "-" in episode.id]
    assert sorted(episode.id for episode in again) == sorted(f"{e.id}-{number}" for e in browsed for number in (1, 2))
    assert all(len(episode.steps) == 1 for episode in again)
    assert len(sample(small_collection, out, limit=10, answers_only=3)) == len(episodes) + len(browsed)


def test_the_options_that_decide_the_episodes_are_saved_beside_them(small_collection: Path, tmp_path: Path) -> None:
    out = tmp_path / "e.jsonl"
    sample(small_collection, out)
    config = json.loads((tmp_path / "e.jsonl.config.json").read_text("utf-8"))
    assert (config["policy_name"], config["seed"], config["settings"]["view_width"]) == ("scripted", 0, 80)
    with pytest.raises(UsageError, match=r"e\.jsonl was sampled with another seed, temperature; choose another --out"):
        sample(small_collection, out, seed=1, policy_options=PolicyOptions(temperature=0.5))


def test_a_file_that_was_not_sampled_is_left_unchanged(small_collection: Path, tmp_path: Path) -> None:
    out = tmp_path / "e.jsonl"
    out.write_text("mine\n")
    with pytest.raises(UsageError, match="was not sampled by this command"):
        sample(small_collection, out)
    assert out.read_text() == "mine\n"


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"num": 0}, "--num must be at least 1"),
        ({"answers_only": -1}, "--answers-only must be at least 0"),
        ({"limit": 0}, "--limit must be at least 1"),
        ({"batch_size": 0}, "--batch-size must be at least 1"),
        ({"policy_options": PolicyOptions(free=True)}, "--free is for"),
        ({"policy": "nobody"}, "there is no policy 'nobody'"),
    ],
)
def test_wrong_arguments_are_named(options: dict[str, Any], problem: str, small_collection: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=problem):
        Sample(
            **{"questions": "pydoc", "out": tmp_path / "e.jsonl", "web": WebOptions(collection=small_collection), **options}
        ).run()
    assert list(tmp_path.iterdir()) == []


def test_a_killed_run_continues_where_it_stopped(small_collection: Path, tmp_path: Path) -> None:
    out = tmp_path / "killed.jsonl"
    arguments = ("--questions", "pydoc", "--policy", "scripted", "--num", "3", "--limit", "30", "--batch-size", "2")
    command = [sys.executable, "-c", PROGRAM, *arguments, "--out", str(out), "--collection", str(small_collection)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and (not out.exists() or out.read_bytes().count(b"\n") < 5):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    with out.open("ab") as file:
        file.write(b'{"torn')
    lines = out.read_bytes().split(b"\n")[:-1]
    assert 5 <= len(lines) < 90
    finished = subprocess.run(command, capture_output=True, text=True, check=True)
    assert finished.stdout == f"{out}\n"
    assert f"scripted: 90 episodes, {len(lines)} of them from before" in finished.stderr
    assert out.read_bytes().split(b"\n")[: len(lines)] == lines
    whole = sample(small_collection, tmp_path / "whole.jsonl", num=3, limit=30)
    episodes = list(read_records(out, Episode))
    assert len(episodes) == 90
    assert done(episodes) == done(whole)


def test_episodes_have_the_settings_of_the_options(small_collection: Path, tmp_path: Path) -> None:
    [episode] = sample(small_collection, tmp_path / "e.jsonl", limit=1, settings=EpisodeOptions(view_height=12, max_actions=30))
    assert episode.settings == Settings(view_height=12, max_actions=30)
