"""`webgpt bench`: measure policies on a question set."""

import os
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import distributions
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from rich.console import Console
from rich.text import Text
from tyro.conf import UseAppendAction, arg

from agent.commands.options import POLICY_HELP, EpisodeOptions, PolicyOptions, check_at_least, settings_as_json
from agent.evaluation.benchmark import Benchmark, OnEpisode, file_stem
from agent.evaluation.judge_registry import make_entailment, make_truth_judge
from agent.evaluation.judges import Entailment, TruthJudge
from agent.evaluation.verdicts import Verdicts
from agent.intervals import RESAMPLES
from agent.policies.registry import has_server
from agent.policies.time_limit import TimeLimited
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
    """Measure policies on a question set: correctness, citations and behavior, with confidence intervals.

    Episodes, metrics and a Markdown table are written to the folder --out, and the table is printed. If the command is stopped
    or killed, run it again to continue: finished questions are not run again. A policy that hangs, raises an error or does not
    stop writing fails that question, which counts as wrong.

    Exit codes: 0 done, 1 failure, 2 usage, 130 interrupted.
    """

    questions: Annotated[str, arg(metavar="SET")]
    """Question set: a file, pydoc:test, truthfulqa:FILE, or another name that `webgpt questions --help` lists."""
    out: Annotated[Path, arg(metavar="DIR")]
    """Folder of the results; it is created if needed."""
    policy: Annotated[
        UseAppendAction[tuple[str, ...]], arg(metavar="POLICY", help=POLICY_HELP, help_behavior_hint="(repeatable)")
    ] = ()
    limit: Annotated[int | None, arg(metavar="N")] = None
    """Number of questions, drawn at random. Default: all."""
    seed: int = 0
    """Random seed of the draw of questions and of the policies."""
    batch_size: int = 16
    """Number of episodes that run at the same time; affects speed and memory, not results."""
    judge: str = "lexical"
    """Judge of citations: lexical (word overlap), hf:PATH_OR_ID (an NLI model) or openai:MODEL (a chat model)."""
    truth_judge: Annotated[str | None, arg(metavar="openai:MODEL")] = None
    """Chat model that judges whether answers to TruthfulQA are true. Default: none; only ROUGE is reported."""
    max_seconds: float = 600
    """Time limit of a policy for one batch of commands, in seconds; questions that take longer fail."""
    policy_options: Annotated[PolicyOptions, arg(name="")] = field(default_factory=PolicyOptions)
    """Options of the policies; --base-url is also the server of openai: judges."""
    web: Annotated[WebOptions, arg(name="")] = field(default_factory=WebOptions)
    """Options of the web to browse."""
    settings: Annotated[EpisodeOptions, arg(name="")] = field(default_factory=EpisodeOptions)
    """Format and budgets of the episodes."""

    def run(self) -> int:
        """Run the missing episodes, measure all of them and print the table."""
        self._check()
        made = self.policy_options.make_each(self._specs)
        policies = [TimeLimited(policy, self.max_seconds) for policy in made]
        names = [self.policy_options.result_name(policy.name) for policy in policies]
        settings = {name: self.settings.for_policy(policy) for name, policy in zip(names, made, strict=True)}
        if len({file_stem(name) for name in names}) < len(names):
            raise UsageError(f"two policies have the same name: {', '.join(names)}; pass each --policy once")
        answering = self.policy_options.answering()
        questions = self._questions()
        with (
            self.web.open() as web,
            Benchmark.open(self.out, questions, self._config(settings, questions, web.name)) as benchmark,
        ):
            # Judges are made before the episodes run, so that a missing judge is reported at once.
            judges = self._judges()
            try:
                for name, policy in zip(names, policies, strict=True):
                    with _progress(name, len(questions)) as on_episode:
                        benchmark.run(
                            policy,
                            web,
                            settings[name],
                            seed=self.seed,
                            batch_size=self.batch_size,
                            on_episode=on_episode,
                            answering=answering,
                            name=name,
                        )
                table = benchmark.score(names, *judges)
            except KeyboardInterrupt:
                message = f"finished episodes are in {self.out}; run the same command to continue"
                if any(policy.is_busy for policy in policies):
                    _exit_now(INTERRUPTED, f"webgpt: interrupted: {message}\n")
                raise KeyboardInterrupt(message) from None
            text = f"{table}\n{self._caption(len(questions), web.name, *judges)}"
            benchmark.write_table(text)
        print(text, end="")
        print(f"Written to {self.out}", file=sys.stderr)
        if any(policy.is_busy for policy in policies):
            _exit_now(0)
        return 0

    @property
    def _specs(self) -> tuple[str, ...]:
        return self.policy or ("default",)

    def _check(self) -> None:
        check_at_least("--limit", self.limit, 1)
        check_at_least("--batch-size", self.batch_size, 1)
        if not 0 < self.max_seconds < 1e6:
            raise UsageError(f"--max-seconds must be above 0 and below a million, got {self.max_seconds:g}")
        if self.policy_options.base_url is not None and not any(
            map(has_server, (*self._specs, self.judge, self.truth_judge or ""))
        ):
            raise UsageError("--base-url is for openai:MODEL and served:PATH_OR_ID, and no --policy or --judge is one of them")

    def _questions(self) -> list[Question]:
        questions = load_questions(self.questions, open_docs=lambda: open_web(self.web.collection))
        return choose(list(questions), self.limit, self.seed)

    def _judges(self) -> tuple[Entailment, TruthJudge | None]:
        base_url = self.policy_options.base_url
        verdicts = Verdicts(self.out / "verdicts.jsonl")
        entailment = make_entailment(self.judge, verdicts, base_url=base_url if has_server(self.judge) else None)
        if self.truth_judge is None:
            return entailment, None
        return entailment, make_truth_judge(self.truth_judge, verdicts, base_url=base_url)

    def _config(self, settings: Mapping[str, Settings], questions: Sequence[Question], web: str) -> Mapping[str, Json]:
        """The resolved options, saved with the results."""
        common = self.settings.override(Settings())
        different = {name: settings_as_json(values) for name, values in settings.items() if values != common}
        base_url = self.policy_options.base_url
        return {
            "questions": self.questions,
            "num_questions": len(questions),
            "questions_digest": digest(questions),
            "limit": self.limit,
            "seed": self.seed,
            "policies": list(settings),
            "policy_specs": list(self._specs),
            "temperature": self.policy_options.temperature,
            **self.policy_options.best_of_config(),
            "base_url": base_url and _without_login(base_url),
            "backend": web,
            "settings": settings_as_json(common),
            # Settings of the policies that were trained with different ones.
            **({"own_settings": different} if different else {}),
            "batch_size": self.batch_size,
            "max_seconds": self.max_seconds,
            "judge": self.judge,
            "truth_judge": self.truth_judge,
            "versions": {
                "python": platform.python_version(),
                "platform": platform.platform(),
                "packages": {
                    package.name: package.version
                    for package in sorted(distributions(), key=lambda package: package.name.casefold())
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


def _without_login(url: str) -> str:
    address = urlsplit(url)
    return address._replace(netloc=address.netloc.rpartition("@")[2]).geturl()


def _exit_now(code: int, message: str = "") -> None:
    """Exit without waiting for the threads of a policy that hangs; all results are on disk."""
    sys.stdout.flush()
    sys.stderr.write(message)
    sys.stderr.flush()
    os._exit(code)


@contextmanager
def _progress(name: str, total: int) -> Iterator[OnEpisode]:
    """A progress bar on stderr with the score so far, and one line at the end."""
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
