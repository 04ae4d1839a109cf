"""`webgpt train rm`: train a reward model from comparisons."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from training.commands.training_progress import prepare, resumable, training_progress
from training.reward_model.config import RewardModelConfig
from training.reward_model.measures import PreferenceFigures
from training.reward_model.report import RewardModelReport
from training.reward_model.train import train_reward_model


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardModel:
    """Train a reward model: a cloned policy learns which of two answers people prefer (paper, 3.2).

    The model is saved in the folder --out; use it as --reward-model DIR (best-of-n, PPO). Its configuration and figures are in
    DIR/run. A training that was stopped or killed resumes with the same command and ends with the same weights.

    Comparisons are this project's own files (`webgpt compare`), those of openai/webgpt_comparisons, or preferences in TRL's
    format (prompt, chosen, rejected). A tie is learned as a preference of one half. With --part 1/2 and 2/2 two models learn
    from different questions: one to select answers with, one to validate the selection.

    Exit codes: 0 done, 1 failure, 2 usage error, 130 interrupted.
    """

    out: Annotated[Path, arg(metavar="DIR")]
    """Folder for the model; created if it does not exist."""
    config: Annotated[RewardModelConfig, arg(name="")]
    """Configuration of the training."""
    threads: int = 1
    """Number of CPU threads for torch. Leave it at 1 if other jobs are running."""

    def run(self) -> int:
        """Train, with a progress bar on stderr, and print the figures to stdout."""
        prepare(self.threads)
        with resumable(self.out), training_progress() as (on_progress, _):
            report = train_reward_model(self.config, self.out, on_progress=on_progress)
        print(summary(report))
        print(f"Written to {self.out}; use it as --reward-model {self.out}", file=sys.stderr)
        return 0


def summary(report: RewardModelReport) -> str:
    """The figures of a training as text: totals, calibration bins, learning curve."""
    lines = [*_totals(report), "", *_calibration(report.figures)]
    if report.curve:
        lines += ["", "comparisons  accuracy                  log-loss"]
        lines += [f"{point.groups:11,}  {_accuracy(point.figures):24}  {point.figures.log_loss:.3f}" for point in report.curve]
    return "\n".join(lines)


def _totals(report: RewardModelReport) -> list[str]:
    held_out, learned = report.figures, report.training_figures
    agreement = "-" if held_out.agreement is None else f"{held_out.agreement:.1%} of {held_out.repeated:,} repeated"
    rows = (
        ("comparisons learned", f"{report.groups:,} ({report.ties:,} ties; {report.tokens:,} tokens; {report.steps:,} steps)"),
        ("comparisons held out", f"{held_out.groups:,} ({held_out.pairs:,} pairs, {held_out.ties:,} of them ties)"),
        ("accuracy", f"{_accuracy(held_out)} without ties; {_accuracy(learned)} on the training comparisons"),
        ("labelers agree", agreement),
        (
            "log-loss",
            f"{held_out.log_loss:.3f} nats (without information: 0.693); {learned.log_loss:.3f} on the training comparisons",
        ),
        ("calibration error", f"{held_out.calibration_error:.3f}"),
    )
    return [f"{name:22}{value}" for name, value in rows]


def _calibration(figures: PreferenceFigures) -> list[str]:
    rows = [f"{bin.low:.2f} to {bin.high:.2f}  {bin.n:7,}  {bin.confidence:9.1%}  {bin.accuracy:5.1%}" for bin in figures.bins]
    return ["confidence      pairs  predicted  right", *rows]


def _accuracy(figures: PreferenceFigures) -> str:
    accuracy = figures.accuracy
    return "-" if accuracy is None else f"{accuracy.mean:.1%} [{accuracy.low:.1%}, {accuracy.high:.1%}]"
