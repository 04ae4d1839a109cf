import signal
import subprocess
import sys
import textwrap
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from agent.models.completion_limits import SamplingOptions
from agent.models.folder import load_settings
from agent.models.language_model import LanguageModel
from agent.policy import Completion, Prompt
from agent.rollouts.rollout import rollout
from browser_env.errors import UsageError
from browser_env.records import Episode
from browser_env.records.storage import append_record
from browser_env.state import BrowserState
from tests.training.behavior_cloning.birds import SETTINGS, WEB, Demonstrating, question, save
from training.behavior_cloning.config import OPTIMIZATION, CloningConfig
from training.behavior_cloning.evaluation import episode_score
from training.behavior_cloning.report import CloningEvaluation
from training.behavior_cloning.train import clone
from training.supervised.loop import Progress
from training.supervised.optimization import Optimization


def config(base: Path, *demonstrations: object, **options: Any) -> CloningConfig:
    options = {"batch_size": 16, "epochs": 1.0, "weights": "float32", "eval_questions": 0, **options}
    nested = {field.name: options.pop(field.name) for field in fields(Optimization) if field.name in options}
    optimization = replace(OPTIMIZATION, **nested)
    return CloningConfig(base=str(base), demonstrations=tuple(map(str, demonstrations)), optimization=optimization, **options)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def test_a_cloned_model_browses_like_its_demonstrations(base: Path, demonstrations: Path, tmp_path: Path) -> None:
    out = tmp_path / "cloned"
    seen: list[CloningEvaluation] = []
    steps: list[Progress] = []
    cloning_config = config(
        base, demonstrations, epochs=30, learning_rate=8e-3, eval_questions=4, eval_every=75, held_out=0.2, patience=None
    )
    report = clone(cloning_config, out, backend=WEB, on_evaluation=seen.append, on_progress=steps.append)
    assert report.losses[-1][1] < 0.1 * report.losses[0][1]
    policy = LanguageModel.load(
        str(out), options=SamplingOptions(temperature=0, free=True, max_command_tokens=40), dtype=torch.float32, device="cpu"
    )
    asked = [replace(question(number), id=f"again-{number}") for number in range(4)]
    for episode in rollout(policy, WEB, asked, SETTINGS):
        expected = next(rollout(Demonstrating(), WEB, [episode.question], SETTINGS))
        assert [step.completion.strip() for step in episode.steps] == [step.completion for step in expected.steps]
        assert episode_score(episode) == 1
    assert load_settings(out) == SETTINGS
    # the best average is saved, and each evaluation is reported
    assert [evaluation.step for evaluation in report.evaluations] == [evaluation.step for evaluation in seen]
    assert report.score == max(evaluation.score or 0 for evaluation in seen) == 1
    assert report.best_step == max(evaluation.step for evaluation in seen if evaluation.score == report.score)
    assert steps[-1].step == steps[-1].max_steps == report.steps
    # a finished training is not repeated
    assert clone(cloning_config, out, backend=WEB) == report
    with pytest.raises(UsageError, match="learning_rate"):
        clone(replace(cloning_config, optimization=replace(cloning_config.optimization, learning_rate=1.0)), out)


def test_the_weight_of_a_file_decides_what_is_learned(base: Path, episodes: list[Episode], tmp_path: Path) -> None:
    """Two files answer the same questions differently; the model learns the answers of the heavier one."""
    answers = {}
    for name, answer in (("yes", "Yes [1]."), ("no", "No [1].")):
        for episode in episodes[:8]:
            changed = (*episode.steps[:-1], replace(episode.steps[-1], completion=answer))
            append_record(tmp_path / f"{name}.jsonl", replace(episode, steps=changed[-1:]))
    for heavy, light in (("yes", "no"), ("no", "yes")):
        files = (f"{tmp_path / heavy}.jsonl:9", f"{tmp_path / light}.jsonl:1")
        out = tmp_path / f"more-{heavy}"
        clone(config(base, *files, epochs=12, learning_rate=4e-3, held_out=0.0), out)
        policy = LanguageModel.load(
            str(out), options=SamplingOptions(temperature=0, free=True, max_answer_tokens=8), dtype=torch.float32, device="cpu"
        )
        state = BrowserState(episodes[0].question, SETTINGS, references=episodes[0].references, ending="answer")
        (completion,) = policy.complete([Prompt(episodes[0].steps[-1].observation, state, 0)])
        assert isinstance(completion, Completion)
        answers[heavy] = completion.text
    assert answers == {"yes": "Yes [1].", "no": "No [1]."}


KILLED = """
    import os, signal, sys, torch
    from pathlib import Path
    torch.set_num_threads(1)
    from training.behavior_cloning.config import CloningConfig
    from training.behavior_cloning.train import clone
    from training.supervised.optimization import Optimization
    base, demonstrations, out = sys.argv[1:]
    def kill(progress):
        if progress.step == 9:
            os.kill(os.getpid(), signal.SIGKILL)
    optimization = Optimization(learning_rate=1e-3, batch_size=8, micro_batch_size=4, epochs=2, max_steps=14, save_every=4)
    config = CloningConfig(base=base, demonstrations=(demonstrations,), optimization=optimization, eval_every=3,
                           eval_questions=0, weights="float32", replaced=0.5, copying_every=3)
    clone(config, Path(out), evaluate=lambda model: float(next(model.parameters()).detach()[0, 0]), on_progress=kill)
"""


def test_a_killed_run_resumes_and_ends_with_the_weights_of_an_uninterrupted_one(
    base: Path, demonstrations: Path, tmp_path: Path
) -> None:
    killed = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(KILLED), base, demonstrations, tmp_path / "killed"],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    checkpoints = tmp_path / "killed" / "run" / "checkpoints"
    assert {path.name for path in checkpoints.iterdir()} == {"checkpoint-4", "checkpoint-8"}
    (checkpoints / "checkpoint-8" / "averages.safetensors").unlink()  # as if it had been killed while writing this one
    sizes = {"batch_size": 8, "micro_batch_size": 4, "max_steps": 14, "epochs": 2, "save_every": 4}
    cloning_config = config(base, demonstrations, **sizes, eval_every=3, replaced=0.5, copying_every=3)

    def judge(model: Any) -> float:
        return float(next(model.parameters()).detach()[0, 0])

    first: list[int] = []
    resumed = clone(
        cloning_config, tmp_path / "killed", evaluate=judge, on_progress=lambda progress: first.append(progress.step)
    )
    whole = clone(cloning_config, tmp_path / "whole", evaluate=judge)
    assert first[0] == 4
    assert resumed.losses == whole.losses
    scores = [[(evaluation.step, evaluation.score) for evaluation in report.evaluations] for report in (resumed, whole)]
    assert scores[0] == scores[1]
    ours, theirs = weights(tmp_path / "killed"), weights(tmp_path / "whole")
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        torch.testing.assert_close(value, theirs[name], atol=0, rtol=0, msg=name)
    assert not checkpoints.exists()


@pytest.mark.parametrize(
    ("judged", "best"),
    [([0.2, 0.5, 0.4, 0.5, 0.9], 3), ([0.2, 0.5, 0.42, 0.3, 0.9], 2), ([0.2, 0.5, 0.41, 0.3, 0.9], 1)],
    ids=["equal", "less than a standard error below", "more"],
)
def test_training_stops_early_and_keeps_the_latest_average_near_the_best(
    base: Path, demonstrations: Path, tmp_path: Path, judged: list[float], best: int
) -> None:
    scores = iter(judged)
    kept: list[torch.Tensor] = []

    def judge(model: Any) -> float:
        kept.append(next(model.parameters()).detach().clone())
        assert not model.training
        return next(scores)

    cloning_config = config(base, demonstrations, epochs=20, eval_every=2, patience=2, eval_questions=36)
    report = clone(cloning_config, tmp_path / "stopped", evaluate=judge)
    assert [evaluation.step for evaluation in report.evaluations] == [2, 4, 6, 8]
    assert (report.best_step, report.score, report.steps) == (2 * best + 2, judged[best], 8)
    # the weights are the latest average within a standard error of the best
    torch.testing.assert_close(weights(tmp_path / "stopped")["model.embed_tokens.weight"], kept[best], atol=0, rtol=0)


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # peft uses its old name
def test_adapters_are_trained_merged_and_loaded(base: Path, demonstrations: Path, tmp_path: Path) -> None:
    out = tmp_path / "adapted"
    cloning_config = config(base, demonstrations, lora_rank=8, epochs=8, learning_rate=3e-2)
    report = clone(cloning_config, out)
    assert report.losses[-1][1] < 0.8 * report.losses[0][1]
    assert not list(out.glob("adapter*"))
    loaded = AutoModelForCausalLM.from_pretrained(out, dtype=torch.float32)
    before = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    changed = {name for name, value in loaded.named_parameters() if not torch.equal(value, before.get_parameter(name))}
    assert "model.layers.0.mlp.up_proj.weight" in changed and "model.embed_tokens.weight" not in changed
    assert callable(LanguageModel.load(str(out)).complete)  # it loads as a policy


def test_a_step_longer_than_the_context_is_a_usage_error(episodes: list[Episode], demonstrations: Path, tmp_path: Path) -> None:
    small = save(tmp_path / "small", episodes, context=64)
    with pytest.raises(UsageError, match=r"\d+ of \d+ steps of the demonstrations are longer than the 64 tokens"):
        clone(config(small, demonstrations), tmp_path / "out")
