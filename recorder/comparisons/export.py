"""Export of a comparison as a record."""

from browser_env.records import Annotation, Comparison, Ratings
from browser_env.records.digests import short_hash
from recorder.comparisons.state import RatingState


def comparison_of(state: RatingState) -> Comparison:
    """Return a comparison as a record, with answers and annotations in the order in which the answers were drawn.

    The record of a flagged question has no ratings and no ranks.
    """
    task = state.begin.task
    place_of = {drawn: shown for shown, drawn in enumerate(task.shown)}
    order = [place_of[drawn] for drawn in range(len(task.answers))]
    annotations = tuple(
        Annotation(
            trust=state.trust[shown] if any(level is not None for level in state.trust[shown]) else (),
            claims=state.claims[shown],
        )
        for shown in order
    )
    sign = 1 if order == sorted(order) else -1
    scores = {name: sign * score or 0.0 for name, score in state.scores}
    overall = scores.pop("overall", None)
    ranks = None
    if task.is_ranking and not state.unplaced and state.flag is None:
        best = {answer: 1 + sum(map(len, state.places[:index])) for index, place in enumerate(state.places) for answer in place}
        ranks = tuple(best[shown] for shown in order)
    labeler = f"human:{state.begin.annotator}"
    return Comparison(
        id=short_hash(task.id, labeler),
        question=task.question,
        answers=task.answers,
        labeler=labeler,
        ratings=None if overall is None or state.flag is not None else Ratings(overall=overall, **scores),
        ranks=ranks,
        flag=state.flag,
        annotations=annotations if any(annotation.trust or annotation.claims for annotation in annotations) else None,
        notes=state.notes,
        seed=task.seed,
        shown=task.shown,
        seconds=None if state.submitted is None else round(state.submitted, 3),
    )
