"""`webgpt sample`: sample episodes of a policy into a file."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from agent.commands.options import POLICY_HELP, EpisodeOptions, PolicyOptions, check_at_least, settings_as_json
from agent.question_sets.registry import load_questions
from agent.question_sets.selection import choose, digest
from agent.rollouts.sampling import Samples
from browser_env.command_line.open_web import open_web
from browser_env.command_line.progress import counting
from browser_env.command_line.web_options import WebOptions
from browser_env.records import Question, Settings
from browser_env.records.files import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Sample episodes of a policy on a question set: answers to compare, and episodes to train on.

    Each episode is appended to --out as soon as it ends; the options are saved beside it, as FILE.config.json. If the command
    is stopped or killed, run it again to continue. A larger --num, --limit or --answers-only adds episodes to the file.
    Further answers (--answers-only) are episodes of one step, with the id of the browsing episode and a number.

    Exit codes: 0 done, 1 failure, 2 usage, 130 interrupted.
    """

    questions: Annotated[str, arg(metavar="SET")]
    """Question set: a file, pydoc:rm, or another name that `webgpt questions --help` lists."""
    out: Annotated[Path, arg(metavar="FILE")]
    """JSON Lines file of the episodes."""
    policy: Annotated[str, arg(metavar="POLICY", help=POLICY_HELP)] = "default"
    num: Annotated[int, arg(metavar="N")] = 1
    """Number of episodes per question, each with a different seed."""
    answers_only: Annotated[int, arg(metavar="N")] = 0
    """Number of further answers per episode from the same references, without browsing again (15 in the paper)."""
    limit: Annotated[int | None, arg(metavar="N")] = None
    """Number of questions, drawn at random. Default: all."""
    seed: int = 0
    """Random seed of the draw of questions and of the policy."""
    batch_size: int = 16
    """Number of episodes that run at the same time; affects speed and memory, not results."""
    policy_options: Annotated[PolicyOptions, arg(name="")] = field(default_factory=PolicyOptions)
    """Options of the policy."""
    web: Annotated[WebOptions, arg(name="")] = field(default_factory=WebOptions)
    """Options of the web to browse."""
    settings: Annotated[EpisodeOptions, arg(name="")] = field(default_factory=EpisodeOptions)
    """Format and budgets of the episodes."""

    def run(self) -> int:
        """Sample the missing episodes; prints the file's path."""
        check_at_least("--limit", self.limit, 1)
        check_at_least("--num", self.num, 1)
        check_at_least("--answers-only", self.answers_only, 0)
        check_at_least("--batch-size", self.batch_size, 1)
        policy = self.policy_options.make(self.policy)
        settings = self.settings.for_policy(policy)
        answering = self.policy_options.answering()
        questions = list(load_questions(self.questions, open_docs=lambda: open_web(self.web.collection)))
        chosen = choose(questions, self.limit, self.seed)
        best_of = self.policy_options.best_of
        with self.web.open() as web:
            samples = Samples(self.out, policy, web, settings, self.seed)
            samples.begin(self._config(questions, policy.name, web.name, settings))
            try:
                samples.run(chosen, self.num, self.answers_only, self.batch_size, best_of, answering, _progress)
            except KeyboardInterrupt:
                raise KeyboardInterrupt(f"finished episodes are in {self.out}; run the same command to continue") from None
        print(self.out)
        return 0

    def _config(self, questions: Sequence[Question], name: str, web: str, settings: Settings) -> Mapping[str, Json]:
        """The options that an episode depends on; a file can be continued only with the same ones."""
        return {
            "questions": self.questions,
            "questions_digest": digest(questions),
            "policy": self.policy,
            "policy_name": name,
            "free": self.policy_options.free,
            "temperature": self.policy_options.temperature,
            **self.policy_options.best_of_config(),
            "seed": self.seed,
            "backend": web,
            "settings": settings_as_json(settings),
        }


@contextmanager
def _progress(description: str, total: int, done: int) -> Iterator[Callable[[], None]]:
    """A progress bar on stderr, with a callback per finished episode, and one line at the end."""
    with counting(description, total) as advance:
        advance(done)
        yield lambda: advance(1)
    print(f"{description}: {total} episodes, {done} of them from before", file=sys.stderr)
