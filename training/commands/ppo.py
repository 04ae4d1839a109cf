"""`webgpt train ppo`: a policy that is better at what a reward model likes."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from tyro.conf import arg

from agent.question_sets.registry import load_questions
from agent.question_sets.selection import choose
from browser_env.command_line.open_web import open_web
from browser_env.errors import UsageError
from browser_env.records import Episode
from training.commands.training_progress import prepare
from training.ppo.config import PPOConfig

if TYPE_CHECKING:
    from training.ppo.metrics import IterationMetrics
    from training.ppo.trainer import PPO, Result


@dataclass(frozen=True, slots=True, kw_only=True)
class ReinforcementLearning:
    """Improve a cloned policy by PPO: browse, answer, and become likelier to do what the reward model liked (paper, 3.2).

    The policy goes to the folder --out and is used as --policy hf:DIR. Each iteration adds a line of figures to
    DIR/run/metrics.jsonl and an episode to DIR/run/examples.jsonl (webgpt view shows them). Stopped or killed, the same command
    goes on from the last checkpoint and ends with the same weights.

    What to look at: score rises while KL, the distance from the cloned policy over an episode, stays within its budget; 1-2 %
    of tokens are clipped (more: a smaller --learning-rate); entropy that falls to 0 and answers that all read alike are a
    collapse; a score that rises while people like the examples less is reward hacking: stop earlier.

    On several GPUs or processes, with the same steps: torchrun --nproc_per_node N -m agent.cli train ppo ...

    Exit codes: 0 done, 1 failure, 2 usage, 130 interrupted.
    """

    policy: Annotated[str, arg(metavar="PATH_OR_ID")]
    """The cloned policy that it begins as and is held near to: a folder (`webgpt train bc`), or a hub name."""
    reward_model: Annotated[str, arg(metavar="DIR")]
    """What scores answers (`webgpt train rm`), trained from this policy; the value network begins as it too."""
    questions: Annotated[str, arg(metavar="SET")]
    """What is asked: pydoc:rl, a file of questions, and what else `webgpt questions` takes."""
    out: Annotated[Path, arg(metavar="DIR")]
    """Folder of the new policy; made if there is none."""
    limit: Annotated[int | None, arg(metavar="N")] = None
    """Use a random sample of so many questions. None: all of them."""
    collection: Annotated[Path | None, arg(metavar="FILE")] = None
    """An offline web that `webgpt index` wrote. None: the documentation of this Python, which is indexed on first use."""
    zero_value: bool = False
    """Begin with values of 0 instead of the reward model's scores."""
    bfloat16: bool = False
    """Train in mixed precision: faster on GPUs and on CPUs with AMX."""
    weights: Literal["bfloat16", "float32"] = "bfloat16"
    """Of the model on disk."""
    threads: int = 1
    """Of torch in each process. With other jobs running, one is faster than two."""
    config: Annotated[PPOConfig, arg(name="")] = field(default_factory=PPOConfig)
    """How it is trained."""

    def run(self) -> int:
        """Train, with a line for each iteration on stderr; the first and the last figures on stdout."""
        prepare(self.threads)
        from training.ppo.log import read_metrics
        from training.ppo.train import RUN, train_ppo
        from training.ppo.trainer import make_accelerator

        if self.limit is not None and self.limit < 1:
            raise UsageError(f"--limit must be at least 1, got {self.limit}")
        everything = list(load_questions(self.questions, open_docs=lambda: open_web(self.collection)))
        asked = choose(everything, self.limit, self.config.seed)
        accelerator = make_accelerator(bfloat16=self.bfloat16)
        with open_web(self.collection) as web, _progress(self.config, accelerator.is_main_process) as shown:
            try:
                result = train_ppo(
                    self.out,
                    policy=self.policy.removeprefix("hf:"),
                    reward_model=self.reward_model,
                    backend=web,
                    questions=asked,
                    questions_name=self.questions,
                    config=self.config,
                    zero_value=self.zero_value,
                    weights=self.weights,
                    accelerator=accelerator,
                    on_begin=shown.begin,
                    on_iteration=shown.iteration,
                    on_progress=shown.episodes,
                )
            except KeyboardInterrupt:
                raise KeyboardInterrupt(f"the same command goes on from the last checkpoint in {self.out / RUN}") from None
        if accelerator.is_main_process:
            print(summary(read_metrics(self.out / RUN), result))
            print(f"Written to {self.out}; use it as --policy hf:{self.out}", file=sys.stderr)
        accelerator.end_training()
        return 0


def summary(metrics: "list[IterationMetrics]", result: "Result") -> str:
    """The first and the last figures of a run as text."""
    first, last = metrics[0], metrics[-1]
    rows: list[tuple[str, str, str]] = [
        ("", "first", "last"),
        ("score", f"{first.score:+.3f}", f"{last.score:+.3f}"),
        *([("gold score", f"{first.gold_score:+.3f}", f"{last.gold_score:+.3f}")] if _both_gold(first, last) else []),
        ("KL of an episode", f"{first.kl:.2f}", f"{last.kl:.2f}"),
        ("entropy of a token", f"{first.entropy:.3f}", f"{last.entropy:.3f}"),
        ("explained variance", f"{first.explained_variance:+.2f}", f"{last.explained_variance:+.2f}"),
        ("answered", f"{first.answered:.0%}", f"{last.answered:.0%}"),
        ("commands", f"{first.commands:.1f}", f"{last.commands:.1f}"),
        ("invalid commands", f"{first.invalid_commands:.0%}", f"{last.invalid_commands:.0%}"),
    ]
    why = "the KL budget is used up" if result.stopped_by == "kl_budget" else "all iterations are done"
    lines = [f"{name:20}{one:>10}{other:>10}" for name, one, other in rows]
    return "\n".join([*lines, "", f"Stopped after {result.iterations} iterations: {why}."])


def _both_gold(first: "IterationMetrics", last: "IterationMetrics") -> bool:
    return first.gold_score is not None and last.gold_score is not None


@dataclass(frozen=True, slots=True)
class _Shown:
    """What is told of a run while it goes on."""

    begin: "Callable[[PPO], None]"
    iteration: "Callable[[IterationMetrics, Episode], None]"
    episodes: Callable[[int], None]


@contextmanager
def _progress(config: PPOConfig, is_main: bool) -> Iterator[_Shown]:
    """A bar over the episodes of an iteration on stderr in a terminal, and a line for each iteration."""
    from training.ppo.log import EXAMPLES_FILE, METRICS_FILE, has_tensorboard

    console = Console(stderr=True, highlight=False, quiet=not is_main)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not (is_main and console.is_terminal)) as bar:
        task = bar.add_task("browsing", total=None)

        def begin(run: "PPO") -> None:
            share = -(-config.episodes // run.accelerator.num_processes)
            bar.update(task, total=share)
            if run.progress.iteration:
                console.print(f"Going on after iteration {run.progress.iteration}.", soft_wrap=True, markup=False)
            files = f"{METRICS_FILE} and {EXAMPLES_FILE}"
            where = f"{files}; for TensorBoard's files: pip install tensorboard" if not has_tensorboard() else files
            console.print(f"Figures and examples: {run.out}, {where}.", soft_wrap=True, markup=False)

        def iteration(metrics: "IterationMetrics", example: Episode) -> None:
            bar.reset(task, description="browsing")
            console.print(metrics.line(), soft_wrap=True, markup=False)

        def episodes(number: int) -> None:
            bar.advance(task, number)
            if bar.tasks[0].finished:
                bar.update(task, description="answering and learning")

        yield _Shown(begin, iteration, episodes)
