"""The reward model: a cloned policy with a scalar output, trained on preferences among answers (§3.2, Appendix E).

It reads the question, the references and the answer, never the browsing. One loss covers pairs, ties and rankings.
"""

import math
import shutil
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from agent.models.folder import load_settings
from agent.models.reward_model import Normalization, RewardModelScore, save_normalization
from agent.models.shipped import model_path
from browser_env.records import Settings
from training.reward_model.config import NormalizationKind, RewardModelConfig
from training.reward_model.data import GroupSource, PreferenceData, make_data, read_preferences, split
from training.reward_model.measures import figures
from training.reward_model.preferences import PreferenceGroup
from training.reward_model.report import CurvePoint, RewardModelReport
from training.runs import REPORT, RUN, begin_run, read_report, save_model, write_report
from training.supervised.pretrained import context_length, load_reward_base

if TYPE_CHECKING:
    from training.supervised.loop import Progress

SHARES = (1 / 8, 1 / 4, 1 / 2)
"""Shares of the training questions for the learning curve, below 1."""
CHECKPOINTS = "checkpoints"

OnProgress = Callable[[str, "Progress"], None]
"""Called with the name of the model in training before the first optimizer step and after each."""


def train_reward_model(
    config: RewardModelConfig,
    out: Path,
    *,
    groups: Sequence[PreferenceGroup] | None = None,
    on_progress: OnProgress | None = None,
) -> RewardModelReport:
    """Train a reward model, or resume a stopped training, and save the model.

    Args:
        config: Everything that decides the result.
        out: The folder of the model. Configuration, report and checkpoints are in ``OUT/run``; a finished training is not
            repeated.
        groups: Preferences to use in place of the configuration's files.
        on_progress: Called before the first optimizer step of each model and after each step.

    Raises:
        UsageError: The policy cannot be loaded, there are no comparisons, or an answer is longer than the model can read.
        RecordError: A file cannot be read.
    """
    folder = out / RUN
    begin_run(folder, config)
    if (folder / REPORT).is_file():
        return read_report(folder / REPORT, RewardModelReport)
    if groups is None:
        groups = [group for file in config.comparisons for group in read_preferences(Path(file))]
    training, validation = split(groups, config)
    model, tokenizer = load_reward_base(config.policy)
    data = make_data(config, training, validation, tokenizer, context_length(model))
    del model  # each training loads its own
    settings = _settings(config.policy)
    curve = list(_learning_curve(config, data, folder, on_progress)) if config.learning_curve else []
    trained = _train(config, data.training, data.validation, folder, _named(on_progress, "reward model"))
    report = _report(config, data, trained, curve)
    _save(config, out, trained, settings, report)
    return report


def _learning_curve(
    config: RewardModelConfig, data: PreferenceData, folder: Path, on_progress: OnProgress | None
) -> Iterator[CurvePoint]:
    """Yield the points below the whole, training the models that are not finished."""
    for share in SHARES:
        part = data.training.part(share, seed=config.seed, salt="learning curve")
        if len(part.groups) < 2:
            continue
        point_folder = folder / f"curve-{share:g}"
        if not (point_folder / REPORT).is_file():
            on_step = _named(on_progress, f"{share:.3g} of the data")
            score = _train(config, part, data.validation, point_folder, on_step).score
            point = CurvePoint(share, len(part.groups), figures(data.validation.groups, data.validation.scores(score)))
            point_folder.mkdir(exist_ok=True)
            write_report(point_folder / REPORT, point)
            shutil.rmtree(point_folder / CHECKPOINTS, ignore_errors=True)
        yield read_report(point_folder / REPORT, CurvePoint)


# ------------------------------------------------------------------------------------------------------------- training


class _Trained(NamedTuple):
    model: Any
    tokenizer: Any
    score: RewardModelScore
    """The model's outputs, without normalization."""
    steps: int
    losses: list[tuple[int, float]]


def _train(
    config: RewardModelConfig,
    source: GroupSource,
    validation: GroupSource,
    folder: Path,
    on_progress: "Callable[[Progress], None] | None",
) -> _Trained:
    from training.supervised.averaging import Averaging
    from training.supervised.loop import run
    from training.supervised.trainers import GroupRewardTrainer

    model, tokenizer = load_reward_base(config.policy)
    initialize_score(model, config.seed)
    averaging = Averaging(
        config.optimization.ema_decay,
        evaluate=partial(_validation_accuracy, tokenizer=tokenizer, validation=validation) if config.eval_every else None,
        every=config.eval_every or 1,
        patience=config.patience,
    )
    checkpoints = folder / CHECKPOINTS
    trainer = GroupRewardTrainer(
        model, tokenizer, source, checkpoints, config.optimization, seed=config.seed, callbacks=[averaging]
    )
    losses = run(trainer, averaging, checkpoints, on_progress=on_progress)
    trained = trainer.accelerator.unwrap_model(trainer.model)
    score = RewardModelScore(trained, tokenizer, name="reward model")
    return _Trained(trained, tokenizer, score, trainer.state.global_step, losses)


def initialize_score(model: Any, seed: int) -> None:
    """Initialize the output's weights with variance 1 / (hidden size + 1), as Stiennon et al. (2020) do."""
    import torch

    weight = model.score.weight
    drawn = torch.randn(weight.shape, generator=torch.Generator().manual_seed(seed)) / math.sqrt(weight.shape[1] + 1)
    with torch.no_grad():
        weight.copy_(drawn)


def _validation_accuracy(model: Any, *, tokenizer: Any, validation: GroupSource) -> float:
    """Accuracy on the validation groups; if all are ties, the negative log-loss."""
    outputs = validation.scores(RewardModelScore(model, tokenizer, name="reward model"))
    result = figures(validation.groups, outputs, resamples=1)
    return result.accuracy.mean if result.accuracy else -result.log_loss


def _named(on_progress: OnProgress | None, name: str) -> "Callable[[Progress], None] | None":
    return None if on_progress is None else partial(on_progress, name)


# --------------------------------------------------------------------------------------------------------------- result


def _report(
    config: RewardModelConfig, data: PreferenceData, trained: _Trained, curve: Sequence[CurvePoint]
) -> RewardModelReport:
    """Figures of the model's outputs: their differences are logits of preferences, which a normalized scale changes."""
    training_outputs = data.training.scores(trained.score)
    held_out = figures(data.validation.groups, data.validation.scores(trained.score))
    groups = data.training.groups
    return RewardModelReport(
        groups=len(groups),
        ties=sum(group.is_tie for group in groups),
        tokens=data.training.tokens,
        steps=trained.steps,
        normalization=normalization([output for outputs in training_outputs for output in outputs], config.normalization),
        figures=held_out,
        training_figures=figures(groups, training_outputs),
        curve=(*curve, CurvePoint(1.0, len(groups), held_out)) if curve else (),
        losses=tuple(trained.losses),
    )


def normalization(outputs: Sequence[float], kind: NormalizationKind) -> Normalization:
    """The normalization of a kind, by the outputs for the training answers."""
    if kind == "none":
        return Normalization()
    mean = math.fsum(outputs) / len(outputs)
    deviation = math.sqrt(math.fsum((output - mean) ** 2 for output in outputs) / len(outputs))
    return Normalization(mean, deviation if kind == "shift and scale" and deviation > 0 else 1.0)


def _settings(policy: str) -> Settings:
    """The format of the episodes that a policy was trained on; the default format if it is not known."""
    folder = Path(model_path(policy))
    return (load_settings(folder) if folder.is_dir() else None) or Settings()


def _save(config: RewardModelConfig, out: Path, trained: _Trained, settings: Settings, report: RewardModelReport) -> None:
    import torch

    save_model(out, trained.model, trained.tokenizer, settings, dtype=getattr(torch, config.weights))
    save_normalization(out, report.normalization)
    write_report(out / RUN / REPORT, report)
    shutil.rmtree(out / RUN / CHECKPOINTS, ignore_errors=True)
