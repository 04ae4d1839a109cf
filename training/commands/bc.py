"""`webgpt train bc`: a policy cloned from demonstrations."""

import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from browser_env.command_line.open_web import open_web
from training.behavior_cloning.train import CloningConfig, CloningEvaluation, CloningReport, clone
from training.commands.training_progress import kept, prepare, training_progress


@dataclass(frozen=True, slots=True, kw_only=True)
class BehaviorCloning:
    """Clone the behaviour of demonstrations into a language model: learn their commands and answers (paper, 3.2).

    The policy goes to the folder --out and is used as --policy hf:DIR; how it was made is in DIR/run. Stopped or killed, the
    same command goes on where it was and ends with the same weights.

    Demonstrations are files of episodes: people's (`webgpt record`), scripted ones, or a policy's own (`webgpt sample`). A few
    percent of their questions are not learned; every --eval-every steps the averaged weights answer some of these on the web,
    and the best average is the result. With a model of the Hugging Face hub: a GPU, --lora-rank 16 (or a learning rate about
    1e-5), --micro-batch-size as memory allows.

    Exit codes: 0 done, 1 failure, 2 usage, 130 interrupted.
    """

    out: Annotated[Path, arg(metavar="DIR")]
    """Folder of the policy; made if there is none."""
    config: Annotated[CloningConfig, arg(name="")]
    """What is learned, and how."""
    collection: Annotated[Path | None, arg(metavar="FILE")] = None
    """The web on which held-out questions are answered, as `webgpt index` wrote it. None: the documentation of this Python."""
    threads: int = 1
    """Of torch. With other jobs running, one is faster than two."""

    def run(self) -> int:
        """Train, with a bar and a line for each evaluation on stderr; the figures on stdout."""
        prepare(self.threads)
        with kept(self.out), training_progress() as (on_progress, say):

            def told(one: CloningEvaluation) -> None:
                say(f"step {one.step:,}: score {_number(one.score)}, held-out loss {_number(one.held_out_loss)}")

            step = partial(on_progress, "cloning")
            if self.config.eval_questions:
                with open_web(self.collection) as web:
                    report = clone(self.config, self.out, backend=web, on_progress=step, on_evaluation=told)
            else:
                report = clone(self.config, self.out, on_progress=step)
        print(summary(report))
        print(f"Written to {self.out}; use it as --policy hf:{self.out}", file=sys.stderr)
        return 0


def summary(report: CloningReport) -> str:
    """The figures of a training, one a line."""
    judged = report.best_step is not None
    rows = (
        ("steps learned", f"{report.rows:,} ({report.tokens:,} tokens, {report.action_tokens:,} of actions)"),
        ("steps held out", f"{report.held_out_rows:,}"),
        ("optimizer steps", f"{report.steps:,}{f', the best average at {report.best_step:,}' if judged else ''}"),
        ("training loss", f"{_number(report.losses[-1][1] if report.losses else None)} nats a token"),
        ("held-out loss", f"{_number(report.held_out_loss)} nats a token"),
        ("score of rollouts", _number(report.score)),
    )
    return "\n".join(f"{name:18}{value}" for name, value in rows)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
