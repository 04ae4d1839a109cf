"""The whole of it at its smallest: the small base model goes through every stage, and the report says what came of it."""

from pathlib import Path

import pytest
import torch

from browser_env.errors import UsageError
from browser_env.offline_web.collection import Collection
from browser_env.offline_web.indexing import build
from browser_env.offline_web.sources.python_docs import PythonDocs
from browser_env.records.files import lock_folder
from training.reproduction.report import write_report
from training.reproduction.reproduce import Amounts, ReproduceConfig, Reproduction

MODULES = ("tomllib", "mailcap", "glob", "bisect", "shlex", "atexit", "ensurepip", "sched", "csv", "gc")
"""Some of every split."""
AMOUNTS = Amounts(
    demonstrated=12,
    demonstrations_each=1,
    cloning_epochs=1,
    cloning_eval_every=100,
    cloning_eval_questions=0,
    compared=8,
    answers_each=4,
    pairs_each=4,
    others=40,
    reward_epochs=1,
    ppo_iterations=1,
    ppo_episodes=2,
    ppo_group=2,
    ppo_answers=2,
    tested=6,
    sampled=3,
    samples=4,
    deep=2,
    deep_samples=5,
)
CONFIG = ReproduceConfig(amounts=AMOUNTS)
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
    said: list[str] = []
    with Collection.open(web_file) as web:
        Reproduction(CONFIG, web, out, say=said.append).run()
    return out, said


def test_every_stage_is_done_in_order(finished: tuple[Path, list[str]]) -> None:
    out, said = finished
    assert [line.partition(":")[0] for line in said if line.endswith("begins")] == STAGES
    for model in ("cloned", "reward_model", "ppo"):
        assert (out / model / "model" / "model.safetensors").is_file()


def test_the_report_has_every_policy_and_its_plots(finished: tuple[Path, list[str]]) -> None:
    out, _ = finished
    text = write_report(out).read_text()
    for policy in ("cloned", "cloned free", "cloned greedy", "ppo", "ppo greedy", "scripted", "search-only"):
        assert f"\n| {policy} | 6 |" in text
    assert "\n| cloned, best of 4 | 3 |" in text
    assert "\n| ppo, best of 4 | 3 |" in text
    shown = [part.partition(")")[0] for part in text.split("](")[1:]]
    assert {"ppo.png", "best_of_n_cloned_samples.png", "best_of_n_cloned_deep.png"} <= {*shown}
    assert all((out / name).is_file() for name in shown)


def test_what_is_done_is_not_done_again(finished: tuple[Path, list[str]], web_file: Path) -> None:
    out, _ = finished
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
    said: list[str] = []
    with Collection.open(web_file) as web:
        Reproduction(CONFIG, web, out, say=said.append).run()
    assert said == [f"{name}: done before" for name in STAGES]
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_web_without_questions_of_a_split_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "web.sqlite"
    build(file, PythonDocs(modules=("glob",)))
    with Collection.open(file) as web, pytest.raises(UsageError, match="has no questions of the split bc"):
        Reproduction(CONFIG, web, tmp_path / "out")


def test_two_at_once_in_a_folder_are_refused(finished: tuple[Path, list[str]], web_file: Path) -> None:
    out, _ = finished
    with lock_folder(out), Collection.open(web_file) as web, pytest.raises(UsageError, match="another program is at work in"):
        Reproduction(CONFIG, web, out).run()
