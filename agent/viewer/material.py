"""Reading the folder of a benchmark, or a file of episodes, for the viewer.

A benchmark that is running or was stopped lacks files and rows; the rest is shown. A file that exists but cannot be read is an
error, so that nothing is left out silently.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from agent.evaluation.benchmark import file_stem
from agent.intervals import Estimate
from browser_env.errors import RecordError, UsageError
from browser_env.pages.characters import clean_line
from browser_env.records import Episode, Question
from browser_env.records.storage import read_lines, read_records

M = TypeVar("M", bound=BaseModel)
Number = float | None


class PageText(BaseModel):
    """Text of a web page that a reference quotes."""

    digest: str
    url: str
    title: str
    text: str


class Result(BaseModel):
    """A row of the benchmark's results; its other columns that are numbers or null are metrics."""

    model_config = ConfigDict(extra="allow")

    question: str
    policy: str
    kind: str | None = None
    failure: str | None = None
    correct: Number = None

    @property
    def numbers(self) -> dict[str, float]:
        """Values of the metrics that apply, by name."""
        columns = {"correct": self.correct, **(self.model_extra or {})}
        return {name: float(value) for name, value in columns.items() if isinstance(value, (int, float))}


class Summary(BaseModel):
    """The summary of a benchmark: estimates by policy or pair of policies, then by metric."""

    policies: dict[str, dict[str, Estimate]] = {}
    differences: dict[str, dict[str, Estimate]] = {}
    """Paired differences, by pair."""
    preferences: dict[str, dict[str, Estimate]] = {}
    """Share of questions on which the first policy scores higher, by pair."""

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics, in order."""
        return tuple(dict.fromkeys(name for estimates in self.policies.values() for name in estimates))


class Config(BaseModel):
    """The configuration of a benchmark; other keys are shown as they are."""

    model_config = ConfigDict(extra="allow")

    questions: str | None = None
    """Name of the question set."""
    policies: tuple[str, ...] = ()
    """Names of the policies, in order."""


@dataclass(frozen=True, slots=True)
class Material:
    """The content of the pages. Episodes and page texts are read lazily, one by one."""

    title: str
    note: str = ""
    """Text that explains the figures."""
    facts: tuple[tuple[str, str], ...] = ()
    """Name and value of each option."""
    questions: tuple[Question, ...] = ()
    """The questions in order; empty if only the episodes have them."""
    results: Mapping[tuple[str, str], Result] = field(default_factory=dict)
    """Results by question and policy."""
    summary: Summary = field(default_factory=Summary)
    files: tuple[tuple[str | None, Path], ...] = ()
    """Each policy with its file of episodes; None: the policy is the episode's actor."""
    pages: Path | None = None

    def episodes(self) -> Iterator[tuple[str, Episode]]:
        """Yield each episode with the name of its policy.

        Raises:
            RecordError: A line is not an episode.
        """
        for name, file in self.files:
            for episode in read_records(file, Episode):
                yield name or episode.actor, episode

    def page_texts(self) -> Iterator[PageText]:
        """The web pages that references quote.

        Raises:
            RecordError: A line is not a page.
        """
        return iter(()) if self.pages is None else read_rows(self.pages, PageText)


def read_material(path: Path) -> Material:
    """Read the folder of a benchmark, or a file of episodes.

    Raises:
        UsageError: The path is neither.
        RecordError: A file cannot be read.
    """
    if path.is_file():
        return Material(title=path.stem, files=((None, path),))
    if not path.is_dir():
        raise UsageError(f"{path} does not exist; pass the results folder of webgpt bench, or a file of episodes")
    files = sorted((path / "episodes").glob("*.jsonl"))
    if not files:
        raise UsageError(
            f"{path} is not the results folder of webgpt bench: it has no episodes/*.jsonl; pass such a folder or a file"
        )
    config = read_json(path / "config.json", Config)
    results = _existing(path / "results.jsonl")
    questions = _existing(path / "questions.jsonl")
    names = _policy_names(config.policies, files)
    return Material(
        title=config.questions or path.resolve().name,
        note=_note(path / "table.md"),
        facts=tuple(_facts(config.model_dump(mode="json", exclude_unset=True))),
        questions=tuple(read_records(questions, Question)) if questions else (),
        results={(row.question, row.policy): row for row in read_rows(results, Result)} if results else {},
        summary=read_json(path / "summary.json", Summary),
        files=tuple(names.items()),
        pages=_existing(path / "pages.jsonl"),
    )


def read_rows(path: Path, kind: type[M]) -> Iterator[M]:
    """The rows of a JSON Lines file. A last line that its writer left incomplete is ignored.

    Raises:
        RecordError: The file cannot be read, or another line is not such a row.
    """
    for number, line in read_lines(path):
        try:
            yield kind.model_validate_json(line)
        except ValidationError as error:
            if not line.endswith(b"\n"):
                return
            problem = error.errors(include_url=False, include_context=False)[0]["msg"]
            raise RecordError(f"{path}:{number}: is not a {kind.__name__}: {clean_line(problem)}") from error


def read_json(path: Path, kind: type[M]) -> M:
    """Read a JSON file; defaults if there is no file.

    Raises:
        RecordError: The file cannot be read, or its content is not valid.
    """
    try:
        return kind.model_validate_json(path.read_bytes()) if path.exists() else kind()
    except OSError as error:
        raise RecordError(f"{path}: cannot be read: {error.strerror}") from error
    except ValidationError as error:
        problem = error.errors(include_url=False, include_context=False)[0]
        message = clean_line(": ".join([".".join(map(str, problem["loc"])), problem["msg"]]).removeprefix(": "))
        raise RecordError(f"{path}: is not a {kind.__name__}: {message}") from error


def _existing(path: Path) -> Path | None:
    return path if path.exists() else None


def _note(table: Path) -> str:
    """The text under a Markdown table."""
    lines = table.read_text("utf-8").splitlines() if table.exists() else []
    return "\n".join(line for line in lines if line and not line.startswith("|"))


def _policy_names(configured: Sequence[str], files: Sequence[Path]) -> dict[str, Path]:
    """The file of each policy, in the order of the configuration; other files follow under their own names."""
    stems = {file.stem: file for file in files}
    return {name: stems.pop(file_stem(name)) for name in configured if file_stem(name) in stems} | stems


def _facts(value: JsonValue, name: str = "") -> Iterator[tuple[str, str]]:
    """The values of a configuration with their dotted names."""
    match value:
        case dict():
            for key, inner in value.items():
                yield from _facts(inner, f"{name}.{key}" if name else key)
        case list():
            yield name, ", ".join(str(item) for item in value)
        case None if not name:
            return
        case _:
            yield name, str(value)
