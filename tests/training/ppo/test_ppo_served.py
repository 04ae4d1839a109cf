"""PPO that samples through a model server in this process, which shares the weights in training."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from agent.models.completion_limits import SamplingOptions
from agent.models.language_model import LanguageModel
from agent.models.served_model import ServedModel
from agent.models.server import ModelServer
from tests.training.ppo.toy import toy_models, toy_run, toy_tokenizer
from training.ppo.log import read_metrics


def test_ppo_takes_the_same_steps_through_a_server(tmp_path: Path, serve: Callable[..., Any]) -> None:
    torch.set_num_threads(1)
    models = toy_models(tmp_path / "models")

    def sampler_of(model: Any) -> ServedModel:
        engine = LanguageModel(model, toy_tokenizer(), name="toy", options=SamplingOptions(free=True))
        limits = replace(engine.limits, max_command_tokens=2, max_answer_tokens=2)
        return ServedModel(ModelServer("toy", serve(engine, "toy").url), "toy", limits, name="served:toy", temperature=1.0)

    small = {"iterations": 2, "episodes": 4}
    toy_run(tmp_path / "here", models, **small).run()
    toy_run(tmp_path / "served", models, sampler_of=sampler_of, **small).run()
    here, served = read_metrics(tmp_path / "here"), read_metrics(tmp_path / "served")
    assert [metrics.score for metrics in served] == pytest.approx([metrics.score for metrics in here], abs=1e-6)
    assert [metrics.kl for metrics in served] == pytest.approx([metrics.kl for metrics in here], abs=1e-4)
    assert served[1].kl != 0
