"""`webgpt train rm`: a reward model from comparisons."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from training.commands.training_progress import kept, prepare, training_progress
from training.reward_model.measures import PreferenceFigures
from training.reward_model.train import RewardModelConfig, RewardModelReport, train_reward_model


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardModel:
    """Train a reward model: a cloned policy learns which of two answers people prefer (paper, 3.2).

    The model goes to the folder --out and is used as --reward-model DIR (best-of-n, PPO); how it was made and its figures are
    in DIR/run. Stopped or killed, the same command goes on where it was and ends with the same weights.

    Comparisons are this project's own files (`webgpt compare`), those of openai/webgpt_comparisons, or preferences in TRL's
    format (prompt, chosen, rejected). A tie is learned as a preference of one half. With --part 1/2 and 2/2 two models learn
    from different questions: one to choose by, one to validate it with.

    Exit codes: 0 done, 1 failure, 2 usage, 130 interrupted.
    """

    out: Annotated[Path, arg(metavar="DIR")]
    """Folder of the model; made if there is none."""
    config: Annotated[RewardModelConfig, arg(name="")]
    """What is learned, and how."""
    threads: int = 1
    """Of torch. With other jobs running, one is faster than two."""

    def run(self) -> int:
        """Train, with a bar on stderr; the figures on stdout."""
        prepare(self.threads)
        with kept(self.out), training_progress() as (on_progress, _):
            report = train_reward_model(self.config, self.out, on_progress=on_progress)
        print(summary(report))
        print(f"Written to {self.out}; use it as --reward-model {self.out}", file=sys.stderr)
        return 0


def summary(report: RewardModelReport) -> str:
    """The figures of a training as text."""
    held_out, learned = report.figures, report.training_figures
    rows = [
        ("comparisons learned", f"{report.groups:,} ({report.ties:,} ties; {report.tokens:,} tokens; {report.steps:,} steps)"),
        ("comparisons held out", f"{held_out.groups:,} ({held_out.pairs:,} pairs, {held_out.ties:,} of them ties)"),
        ("accuracy", f"{_accuracy(held_out)} without ties; {_accuracy(learned)} on what was learned"),
        (
            "labelers agree",
            "-" if held_out.agreement is None else f"{held_out.agreement:.1%} of {held_out.repeated:,} repeated",
        ),
        ("log-loss", f"{held_out.log_loss:.3f} nats (knowing nothing is 0.693); {learned.log_loss:.3f} on what was learned"),
        ("calibration error", f"{held_out.calibration_error:.3f}"),
    ]
    lines = [f"{name:22}{value}" for name, value in rows]
    lines += ["", "confidence      pairs  predicted  right"]
    lines += [
        f"{one.low:.2f} to {one.high:.2f}  {one.n:7,}  {one.confidence:9.1%}  {one.accuracy:5.1%}" for one in held_out.bins
    ]
    if report.curve:
        lines += ["", "comparisons  accuracy                  log-loss"]
        lines += [f"{one.groups:11,}  {_accuracy(one.figures):24}  {one.figures.log_loss:.3f}" for one in report.curve]
    return "\n".join(lines)


def _accuracy(figures: PreferenceFigures) -> str:
    found = figures.accuracy
    return "-" if found is None else f"{found.mean:.1%} [{found.low:.1%}, {found.high:.1%}]"
