"""The smallest reproduction: the small base model goes through every stage, and the report shows the results."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from agent.rollouts.best_of_n import sample_seed
from agent.viewer.material import read_material
from browser_env.errors import UsageError
from browser_env.offline_web.collection import Collection
from browser_env.offline_web.indexing import build
from browser_env.offline_web.sources.python_docs import PythonDocs
from browser_env.records import Episode
from browser_env.records.files import lock_folder
from browser_env.records.storage import read_records
from training.base_model.config import SMALL_VIEW
from training.reproduction.config import Amounts, ReproduceConfig
from training.reproduction.folders import TESTED, Folders
from training.reproduction.report import write_report
from training.reproduction.reproduce import Reproduction

MODULES = ("tomllib", "mailcap", "glob", "bisect", "shlex", "atexit", "ensurepip", "sched", "csv", "gc")
"""Modules of every split."""
AMOUNTS = Amounts(
    demonstrated=12,
    demonstrations_each=1,
    cloning_epochs=1,
    cloning_eval_every=100,
    cloning_eval_questions=0,
    compared=6,
    answers_each=3,
    pairs_each=3,
    others=40,
    reward_epochs=1,
    ppo_iterations=1,
    ppo_episodes=2,
    ppo_group=2,
    ppo_answers=2,
    tested=4,
    sampled=2,
    samples=4,
    deep=1,
    deep_samples=5,
)
CONFIG = ReproduceConfig(
    amounts=AMOUNTS, settings=replace(SMALL_VIEW, max_actions=10), max_command_tokens=24, max_answer_tokens=24
)
"""Tight budgets: a policy that has hardly learned anything uses them up."""
STAGES = [
    "demonstrations",
    "cloned",
    "answers",
    "comparisons",
    "reward_model",
    "validation_reward_model",
    "ppo",
    "tested",
    "samples_cloned",
    "samples_ppo",
    "scores",
]


@pytest.fixture(scope="module")
def web_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("web") / "web.sqlite"
    build(path, PythonDocs(modules=MODULES))
    return path


@pytest.fixture(scope="module")
def finished(web_file: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("runs") / "all"
    messages: list[str] = []
    with Collection.open(web_file) as web:
        Reproduction(CONFIG, web, out, log=messages.append).run()
    return out, messages


def test_every_stage_runs_in_order(finished: tuple[Path, list[str]]) -> None:
    out, messages = finished
    assert [line.partition(":")[0] for line in messages if line.endswith("running")] == STAGES
    for model in ("cloned", "reward_model", "ppo"):
        assert (out / model / "model" / "model.safetensors").is_file()


def test_the_report_has_every_policy_and_plot(finished: tuple[Path, list[str]]) -> None:
    out, _ = finished
    text = write_report(out).read_text()
    for policy in TESTED:
        assert f"\n| {policy} | 4 |" in text
    assert "\n| cloned, best of 4 | 2 |" in text
    assert "\n| ppo, best of 4 | 2 |" in text
    plots = [part.partition(")")[0] for part in text.split("](")[1:]]
    assert {"ppo.png", "best_of_n_cloned_samples.png", "best_of_n_cloned_deep.png"} <= {*plots}
    assert all((out / name).is_file() for name in plots)


def test_samples_are_in_the_order_of_questions_and_seeds(finished: tuple[Path, list[str]]) -> None:
    path = Folders.of(finished[0]).sample_file("cloned")
    samples = [(episode.question.id, episode.seed) for episode in read_records(path, Episode)]
    questions = list(dict.fromkeys(question for question, _ in samples))
    seeds = [sample_seed(CONFIG.seed, sample) for sample in range(AMOUNTS.samples)]
    assert samples == [(question, seed) for question in questions for seed in seeds]


def test_tested_episodes_are_a_benchmark_that_can_be_viewed(finished: tuple[Path, list[str]]) -> None:
    material = read_material(Folders.of(finished[0]).benchmark)
    assert {name for name, _ in material.episodes()} == set(TESTED)
    assert {policy for _, policy in material.results} == set(TESTED)


def test_finished_stages_are_skipped(finished: tuple[Path, list[str]], web_file: Path) -> None:
    out, _ = finished
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
    messages: list[str] = []
    with Collection.open(web_file) as web:
        Reproduction(CONFIG, web, out, log=messages.append).run()
    assert messages == [f"{name}: already done" for name in STAGES]
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_web_without_questions_of_a_split_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "web.sqlite"
    build(file, PythonDocs(modules=("glob",)))
    with Collection.open(file) as web, pytest.raises(UsageError, match="has no questions of the split bc"):
        Reproduction(CONFIG, web, tmp_path / "out")


def test_two_runs_at_once_in_a_folder_are_an_error(finished: tuple[Path, list[str]], web_file: Path) -> None:
    out, _ = finished
    with lock_folder(out), Collection.open(web_file) as web, pytest.raises(UsageError, match="another program is at work in"):
        Reproduction(CONFIG, web, out).run()
