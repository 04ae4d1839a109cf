"""`webgpt bench`: how good policies are, in figures with intervals."""

import os
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib.metadata import distributions
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from rich.console import Console
from rich.text import Text
from tyro.conf import UseAppendAction, arg

from agent.commands.options import BestOf, Format
from agent.evaluation.benchmark import Benchmark, OnEpisode, file_stem
from agent.evaluation.judges import Entailment, TruthJudge, Verdicts, make_entailment, make_truth_judge
from agent.intervals import RESAMPLES
from agent.policies.registry import TEMPERATURE, can_be_free, has_server, make_policy
from agent.policies.time_limit import Guarded
from agent.policy import Policy
from agent.question_sets.registry import load_questions
from agent.question_sets.selection import choose, digest
from browser_env.command_line.exit_codes import INTERRUPTED
from browser_env.command_line.open_web import open_web
from browser_env.command_line.progress import progress_bar
from browser_env.command_line.web_options import WebOptions
from browser_env.errors import UsageError
from browser_env.records import Question, Settings
from browser_env.records.files import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Measure policies on a set of questions.

    Episodes, figures and a Markdown table go to the folder --out; the table is printed as well. Stopped or killed, the same
    command goes on where it was: no question is run twice. A policy that hangs, raises or writes without end fails the
    question that it was asked, and that counts as a failure.

    Exit codes: 0 done, 1 failure, 2 usage, 130 interrupted.
    """

    questions: Annotated[str, arg(metavar="SET")]
    """What is asked: pydoc:test, truthfulqa:FILE, a file of questions, and what else `webgpt questions` takes."""
    out: Annotated[Path, arg(metavar="DIR")]
    """Folder of the results; made if there is none."""
    policy: Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="POLICY", help_behavior_hint="(repeatable)")] = ()
    """Who is measured: default (also if none is named), scripted, search-only, learned (it ships), hf:PATH_OR_ID, openai:MODEL
    (chat) or served:PATH_OR_ID (the completions of a server with token ids, such as vLLM; always free)."""
    limit: Annotated[int | None, arg(metavar="N")] = None
    """Run a random sample of so many questions. None: all of them."""
    seed: int = 0
    """Of the sample of questions and of the policies."""
    batch_size: int = 16
    """Episodes in flight; it changes the speed, not the episodes."""
    base_url: Annotated[str | None, arg(metavar="URL")] = None
    """Server of openai:MODEL and served:PATH_OR_ID, with its /v1, for policies and judges. None: OPENAI_BASE_URL, or else
    OpenAI's own for chat."""
    temperature: float = TEMPERATURE
    """Of policies that sample; 0 takes the likeliest (paper, 3.2)."""
    free: bool = False
    """Let each hf:PATH_OR_ID and learned write anything, as the paper did, not just commands that can be carried out."""
    judge: str = "lexical"
    """Decides whether citations support a sentence: lexical, hf:PATH_OR_ID (a model of natural language inference) or
    openai:MODEL."""
    truth_judge: Annotated[str | None, arg(metavar="openai:MODEL")] = None
    """Decides whether answers to TruthfulQA are true and informative. None: nobody does, ROUGE alone is reported."""
    max_seconds: float = 600
    """For one batch of commands; a policy that takes longer fails the questions that it hangs on."""
    best_of: Annotated[BestOf, arg(name="")] = field(default_factory=BestOf)
    """Of several answers the best."""
    web: Annotated[WebOptions, arg(name="")] = field(default_factory=WebOptions)
    """Which web is browsed."""
    settings: Annotated[Format, arg(name="")] = field(default_factory=Format)
    """What the policies see and how much they may do."""

    def run(self) -> int:
        """Run what is missing, measure everything, print the table."""
        self._check()
        made = [self._make(spec) for spec in self._specs]
        formats = [self.settings.of(policy) for policy in made]
        policies = [Guarded(policy, self.max_seconds) for policy in made]
        names = [self.best_of.name(policy.name) for policy in policies]
        answering = self.best_of.load()
        if len({file_stem(name) for name in names}) < len(names):
            raise UsageError(f"two of the policies have the same name: {', '.join(names)}; give each of them once")
        questions = self._chosen()
        with self.web.open() as web:
            config = self._config(dict(zip(names, formats, strict=True)), questions, web.name)
            with Benchmark.open(self.out, questions, config) as benchmark:
                # Now, so that a judge that is not there is told of before the work and not after it.
                verdicts = Verdicts(self.out / "verdicts.jsonl")
                entailment, truth = self._judges(verdicts)
                try:
                    for policy, name, settings in zip(policies, names, formats, strict=True):
                        with _progress(name, len(questions)) as on_episode:
                            benchmark.run(
                                policy,
                                web,
                                settings,
                                seed=self.seed,
                                batch_size=self.batch_size,
                                on_episode=on_episode,
                                answering=answering,
                                name=name,
                            )
                    table = benchmark.score(names, entailment, truth)
                except KeyboardInterrupt:
                    kept = f"what was finished is in {self.out}, and the same command goes on from there"
                    if any(policy.is_busy for policy in policies):
                        _leave(INTERRUPTED, f"webgpt: interrupted: {kept}\n")
                    raise KeyboardInterrupt(kept) from None
                text = f"{table}\n{self._caption(len(questions), web.name, entailment, truth)}"
                benchmark.write_table(text)
        print(text, end="")
        print(f"Written to {self.out}", file=sys.stderr)
        if any(policy.is_busy for policy in policies):
            _leave(0)
        return 0

    @property
    def _specs(self) -> tuple[str, ...]:
        return self.policy or ("default",)

    def _check(self) -> None:
        if self.limit is not None and self.limit < 1:
            raise UsageError(f"--limit must be at least 1, got {self.limit}")
        if self.batch_size < 1:
            raise UsageError(f"--batch-size must be at least 1, got {self.batch_size}")
        if not 0 < self.max_seconds < 1e6:
            raise UsageError(f"--max-seconds must be above 0 and below a million, got {self.max_seconds:g}")
        if self.settings.token_counter not in (None, "words"):
            raise UsageError(f"--token-counter can be words, not {self.settings.token_counter!r}")
        if self.free and not any(map(can_be_free, self._specs)):
            raise UsageError("--free is for --policy hf:PATH_OR_ID or learned, and no policy is one")
        for spec in self._specs:
            self.best_of.check(spec)
        asked = [*self._specs, self.judge, self.truth_judge or ""]
        if self.base_url is not None and not any(map(has_server, asked)):
            raise UsageError("--base-url is for openai:MODEL and served:PATH_OR_ID, and neither a policy nor a judge is one")

    def _chosen(self) -> list[Question]:
        asked = load_questions(self.questions, open_docs=lambda: open_web(self.web.collection))
        return choose(list(asked), self.limit, self.seed)

    def _make(self, spec: str) -> Policy:
        return make_policy(spec, temperature=self.temperature, base_url=self._url(spec), free=self.free and can_be_free(spec))

    def _url(self, spec: str) -> str | None:
        return self.base_url if has_server(spec) else None

    def _judges(self, verdicts: Verdicts) -> tuple[Entailment, TruthJudge | None]:
        entailment = make_entailment(self.judge, verdicts, base_url=self._url(self.judge))
        if self.truth_judge is None:
            return entailment, None
        return entailment, make_truth_judge(self.truth_judge, verdicts, base_url=self.base_url)

    def _config(self, formats: Mapping[str, Settings], questions: Sequence[Question], web: str) -> Mapping[str, Json]:
        common = self.settings.over(Settings())
        own = {name: _as_json(settings) for name, settings in formats.items() if settings != common}
        return {
            "questions": self.questions,
            "num_questions": len(questions),
            "questions_digest": digest(questions),
            "limit": self.limit,
            "seed": self.seed,
            "policies": list(formats),
            "policy_specs": list(self._specs),
            "temperature": self.temperature,
            **({"best_of": self.best_of.as_json()} if self.best_of.best_of > 1 else {}),
            "base_url": self.base_url and _without_login(self.base_url),
            "backend": web,
            "settings": _as_json(common),
            # Of policies that have a format of their own.
            **({"own_settings": own} if own else {}),
            "batch_size": self.batch_size,
            "max_seconds": self.max_seconds,
            "judge": self.judge,
            "truth_judge": self.truth_judge,
            "versions": {
                "python": platform.python_version(),
                "platform": platform.platform(),
                "packages": {
                    found.name: found.version for found in sorted(distributions(), key=lambda found: found.name.casefold())
                },
            },
        }

    def _caption(self, num_questions: int, web: str, entailment: Entailment, truth: TruthJudge | None) -> str:
        sample = "" if self.limit is None else f" (a sample, seed {self.seed})"
        return (
            f"{num_questions} questions of {self.questions}{sample}, browsing {web}. In brackets: 95 % bootstrap intervals "
            f"over questions ({RESAMPLES:,} resamples, percentiles; paired for differences, which are in points for shares). "
            f"Failed episodes count as wrong. Citations were judged by: {entailment.name}. Truth was judged by: "
            f"{truth.name if truth else 'nobody; the ROUGE figures and correct (ROUGE-L) compare words only'}.\n"
        )


def _as_json(settings: Settings) -> Json:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(settings).items()}


def _without_login(url: str) -> str:
    address = urlsplit(url)
    return address._replace(netloc=address.netloc.rpartition("@")[2]).geturl()


def _leave(code: int, message: str = "") -> None:
    """End the process although threads are at work that would otherwise be waited for; everything is on disk."""
    sys.stdout.flush()
    sys.stderr.write(message)
    sys.stderr.flush()
    os._exit(code)


@contextmanager
def _progress(name: str, total: int) -> Iterator[OnEpisode]:
    """A bar with the score so far on stderr, and one line when it is done."""
    console = Console(stderr=True, highlight=False)
    counts = {True: 0, False: 0, None: 0}

    def score() -> str:
        judged = counts[True] + counts[False]
        return f"{name}: {counts[True] / judged:.1%} of {judged} correct" if judged else name

    with progress_bar(console) as bar:
        task = bar.add_task(name, total=total)

        def on_episode(policy: str, correct: bool | None) -> None:
            counts[correct] += 1
            bar.update(task, advance=1, description=score())

        yield on_episode
    console.print(Text(score()), soft_wrap=True)
