"""Mistakes in demonstrations: steps that are not worth imitating, although the recovery from them is."""

from agent.evaluation.metrics import UNANSWERABLE
from browser_env.actions import Back, Click, Find, Quote, Search, parse_action
from browser_env.records import Episode
from browser_env.state import shorten


def mistakes(episode: Episode) -> frozenset[int]:
    """The numbers of the steps that were taken back or found nothing. They stay visible in later observations.

    A click or search is a mistake, with everything done on the page that it opened, if `Back` left that page and nothing was
    quoted meanwhile. A find is a mistake if the text is not on the page and the question has an answer.
    """
    numbers: set[int] = set()
    opened_by: list[int] = []
    """The step that opened each page since the start; -1 where something was quoted since."""
    for number, step in enumerate(episode.steps):
        action = parse_action(step.completion if step.command is None else step.command) if step.phase == "browsing" else None
        match action:
            case Search() | Click():
                opened_by.append(number)
            case Quote():
                opened_by = [-1] * len(opened_by)
            case Back() if opened_by:
                first = opened_by.pop()
                numbers.update(range(first, number) if first >= 0 else ())
            case Find(text) if episode.question.kind != UNANSWERABLE and _found_nothing(episode, number, text):
                numbers.add(number)
    return frozenset(numbers)


def _found_nothing(episode: Episode, number: int, text: str) -> bool:
    """Whether the observation after a find reports that the text is not on the page."""
    after = episode.steps[number + 1].observation if number + 1 < len(episode.steps) else ""
    past_actions = after.partition("♦Past actions\n")[2].partition("\n\n")[0].split("\n")
    return past_actions[-1:] == [f"Find in page {shorten(text)} (not found)"]
