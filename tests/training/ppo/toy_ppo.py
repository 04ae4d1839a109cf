"""Runs PPO on the toy world in a process of its own: ``toy_ppo.py MODELS OUT [NAME=NUMBER ...] [OUT ...]``."""

import json
import sys
from pathlib import Path

import torch

from tests.training.ppo.toy import toy_run
from training.ppo.processes import make_accelerator

if __name__ == "__main__":
    torch.set_num_threads(1)
    models, *words = sys.argv[1:]
    runs: dict[str, dict[str, float]] = {}
    for word in words:
        name, is_change, number = word.partition("=")
        if is_change:
            runs[[*runs][-1]][name] = json.loads(number)
        else:
            runs[word] = {}
    for out, changes in runs.items():
        accelerator = make_accelerator()
        toy_run(Path(out), Path(models), accelerator, **changes).run()
    accelerator.end_training()
