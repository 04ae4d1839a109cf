"""`webgpt compare`: record comparisons of answers by people."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from browser_env.errors import UsageError
from browser_env.records import Episode
from recorder.commands.annotation import check_terminal, run_app, textual_required
from recorder.comparisons.events import Begin, Task
from recorder.comparisons.pairs import FULL_SHARE, MAX_RANKED, draw_pairs, draw_rankings
from recorder.comparisons.rating import Rating
from recorder.data.recorded import records
from recorder.queue.queue import Job, Queue


@dataclass(frozen=True, slots=True, kw_only=True)
class Compare:
    """Compare answers in this terminal, with keys or the mouse: rate pairs or rank several (paper, Appendix C.2).

    Answers come from `webgpt sample`, `webgpt ask --save` and `webgpt record`; their origin is not shown. Pairs and their sides
    are random. Every step is saved before it is shown. Close the terminal at any time; the same command continues where you
    left off. Several annotators can share a folder and get different pairs, except for those of --common. Press F1 for the
    keys; docs/comparing.md is the manual.

    Exit codes: 0 finished or left, 1 failure, 2 usage error.
    """

    answers: Annotated[tuple[Path, ...], Positional, arg(metavar="ANSWERS...")]
    """Files of episodes or folders of demonstrations. Answers to one question are compared across all of them."""
    out: Annotated[Path, arg(metavar="DIR")]
    """Folder for the comparisons. Created if it does not exist."""
    annotator: Annotated[str, arg(metavar="NAME")]
    """Name of the annotator."""
    rank: Annotated[int | None, arg(metavar="K")] = None
    """Number of answers to rank for each question, from 2 to 9. Default: rate pairs."""
    per_question: Annotated[int, arg(metavar="N")] = 1
    """Maximum number of pairs per question. Not used with --rank."""
    full_share: float = FULL_SHARE
    """Share of tasks that need trust, claims and all ratings, from 0 to 1. The others need only the final rating or ranking."""
    seed: int = 0
    """Seed for the pairs and their order. Must be the same for all annotators of a folder."""
    common: Annotated[int, arg(metavar="N")] = 0
    """Number of tasks to give every annotator, to measure agreement (`webgpt data agreement`). The others are given once."""
    theme: Literal["dark", "light"] = "dark"
    """Initial colors. F3 switches them."""

    def run(self) -> int:
        """Compare until the queue is empty or the annotator leaves."""
        with textual_required("webgpt compare"):
            from recorder.compare_app import CompareApp

        self._check()
        tasks = {task.id: task for task in self._draw(records(self.answers, Episode))}
        if not tasks:
            needed = "two" if self.rank is None else f"{self.rank}"
            raise UsageError(f"no question has {needed} different answers in {', '.join(map(str, self.answers))}")
        queue = Queue(self.out, list(tasks), self.annotator, seed=self.seed, common=list(tasks)[: self.common])
        check_terminal("webgpt compare")

        def open_rating(job: Job) -> Rating:
            return Rating(job.folder, Begin(task=tasks[job.item], annotator=self.annotator))

        return run_app(CompareApp(queue, open_rating, theme=f"textual-{self.theme}"), queue)

    def _check(self) -> None:
        for name, value, low, high in (
            ("rank", self.rank, 2, MAX_RANKED),
            ("per-question", self.per_question, 1, None),
            ("full-share", self.full_share, 0, 1),
            ("common", self.common, 0, None),
        ):
            if value is not None and (value < low or (high is not None and value > high)):
                limits = f"at least {low}" if high is None else f"from {low} to {high}"
                raise UsageError(f"--{name} must be {limits}, got {value}")

    def _draw(self, episodes: Sequence[Episode]) -> list[Task]:
        if self.rank is not None:
            return list(draw_rankings(episodes, self.seed, self.rank, full_share=self.full_share))
        return list(draw_pairs(episodes, self.seed, per_question=self.per_question, full_share=self.full_share))
