"""From the figures of single episodes to a summary with intervals, and to one Markdown table."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Final

from agent.evaluation.metrics import ANSWERS, CITATIONS, METRICS, TRUTH, Metric, Row
from agent.intervals import RESAMPLES, Estimate, difference, estimates, preference
from browser_env.pages.characters import clean_line

MAX_KINDS: Final = 12
"""Kinds of question that the table tells apart; with more, each has too few questions to say anything."""
UNREPEATABLE: Final = frozenset({"seconds"})
"""What differs from run to run: in the summary, but not in the table, which is the same for the same configuration."""
SCORES: Final = frozenset(metric.name for metric in (*ANSWERS, *CITATIONS, *TRUTH))
"""What is better the higher it is, so that it can prefer one answer to another."""

_Column = Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Summary:
    """Estimates by who (a policy) or which pair of policies, and by metric."""

    policies: Mapping[str, Mapping[str, Estimate]]
    differences: Mapping[tuple[str, str], Mapping[str, Estimate]]
    """The first policy minus the second, of the same questions."""
    preferences: Mapping[tuple[str, str], Mapping[str, Estimate]]
    """How often the first policy scores higher than the second on the same question; ties count half."""

    def as_json(self) -> dict[str, dict[str, dict[str, dict[str, float]]]]:
        """As it is kept."""
        return {
            "policies": {name: _plain(found) for name, found in self.policies.items()},
            "differences": {f"{a} − {b}": _plain(found) for (a, b), found in self.differences.items()},
            "preferences": {f"{a} preferred to {b}": _plain(found) for (a, b), found in self.preferences.items()},
        }


def summarize(rows: Mapping[str, Sequence[Row]], kinds: Sequence[str | None], *, resamples: int = RESAMPLES) -> Summary:
    """Means with 95 % intervals, and paired differences, of everything that was measured.

    Args:
        rows: The figures of each policy, one row for each question, in the same order of questions.
        kinds: The kind of each question; each has a figure *correct* of its own.
        resamples: Of the bootstrap.
    """
    policies = {name: dict(_columns(found, kinds)) for name, found in rows.items()}
    pairs = list(combinations(policies, 2))
    columns: dict[tuple[str, ...], _Column] = {}
    for name, own in policies.items():
        columns |= {("mean", name, metric): column for metric, column in own.items()}
    for first, second in pairs:
        for metric, column in policies[first].items():
            other = policies[second][metric]
            columns["difference", first, second, metric] = _paired(difference, column, other)
            if metric in SCORES:
                columns["preference", first, second, metric] = _paired(preference, column, other)
    found = _estimates(columns, resamples)
    metrics = dict.fromkeys(key[-1] for key in columns)

    def of(*group: str) -> dict[str, Estimate]:
        return {metric: found[*group, metric] for metric in metrics if (*group, metric) in found}

    return Summary(
        policies={name: of("mean", name) for name in policies},
        differences={pair: of("difference", *pair) for pair in pairs},
        preferences={pair: of("preference", *pair) for pair in pairs},
    )


def of_kind(kind: str) -> str:
    """The metric that *correct* is for the questions of one kind alone."""
    return f"correct ({kind})"


def markdown_table(summary: Summary, kinds: Sequence[str | None]) -> str:
    """One row for each metric, one column for each policy, and the differences of the first policy from each other one.

    Shares are in percent; behind each mean stands its 95 % interval, and n is the number of questions.
    """
    names = list(summary.policies)
    pairs = [pair for pair in summary.differences if pair[0] == names[0]]
    heads = ["", "n", *map(_cell, names), *(_cell(f"{a} − {b}") for a, b in pairs)]
    lines = [_line(heads), _line(["---", *["---:"] * (len(heads) - 1)])]
    for metric in _shown(sorted({kind for kind in kinds if kind is not None})):
        found = [summary.policies[name].get(metric.name) for name in names]
        sizes = sorted({estimate.n for estimate in found if estimate})
        if metric.name in UNREPEATABLE or not sizes:
            continue
        label = f"{metric.label}, %" if metric.unit == "share" else metric.label
        cells = [_figure(estimate, metric) for estimate in found]
        apart = [_figure(summary.differences[pair].get(metric.name), metric, sign="+") for pair in pairs]
        lines.append(_line([_cell(label), "–".join(map(str, (sizes[0], *sizes[1:][-1:]))), *cells, *apart]))
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
        yield of_kind(kind), [row["correct"] if own == kind else None for row, own in zip(rows, kinds, strict=True)]


def _paired(combine: Callable[[float, float], float], first: _Column, second: _Column) -> _Column:
    pairs = zip(first, second, strict=True)
    return [None if one is None or other is None else combine(one, other) for one, other in pairs]


def _estimates(columns: Mapping[tuple[str, ...], _Column], resamples: int) -> dict[tuple[str, ...], Estimate]:
    """The estimate of every column that has values; those with values for the same questions are drawn together."""
    alike: dict[tuple[int, ...], dict[tuple[str, ...], list[float]]] = defaultdict(dict)
    for key, column in columns.items():
        known = tuple(index for index, value in enumerate(column) if value is not None)
        alike[known][key] = [value for value in column if value is not None]
    return {
        key: estimate
        for known, group in alike.items()
        if known
        for key, estimate in zip(group, estimates(list(group.values()), resamples=resamples), strict=True)
    }


def _plain(found: Mapping[str, Estimate]) -> dict[str, dict[str, float]]:
    return {metric: asdict(estimate) for metric, estimate in found.items()}


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
