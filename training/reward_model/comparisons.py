"""Conversion of comparison records to preferences."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations

from agent.intervals import preference as level_preference
from agent.models.reward_model import answering_text
from browser_env.records import Comparison
from training.reward_model.preferences import Candidate, PreferenceGroup


def levels(comparison: Comparison) -> tuple[float, ...] | None:
    """The preference level of each answer: higher is better, only the order matters. None: the question was flagged."""
    if comparison.ranks is not None:
        return tuple(-float(rank) for rank in comparison.ranks)
    if comparison.ratings is not None:
        overall = comparison.ratings.overall
        return (float((overall > 0) - (overall < 0)), 0.0)
    return None


def preference(comparison: Comparison, first: int = 0, second: int = 1) -> float | None:
    """The preference between two answers of a comparison, by their indices.

    Returns:
        1 if the first is preferred, 0 if the second is, 0.5 for a tie, None if the question was flagged. *Much better* and
        *better* are the same preference (Appendix C.2).
    """
    by_level = levels(comparison)
    return None if by_level is None else level_preference(by_level[first], by_level[second])


def preference_group(comparison: Comparison) -> PreferenceGroup | None:
    """The preferences of a comparison. None: the question was flagged."""
    by_level = levels(comparison)
    if by_level is None:
        return None
    candidates = (
        Candidate(answering_text(comparison.question.text, answer.references), answer.text) for answer in comparison.answers
    )
    return PreferenceGroup(comparison.question.id, tuple(candidates), by_level, comparison.labeler)


def pairs_of(comparison: Comparison) -> Iterator[Comparison]:
    """Yield each pair of answers as a comparison: all C(K, 2) pairs of a ranking, none of a flagged question.

    A pair keeps the annotations of its two answers and the order in which they were shown. Its ranks are 1 and 2, or 1 and 1.
    """
    if comparison.flag is not None:
        return
    if len(comparison.answers) == 2:
        yield comparison
        return
    assert comparison.ranks is not None  # more than two answers are ranked
    for pair in combinations(range(len(comparison.answers)), 2):
        first, second = (comparison.ranks[index] for index in pair)
        yield replace(
            comparison,
            id=f"{comparison.id}-{pair[0]}-{pair[1]}",
            answers=tuple(comparison.answers[index] for index in pair),
            ranks=(1 + (first > second), 1 + (second > first)),
            annotations=comparison.annotations and tuple(comparison.annotations[index] for index in pair),
            shown=comparison.shown and tuple(int(index != min(pair)) for index in comparison.shown if index in pair),
        )
