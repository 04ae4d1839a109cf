"""Questions × policies, measured: a folder that can be killed at any moment and goes on where it was.

::

    config.json            what is run, with the versions it began with
    questions.jsonl        the questions, in order
    episodes/NAME.jsonl    one policy's episodes, each on disk before the next is waited for
    pages.jsonl            every page snapshot that a reference points at, once
    results.jsonl          the figures of each question and policy
    summary.json           means with intervals, paired differences, preferences
    table.md               the same as a table
    verdicts.jsonl         what models said as judges, if any was asked

An episode depends on its question, the policy and the seed alone, and the figures on the episodes, so however often a benchmark
was stopped, it ends with the same table. Wall-clock seconds differ; they are in the results and the summary only.
"""

import json
import os
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
from browser_env.records.files import Json, lock_folder, write_whole
from browser_env.records.storage import append_record, drop_torn_line, read_records, storable

UNCOMPARED: Final = frozenset({"versions", "batch_size", "max_seconds", "judge", "truth_judge"})
"""Keys of the configuration that may differ when a benchmark is continued: they change no episode that is there."""

OnEpisode = Callable[[str, bool | None], None]
"""Is told of every finished episode: the policy's name, and whether it is correct."""


def file_stem(policy: str) -> str:
    """A policy's name as the name of its file."""
    return "".join(character if character.isalnum() or character in "-_." else "-" for character in policy)


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One folder of results, held by one process at a time."""

    folder: Path
    questions: Sequence[Question]
    page_digests: set[str] = field(default_factory=set)
    """Of the pages that are kept."""

    @classmethod
    @contextmanager
    def open(cls, folder: Path, questions: Sequence[Question], config: Mapping[str, Json]) -> Iterator["Benchmark"]:
        """Begin in an empty folder, or go on in one of the same configuration.

        Args:
            folder: Made if there is none.
            questions: With unique ids.
            config: Kept as it is; of a folder that has one, all but `UNCOMPARED` must be the same.

        Raises:
            UsageError: The folder is of another benchmark or of something else, or another process is at work in it.
            RecordError: What is in it cannot be read.
        """
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "config.json"
        # The questions are written before the configuration, which makes the folder a benchmark's.
        foreign = [file.name for file in folder.iterdir() if file.name[:1] != "." and file.name != "questions.jsonl"]
        if foreign and not path.exists():
            raise UsageError(f"{folder} is not empty and no benchmark ({foreign[0]} is in it); choose another --out")
        with lock_folder(folder):
            if path.exists():
                _check_same(path, config)
            else:
                records = "".join(f"{json.dumps(asdict(question), ensure_ascii=False)}\n" for question in questions)
                write_whole(folder / "questions.jsonl", storable(records))
            write_whole(path, storable(_pretty(config)))
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
        """Run a policy on the questions that it has no episode of. The finished ones are told of first.

        Args:
            policy: What acts.
            backend: The web.
            settings: Format and budgets.
            seed: Of the episodes.
            batch_size: Episodes in flight.
            on_episode: Told of every episode.
            answering: How questions become episodes.
            name: What the results call the policy that answers like this; None: its own name.
        """
        name = name or policy.name
        done = set()
        for episode in self.episodes(name):
            done.add(episode.question.id)
            on_episode(name, _is_correct(episode))
        waiting = [question for question in self.questions if question.id not in done]
        quoted: dict[str, dict[str, Page]] = {}

        def note_page(event: StepEvent) -> None:
            if isinstance(event.info.action, Quote) and event.info.problem is None:
                page = event.state.page
                quoted.setdefault(event.question.id, {})[page.digest] = page

        for episode in answering(policy, backend, waiting, settings, seed=seed, batch_size=batch_size, on_step=note_page):
            self._add(name, episode, quoted.pop(episode.question.id, {}))
            on_episode(name, _is_correct(episode))

    def score(self, policies: Sequence[str], entailment: Entailment, truth: TruthJudge | None = None) -> str:
        """Measure every episode and write results and summary; the Markdown table is what comes back."""
        rows: dict[str, list[Row]] = {}
        lines: list[str] = []
        for name in policies:
            found = {
                episode.question.id: (episode.failure, measure(episode, entailment, truth)) for episode in self.episodes(name)
            }
            for question in self.questions:
                failure, row = found[question.id]
                about = {"question": question.id, "policy": name, "kind": question.kind, "failure": failure}
                lines.append(f"{json.dumps(about | row, ensure_ascii=False)}\n")
            rows[name] = [found[question.id][1] for question in self.questions]
        kinds = [question.kind for question in self.questions]
        summary = summarize(rows, kinds)
        table = markdown_table(summary, kinds)
        write_whole(self.folder / "results.jsonl", storable("".join(lines)))
        write_whole(self.folder / "summary.json", storable(_pretty(summary.as_json())))
        return table

    def write_table(self, text: str) -> None:
        """Keep what a person reads first."""
        write_whole(self.folder / "table.md", storable(text))

    def _add(self, policy: str, episode: Episode, pages: Mapping[str, Page]) -> None:
        """Pages first: of an episode that is there, nothing is missing."""
        for reference in episode.references:
            if reference.page in pages and reference.page not in self.page_digests:
                page = pages[reference.page]
                record = {"digest": page.digest, "url": page.url, "title": page.title, "text": page.text}
                _append(self.folder / "pages.jsonl", record)
                self.page_digests.add(page.digest)
        append_record(self._file(policy), episode, fsync=True)

    def _file(self, policy: str) -> Path:
        return self.folder / "episodes" / f"{file_stem(policy)}.jsonl"


def _is_correct(episode: Episode) -> bool | None:
    correct = is_correct(episode.question, final_answer(episode), episode.references)
    return None if correct is None else correct and episode.failure is None


def _check_same(path: Path, config: Mapping[str, Json]) -> None:
    try:
        before = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise RecordError(f"{path}: is no configuration; choose another --out") from error
    now = json.loads(json.dumps(config))
    differing = [key for key in dict.fromkeys((*before, *now)) if key not in UNCOMPARED and before.get(key) != now.get(key)]
    if differing:
        told = ", ".join(f"{key} ({_short(before.get(key))} there, {_short(now.get(key))} now)" for key in differing)
        raise UsageError(f"{path.parent} is a benchmark of another configuration: {told}; choose another --out")


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
                    raise RecordError(f"{path}:{number}: is no page") from error


def _pretty(value: Json | Mapping[str, Json]) -> str:
    return f"{json.dumps(value, indent=2, ensure_ascii=False)}\n"


def _append(path: Path, record: Mapping[str, str]) -> None:
    with path.open("ab") as file:
        file.write(storable(json.dumps(record, ensure_ascii=False)).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
