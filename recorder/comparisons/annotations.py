"""Changes to the annotations of answers: trust in sources, claims, and their support and relevance."""

from dataclasses import replace
from typing import TypeVar

from browser_env.records import Claim
from recorder.comparisons.events import Mark, Relevance, Support, Trust, Unmark
from recorder.comparisons.state import RatingState
from recorder.journal.recording import Change, Refusal

T = TypeVar("T")


def rate_source(state: RatingState, event: Trust) -> Change[RatingState] | Refusal:
    """Rate the trust in a source of an answer."""
    levels = state.trust[event.answer]
    if not 1 <= event.reference <= len(levels):
        return Refusal(f"this answer has no reference [{event.reference}]")
    trust = _with(state.trust, event.answer, _with(levels, event.reference - 1, event.level))
    return Change(replace(state, trust=trust), f"Trust in [{event.reference}]")


def mark_claim(state: RatingState, event: Mark) -> Change[RatingState] | Refusal:
    """Mark a span of an answer as a claim, or change the support of a claim with exactly this span."""
    text, claims = state.answers[event.answer].text, state.claims[event.answer]
    claim = Claim(start=event.start, end=event.end, support=event.support)
    if not 0 <= claim.start < claim.end <= len(text) or not text[claim.start : claim.end].strip():
        return Refusal("nothing is selected")
    for number, other in enumerate(claims, start=1):
        if claim.start < other.end and other.start < claim.end:
            if (claim.start, claim.end) != (other.start, other.end):
                return Refusal(f"this overlaps claim {number}; unmark that claim first")
            claims = _with(claims, number - 1, replace(claim, relevance=other.relevance))
            return Change(replace(state, claims=_with(state.claims, event.answer, claims)), "Support")
    claims = tuple(sorted((*claims, claim), key=lambda other: other.start))
    return Change(replace(state, claims=_with(state.claims, event.answer, claims)), "Mark")


def change_claim(state: RatingState, event: Unmark | Support | Relevance) -> Change[RatingState] | Refusal:
    """Unmark a claim, or rate its support or relevance."""
    claims, index = state.claims[event.answer], event.claim
    if not 0 <= index < len(claims):
        return Refusal(f"this answer has no claim {index + 1}")
    match event:
        case Unmark():
            claims, label = claims[:index] + claims[index + 1 :], "Unmark"
        case Support(level=support):
            claims, label = _with(claims, index, replace(claims[index], support=support)), "Support"
        case Relevance(level=relevance):
            claims, label = _with(claims, index, replace(claims[index], relevance=relevance)), "Relevance"
    return Change(replace(state, claims=_with(state.claims, event.answer, claims)), label)


def _with(values: tuple[T, ...], index: int, value: T) -> tuple[T, ...]:
    return (*values[:index], value, *values[index + 1 :])
