"""Changes to the ranking of answers."""

from dataclasses import replace

from recorder.comparisons.events import Place
from recorder.comparisons.state import RatingState
from recorder.journal.recording import Change, Refusal


def place_answer(state: RatingState, event: Place) -> Change[RatingState] | Refusal:
    """Move an answer to a place in the ranking."""
    if not state.begin.task.is_ranking:
        return Refusal("these answers are rated, not ranked")
    others = [tuple(answer for answer in place if answer != event.answer) for place in state.places]
    others = [place for place in others if place]
    if not 0 <= event.place < len(others) + (not event.is_tied):
        return Refusal(f"there is no place {event.place + 1}")
    if event.is_tied:
        others[event.place] = tuple(sorted((*others[event.place], event.answer)))
    else:
        others.insert(event.place, (event.answer,))
    if tuple(others) == state.places:
        return Refusal("the answer is at this place already")
    return Change(replace(state, places=tuple(others)), "Rank")


def move_up(state: RatingState, answer: int) -> Place:
    """Return the event that moves an answer up: out of a tie to the place before it, or into a tie with the place above.

    An unranked answer goes to the end. Every order with every tie can be reached by moving answers up and down.
    """
    place = state.place_of(answer)
    if place is None:
        return Place(answer=answer, place=len(state.places))
    if len(state.places[place]) > 1:
        return Place(answer=answer, place=place)
    return Place(answer=answer, place=max(0, place - 1), is_tied=place > 0)


def move_down(state: RatingState, answer: int) -> Place:
    """Return the event that moves an answer down: out of a tie to the place after it, or into a tie with the place below.

    An unranked answer goes to the end.
    """
    place = state.place_of(answer)
    if place is None:
        return Place(answer=answer, place=len(state.places))
    if len(state.places[place]) > 1:
        return Place(answer=answer, place=place + 1)
    return Place(answer=answer, place=place, is_tied=place + 1 < len(state.places))
