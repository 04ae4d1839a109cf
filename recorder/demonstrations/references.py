"""Removal and change of references while browsing, with the result of having quoted differently from the start."""

from dataclasses import replace

from browser_env.actions import Quote, parse_action
from browser_env.pages.matching import Span
from recorder.demonstrations.quotation import quotation
from recorder.demonstrations.state import Demonstration
from recorder.demonstrations.stepping import Stepper
from recorder.journal.recording import Change, Refusal


def quotes_of(state: Demonstration, number: int) -> list[int]:
    """Return the indices of the moves that made a reference, counted from 1: its first quote and those that extended it."""
    quotes: list[list[int]] = []
    for index, (before, after) in enumerate(zip(state.states, state.states[1:], strict=False)):
        if len(after.references) > len(before.references):
            quotes.append([index])
        else:
            for moves, old, new in zip(quotes, before.references, after.references, strict=True):
                if old != new:
                    moves.append(index)
    return quotes[number - 1]


def remove_reference(state: Demonstration, number: int, stepper: Stepper) -> Change[Demonstration] | Refusal:
    """Remove a reference, counted from 1."""
    if problem := _problem_with(state, number):
        return Refusal(problem)
    quotes = quotes_of(state, number)
    changed = stepper.with_moves(state, [move for index, move in enumerate(state.moves) if index not in quotes])
    if changed is None:
        return Refusal("later commands need this reference; use undo instead")
    is_last = number == len(state.browser.references)
    return _change(changed, f"Remove [{number}]", is_renumbered=not is_last)


def change_reference(state: Demonstration, number: int, span: Span, stepper: Stepper) -> Change[Demonstration] | Refusal:
    """Change a reference, counted from 1, to another span of its page."""
    if problem := _problem_with(state, number):
        return Refusal(problem)
    first, *others = quotes_of(state, number)
    before, old = state.states[first], state.browser.references[number - 1]
    if not 0 <= span[0] < span[1] <= len(before.page.text):
        return Refusal("nothing is selected")
    quote = quotation(before, span)
    if isinstance(quote, str):
        return Refusal(quote)
    action = parse_action(quote.command)
    assert isinstance(action, Quote)
    if quote.span == (old.start, old.end):
        return Refusal("the reference has not changed")
    moves = [
        replace(move, action=action) if index == first else move
        for index, move in enumerate(state.moves)
        if index not in others
    ]
    changed = stepper.with_moves(state, moves)
    if changed is None or len(changed.browser.references) < number:
        return Refusal("not enough quote tokens left for it")
    new = changed.browser.references[number - 1]
    if (new.start, new.end) == (old.start, old.end):
        return Refusal("the quote next to it contains these words; remove that quote first")
    is_renumbered = len(changed.browser.references) != len(state.browser.references)
    return _change(changed, f"Change [{number}]", is_renumbered=is_renumbered)


def _problem_with(state: Demonstration, number: int) -> str | None:
    if state.browser.phase != "browsing":
        return "go back to browsing to change references"
    if not 1 <= number <= len(state.browser.references):
        return f"there is no reference [{number}]"
    return None


def _change(changed: Demonstration, label: str, *, is_renumbered: bool) -> Change[Demonstration]:
    note = "references were renumbered; check the citations of your answer" if changed.answer and is_renumbered else None
    return Change(changed, label, note)
