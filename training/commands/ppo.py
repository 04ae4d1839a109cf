"""`webgpt train ppo`: reinforcement learning of a policy from a reward model."""

import sys
from collections.abc import Iterator
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
    from training.ppo.trainer import PPO, PPOCallbacks, Result


@dataclass(frozen=True, slots=True, kw_only=True)
class ReinforcementLearning:
    """Improve a cloned policy by PPO: run episodes, score their answers, and make high-scoring behavior likelier (paper, 3.2).

    The policy is saved in the folder --out; use it as --policy hf:DIR. Each iteration appends its figures to
    DIR/run/metrics.jsonl and an episode to DIR/run/examples.jsonl (webgpt view shows episodes). After an interrupt, the same
    command continues from the last checkpoint and ends with the same weights.

    Signs of health: the score rises while the KL divergence from the cloned policy stays within its budget, and 1-2 % of tokens
    are clipped. More clipping: lower --learning-rate. Entropy near 0 and answers that all read alike: the policy has collapsed.
    A rising score with worse examples: the reward model is being exploited, so stop earlier.

    On several GPUs or processes, with the same steps: torchrun --nproc_per_node N -m agent.cli train ppo ...

    Exit codes: 0 done, 1 failure, 2 usage error, 130 interrupted.
    """

    policy: Annotated[str, arg(metavar="PATH_OR_ID")]
    """Cloned policy to start from, which the KL penalty refers to: learned (ships with the package), a folder
    (`webgpt train bc`) or a hub name."""
    reward_model: Annotated[str, arg(metavar="DIR")]
    """Reward model that scores answers and initializes the value network, trained from the same policy (`webgpt train rm`)."""
    questions: Annotated[str, arg(metavar="SET")]
    """Question set: pydoc:rl, a file of questions, or any other set that `webgpt questions` accepts."""
    out: Annotated[Path, arg(metavar="DIR")]
    """Folder of the new policy; created if it does not exist."""
    limit: Annotated[int | None, arg(metavar="N")] = None
    """Number of questions to sample from the set. Default: all questions."""
    collection: Annotated[Path | None, arg(metavar="FILE")] = None
    """Offline web to browse, made by `webgpt index`. Default: the documentation of this Python, indexed on first use."""
    zero_value: bool = False
    """Start the value network at 0 instead of the reward model's scores; use it with --group-size above 1."""
    bfloat16: bool = False
    """Train in mixed precision; faster on GPUs and on CPUs with AMX."""
    weights: Literal["bfloat16", "float32"] = "bfloat16"
    """Data type of the saved weights."""
    threads: int = 1
    """Number of CPU threads for torch in each process. Leave it at 1 if other jobs are running."""
    config: Annotated[PPOConfig, arg(name="")] = field(default_factory=PPOConfig)
    """Settings of PPO."""

    def run(self) -> int:
        """Train, with a line for each iteration on stderr; print the first and the last figures to stdout."""
        prepare(self.threads)
        from training.ppo.log import read_metrics
        from training.ppo.processes import make_accelerator
        from training.ppo.train import train_ppo
        from training.runs import RUN

        if self.limit is not None and self.limit < 1:
            raise UsageError(f"--limit must be at least 1, got {self.limit}")
        questions = list(load_questions(self.questions, open_docs=lambda: open_web(self.collection)))
        accelerator = make_accelerator(bfloat16=self.bfloat16)
        with open_web(self.collection) as web, _progress(self.config, accelerator.is_main_process) as callbacks:
            try:
                result = train_ppo(
                    self.out,
                    policy=self.policy.removeprefix("hf:"),
                    reward_model=self.reward_model,
                    backend=web,
                    questions=choose(questions, self.limit, self.config.seed),
                    questions_name=self.questions,
                    config=self.config,
                    zero_value=self.zero_value,
                    weights=self.weights,
                    accelerator=accelerator,
                    callbacks=callbacks,
                )
            except KeyboardInterrupt:
                raise KeyboardInterrupt(f"the same command continues from the last checkpoint in {self.out / RUN}") from None
        if accelerator.is_main_process:
            print(summary(read_metrics(self.out / RUN), result))
            print(f"Written to {self.out}; use it as --policy hf:{self.out}", file=sys.stderr)
        accelerator.end_training()
        return 0


def summary(metrics: "list[IterationMetrics]", result: "Result") -> str:
    """A table of the first and the last figures of a run, and the reason why it stopped."""
    first, last = metrics[0], metrics[-1]
    rows = [("", "first", "last"), ("score", f"{first.score:+.3f}", f"{last.score:+.3f}")]
    if first.gold_score is not None and last.gold_score is not None:
        rows.append(("gold score", f"{first.gold_score:+.3f}", f"{last.gold_score:+.3f}"))
    rows += [
        ("KL of an episode", f"{first.kl:.2f}", f"{last.kl:.2f}"),
        ("entropy of a token", f"{first.entropy:.3f}", f"{last.entropy:.3f}"),
        ("explained variance", f"{first.explained_variance:+.2f}", f"{last.explained_variance:+.2f}"),
        ("answered", f"{first.answered:.0%}", f"{last.answered:.0%}"),
        ("commands", f"{first.commands:.1f}", f"{last.commands:.1f}"),
        ("invalid commands", f"{first.invalid_commands:.0%}", f"{last.invalid_commands:.0%}"),
    ]
    reason = "the KL budget is used up" if result.stopped_by == "kl_budget" else "all iterations are done"
    table = [f"{name:20}{early:>10}{late:>10}" for name, early, late in rows]
    return "\n".join([*table, "", f"Stopped after {result.iterations} iterations: {reason}."])


@contextmanager
def _progress(config: PPOConfig, is_main: bool) -> "Iterator[PPOCallbacks]":
    """Callbacks that show a bar over the episodes of an iteration, in a terminal, and a line for each iteration on stderr."""
    from training.ppo.log import EXAMPLES_FILE, METRICS_FILE, has_tensorboard
    from training.ppo.trainer import PPOCallbacks

    console = Console(stderr=True, highlight=False, quiet=not is_main)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not (is_main and console.is_terminal)) as bar:
        task = bar.add_task("browsing", total=None)

        def say(line: str) -> None:
            console.print(line, soft_wrap=True, markup=False)

        def on_begin(run: "PPO") -> None:
            bar.update(task, total=-(-config.episodes // run.accelerator.num_processes))
            if run.progress.iteration:
                say(f"Continuing after iteration {run.progress.iteration}.")
            hint = "" if has_tensorboard() else "; for TensorBoard files: pip install tensorboard"
            say(f"Figures and examples: {run.out}, {METRICS_FILE} and {EXAMPLES_FILE}{hint}.")

        def on_iteration(metrics: "IterationMetrics", example: Episode) -> None:
            bar.reset(task, description="browsing")
            say(metrics.line())

        def on_episode(episode: Episode) -> None:
            bar.advance(task)
            if bar.tasks[0].finished:
                bar.update(task, description="answering and learning")

        yield PPOCallbacks(on_begin=on_begin, on_iteration=on_iteration, on_episode=on_episode)
