"""Which steps of a demonstration were mistakes: what people take back themselves is not worth imitating, how they go on is."""

from agent.evaluation.metrics import UNANSWERABLE
from browser_env.actions import Back, Click, Find, Quote, Search, parse_action
from browser_env.records import Episode
from browser_env.state import shown


def mistakes(episode: Episode) -> frozenset[int]:
    """Numbers of the steps that were taken back or found nothing: to be seen in what follows, not to be learned.

    A click is one if `Back` left its page with nothing quoted there and nothing opened from it; so is what was done on that
    page before. A find is one if the text is not on the page and the question has an answer.
    """
    found: set[int] = set()
    opened: list[int] = []
    """The steps that opened the pages on the way here."""
    for index, step in enumerate(episode.steps):
        action = parse_action(step.completion if step.command is None else step.command) if step.phase == "browsing" else None
        match action:
            case Search() | Click():
                opened.append(index)
            case Quote():
                opened = [-1] * len(opened)
            case Back() if opened:
                begun = opened.pop()
                found.update(range(begun, index) if begun >= 0 else ())
            case Find(text) if episode.question.kind != UNANSWERABLE:
                then = episode.steps[index + 1].observation if index + 1 < len(episode.steps) else ""
                past = then.partition("♦Past actions\n")[2].partition("\n\n")[0].split("\n")
                if past[-1:] == [f"Find in page {shown(text)} (not found)"]:
                    found.add(index)
    return frozenset(found)
