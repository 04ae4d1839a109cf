"""What there is to look at: the folder of a benchmark, or a file of episodes, read as far as it goes.

A benchmark that is still running, or was stopped, lacks files and rows; what is there is shown. A file that is there and
cannot be read is an error: nothing is left out in silence.
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
from browser_env.records.storage import read_records

M = TypeVar("M", bound=BaseModel)
Number = float | None


class PageText(BaseModel):
    """The text of a snapshot that a reference points at."""

    digest: str
    url: str
    title: str
    text: str


class Result(BaseModel):
    """What the benchmark says of one episode; metrics are the further columns that hold a number or nothing."""

    model_config = ConfigDict(extra="allow")

    question: str
    policy: str
    kind: str | None = None
    failure: str | None = None
    correct: Number = None

    @property
    def numbers(self) -> dict[str, float]:
        """Metric -> its value; one that does not apply is left out."""
        columns = {"correct": self.correct, **(self.model_extra or {})}
        return {name: float(value) for name, value in columns.items() if isinstance(value, (int, float))}


class Summary(BaseModel):
    """The table of a benchmark: estimates by what they are of and by metric."""

    policies: dict[str, dict[str, Estimate]] = {}
    differences: dict[str, dict[str, Estimate]] = {}
    """Paired, by the pair."""
    preferences: dict[str, dict[str, Estimate]] = {}
    """Share of questions on which one is better than another, by the pair."""

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names, in order."""
        return tuple(dict.fromkeys(name for found in self.policies.values() for name in found))


class Config(BaseModel):
    """What a benchmark was told to run; everything else in it is shown as it is."""

    model_config = ConfigDict(extra="allow")

    questions: str | None = None
    """Name of the question set."""
    policies: tuple[str, ...] = ()
    """In order."""


@dataclass(frozen=True, slots=True)
class Material:
    """What the pages are made of. Episodes and pages are read when they are asked for, one by one."""

    title: str
    note: str = ""
    """What must be known to read the figures."""
    facts: tuple[tuple[str, str], ...] = ()
    """The resolved configuration, one line each."""
    questions: tuple[Question, ...] = ()
    """In order; none: the episodes have them."""
    results: Mapping[tuple[str, str], Result] = field(default_factory=dict)
    """By question and policy."""
    summary: Summary = field(default_factory=Summary)
    files: tuple[tuple[str | None, Path], ...] = ()
    """Files of episodes and whose they are; None: each episode's actor."""
    pages: Path | None = None

    def episodes(self) -> Iterator[tuple[str, Episode]]:
        """Each episode with the name of its policy.

        Raises:
            RecordError: A line is no episode.
        """
        for name, file in self.files:
            for episode in read_records(file, Episode):
                yield name or episode.actor, episode

    def page_texts(self) -> Iterator[PageText]:
        """The snapshots that references point at.

        Raises:
            RecordError: A line is no page.
        """
        return iter(()) if self.pages is None else read_lines(self.pages, PageText)


def read_material(path: Path) -> Material:
    """Read what a path has: the folder of a benchmark, or a file of episodes.

    Raises:
        UsageError: It is neither.
        RecordError: A file cannot be read.
    """
    if path.is_file():
        return Material(title=path.stem, files=((None, path),))
    if not path.is_dir():
        raise UsageError(f"there is no {path}; it is the folder of a benchmark or a file of episodes")
    files = sorted((path / "episodes").glob("*.jsonl"))
    if not files:
        raise UsageError(
            f"{path} has no episodes/*.jsonl, so it is no folder of a benchmark; a file of episodes is named itself"
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
        results={(row.question, row.policy): row for row in read_lines(results, Result)} if results else {},
        summary=read_json(path / "summary.json", Summary),
        files=tuple(names.items()),
        pages=_existing(path / "pages.jsonl"),
    )


def read_lines(path: Path, kind: type[M]) -> Iterator[M]:
    """The rows of a file of JSON Lines. The last line may be one that its writer was stopped in.

    Raises:
        RecordError: The file cannot be read, or another line is no such row.
    """
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                try:
                    if not line.isspace():
                        yield kind.model_validate_json(line)
                except ValidationError as error:
                    if not line.endswith(b"\n"):
                        return
                    problem = error.errors(include_url=False, include_context=False)[0]["msg"]
                    raise RecordError(f"{path}:{number}: is no {kind.__name__}: {clean_line(problem)}") from error
    except OSError as error:
        raise RecordError(f"{path}: cannot be read: {error.strerror}") from error


def read_json(path: Path, kind: type[M]) -> M:
    """What a JSON file holds; a value of defaults if there is no file.

    Raises:
        RecordError: The file cannot be read, or holds something else.
    """
    try:
        return kind.model_validate_json(path.read_bytes()) if path.exists() else kind()
    except OSError as error:
        raise RecordError(f"{path}: cannot be read: {error.strerror}") from error
    except ValidationError as error:
        problem = error.errors(include_url=False, include_context=False)[0]
        message = clean_line(": ".join([".".join(map(str, problem["loc"])), problem["msg"]]).removeprefix(": "))
        raise RecordError(f"{path}: is no {kind.__name__}: {message}") from error


def _existing(path: Path) -> Path | None:
    return path if path.exists() else None


def _note(table: Path) -> str:
    """What stands under the table."""
    lines = table.read_text("utf-8").splitlines() if table.exists() else []
    return "\n".join(line for line in lines if line and not line.startswith("|"))


def _policy_names(configured: Sequence[str], files: Sequence[Path]) -> dict[str, Path]:
    """Policy -> its file, in the configuration's order; a file that it does not name goes by its own name, at the end."""
    stems = {file.stem: file for file in files}
    return {name: stems.pop(file_stem(name)) for name in configured if file_stem(name) in stems} | stems


def _facts(value: JsonValue, name: str = "") -> Iterator[tuple[str, str]]:
    """A configuration as lines: dotted name, value."""
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
