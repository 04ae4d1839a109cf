"""Behaviour cloning: train a language model to write the commands and answers of demonstrations (§3.2, Appendix E).

The loss is on actions only. Training stops by the score of the averaged weights on held-out questions rather than by held-out
loss, because the paper's models improved after the minimum of the loss.
"""

import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from browser_env.backends import Backend
from training.behavior_cloning.augmentation import copying_task
from training.behavior_cloning.config import CloningConfig
from training.behavior_cloning.data import CloningData, load_data
from training.behavior_cloning.evaluation import Judge, RolloutScore, held_out_loss
from training.behavior_cloning.report import CloningEvaluation, CloningReport
from training.runs import REPORT, RUN, begin_run, read_report, save_model, write_report
from training.supervised.pretrained import context_length, load_language_model

if TYPE_CHECKING:
    from training.supervised.averaging import Averaging, Evaluate
    from training.supervised.loop import Progress

MORE_TOKENS = 16
"""Tokens that a command or answer in a rollout may have beyond the longest demonstrated one."""


def clone(
    config: CloningConfig,
    out: Path,
    *,
    backend: Backend | None = None,
    evaluate: "Evaluate | None" = None,
    on_progress: "Callable[[Progress], None] | None" = None,
    on_evaluation: Callable[[CloningEvaluation], None] | None = None,
) -> CloningReport:
    """Train a policy by behaviour cloning, or resume a stopped training, and save the policy.

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
    from training.supervised.loop import run

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
    averaging = _averaging(config, judge)
    checkpoints = folder / "checkpoints"
    trainer = _trainer(config, model, tokenizer, data, averaging, checkpoints)
    losses = run(trainer, averaging, checkpoints, on_progress=on_progress)
    trained = _trained_model(config, trainer)
    best = averaging.best
    report = CloningReport(
        rows=len(data.training.lengths),
        held_out_rows=len(data.validation.lengths),
        tokens=sum(data.training.lengths),
        action_tokens=data.training.action_tokens,
        steps=trainer.state.global_step,
        best_step=best.step if best else None,
        score=best.score if best else None,
        held_out_loss=held_out_loss(trained, data.validation, config.optimization.batch_size),
        losses=tuple(losses),
        evaluations=tuple(map(judge.with_loss, averaging.evaluations)) if judge else (),
    )
    if trainer.is_world_process_zero():
        _save(config, out, trained, tokenizer, data, report)
    return report


def _averaging(config: CloningConfig, judge: Judge | None) -> "Averaging":
    from training.supervised.averaging import Averaging

    return Averaging(
        config.optimization.ema_decay,
        evaluate=judge.evaluate if judge else None,
        every=config.eval_every,
        patience=config.patience,
        tolerance=0.5 / math.sqrt(config.eval_questions) if config.eval_questions else 0.0,
        on_evaluation=judge.record if judge else None,
    )


def _trainer(
    config: CloningConfig, model: Any, tokenizer: Any, data: CloningData, averaging: "Averaging", checkpoints: Path
) -> Any:
    from training.supervised.trainers import AuxiliaryTask, CloningTrainer

    copying = AuxiliaryTask(copying_task(data.training.prompts()), config.copying_every) if config.copying_every else None
    return CloningTrainer(
        model,
        tokenizer,
        data.training,
        checkpoints,
        config.optimization,
        seed=config.seed,
        auxiliary=copying,
        callbacks=[averaging],
        peft_config=lora(config.lora_rank) if config.lora_rank else None,
    )


def lora(rank: int) -> Any:
    """LoRA adapters on all linear layers but the unembedding."""
    from peft import LoraConfig

    return LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear", task_type="CAUSAL_LM")


def _trained_model(config: CloningConfig, trainer: Any) -> Any:
    model = trainer.accelerator.unwrap_model(trainer.model)
    return model.merge_and_unload() if config.lora_rank else model


def _save(config: CloningConfig, out: Path, model: Any, tokenizer: Any, data: CloningData, report: CloningReport) -> None:
    import torch

    save_model(out, model, tokenizer, data.settings, dtype=getattr(torch, config.weights))
    write_report(out / RUN / REPORT, report)
    shutil.rmtree(out / RUN / "checkpoints", ignore_errors=True)
