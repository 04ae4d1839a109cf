"""Benchmarks of policies on questions, in a results folder that can be continued after the process is killed.

::

    config.json            the options, with the versions of the first run
    questions.jsonl        the questions, in order
    episodes/NAME.jsonl    the episodes of one policy, each written to disk as soon as it ends
    pages.jsonl            every page that a reference quotes, once
    results.jsonl          the metrics of each question and policy
    summary.json           means with intervals, paired differences, preferences
    table.md               the summary as a table
    verdicts.jsonl         the verdicts of models that are judges, if any

An episode depends only on its question, the policy and the seed, and the metrics only on the episodes, so the final table is
the same however often the benchmark was stopped. Seconds vary between runs; they are in the results and the summary only.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from agent.evaluation.judges import Entailment, TruthJudge
from agent.evaluation.metrics import Row, final_answer, is_correct, measure
from agent.evaluation.summary import markdown_table, summarize
from agent.policy import Policy
from agent.rollouts.best_of_n import Answering
from agent.rollouts.rollout import StepEvent, rollout
from browser_env.actions import Quote
from browser_env.backends import Backend
from browser_env.errors import RecordError, UsageError
from browser_env.pages.page import Page
from browser_env.records import Episode, Question, Settings
from browser_env.records.files import Json, lock_folder, write_atomically
from browser_env.records.storage import append_line, append_record, drop_torn_line, read_records, storable

UNCOMPARED: Final = frozenset({"versions", "batch_size", "max_seconds", "judge", "truth_judge"})
"""Keys of the configuration that may differ when a benchmark is continued, because no episode depends on them."""

OnEpisode = Callable[[str, bool | None], None]
"""Called for every finished episode with the policy's name and whether the answer is correct (None: not known)."""


def file_stem(policy: str) -> str:
    """File name for a policy's name, without suffix."""
    return "".join(character if character.isalnum() or character in "-_." else "-" for character in policy)


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A results folder, which one process at a time may use."""

    folder: Path
    questions: Sequence[Question]
    page_digests: set[str] = field(default_factory=set)
    """Digests of the pages in pages.jsonl."""

    @classmethod
    @contextmanager
    def open(cls, folder: Path, questions: Sequence[Question], config: Mapping[str, Json]) -> Iterator["Benchmark"]:
        """Start a benchmark in an empty folder, or continue one with the same configuration.

        Args:
            folder: The results folder; it is created if needed.
            questions: The questions, with unique ids.
            config: Saved in the folder. To continue a benchmark, all keys but `UNCOMPARED` must be equal to the saved ones.

        Raises:
            UsageError: The folder belongs to another benchmark or contains other files, or another process uses it.
            RecordError: A file in it cannot be read.
        """
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "config.json"
        # The questions are written first; the configuration then marks the folder as a benchmark.
        foreign = [file.name for file in folder.iterdir() if file.name[:1] != "." and file.name != "questions.jsonl"]
        if foreign and not path.exists():
            raise UsageError(f"{folder} contains {foreign[0]} and is not a benchmark; choose another --out")
        with lock_folder(folder):
            if path.exists():
                _check_same(path, config)
            else:
                records = "".join(f"{json.dumps(asdict(question), ensure_ascii=False)}\n" for question in questions)
                write_atomically(folder / "questions.jsonl", storable(records))
            write_atomically(path, storable(_pretty(config)))
            (folder / "episodes").mkdir(exist_ok=True)
            for file in (*(folder / "episodes").glob("*.jsonl"), folder / "pages.jsonl"):
                drop_torn_line(file)
            yield cls(folder, questions, set(_page_digests(folder / "pages.jsonl")))

    def episodes(self, policy: str) -> Iterator[Episode]:
        """The finished episodes of a policy, in the order in which they ended."""
        path = self._file(policy)
        return read_records(path, Episode) if path.exists() else iter(())

    def run(
        self,
        policy: Policy,
        backend: Backend,
        settings: Settings,
        *,
        seed: int = 0,
        batch_size: int = 16,
        on_episode: OnEpisode = lambda policy, correct: None,
        answering: Answering = rollout,
        name: str | None = None,
    ) -> None:
        """Run a policy on the questions for which it has no episode yet.

        Args:
            policy: The policy.
            backend: The web that is browsed.
            settings: Format and budgets.
            seed: Random seed of the episodes.
            batch_size: Number of episodes that run at the same time.
            on_episode: Called for every episode; first for those of earlier runs.
            answering: `rollout`, or best-of-n.
            name: Name of the policy in the results; None: its own name.
        """
        name = name or policy.name
        done = set()
        for episode in self.episodes(name):
            done.add(episode.question.id)
            on_episode(name, _is_correct(episode))
        missing = [question for question in self.questions if question.id not in done]
        quoted: dict[str, dict[str, Page]] = {}

        def keep_page(event: StepEvent) -> None:
            if isinstance(event.info.action, Quote) and event.info.problem is None:
                page = event.state.page
                quoted.setdefault(event.question.id, {})[page.digest] = page

        for episode in answering(policy, backend, missing, settings, seed=seed, batch_size=batch_size, on_step=keep_page):
            self._add(name, episode, quoted.pop(episode.question.id, {}))
            on_episode(name, _is_correct(episode))

    def score(self, policies: Sequence[str], entailment: Entailment, truth: TruthJudge | None = None) -> str:
        """Measure every episode, write results and summary, and return the Markdown table.

        Args:
            policies: Names of the policies, in the order of the table.
            entailment: Judge of citations.
            truth: Judge of answers to TruthfulQA; None: those metrics are left out.
        """
        rows: dict[str, list[Row]] = {}
        lines: list[str] = []
        for name in policies:
            measured = {
                episode.question.id: (episode.failure, measure(episode, entailment, truth)) for episode in self.episodes(name)
            }
            for question in self.questions:
                failure, row = measured[question.id]
                keys = {"question": question.id, "policy": name, "kind": question.kind, "failure": failure}
                lines.append(f"{json.dumps(keys | row, ensure_ascii=False)}\n")
            rows[name] = [measured[question.id][1] for question in self.questions]
        kinds = [question.kind for question in self.questions]
        summary = summarize(rows, kinds)
        table = markdown_table(summary, kinds)
        write_atomically(self.folder / "results.jsonl", storable("".join(lines)))
        write_atomically(self.folder / "summary.json", storable(_pretty(summary.as_json())))
        return table

    def write_table(self, text: str) -> None:
        """Write table.md: the table with its caption."""
        write_atomically(self.folder / "table.md", storable(text))

    def _add(self, policy: str, episode: Episode, pages: Mapping[str, Page]) -> None:
        """Write an episode, after the pages that it quotes, so that the pages of every episode are complete."""
        for reference in episode.references:
            if reference.page in pages and reference.page not in self.page_digests:
                page = pages[reference.page]
                record = {"digest": page.digest, "url": page.url, "title": page.title, "text": page.text}
                append_line(self.folder / "pages.jsonl", json.dumps(record, ensure_ascii=False), fsync=True)
                self.page_digests.add(page.digest)
        append_record(self._file(policy), episode, fsync=True)

    def _file(self, policy: str) -> Path:
        return self.folder / "episodes" / f"{file_stem(policy)}.jsonl"


def _is_correct(episode: Episode) -> bool | None:
    correct = is_correct(episode.question, final_answer(episode), episode.references)
    return None if correct is None else correct and episode.failure is None


def _check_same(path: Path, config: Mapping[str, Json]) -> None:
    """Check that a saved configuration equals another one, apart from `UNCOMPARED`."""
    try:
        before = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise RecordError(f"{path}: is not a configuration; choose another --out") from error
    now = json.loads(json.dumps(config))
    differing = [key for key in dict.fromkeys((*before, *now)) if key not in UNCOMPARED and before.get(key) != now.get(key)]
    if differing:
        changes = ", ".join(f"{key} ({_short(before.get(key))} before, {_short(now.get(key))} now)" for key in differing)
        raise UsageError(f"{path.parent} is a benchmark with another configuration: {changes}; choose another --out")


def _short(value: Json) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:60]}…"


def _page_digests(path: Path) -> Iterator[str]:
    if path.exists():
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                try:
                    yield json.loads(line)["digest"]
                except (ValueError, KeyError, TypeError) as error:
                    raise RecordError(f"{path}:{number}: is not a page") from error


def _pretty(value: Json | Mapping[str, Json]) -> str:
    return f"{json.dumps(value, indent=2, ensure_ascii=False)}\n"
