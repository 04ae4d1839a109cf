"""Writing the folder of pages: one HTML page with its script and style, and the data that the page loads on demand.

A page that is opened from disk may not fetch files but may load scripts, so each piece of data is a script that calls
``viewer.add`` with one JSON value. The overview has a row for each question; each episode and each page text has a file of its
own.
"""

import json
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from agent.evaluation.metrics import METRICS, Metric, Unit
from agent.intervals import Estimate
from agent.viewer.episodes import Flag, Verdict, judge, view_of
from agent.viewer.material import Material, Number, PageText, Result
from browser_env.errors import UsageError
from browser_env.records import Episode, Question
from browser_env.records.citations import LOW_SUPPORT
from browser_env.records.storage import storable

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

ASSETS = ("index.html", "viewer.css", "viewer.js")
WRITTEN = frozenset({*ASSETS, "overview.js", "episodes", "pages"})
"""Names in a folder of pages; a folder with other files is not overwritten."""
MAX_ROW_TEXT = 300
"""Maximum length of a question in the list, in characters; its own page has it whole."""
MAX_PAGE = 400_000
"""Maximum length in characters of a web page that is written whole; of longer pages, only the text around the references is
written."""
AROUND = 20_000
"""Number of characters written before and after a reference on a page that is too long."""
Group = Literal["answers", "kinds", "behavior"]
_KNOWN = {metric.name: metric for metric in METRICS}
_DRAWN: dict[str, Group] = {
    **dict.fromkeys(("correct", "f1", "evidence_cited", "rouge_l_difference", "truthful_and_informative"), "answers"),
    **dict.fromkeys(("citation_recall", "citation_precision"), "answers"),
    **dict.fromkeys(("answered", "unsupported", "failed", "invalid_share", "references", "actions", "seconds"), "behavior"),
}
"""Metrics that are drawn as bars, by group; the others are only in the table."""
_UNSAFE = str.maketrans({character: f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"})

OnEpisode = Callable[[int], None]
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class EpisodeRow:
    """An episode in the list of questions."""

    verdict: Verdict
    flags: tuple[Flag, ...]
    ending: str | None
    steps: int
    seconds: float
    numbers: tuple[Number, ...]
    """The value of each metric; empty without results."""


@dataclass(frozen=True, slots=True)
class QuestionRow:
    """A question in the list."""

    id: str
    text: str
    kind: str | None
    episodes: tuple[EpisodeRow | None, ...]
    """The episode of each policy; None: it has not been run."""


@dataclass(frozen=True, slots=True)
class MetricView:
    """A metric with its estimates."""

    name: str
    label: str
    unit: Unit
    group: Group | None
    """Section in which it is drawn; None: it is only in the table."""
    policies: tuple[Estimate | None, ...]
    """The estimate of each policy."""
    pairs: tuple[Estimate | None, ...]
    """The estimate of each pair of the overview."""


@dataclass(frozen=True, slots=True)
class Overview:
    """The data of the first page."""

    title: str
    note: str
    facts: tuple[tuple[str, str], ...]
    policies: tuple[str, ...]
    metrics: tuple[MetricView, ...]
    pairs: tuple[str, ...]
    """Names of the comparisons between two policies."""
    low_support: float
    questions: tuple[QuestionRow, ...]
    pages: tuple[str, ...]
    """Digests of the web pages whose text is available."""


@dataclass(frozen=True, slots=True)
class PagePart:
    """A part of a page's text."""

    start: int
    """Offset in the text of the page, in code points."""
    text: str


@dataclass(frozen=True, slots=True)
class PageView:
    """A web page, as shown beside a reference to it."""

    title: str
    url: str
    length: int
    parts: tuple[PagePart, ...]


def write_site(material: Material, out: Path, *, on_episode: OnEpisode | None = None) -> Path:
    """Write the pages; returns the path of index.html.

    Args:
        material: The benchmark or episodes to show.
        out: Output folder. It is created if needed, and overwritten if it contains only such pages.
        on_episode: Called after each episode with the number of episodes written.

    Raises:
        UsageError: The folder contains other files.
        RecordError: The material cannot be read.
    """
    _prepare(out)
    collected = _Collected(material)
    for number, (policy, episode) in enumerate(material.episodes(), start=1):
        name = collected.add(policy, episode)
        _write_script(out, f"episodes/{name}", view_of(episode))
        if on_episode:
            on_episode(number)
    pages: list[str] = []
    for page in material.page_texts():
        if page.digest in collected.spans and is_digest(page.digest):
            _write_script(out, f"pages/{page.digest}", page_view(page, collected.spans[page.digest]))
            pages.append(page.digest)
    _write_script(out, "overview", collected.overview(pages))
    for asset in ASSETS:
        (out / asset).write_bytes(files("agent.viewer").joinpath(asset).read_bytes())
    return out / "index.html"


def is_digest(name: str) -> bool:
    """Whether a digest can be a file name: it has only ASCII letters and digits."""
    return name.isascii() and name.isalnum()


def script(name: str, value: object) -> str:
    """A script that passes one JSON value to the page.

    Characters that could end the script element or a line are escaped, so every text stays a JSON string.
    """
    data = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return storable(f"viewer.add({json.dumps(name)},{data.translate(_UNSAFE)});\n")


def page_view(page: PageText, spans: Sequence[Span]) -> PageView:
    """A page to show: whole, or the parts around its references if it is longer than `MAX_PAGE`."""
    length = len(page.text)
    if length <= MAX_PAGE:
        return PageView(page.title, page.url, length, (PagePart(0, page.text),))
    room = min(AROUND, MAX_PAGE // (2 * max(1, len(spans))))
    parts: list[Span] = []
    for start, end in sorted((max(0, start - room), min(length, end + room)) for start, end in spans):
        if parts and start <= parts[-1][1]:
            parts[-1] = (parts[-1][0], max(parts[-1][1], end))
        else:
            parts.append((start, end))
    return PageView(page.title, page.url, length, tuple(PagePart(start, page.text[start:end]) for start, end in parts))


class _Collected:
    """Data of the overview, collected episode by episode, and the spans that references quote."""

    def __init__(self, material: Material) -> None:
        self._material = material
        self._questions: dict[str, Question] = {question.id: question for question in material.questions}
        self._numbers: dict[str, int] = {id: number for number, id in enumerate(self._questions)}
        self._policies: dict[str, int] = {name: number for number, (name, _) in enumerate(material.files) if name is not None}
        self._rows: dict[tuple[str, str], EpisodeRow] = {}
        self._metrics = tuple(dict.fromkeys((*material.summary.metrics, *_columns(material.results.values()))))
        self.spans: dict[str, list[Span]] = {}

    def add(self, policy: str, episode: Episode) -> str:
        """Add an episode; returns the name of its file. A second episode of a policy on a question gets a policy of its own."""
        question = episode.question
        name, copies = policy, 1
        while (question.id, name) in self._rows:
            copies += 1
            name = f"{policy} ({copies})"
        result = self._material.results.get((question.id, name))
        self._questions.setdefault(question.id, question)
        self._rows[question.id, name] = self._row(episode, result)
        for reference in episode.references:
            self.spans.setdefault(reference.page, []).append((reference.start, reference.end))
        number = self._numbers.setdefault(question.id, len(self._numbers))
        return f"{number:06}-{self._policies.setdefault(name, len(self._policies))}"

    def overview(self, pages: Iterable[str]) -> Overview:
        """The data of the first page.

        Args:
            pages: Digests of the web pages that were written.
        """
        summary = self._material.summary
        pairs = {**summary.differences, **summary.preferences}
        return Overview(
            title=self._material.title,
            note=self._material.note,
            facts=self._material.facts,
            policies=tuple(self._policies),
            metrics=tuple(
                MetricView(
                    name=name,
                    label=_KNOWN[name].label if name in _KNOWN else name.replace("_", " "),
                    unit=_KNOWN.get(name, Metric(name, name)).unit,
                    group=_DRAWN.get(name, "kinds" if name not in _KNOWN else None),
                    policies=tuple(summary.policies.get(policy, {}).get(name) for policy in self._policies),
                    pairs=tuple(estimates.get(name) for estimates in pairs.values()),
                )
                for name in self._metrics
            ),
            pairs=tuple(pairs),
            low_support=LOW_SUPPORT,
            questions=tuple(map(self._question_row, self._questions.values())),
            pages=tuple(pages),
        )

    def _row(self, episode: Episode, result: Result | None) -> EpisodeRow:
        verdict, flags = judge(episode, result.correct if result else None)
        numbers = result.numbers if result else {}
        return EpisodeRow(
            verdict=verdict,
            flags=flags,
            ending=episode.ending,
            steps=len(episode.steps),
            seconds=round(sum(step.seconds or 0 for step in episode.steps), 3),
            numbers=tuple(_rounded(numbers.get(metric)) for metric in self._metrics) if numbers else (),
        )

    def _question_row(self, question: Question) -> QuestionRow:
        text = question.text if len(question.text) <= MAX_ROW_TEXT else f"{question.text[: MAX_ROW_TEXT - 1]}…"
        episodes = tuple(self._rows.get((question.id, policy)) for policy in self._policies)
        return QuestionRow(question.id, text, question.kind, episodes)


def _columns(results: Iterable[Result]) -> Iterable[str]:
    """Names of the metrics that at least one result has."""
    return dict.fromkeys(name for result in results for name in result.numbers)


def _rounded(number: Number) -> Number:
    return None if number is None else float(f"{number:.4g}")


def _write_script(out: Path, name: str, value: "DataclassInstance") -> None:
    (out / f"{name}.js").write_text(script(name, asdict(value)), "utf-8")


def _prepare(out: Path) -> None:
    """Create the folder, or remove old episodes and pages from it.

    Raises:
        UsageError: It contains other files.
    """
    if out.is_dir():
        others = sorted(file.name for file in out.iterdir() if file.name not in WRITTEN)
        if others:
            raise UsageError(f"{out} contains {others[0]}, which is not part of the pages of webgpt view; choose another --out")
    for name in ("episodes", "pages"):
        shutil.rmtree(out / name, ignore_errors=True)
        (out / name).mkdir(parents=True)
