import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch

from tests.training.ppo.toy import toy_models, toy_run
from training.ppo.log import read_metrics
from training.ppo.metrics import scalars

SCRIPT = Path(__file__).with_name("toy_ppo.py")
# Episodes and rows that two processes cannot share evenly, and several micro-batches per step.
UNEVEN = {"iterations": 3, "episodes": 13, "minibatches": 5, "batch_tokens": 100, "learning_rate": 0.002}
# One episode, so that one process has none, and steps on one row.
TINY = {"iterations": 2, "episodes": 1, "minibatches": 50, "max_actions": 3}


def words(changes: Mapping[str, float]) -> list[str]:
    return [f"{name}={number}" for name, number in changes.items()]


def test_two_processes_take_the_same_steps_as_one(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    models = toy_models(tmp_path / "models")
    launched = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"),
            *(str(SCRIPT), str(models), str(tmp_path / "two"), *words(UNEVEN), str(tmp_path / "tiny"), *words(TINY)),
        ],
        env=os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        text=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
    )
    assert launched.returncode == 0, launched.stderr
    run = toy_run(tmp_path / "one", models, **UNEVEN)
    assert run.accelerator.num_processes == 1
    run.run()
    one, two = (read_metrics(tmp_path / name) for name in ("one", "two"))
    assert len(one) == len(two) == 3
    for first, second in zip(one, two, strict=True):
        figures = [
            {name: value for name, value in scalars(metrics).items() if not name.startswith("seconds/")}
            for metrics in (first, second)
        ]
        assert figures[1] == pytest.approx(figures[0], rel=1e-3, abs=1e-5)
    weights = []
    for name in ("one", "two"):
        [checkpoint] = (tmp_path / name).glob("checkpoint-*")
        assert len([*checkpoint.glob("random_states_*")]) == (1 if name == "one" else 2)
        files = sorted(checkpoint.glob("pytorch_model*.bin"))
        weights.append([value for file in files for value in torch.load(file, weights_only=True).values()])
    assert len(weights[0]) > 20
    torch.testing.assert_close(weights[0], weights[1], atol=1e-4, rtol=1e-3)
    assert [metrics.num_episodes for metrics in read_metrics(tmp_path / "tiny")] == [1, 1]
