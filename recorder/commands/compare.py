"""`webgpt compare`: people say which of two answers is better, or rank several, and what they do is kept."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from browser_env.errors import UsageError
from browser_env.records import Episode
from recorder.comparisons.events import Begin, Task
from recorder.comparisons.pairs import FULL_SHARE, MAX_RANKED, draw_pairs, draw_rankings
from recorder.comparisons.rating import Rating
from recorder.data.recorded import records
from recorder.queue.queue import Job, Queue


@dataclass(frozen=True, slots=True, kw_only=True)
class Compare:
    """Compare answers in this terminal, with keys or the mouse: rate pairs, or rank several (paper, Appendix C.2).

    Answers are those of `webgpt sample`, `webgpt ask --save` and `webgpt record`. Pairs are drawn by seed, their sides are
    swapped at random, and where an answer comes from is not shown. Whatever is done is on the disk before the screen shows it.
    Close the terminal at any time: the same command goes on exactly there. Several annotators can work on one folder; nobody
    gets the same pair, but for those of --common. F1 lists the keys; docs/comparing.md is the manual.

    Exit codes: 0 done or left, 1 failure, 2 usage.
    """

    answers: Annotated[tuple[Path, ...], Positional, arg(metavar="ANSWERS...")]
    """Files of episodes, or folders of demonstrations; of one question, all answers in all of them can be compared."""
    out: Annotated[Path, arg(metavar="DIR")]
    """Folder of what is recorded; made if there is none."""
    annotator: Annotated[str, arg(metavar="NAME")]
    """Who compares; several can share the folder."""
    rank: Annotated[int | None, arg(metavar="K")] = None
    """Rank so many answers, 2 to 9, of each question that has them. None: rate pairs."""
    per_question: Annotated[int, arg(metavar="N")] = 1
    """Most pairs for a question."""
    full_share: float = FULL_SHARE
    """Of tasks, those with the full form: trust, claims and all ratings. The others need the final rating alone."""
    seed: int = 0
    """Of the pairs, their sides and their order; the same for all annotators of a folder."""
    common: Annotated[int, arg(metavar="N")] = 0
    """So many tasks, the first ones, are given to every annotator (`webgpt data agreement`); all others to one each."""
    theme: Literal["dark", "light"] = "dark"
    """Colours to begin with; F3 changes them."""

    def run(self) -> int:
        """Compare until the queue is empty or the annotator leaves; what is done is summed up on stderr."""
        try:
            from recorder.compare_app import CompareApp
        except ImportError as error:
            raise UsageError("webgpt compare needs textual: pip install 'open-webgpt[recorder]'") from error
        from recorder.screens.summary import summary_line

        self._check()
        tasks = {task.id: task for task in self._draw(records(self.answers, Episode))}
        if not tasks:
            wanted = "two different answers" if self.rank is None else f"{self.rank} different answers"
            raise UsageError(f"no question has {wanted} in {', '.join(map(str, self.answers))}")
        queue = Queue(self.out, list(tasks), self.annotator, seed=self.seed, common=list(tasks)[: self.common])
        if not (sys.stdin.isatty() and sys.stderr.isatty()):  # Textual draws on stderr
            raise UsageError("webgpt compare is a program for a terminal, and this is none")

        def open_rating(job: Job) -> Rating:
            return Rating(job.folder, Begin(task=tasks[job.item], annotator=self.annotator))

        app = CompareApp(queue, open_rating, theme=f"textual-{self.theme}")
        app.run()
        if app.error is not None:
            raise app.error
        print(summary_line(queue.progress()), file=sys.stderr)
        return app.return_code or 0

    def _check(self) -> None:
        for name, value, least, most in (
            ("rank", self.rank, 2, MAX_RANKED),
            ("per-question", self.per_question, 1, None),
            ("full-share", self.full_share, 0, 1),
            ("common", self.common, 0, None),
        ):
            if value is not None and (value < least or (most is not None and value > most)):
                limits = f"at least {least}" if most is None else f"from {least} to {most}"
                raise UsageError(f"--{name} must be {limits}, got {value}")

    def _draw(self, episodes: Sequence[Episode]) -> list[Task]:
        if self.rank is not None:
            return list(draw_rankings(episodes, self.seed, self.rank, full_share=self.full_share))
        return list(draw_pairs(episodes, self.seed, per_question=self.per_question, full_share=self.full_share))
