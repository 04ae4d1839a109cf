"""Counts of an episode's actions, and how it ended."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from agent.evaluation.evidence import cited_references
from browser_env.actions import Back, Click, End, Find, Quote, ScrollDown, ScrollUp, Search, Top, first_line, parse_action
from browser_env.records import Episode, Reference, Step

ACTIONS: Final = {
    Search: "search",
    Click: "click",
    Find: "find",
    Quote: "quote",
    ScrollDown: "scroll_down",
    ScrollUp: "scroll_up",
    Top: "top",
    Back: "back",
    End: "end",
}
"""Metric that counts each kind of action."""


def behavior(episode: Episode, answer: str, references: Sequence[Reference]) -> dict[str, float | None]:
    """The behavior metrics of an episode, by name.

    Args:
        episode: The record.
        answer: Its final answer; empty if there is none.
        references: The references that count: none if the episode failed.
    """
    kinds = Counter(_kinds(episode.steps))
    actions = kinds.total()
    tokens = [step.token_ids for step in episode.steps]
    return {
        "answered": float(bool(answer)),
        "unsupported": float(bool(answer) and not cited_references(answer, references)),
        "failed": float(episode.failure is not None),
        **{
            f"ended_{ending}": float(episode.failure is None and episode.ending == ending)
            for ending in ("answer", "nonsense", "controversial", "max_actions", "max_references")
        },
        "references": float(len(references)),
        "pages": float(kinds["click"]),
        "actions": float(actions),
        **{name: float(kinds[name]) for name in (*ACTIONS.values(), "invalid")},
        "invalid_share": kinds["invalid"] / actions if actions else None,
        "answer_words": float(len(answer.split())),
        "written_words": float(sum(len(step.completion.split()) for step in episode.steps)),
        "tokens": float(sum(len(ids or ()) for ids in tokens)) if tokens and None not in tokens else None,
        "seconds": sum(step.seconds or 0.0 for step in episode.steps),
    }


def _kinds(steps: Sequence[Step]) -> Iterator[str]:
    for step in steps:
        if step.phase == "browsing":
            action = parse_action(first_line(step.completion if step.command is None else step.command))
            yield "invalid" if step.problem else ACTIONS.get(type(action), "invalid")
