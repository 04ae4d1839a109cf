"""`webgpt demonstrate`: demonstrations by a script that knows where the answers stand."""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from agent.commands.options import EpisodeOptions
from agent.question_sets.registry import load_questions
from agent.question_sets.selection import choose
from agent.rollouts.rollout import episode_id
from browser_env.command_line.open_web import open_web
from browser_env.command_line.progress import counting
from browser_env.errors import UsageError
from browser_env.records import Episode
from browser_env.records.storage import append_record, drop_torn_line, read_records
from training.base_model.config import SMALL_VIEW
from training.scripted_people.demonstrator import NAME, NOISE, can_demonstrate, demonstrations


@dataclass(frozen=True, slots=True, kw_only=True)
class Demonstrate:
    """Demonstrate how questions are answered, by a script that knows the evidence: what webgpt record makes, without people.

    Only questions with gold evidence can be demonstrated (pydoc, and files that have some). The script browses as a person
    would, with detours; demonstrations that go wrong are left out. Records say `script`. Stopped or killed, the same command
    goes on where it was, and a larger --num or --limit adds to what is there.

    Exit codes: 0 done, 1 failure, 2 usage, 130 interrupted.
    """

    questions: Annotated[str, arg(metavar="SET")]
    """What is demonstrated: pydoc:bc, a file of questions, and what else `webgpt questions` takes."""
    out: Annotated[Path, arg(metavar="FILE")]
    """The episodes, as JSON Lines."""
    num: Annotated[int, arg(metavar="N")] = 1
    """Demonstrations of each question, with different detours."""
    noise: float = NOISE
    """Share of the occasions for a detour that are taken: 0 the shortest way, 1 all of them."""
    limit: Annotated[int | None, arg(metavar="N")] = None
    """Demonstrate a random sample of so many questions. None: all of them."""
    seed: int = 0
    """Of the sample of questions and of the detours."""
    collection: Annotated[Path | None, arg(metavar="FILE")] = None
    """An offline web that `webgpt index` wrote. None: the documentation of this Python, which is indexed on first use."""
    settings: Annotated[EpisodeOptions, arg(name="")] = field(default_factory=EpisodeOptions)
    """What is seen. What is not given is what the small base model reads: 12 lines, 30 commands."""

    def run(self) -> int:
        """Demonstrate what is missing; the file's path goes to stdout."""
        if self.num < 1:
            raise UsageError(f"--num must be at least 1, got {self.num}")
        if not 0 <= self.noise <= 1:
            raise UsageError(f"--noise must be between 0 and 1, got {self.noise:g}")
        asked = list(load_questions(self.questions, open_docs=lambda: open_web(self.collection)))
        chosen = [question for question in choose(asked, self.limit, self.seed) if can_demonstrate(question)]
        if not chosen:
            raise UsageError(f"{self.questions} has no questions with gold evidence, and the script knows nothing else")
        drop_torn_line(self.out)
        done = {episode.id for episode in read_records(self.out, Episode)} if self.out.exists() else set()
        settings = self.settings.override(SMALL_VIEW)
        seeds = range(self.seed, self.seed + self.num)
        with open_web(self.collection) as web, counting(NAME, len(chosen) * self.num) as advance:
            for seed in seeds:
                missing = [question for question in chosen if episode_id(question, NAME, seed) not in done]
                advance(len(chosen) - len(missing))
                for episode in demonstrations(web, missing, settings, noise=self.noise, seed=seed):
                    append_record(self.out, episode)
                    advance(1)
        number = sum(1 for _ in read_records(self.out, Episode))
        print(self.out)
        print(f"{number:,} demonstrations of {len(chosen):,} questions; what went wrong was left out", file=sys.stderr)
        return 0
