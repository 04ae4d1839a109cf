"""Summary of the metrics of many episodes: means with confidence intervals, paired differences, and a Markdown table."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Final

from agent.evaluation.metrics import ANSWERS, CITATIONS, METRICS, TRUTH, Metric, Row
from agent.intervals import RESAMPLES, Estimate, difference, estimates, preference
from browser_env.pages.characters import clean_line

MAX_KINDS: Final = 12
"""Maximum number of kinds of question with a row of their own; with more kinds, each has too few questions."""
UNREPEATABLE: Final = frozenset({"seconds"})
"""Metrics that vary between runs; they are left out of the table, so that equal configurations give equal tables."""
SCORES: Final = frozenset(metric.name for metric in (*ANSWERS, *CITATIONS, *TRUTH))
"""Metrics whose higher values are better, for which preferences are computed."""

_Column = Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Summary:
    """Estimates of each metric, by policy and by pair of policies."""

    policies: Mapping[str, Mapping[str, Estimate]]
    differences: Mapping[tuple[str, str], Mapping[str, Estimate]]
    """The first policy minus the second, on the same questions."""
    preferences: Mapping[tuple[str, str], Mapping[str, Estimate]]
    """Share of questions on which the first policy scores higher than the second; ties count half."""

    def as_json(self) -> dict[str, dict[str, dict[str, dict[str, float]]]]:
        """The content of summary.json."""
        return {
            "policies": {name: _plain(metrics) for name, metrics in self.policies.items()},
            "differences": {f"{a} − {b}": _plain(metrics) for (a, b), metrics in self.differences.items()},
            "preferences": {f"{a} preferred to {b}": _plain(metrics) for (a, b), metrics in self.preferences.items()},
        }


def summarize(rows: Mapping[str, Sequence[Row]], kinds: Sequence[str | None], *, resamples: int = RESAMPLES) -> Summary:
    """Compute means with 95 % intervals, paired differences and preferences of all metrics.

    Args:
        rows: The metrics of each policy, one row for each question, in the same order of questions.
        kinds: The kind of each question; *correct* is also computed for each kind.
        resamples: Number of bootstrap resamples.
    """
    policies = {name: dict(_columns(measured, kinds)) for name, measured in rows.items()}
    pairs = list(combinations(policies, 2))
    columns: dict[tuple[str, ...], _Column] = {}
    for name, by_metric in policies.items():
        columns |= {("mean", name, metric): column for metric, column in by_metric.items()}
    for first, second in pairs:
        for metric, column in policies[first].items():
            other = policies[second][metric]
            columns["difference", first, second, metric] = _paired(difference, column, other)
            if metric in SCORES:
                columns["preference", first, second, metric] = _paired(preference, column, other)
    estimated = _estimates(columns, resamples)
    metrics = dict.fromkeys(key[-1] for key in columns)

    def of(*group: str) -> dict[str, Estimate]:
        return {metric: estimated[*group, metric] for metric in metrics if (*group, metric) in estimated}

    return Summary(
        policies={name: of("mean", name) for name in policies},
        differences={pair: of("difference", *pair) for pair in pairs},
        preferences={pair: of("preference", *pair) for pair in pairs},
    )


def of_kind(kind: str) -> str:
    """Name of the metric *correct* over the questions of one kind."""
    return f"correct ({kind})"


def markdown_table(summary: Summary, kinds: Sequence[str | None]) -> str:
    """A table with a row for each metric, a column for each policy, and the differences of the first policy from the others.

    Shares are in percent, each mean is followed by its 95 % interval, and n is the number of questions.
    """
    names = list(summary.policies)
    pairs = [pair for pair in summary.differences if pair[0] == names[0]]
    heads = ["", "n", *map(_cell, names), *(_cell(f"{a} − {b}") for a, b in pairs)]
    lines = [_line(heads), _line(["---", *["---:"] * (len(heads) - 1)])]
    for metric in _shown(sorted({kind for kind in kinds if kind is not None})):
        means = [summary.policies[name].get(metric.name) for name in names]
        sizes = sorted({estimate.n for estimate in means if estimate})
        if metric.name in UNREPEATABLE or not sizes:
            continue
        label = f"{metric.label}, %" if metric.unit == "share" else metric.label
        cells = [_figure(estimate, metric) for estimate in means]
        differences = [_figure(summary.differences[pair].get(metric.name), metric, sign="+") for pair in pairs]
        lines.append(_line([_cell(label), "–".join(map(str, (sizes[0], *sizes[1:][-1:]))), *cells, *differences]))
    return "".join(f"{line}\n" for line in lines)


def _shown(kinds: Sequence[str]) -> Iterator[Metric]:
    yield METRICS[0]
    if 1 < len(kinds) <= MAX_KINDS:
        yield from (Metric(of_kind(kind), of_kind(kind)) for kind in kinds)
    yield from METRICS[1:]


def _columns(rows: Sequence[Row], kinds: Sequence[str | None]) -> Iterator[tuple[str, _Column]]:
    for metric in METRICS:
        yield metric.name, [row[metric.name] for row in rows]
    for kind in sorted({kind for kind in kinds if kind is not None}):
        yield of_kind(kind), [row["correct"] if row_kind == kind else None for row, row_kind in zip(rows, kinds, strict=True)]


def _paired(combine: Callable[[float, float], float], first: _Column, second: _Column) -> _Column:
    pairs = zip(first, second, strict=True)
    return [None if a is None or b is None else combine(a, b) for a, b in pairs]


def _estimates(columns: Mapping[tuple[str, ...], _Column], resamples: int) -> dict[tuple[str, ...], Estimate]:
    """Estimate of every column that has values; columns with values for the same questions share their resamples."""
    groups: dict[tuple[int, ...], dict[tuple[str, ...], list[float]]] = defaultdict(dict)
    for key, column in columns.items():
        known = tuple(index for index, value in enumerate(column) if value is not None)
        groups[known][key] = [value for value in column if value is not None]
    return {
        key: estimate
        for known, group in groups.items()
        if known
        for key, estimate in zip(group, estimates(list(group.values()), resamples=resamples), strict=True)
    }


def _plain(estimates_by_metric: Mapping[str, Estimate]) -> dict[str, dict[str, float]]:
    return {metric: asdict(estimate) for metric, estimate in estimates_by_metric.items()}


def _figure(estimate: Estimate | None, metric: Metric, sign: str = "") -> str:
    if estimate is None:
        return "–"
    factor, digits = (100, 1) if metric.unit == "share" else (1, 2)
    shown = (round(factor * value, digits) + 0.0 for value in (estimate.mean, estimate.low, estimate.high))  # no -0.0
    mean, low, high = (f"{value:{sign}.{digits}f}" for value in shown)
    return f"{mean} [{low}, {high}]"


def _cell(text: str) -> str:
    return clean_line(text).replace("|", "\\|")


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
