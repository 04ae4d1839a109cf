"""Behavior cloning: train a language model to write the commands and answers of demonstrations (§3.2, Appendix E).

The loss is on actions only. Training stops by the score of the averaged weights on held-out questions rather than by held-out
loss, because the paper's models improved after the minimum of the loss.
"""

import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from browser_env.backends import Backend
from browser_env.records import Settings
from training.behavior_cloning.augmentation import copying_task
from training.behavior_cloning.config import CloningConfig
from training.behavior_cloning.data import CloningData, load_data
from training.behavior_cloning.evaluation import Judge, RolloutScore, held_out_loss
from training.behavior_cloning.report import CloningEvaluation, CloningReport
from training.runs import REPORT, RUN, begin_run, read_report, save_model, write_report
from training.supervised.pretrained import context_length, load_language_model

if TYPE_CHECKING:
    from training.supervised.averaging import Evaluate, Evaluation
    from training.supervised.loop import Progress

CHECKPOINTS = "checkpoints"
MORE_TOKENS = 16
"""Number of tokens by which a command or answer in a rollout may exceed the longest demonstrated one."""


def clone(
    config: CloningConfig,
    out: Path,
    *,
    backend: Backend | None = None,
    evaluate: "Evaluate | None" = None,
    on_progress: "Callable[[Progress], None] | None" = None,
    on_evaluation: Callable[[CloningEvaluation], None] | None = None,
) -> CloningReport:
    """Train a policy by behavior cloning, or resume a stopped training, and save the policy.

    Args:
        config: Everything that decides the result.
        out: The folder of the policy (``hf:OUT``). Configuration, report and checkpoints are in ``OUT/run``; a finished
            training is not repeated.
        backend: The web for rollouts on held-out questions. Default: no rollouts.
        evaluate: Scores a model in place of rollouts; higher is better.
        on_progress: Called before the first optimizer step and after each.
        on_evaluation: Called after each evaluation.

    Raises:
        UsageError: The model cannot be loaded, there are no demonstrations, or one is longer than the model can read.
        RecordError: A file of demonstrations cannot be read.
    """
    folder = out / RUN
    begin_run(folder, config)
    if (folder / REPORT).is_file():
        return read_report(folder / REPORT, CloningReport)
    model, tokenizer = load_language_model(config.base)
    data = load_data(config, tokenizer, context_length(model))
    if evaluate is None and backend is not None and data.questions:
        max_tokens = data.training.longest_completion + MORE_TOKENS
        evaluate = RolloutScore(backend, data.questions, data.settings, tokenizer, max_tokens)
    judge = Judge(evaluate, data.validation, config.optimization.batch_size, on_evaluation) if evaluate else None
    trained = _train(config, model, tokenizer, data, judge, folder / CHECKPOINTS, on_progress)
    report = _report(config, data, trained)
    if trained.is_main_process:
        _save(config, out, trained.model, tokenizer, data.settings, report)
    return report


# ------------------------------------------------------------------------------------------------------------- training


class _Trained(NamedTuple):
    model: Any
    steps: int
    losses: list[tuple[int, float]]
    best: "Evaluation | None"
    evaluations: list[CloningEvaluation]
    is_main_process: bool


def _train(
    config: CloningConfig,
    model: Any,
    tokenizer: Any,
    data: CloningData,
    judge: Judge | None,
    checkpoints: Path,
    on_progress: "Callable[[Progress], None] | None",
) -> _Trained:
    from training.supervised.averaging import Averaging
    from training.supervised.loop import run
    from training.supervised.trainers import AuxiliaryTask, CloningTrainer

    averaging = Averaging(
        config.optimization.ema_decay,
        evaluate=judge.evaluate if judge else None,
        every=config.eval_every,
        patience=config.patience,
        tolerance=0.5 / math.sqrt(config.eval_questions) if config.eval_questions else 0.0,
        on_evaluation=judge.record if judge else None,
    )
    trainer = CloningTrainer(
        model,
        tokenizer,
        data.training,
        checkpoints,
        config.optimization,
        seed=config.seed,
        auxiliary=AuxiliaryTask(copying_task(data.training.prompts()), config.copying_every) if config.copying_every else None,
        callbacks=[averaging],
        peft_config=lora(config.lora_rank) if config.lora_rank else None,
    )
    losses = run(trainer, averaging, checkpoints, on_progress=on_progress)
    trained = trainer.accelerator.unwrap_model(trainer.model)
    return _Trained(
        model=trained.merge_and_unload() if config.lora_rank else trained,
        steps=trainer.state.global_step,
        losses=losses,
        best=averaging.best,
        evaluations=[judge.with_loss(evaluation) for evaluation in averaging.evaluations] if judge else [],
        is_main_process=trainer.is_world_process_zero(),
    )


def lora(rank: int) -> Any:
    """LoRA adapters on all linear layers but the unembedding."""
    from peft import LoraConfig

    return LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear", task_type="CAUSAL_LM")


# --------------------------------------------------------------------------------------------------------------- result


def _report(config: CloningConfig, data: CloningData, trained: _Trained) -> CloningReport:
    return CloningReport(
        rows=len(data.training.lengths),
        held_out_rows=len(data.validation.lengths),
        tokens=sum(data.training.lengths),
        action_tokens=data.training.action_tokens,
        steps=trained.steps,
        best_step=trained.best.step if trained.best else None,
        score=trained.best.score if trained.best else None,
        held_out_loss=held_out_loss(trained.model, data.validation, config.optimization.batch_size),
        losses=tuple(trained.losses),
        evaluations=tuple(trained.evaluations),
    )


def _save(config: CloningConfig, out: Path, model: Any, tokenizer: Any, settings: Settings, report: CloningReport) -> None:
    import torch

    save_model(out, model, tokenizer, settings, dtype=getattr(torch, config.weights))
    write_report(out / RUN / REPORT, report)
    shutil.rmtree(out / RUN / CHECKPOINTS, ignore_errors=True)
