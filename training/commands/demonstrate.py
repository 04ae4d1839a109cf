"""`webgpt demonstrate`: demonstrations by a script that knows the gold evidence."""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from agent.commands.options import check_token_counter
from agent.question_sets.registry import load_questions
from agent.question_sets.selection import choose
from browser_env.command_line.open_web import open_web
from browser_env.command_line.progress import counting
from browser_env.errors import UsageError
from browser_env.records import Question, Settings
from training.base_model.config import SMALL_VIEW
from training.scripted_people.demonstrations import add_demonstrations
from training.scripted_people.demonstrator import NAME, NOISE, can_demonstrate


@dataclass(frozen=True, slots=True, kw_only=True)
class Demonstrate:
    """Demonstrate answers to questions with a script that knows the gold evidence, instead of people (`webgpt record`).

    Only questions with gold evidence can be demonstrated: those of pydoc, and of files that include it. The script browses as a
    person would, with detours; failed demonstrations are left out. The records have the actor `script`. If the command is
    stopped or killed, run it again to continue; a larger --num or --limit adds demonstrations to the file.

    Exit codes: 0 done, 1 failure, 2 usage error, 130 interrupted.
    """

    questions: Annotated[str, arg(metavar="SET")]
    """Questions to demonstrate: pydoc:bc, a file of questions, or any other set of `webgpt questions`."""
    out: Annotated[Path, arg(metavar="FILE")]
    """Output file of episodes, as JSON Lines."""
    num: Annotated[int, arg(metavar="N")] = 1
    """Number of demonstrations of each question, each with other detours."""
    noise: float = NOISE
    """Probability of detours, from 0 (the shortest demonstrations) to 1."""
    limit: Annotated[int | None, arg(metavar="N")] = None
    """Size of a random sample of the questions. Default: all questions."""
    seed: int = 0
    """Random seed of the sample of questions and of the detours."""
    collection: Annotated[Path | None, arg(metavar="FILE")] = None
    """Offline web to browse, made by `webgpt index`. Default: the documentation of this Python, indexed on first
    use."""
    settings: Annotated[Settings, arg(name="")] = field(default_factory=lambda: SMALL_VIEW)
    """Format and budgets of the episodes. The defaults are those of the small base model."""

    def run(self) -> int:
        """Add the missing demonstrations to the file and print its path."""
        chosen = self._chosen()
        with open_web(self.collection) as web, counting(NAME, len(chosen) * self.num) as advance:
            number = add_demonstrations(
                self.out,
                web,
                chosen,
                self.settings,
                noise=self.noise,
                seeds=range(self.seed, self.seed + self.num),
                on_done=advance,
            )
        print(self.out)
        print(f"{number:,} demonstrations of {len(chosen):,} questions; failed ones were left out", file=sys.stderr)
        return 0

    def _chosen(self) -> list[Question]:
        check_token_counter(self.settings.token_counter)
        if self.num < 1:
            raise UsageError(f"--num must be at least 1, got {self.num}")
        if not 0 <= self.noise <= 1:
            raise UsageError(f"--noise must be between 0 and 1, got {self.noise:g}")
        available = list(load_questions(self.questions, open_docs=lambda: open_web(self.collection)))
        chosen = [question for question in choose(available, self.limit, self.seed) if can_demonstrate(question)]
        if not chosen:
            raise UsageError(f"{self.questions} has no questions with gold evidence; pass pydoc:bc or a file that includes it")
        return chosen
