"""`webgpt sample`: rollouts of a policy, as a file of episodes to compare or to train on."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from agent.commands.options import BestOf, Format
from agent.policies.registry import TEMPERATURE, make_policy
from agent.question_sets.registry import load_questions
from agent.question_sets.selection import choose, digest
from agent.rollouts.sampling import Samples
from browser_env.command_line.open_web import open_web
from browser_env.command_line.progress import counting
from browser_env.command_line.web_options import WebOptions
from browser_env.errors import UsageError
from browser_env.records import Question, Settings
from browser_env.records.files import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Sample episodes of a policy on a set of questions: answers to compare, episodes to train on.

    Episodes are added to --out as soon as they end; its configuration is beside it, in FILE.config.json. Stopped or killed, the
    same command goes on where it was, and a larger --num, --limit or --answers-only adds to what is there.

    Exit codes: 0 done, 1 failure, 2 usage, 130 interrupted.
    """

    questions: Annotated[str, arg(metavar="SET")]
    """What is asked: pydoc:rm, a file of questions, and what else `webgpt questions` takes."""
    out: Annotated[Path, arg(metavar="FILE")]
    """The episodes, as JSON Lines."""
    policy: str = "default"
    """Who answers: default, scripted, search-only, learned (the small model that ships), hf:PATH_OR_ID, openai:MODEL (chat) or
    served:PATH_OR_ID (the completions of a server with token ids, such as vLLM; always free)."""
    num: Annotated[int, arg(metavar="N")] = 1
    """Episodes of each question, with different seeds."""
    answers_only: Annotated[int, arg(metavar="N")] = 0
    """Further answers over the references of each finished browsing (the paper has 15). Each is an episode of one step, its id
    that of the browsing with a number behind it."""
    limit: Annotated[int | None, arg(metavar="N")] = None
    """Ask a random sample of so many questions. None: all of them."""
    seed: int = 0
    """Of the sample of questions and of the policy."""
    batch_size: int = 16
    """Episodes in flight; it changes the speed, not the episodes."""
    free: bool = False
    """Let hf:PATH_OR_ID or learned write anything, as the paper did, not just commands that can be carried out."""
    temperature: float = TEMPERATURE
    """Of policies that sample; 0 takes the likeliest, which is the same every time (paper, 3.2)."""
    base_url: Annotated[str | None, arg(metavar="URL")] = None
    """Server of openai:MODEL or served:PATH_OR_ID, with its /v1. None: OPENAI_BASE_URL, or else OpenAI's own for chat."""
    best_of: Annotated[BestOf, arg(name="")] = field(default_factory=BestOf)
    """Of several answers the best."""
    web: Annotated[WebOptions, arg(name="")] = field(default_factory=WebOptions)
    """Which web is browsed."""
    settings: Annotated[Format, arg(name="")] = field(default_factory=Format)
    """What the policy sees and how much it may do."""

    def run(self) -> int:
        """Sample what is missing; the file's path goes to stdout."""
        self._check()
        policy = make_policy(self.policy, temperature=self.temperature, base_url=self.base_url, free=self.free)
        settings = self.settings.of(policy)
        answering = self.best_of.load()
        asked = list(load_questions(self.questions, open_docs=lambda: open_web(self.web.collection)))
        chosen = choose(asked, self.limit, self.seed)
        with self.web.open() as web:
            samples = Samples(self.out, policy, web, settings, self.seed)
            samples.begin(self._config(asked, policy.name, web.name, settings))
            try:
                samples.run(chosen, self.num, self.answers_only, self.batch_size, self.best_of.best_of, answering, _progress)
            except KeyboardInterrupt:
                raise KeyboardInterrupt(
                    f"what was finished is in {self.out}, and the same command goes on from there"
                ) from None
        print(self.out)
        return 0

    def _check(self) -> None:
        for name, value, least in (
            ("limit", self.limit, 1),
            ("num", self.num, 1),
            ("answers-only", self.answers_only, 0),
            ("batch-size", self.batch_size, 1),
        ):
            if value is not None and value < least:
                raise UsageError(f"--{name} must be at least {least}, got {value}")
        if self.settings.token_counter not in (None, "words"):
            raise UsageError(f"--token-counter can be words, not {self.settings.token_counter!r}")
        self.best_of.check(self.policy)

    def _config(self, asked: Sequence[Question], name: str, web: str, settings: Settings) -> Mapping[str, Json]:
        """What decides the episodes, but for how many there are."""
        return {
            "questions": self.questions,
            "questions_digest": digest(asked),
            "policy": self.policy,
            "policy_name": name,
            "free": self.free,
            "temperature": self.temperature,
            **({"best_of": self.best_of.as_json()} if self.best_of.best_of > 1 else {}),
            "seed": self.seed,
            "backend": web,
            "settings": {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(settings).items()},
        }


@contextmanager
def _progress(description: str, total: int, done: int) -> Iterator[Callable[[], None]]:
    """A bar on stderr that is told of each episode, and one line when it is done."""
    with counting(description, total) as advance:
        advance(done)
        yield lambda: advance(1)
    print(f"{description}: {total} episodes, {done} of them from before", file=sys.stderr)
