"""`webgpt reproduce`: every step of WebGPT in order, with a report."""

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from rich.console import Console
from tyro.conf import arg

from agent.models.shipped import SMALL
from browser_env.command_line.open_web import open_web
from training.commands.training_progress import prepare, resumable


@dataclass(frozen=True, slots=True, kw_only=True)
class Reproduce:
    """Run every step of WebGPT on this machine and report what each step gains.

    A scripted person demonstrates, a policy is cloned from the demonstrations, and a scripted labeler compares its answers. A
    reward model and a second one to validate it are trained on the comparisons and used for PPO and best-of-n. Every policy is
    measured on modules that no training has seen. The report is DIR/report.md, with its plots beside it. If the command is
    stopped or killed, run it again to continue; finished stages are skipped.

    Exit codes: 0 done, 1 failure, 2 usage error, 130 interrupted.
    """

    out: Annotated[Path, arg(metavar="DIR")]
    """Output folder of the stages and the report, created if it does not exist."""
    base: Annotated[str, arg(metavar="PATH_OR_ID")] = SMALL
    """Base language model to clone the policy into: small (included), a folder (`webgpt train base`), or a name on the
    Hugging Face hub."""
    scale: Literal["smoke", "default"] = "default"
    """Number of questions, episodes and epochs. smoke: a few of each, to check that everything runs. default: enough for
    measurements; it takes about 100 minutes on two cores."""
    collection: Annotated[Path | None, arg(metavar="FILE")] = None
    """Documentation to browse, made by `webgpt index pydoc`. Default: that of this Python, indexed on first use."""
    seed: int = 0
    """Random seed of every stage."""
    threads: int = 1
    """Number of CPU threads for torch. Leave it at 1 if other jobs are running."""

    def run(self) -> int:
        """Run the missing stages, with progress on stderr, and print the path of the report."""
        prepare(self.threads)
        from training.reproduction.config import SCALES, ReproduceConfig
        from training.reproduction.report import write_report
        from training.reproduction.reproduce import Reproduction

        console, began = Console(stderr=True, highlight=False), time.monotonic()

        def log(line: str) -> None:
            console.print(f"{(time.monotonic() - began) / 60:6.1f} min  {line}", soft_wrap=True, markup=False)

        config = ReproduceConfig(base=self.base, amounts=SCALES[self.scale], seed=self.seed)
        with resumable(self.out), open_web(self.collection) as web:
            reproduction = Reproduction(config, web, self.out, log=log)
            reproduction.run()
            report = write_report(self.out)
        print(report)
        print(f"To view the episodes: webgpt view {reproduction.folders.benchmark}", file=sys.stderr)
        return 0
