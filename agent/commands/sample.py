"""`webgpt sample`: rollouts of a policy, as a file of episodes to compare or to train on."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from agent.benchmark import Json, choose, digest
from agent.best_of_n import Answering, sample_seed
from agent.commands.progress import counting
from agent.commands.running import BestOf, Format
from agent.policies import TEMPERATURE, make_policy
from agent.policy import Policy
from agent.questions import load_questions
from agent.rollout import answer, answer_id, episode_id, has_answering_phase, rollout, rollout_seeds
from browser_env.backends import Backend
from browser_env.errors import RecordError, UsageError
from browser_env.opening import open_web
from browser_env.records import Episode, Question, Settings
from browser_env.storage import append_record, drop_torn_line, read_records
from browser_env.web_options import WebOptions


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
                samples.run(chosen, self.num, self.answers_only, self.batch_size, self.best_of.best_of, answering)
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


@dataclass(frozen=True, slots=True)
class Samples:
    """A file of episodes of one policy, to which is added what it lacks."""

    path: Path
    policy: Policy
    web: Backend
    settings: Settings
    seed: int

    def begin(self, config: Mapping[str, Json]) -> None:
        """Make the file, or find that it is of the same configuration.

        Raises:
            UsageError: It is of another one, or of something else.
            RecordError: The configuration beside it cannot be read.
        """
        beside = self.path.with_name(f"{self.path.name}.config.json")
        now = json.loads(json.dumps(config))
        if beside.exists():
            before = _read_config(beside)
            differing = sorted(key for key in {*before, *now} if before.get(key) != now.get(key))
            if differing:
                raise UsageError(f"{self.path} was sampled with another {', '.join(differing)}; choose another --out")
        elif self.path.exists() and self.path.stat().st_size:
            raise UsageError(f"{self.path} is there and was not sampled by this command; choose another --out")
        else:
            # Whole before the first episode, which makes the file one of samples.
            unfinished = beside.with_name(f".{beside.name}.unfinished")
            unfinished.write_text(f"{json.dumps(now, indent=2)}\n", "utf-8")
            unfinished.replace(beside)
        drop_torn_line(self.path)

    def run(
        self,
        questions: Sequence[Question],
        num: int,
        num_answers: int,
        batch_size: int,
        best_of: int = 1,
        answering: Answering = rollout,
    ) -> None:
        """Add the episodes that are missing: all browsing first, then the further answers.

        Args:
            questions: What is asked.
            num: Episodes of each.
            num_answers: Further answers over the references of each episode.
            batch_size: Episodes in flight.
            best_of: Each episode is the best of so many.
            answering: How they are chosen.
        """
        done = {episode.id for episode in self._episodes()}
        # Groups of samples that are chosen from count downwards, so that no sample is in two of them.
        seeds = [sample_seed(self.seed, sample if best_of == 1 else -sample) for sample in range(num)]
        asked = {
            (question, seed): {episode_id(question, self.policy.name, sample_seed(seed, one)) for one in range(best_of)}
            for seed in seeds
            for question in questions
        }
        missing = [each for each, ids in asked.items() if not ids & done]
        with _progress(self.policy.name, len(asked), len(asked) - len(missing)) as advance:
            for episode in self._browsed(missing, batch_size, best_of, answering):
                append_record(self.path, episode, fsync=True)
                advance()
        if not num_answers:
            return
        known = {one for ids in asked.values() for one in ids}
        browsed = [episode for episode in self._episodes() if episode.id in known and has_answering_phase(episode)]
        wanted = [answer_id(episode, number) for episode in browsed for number in range(1, num_answers + 1)]
        there = done.intersection(wanted)
        with _progress(f"{self.policy.name}, further answers", len(wanted), len(there)) as advance:
            for episode in answer(self.policy, browsed, num_answers, seed=self.seed, skip=there, batch_size=batch_size):
                append_record(self.path, episode, fsync=True)
                advance()

    def _browsed(
        self, asked: Sequence[tuple[Question, int]], batch_size: int, best_of: int, answering: Answering
    ) -> Iterator[Episode]:
        if best_of == 1:  # all seeds in the same batches
            yield from rollout_seeds(self.policy, self.web, asked, self.settings, batch_size=batch_size)
            return
        for seed in dict.fromkeys(seed for _, seed in asked):
            questions = [question for question, own in asked if own == seed]
            yield from answering(self.policy, self.web, questions, self.settings, seed=seed, batch_size=batch_size)

    def _episodes(self) -> Iterator[Episode]:
        return read_records(self.path, Episode) if self.path.exists() else iter(())


def _read_config(path: Path) -> Mapping[str, Json]:
    try:
        config = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise RecordError(f"{path}: is no configuration; choose another --out") from error
    if not isinstance(config, dict):
        raise RecordError(f"{path}: is no configuration; choose another --out")
    return config


@contextmanager
def _progress(description: str, total: int, done: int) -> Iterator[Callable[[], None]]:
    """A bar on stderr that is told of each episode, and one line when it is done."""
    with counting(description, total) as advance:
        advance(done)
        yield lambda: advance(1)
    print(f"{description}: {total} episodes, {done} of them from before", file=sys.stderr)
