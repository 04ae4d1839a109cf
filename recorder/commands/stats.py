"""`webgpt data stats`: counts and times of what was recorded."""

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, TypeVar, get_args

from rich.console import Console
from rich.table import Table
from tyro.conf import Positional, arg

from browser_env.actions import Back, Click, End, Find, Invalid, Quote, ScrollDown, ScrollUp, Search, Top, parse_action
from browser_env.records import Comparison, Ending, Episode, Question
from recorder.comparisons.events import RATED, SCORES
from recorder.data.recorded import LocatedRecord, Problem, Unfinished, read_sources

T = TypeVar("T")

ACTIONS: Final = {
    Search: "Search",
    Click: "Clicked on link",
    Find: "Find in page",
    Quote: "Quote",
    ScrollDown: "Scrolled down",
    ScrollUp: "Scrolled up",
    Top: "Top",
    Back: "Back",
    End: "End",
    Invalid: "invalid",
}
"""Names of the actions, in the order of Table 1."""
ENDINGS: Final[tuple[Ending, ...]] = get_args(Ending)
"""All reasons why browsing can end."""
POINTS: Final = ("1st much better", "1st better", "equal", "2nd better", "2nd much better")
"""Names of the points of `SCORES`, by the order in which the answers were shown."""


@dataclass(frozen=True, slots=True)
class Stats:
    """Print tables of annotators, endings, actions, ratings and times.

    Ratings are counted by the order in which the answers were shown. If this order has no influence, both sides are preferred
    equally often.

    Exit codes: 0 done, 1 some records cannot be read, 2 usage error.
    """

    sources: Annotated[tuple[Path, ...], Positional, arg(metavar="FILE|DIR...")]
    """Files of episodes, comparisons or questions, and folders of recordings."""

    def run(self) -> int:
        """Print the tables."""
        entries = list(read_sources(self.sources))
        records = [entry.record for entry in entries if isinstance(entry, LocatedRecord)]
        console = Console(highlight=False)
        episodes = [record for record in records if isinstance(record, Episode)]
        comparisons = [record for record in records if isinstance(record, Comparison)]
        questions = [record for record in records if isinstance(record, Question)]
        tables: list[Table] = []
        if episodes:
            tables += [_episodes(episodes), _endings(episodes), _actions(episodes)]
        if comparisons:
            tables.append(_comparisons(comparisons))
        if any(comparison.ratings for comparison in comparisons):
            tables.append(_ratings(comparisons))
        if questions:
            tables.append(_questions(questions))
        for table in tables:
            console.print(table)
            console.print()
        unfinished = sum(isinstance(entry, Unfinished) for entry in entries)
        problems = sum(isinstance(entry, Problem) for entry in entries)
        if unfinished:
            console.print(f"unfinished recordings: {unfinished:,}")
        if problems:
            console.print(f"problems: {problems:,}, not counted above (webgpt data check lists them)")
        return 1 if problems else 0


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for number, name in enumerate(columns):
        table.add_column(name, justify="right" if number else "left", overflow="fold")
    return table


def _episodes(episodes: Sequence[Episode]) -> Table:
    table = _table("Episodes", "by", "all", "answered", "failed", "actions", "references", "words", "time", "total")
    for name, group in _groups((episode.actor, episode) for episode in episodes):
        answers = [episode.answer for episode in group if episode.answer is not None]
        table.add_row(
            name,
            f"{len(group):,}",
            f"{len(answers):,}",
            f"{sum(episode.failure is not None for episode in group):,}",
            _median(sum(step.phase == "browsing" for step in episode.steps) for episode in group),
            _median(len(episode.references) for episode in group),
            _median(len(answer.split()) for answer in answers),
            *_times(sum(step.seconds or 0.0 for step in episode.steps) for episode in group),
        )
    table.caption = "Actions, references, words of the answer and time are medians."
    table.caption_justify = "left"
    return table


def _endings(episodes: Sequence[Episode]) -> Table:
    table = _table("Why browsing ended", "by", *(name.replace("_", " ") for name in ENDINGS), "none")
    for name, group in _groups((episode.actor, episode) for episode in episodes):
        counts = Counter(episode.ending for episode in group)
        table.add_row(name, *(f"{counts[ending]:,}" for ending in (*ENDINGS, None)))
    return table


def _actions(episodes: Sequence[Episode]) -> Table:
    counts: Counter[str] = Counter()
    for episode in episodes:
        for step in episode.steps:
            if step.phase == "browsing":
                action = parse_action(step.completion if step.command is None else step.command)
                counts["invalid" if step.problem is not None else ACTIONS[type(action)]] += 1
    table = _table("Actions", "", "all", "per episode", "share, %")
    for name in ACTIONS.values():
        number = counts[name]
        table.add_row(name, f"{number:,}", f"{number / len(episodes):.2f}", _percent(number, counts.total()))
    table.add_row("all", f"{counts.total():,}", f"{counts.total() / len(episodes):.2f}", "")
    return table


def _comparisons(comparisons: Sequence[Comparison]) -> Table:
    table = _table("Comparisons", "by", "all", "pairs", "rankings", "flagged", "ties, %", "claims", "notes", "time", "total")
    for name, group in _groups((comparison.labeler, comparison) for comparison in comparisons):
        judged = [comparison for comparison in group if comparison.flag is None]
        rankings = [comparison for comparison in judged if comparison.ranks is not None]
        rated = [comparison.ratings for comparison in judged if comparison.ratings is not None]
        table.add_row(
            name,
            f"{len(group):,}",
            f"{len(rated):,}",
            f"{len(rankings):,}",
            f"{len(group) - len(judged):,}",
            _percent(sum(ratings.overall == 0 for ratings in rated), len(rated)),
            f"{sum(len(part.claims) for comparison in group for part in comparison.annotations or ()):,}",
            f"{sum(bool(comparison.notes) for comparison in group):,}",
            *_times(comparison.seconds or 0.0 for comparison in group),
        )
    return table


def _ratings(comparisons: Sequence[Comparison]) -> Table:
    table = _table("Ratings, by the order in which answers were shown", "aspect", *POINTS)
    for name, _ in RATED:
        counts: Counter[int] = Counter()
        for comparison in comparisons:
            score = None if comparison.ratings is None else getattr(comparison.ratings, name)
            if score is not None:
                shown = score if comparison.shown in (None, (0, 1)) else -score
                counts[_nearest(shown)] += 1
        if counts:
            table.add_row(name.replace("_", " "), *(f"{counts[point]:,}" for point in range(len(SCORES))))
    return table


def _questions(questions: Sequence[Question]) -> Table:
    table = _table("Questions", "data set", "all", "with answers", "with evidence")
    for name, group in _groups((question.dataset, question) for question in questions):
        answers, evidence = (
            sum(bool(question.answers) for question in group),
            sum(bool(question.evidence) for question in group),
        )
        table.add_row(name, f"{len(group):,}", f"{answers:,}", f"{evidence:,}")
    return table


def _groups(named: Iterable[tuple[str, T]]) -> list[tuple[str, list[T]]]:
    groups: dict[str, list[T]] = defaultdict(list)
    for name, member in named:
        groups[name].append(member)
    return sorted(groups.items())


def _nearest(score: float) -> int:
    """Return the index of the point of a score. Other fractions, as in published data, count as *better* for their side."""
    if score in SCORES:
        return SCORES.index(score)
    return SCORES.index(0.5 if score > 0 else -0.5)


def _median(values: Iterable[float]) -> str:
    numbers = list(values)
    return f"{statistics.median(numbers):g}" if numbers else "-"


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f}" if whole else "-"


def _times(seconds: Iterable[float]) -> tuple[str, str]:
    """Return the median and the sum."""
    times = list(seconds)
    return _time(statistics.median(times)), _time(sum(times))


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
