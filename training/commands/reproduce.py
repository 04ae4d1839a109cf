"""`webgpt reproduce`: the whole of WebGPT in order, with a report."""

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from rich.console import Console
from tyro.conf import arg

from agent.models.shipped import SMALL
from browser_env.command_line.open_web import open_web
from training.commands.training_progress import kept, prepare


@dataclass(frozen=True, slots=True, kw_only=True)
class Reproduce:
    """Run the whole of WebGPT on this machine and report what each step gained.

    Demonstrations by a scripted person, a policy cloned from them, its answers compared by a scripted labeler, a reward model
    and a second one to validate it, PPO, best-of-n, and everything measured on modules that no training has seen. The report
    is DIR/report.md, with its plots beside it. Stages that are done with the same inputs are not done again; stopped or killed,
    the same command goes on where it was.

    Exit codes: 0 done, 1 failure, 2 usage, 130 interrupted.
    """

    out: Annotated[Path, arg(metavar="DIR")]
    """Folder of the stages and the report; made if there is none."""
    base: Annotated[str, arg(metavar="PATH_OR_ID")] = SMALL
    """The language model that everything begins with: small (it ships), a folder (`webgpt train base`), or a name on the
    Hugging Face hub."""
    scale: Literal["smoke", "default"] = "default"
    """smoke: a few questions of everything, to see that it runs. default: enough to measure, on two cores an hour and a
    half or more."""
    collection: Annotated[Path | None, arg(metavar="FILE")] = None
    """Documentation that `webgpt index pydoc` wrote. None: that of this Python, which is indexed on first use."""
    seed: int = 0
    """Of everything that is drawn."""
    threads: int = 1
    """Of torch. With other jobs running, one is faster than two."""

    def run(self) -> int:
        """Run what is missing, with a line for each thing that happens on stderr; the report's path on stdout."""
        prepare(self.threads)
        from training.reproduction.report import write_report
        from training.reproduction.reproduce import SCALES, ReproduceConfig, Reproduction

        talk, began = Console(stderr=True, highlight=False), time.monotonic()

        def say(line: str) -> None:
            talk.print(f"{(time.monotonic() - began) / 60:6.1f} min  {line}", soft_wrap=True, markup=False)

        config = ReproduceConfig(base=self.base, amounts=SCALES[self.scale], seed=self.seed)
        with kept(self.out), open_web(self.collection) as web:
            Reproduction(config, web, self.out, say=say).run()
            report = write_report(self.out)
        print(report)
        print(f"Episodes to look at: webgpt view {self.out / 'tested' / 'cloned.jsonl'}", file=sys.stderr)
        return 0
