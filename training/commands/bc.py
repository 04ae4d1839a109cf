"""`webgpt train bc`: train a policy from demonstrations."""

import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from browser_env.command_line.open_web import open_web
from training.behavior_cloning.config import CloningConfig
from training.behavior_cloning.report import CloningEvaluation, CloningReport
from training.behavior_cloning.train import clone
from training.commands.training_progress import prepare, resumable, training_progress


@dataclass(frozen=True, slots=True, kw_only=True)
class BehaviorCloning:
    """Train a policy by behavior cloning: a language model learns the commands and answers of demonstrations (paper, 3.2).

    The policy is saved in the folder --out; use it as --policy hf:DIR. Its configuration and figures are in DIR/run. A training
    that was stopped or killed resumes with the same command and ends with the same weights.

    Demonstrations are files of episodes: people's (`webgpt record`), scripted ones (`webgpt demonstrate`), or a policy's
    own ones (`webgpt sample`). A few percent of the questions are held out; every --eval-every steps the averaged weights
    answer some of these on the web, and the best average is saved. For a model from the Hugging Face hub use a GPU, the
    largest --micro-batch-size that fits in memory, and --lora-rank 16 or a --learning-rate of about 1e-5.

    Exit codes: 0 done, 1 failure, 2 usage error, 130 interrupted.
    """

    out: Annotated[Path, arg(metavar="DIR")]
    """Folder for the policy; created if it does not exist."""
    config: Annotated[CloningConfig, arg(name="")]
    """Configuration of the training."""
    collection: Annotated[Path | None, arg(metavar="FILE")] = None
    """Web on which held-out questions are answered, made by `webgpt index`. Default: the documentation of this Python,
    indexed on first use."""
    threads: int = 1
    """Number of CPU threads for torch. Leave it at 1 if other jobs are running."""

    def run(self) -> int:
        """Train, with a progress bar and a line for each evaluation on stderr, and print the figures to stdout."""
        prepare(self.threads)
        with resumable(self.out), training_progress() as (on_progress, print_line):

            def on_evaluation(evaluation: CloningEvaluation) -> None:
                score, loss = _number(evaluation.score), _number(evaluation.held_out_loss)
                print_line(f"step {evaluation.step:,}: score {score}, held-out loss {loss}")

            on_step = partial(on_progress, "cloning")
            if self.config.eval_questions:
                with open_web(self.collection) as web:
                    report = clone(self.config, self.out, backend=web, on_progress=on_step, on_evaluation=on_evaluation)
            else:
                report = clone(self.config, self.out, on_progress=on_step)
        print(summary(report))
        print(f"Written to {self.out}; use it as --policy hf:{self.out}", file=sys.stderr)
        return 0


def summary(report: CloningReport) -> str:
    """The figures of a training, one per line."""
    best = "" if report.best_step is None else f", the best average at {report.best_step:,}"
    rows = (
        ("steps learned", f"{report.rows:,} ({report.tokens:,} tokens, {report.action_tokens:,} of actions)"),
        ("steps held out", f"{report.held_out_rows:,}"),
        ("optimizer steps", f"{report.steps:,}{best}"),
        ("training loss", f"{_number(report.losses[-1][1] if report.losses else None)} nats a token"),
        ("held-out loss", f"{_number(report.held_out_loss)} nats a token"),
        ("score of rollouts", _number(report.score)),
    )
    return "\n".join(f"{name:18}{value}" for name, value in rows)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
