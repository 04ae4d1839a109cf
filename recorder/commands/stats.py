"""`webgpt data stats`: what was recorded, by whom, and how long it took."""

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
from recorder.data.recorded import Found, Problem, Unfinished, look

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
"""In the order of Table 1."""
ENDINGS: Final[tuple[Ending, ...]] = get_args(Ending)
POINTS: Final = ("1st much better", "1st better", "equal", "2nd better", "2nd much better")
"""Of `SCORES`, by the order in which the answers were shown."""


@dataclass(frozen=True, slots=True)
class Stats:
    """Count what was recorded: annotators, endings, actions, ratings and times, as tables on stdout.

    Ratings are counted by the order in which the answers were shown: if that order does not matter, both sides are chosen
    alike.

    Exit codes: 0 done, 1 something cannot be read, 2 usage.
    """

    sources: Annotated[tuple[Path, ...], Positional, arg(metavar="FILE|DIR...")]
    """Files of episodes, comparisons or questions, and folders of recordings."""

    def run(self) -> int:
        """Print the tables."""
        looked = list(look(self.sources))
        records = [one.record for one in looked if isinstance(one, Found)]
        console = Console(highlight=False)
        episodes = [one for one in records if isinstance(one, Episode)]
        comparisons = [one for one in records if isinstance(one, Comparison)]
        questions = [one for one in records if isinstance(one, Question)]
        tables: list[Table] = []
        if episodes:
            tables += [_episodes(episodes), _endings(episodes), _actions(episodes)]
        if comparisons:
            tables.append(_comparisons(comparisons))
        if any(one.ratings for one in comparisons):
            tables.append(_ratings(comparisons))
        if questions:
            tables.append(_questions(questions))
        for table in tables:
            console.print(table)
            console.print()
        unfinished = sum(isinstance(one, Unfinished) for one in looked)
        problems = sum(isinstance(one, Problem) for one in looked)
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
    table = _table("Episodes", "by", "all", "answered", "failed", "actions", "references", "words", "time", "in all")
    for name, group in _groups((one.actor, one) for one in episodes):
        answers = [one.answer for one in group if one.answer is not None]
        table.add_row(
            name,
            f"{len(group):,}",
            f"{len(answers):,}",
            f"{sum(one.failure is not None for one in group):,}",
            _median(sum(step.phase == "browsing" for step in one.steps) for one in group),
            _median(len(one.references) for one in group),
            _median(len(answer.split()) for answer in answers),
            *_times(sum(step.seconds or 0.0 for step in one.steps) for one in group),
        )
    table.caption = "Medians of actions, references, words of the answer, and time."
    table.caption_justify = "left"
    return table


def _endings(episodes: Sequence[Episode]) -> Table:
    table = _table("Why browsing ended", "by", *(name.replace("_", " ") for name in ENDINGS), "did not")
    for name, group in _groups((one.actor, one) for one in episodes):
        counts = Counter(one.ending for one in group)
        table.add_row(name, *(f"{counts[ending]:,}" for ending in (*ENDINGS, None)))
    return table


def _actions(episodes: Sequence[Episode]) -> Table:
    counts: Counter[str] = Counter()
    for episode in episodes:
        for step in episode.steps:
            if step.phase == "browsing":
                action = parse_action(step.completion if step.command is None else step.command)
                counts["invalid" if step.problem is not None else ACTIONS[type(action)]] += 1
    table = _table("Actions", "", "all", "an episode", "share, %")
    for name in ACTIONS.values():
        number = counts[name]
        table.add_row(name, f"{number:,}", f"{number / len(episodes):.2f}", _percent(number, counts.total()))
    table.add_row("all", f"{counts.total():,}", f"{counts.total() / len(episodes):.2f}", "")
    return table


def _comparisons(comparisons: Sequence[Comparison]) -> Table:
    table = _table("Comparisons", "by", "all", "pairs", "rankings", "flagged", "ties, %", "claims", "notes", "time", "in all")
    for name, group in _groups((one.labeler, one) for one in comparisons):
        judged = [one for one in group if one.flag is None]
        rankings = [one for one in judged if one.ranks is not None]
        rated = [one.ratings for one in judged if one.ratings is not None]
        table.add_row(
            name,
            f"{len(group):,}",
            f"{len(rated):,}",
            f"{len(rankings):,}",
            f"{len(group) - len(judged):,}",
            _percent(sum(one.overall == 0 for one in rated), len(rated)),
            f"{sum(len(notes.claims) for one in group for notes in one.annotations or ()):,}",
            f"{sum(bool(one.notes) for one in group):,}",
            *_times(one.seconds or 0.0 for one in group),
        )
    return table


def _ratings(comparisons: Sequence[Comparison]) -> Table:
    table = _table("Ratings, by the order in which answers were shown", "what", *POINTS)
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
    for name, group in _groups((one.dataset, one) for one in questions):
        answers, evidence = sum(bool(one.answers) for one in group), sum(bool(one.evidence) for one in group)
        table.add_row(name, f"{len(group):,}", f"{answers:,}", f"{evidence:,}")
    return table


def _groups(named: Iterable[tuple[str, T]]) -> list[tuple[str, list[T]]]:
    groups: dict[str, list[T]] = defaultdict(list)
    for name, one in named:
        groups[name].append(one)
    return sorted(groups.items())


def _nearest(score: float) -> int:
    """Which of the five points a score is; published ones have other fractions, of which the side counts."""
    if score in SCORES:
        return SCORES.index(score)
    return SCORES.index(0.5 if score > 0 else -0.5)


def _median(values: Iterable[float]) -> str:
    found = list(values)
    return f"{statistics.median(found):g}" if found else "-"


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f}" if whole else "-"


def _times(seconds: Iterable[float]) -> tuple[str, str]:
    """Median and sum."""
    found = list(seconds)
    return _time(statistics.median(found)), _time(sum(found))


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
