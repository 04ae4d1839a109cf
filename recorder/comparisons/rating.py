"""One comparison in progress: a person reads answers to a question, marks them, and says which is better (Appendix C.2).

A screen is thin over this. It shows `Rating.view`, turns keys into events, and gives them to `Rating.do`:

- `Flag`: the question makes no sense, or should not be answered; the rest is not needed then.
- `Trust` of a source; `Mark`, `Support`, `Relevance` and `Unmark` of claims in an answer.
- `Rate`: two answers on a five-point scale; or `Place`: an answer among the others in a ranking, ties allowed
  (`Rating.raised` and `Rating.lowered` give the event that moves one a place).
- `WriteNotes`: a change of the notes (`text_edits.edit_between`).
- `Submit`, `Undo`, `Redo`.

Answers are counted from 0 in the order in which they are shown, here and in the journal; the record that comes out has them
in the order in which they were drawn, and says how they were shown. Where an answer comes from is in neither view.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeVar, assert_never

from browser_env.errors import UsageError
from browser_env.pages.characters import clean
from browser_env.records import Claim, Comparison
from recorder.comparisons.events import (
    JOURNAL,
    RATED,
    SCHEMA,
    SCORES,
    Begin,
    Event,
    Flag,
    Mark,
    Opinion,
    Place,
    Rate,
    Relevance,
    ShownAnswer,
    Support,
    Trust,
    Unmark,
    View,
    WriteNotes,
    _place_of,
    _unplaced,
    has_begun,
)
from recorder.comparisons.export import comparison_of
from recorder.journal.journal import Journal, read_journal
from recorder.journal.recording import Change, Recording, Redo, Refusal, Submit, Undo
from recorder.journal.text_edits import Edit, edited

T = TypeVar("T")

MAX_NOTES: Final = 10_000
"""Longest notes, in characters."""


# --------------------------------------------------------------------------------------------------------------- events


# ---------------------------------------------------------------------------------------------------------------- state


# --------------------------------------------------------------------------------------------------------------- rating


class Rating(Recording[Event, Opinion]):
    """A comparison in progress; see the module."""

    def __init__(self, folder: Path, begin: Begin | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Go on with the rating in a folder, exactly where it was, or begin one there.

        Raises:
            RecordError: The journal cannot be read or written.
            UsageError: There is nothing to go on with, or it is a rating of other answers.
        """
        self.folder = folder
        if begin is None and not has_begun(folder):
            raise UsageError(f"{folder}: no rating has begun there")
        journal = Journal(folder / JOURNAL, SCHEMA)
        try:
            super().__init__(journal, begin, clock)
            if begin is not None and self.state.begin.task.id != begin.task.id:
                raise UsageError(f"{folder}: holds a rating of other answers: {self.state.begin.task.id!r}")
        except BaseException:
            journal.close()
            raise

    def view(self) -> View:
        """What to show now."""
        state, task = self.state, self.state.begin.task
        return View(
            question=clean(task.question.text).strip(),
            answers=tuple(
                ShownAnswer(answer.text, answer.references, trust, claims)
                for answer, trust, claims in zip(state.answers, state.trust, state.claims, strict=True)
            ),
            is_full=task.is_full,
            is_ranking=task.is_ranking,
            scores=dict(state.scores),
            places=state.places,
            unplaced=_unplaced(state),
            flag=state.flag,
            notes=state.notes,
            missing=_missing(state),
            undoes=self.undoes,
            redoes=self.redoes,
            is_submitted=self.is_submitted,
            elapsed=self.elapsed,
        )

    def raised(self, answer: int) -> Place:
        """The event that moves an answer up: out of a tie to before it, or into the place above; unranked, to the end.

        So every order with every tie can be reached by moving one answer up or down at a time.
        """
        place = _place_of(self.state, answer)
        if place is None:
            return Place(answer=answer, place=len(self.state.places))
        if len(self.state.places[place]) > 1:
            return Place(answer=answer, place=place)
        return Place(answer=answer, place=max(0, place - 1), is_tied=place > 0)

    def lowered(self, answer: int) -> Place:
        """The event that moves an answer down: out of a tie to behind it, or into the place below; unranked, to the end."""
        place = _place_of(self.state, answer)
        if place is None:
            return Place(answer=answer, place=len(self.state.places))
        if len(self.state.places[place]) > 1:
            return Place(answer=answer, place=place + 1)
        return Place(answer=answer, place=place, is_tied=place + 1 < len(self.state.places))

    def comparison(self) -> Comparison:
        """What was submitted, as a record.

        Raises:
            UsageError: It is not submitted.
        """
        if self.state.submitted is None:
            raise UsageError(f"{self.folder}: is not finished; go on with it or leave it out")
        return comparison_of(self.state)

    # ---------------------------------------------------------------------------------------------------------- events

    def _first(self, begin: Event) -> Opinion:
        assert isinstance(begin, Begin)
        answers = tuple(begin.task.answers[index] for index in begin.task.shown)
        return Opinion(
            begin,
            trust=tuple((None,) * len(answer.references) for answer in answers),
            claims=((),) * len(answers),
        )

    def _apply(self, state: Opinion, event: Event, elapsed: float) -> Change[Opinion] | Refusal:
        if isinstance(event, (Trust, Mark, Unmark, Support, Relevance, Place)) and not 0 <= event.answer < len(state.answers):
            return Refusal(f"there is no answer {event.answer}")
        match event:
            case Flag(flag=flag):
                return Change(replace(state, flag=flag), "Flag")
            case Trust(answer=answer, reference=number, level=level):
                known = state.trust[answer]
                if not 1 <= number <= len(known):
                    return Refusal(f"this answer has no reference [{number}]")
                trust = _with(state.trust, answer, _with(known, number - 1, level))
                return Change(replace(state, trust=trust), f"Trust in [{number}]")
            case Mark(answer=answer, start=start, end=end, support=support):
                return _marked(state, answer, Claim(start=start, end=end, support=support))
            case (
                Unmark(answer=answer, claim=index) | Support(answer=answer, claim=index) | Relevance(answer=answer, claim=index)
            ):
                return _remarked(state, event, answer, index)
            case Rate(of=of, score=score):
                if state.begin.task.is_ranking:
                    return Refusal("these answers are ranked, not rated")
                if score is not None and score not in SCORES:
                    return Refusal(f"a rating is one of {', '.join(f'{one:g}' for one in SCORES)}")
                scores = {**dict(state.scores), of: score}
                kept = tuple((name, scores[name]) for name, _ in RATED if scores.get(name) is not None)
                return Change(replace(state, scores=kept), f"Rating: {dict(RATED)[of]}")  # type: ignore[arg-type]
            case Place():
                return _placed(state, event)
            case WriteNotes(edit=edit):
                notes = edited(state.notes, edit)
                if notes is None or len(notes) > MAX_NOTES:
                    return Refusal("the notes have no such place" if notes is None else f"notes have {MAX_NOTES:,} characters")
                return Change(replace(state, notes=notes), "Notes")
            case Submit():
                if missing := _missing(state):
                    return Refusal(f"still to do: {missing[0]}")
                return Change(replace(state, submitted=elapsed), "Submit")
            case Begin() | Undo() | Redo():
                return Refusal("a rating begins once")
            case _:
                assert_never(event)

    def _is_final(self, state: Opinion) -> bool:
        return state.submitted is not None

    def _edit(self, event: Event) -> Edit | None:
        return event.edit if isinstance(event, WriteNotes) else None


def _marked(state: Opinion, answer: int, claim: Claim) -> Change[Opinion] | Refusal:
    text = state.answers[answer].text
    if not 0 <= claim.start < claim.end <= len(text) or not text[claim.start : claim.end].strip():
        return Refusal("nothing is selected")
    claims = state.claims[answer]
    for number, other in enumerate(claims, start=1):
        if claim.start < other.end and other.start < claim.end:
            if (claim.start, claim.end) != (other.start, other.end):
                return Refusal(f"this overlaps claim {number}; take that mark away first")
            claims = _with(claims, number - 1, replace(claim, relevance=other.relevance))
            return Change(replace(state, claims=_with(state.claims, answer, claims)), "Support")
    claims = tuple(sorted((*claims, claim), key=lambda one: one.start))
    return Change(replace(state, claims=_with(state.claims, answer, claims)), "Mark")


def _remarked(state: Opinion, event: Unmark | Support | Relevance, answer: int, index: int) -> Change[Opinion] | Refusal:
    claims = state.claims[answer]
    if not 0 <= index < len(claims):
        return Refusal(f"this answer has no claim {index + 1}")
    match event:
        case Unmark():
            changed, label = claims[:index] + claims[index + 1 :], "Take mark away"
        case Support(level=support):
            changed, label = _with(claims, index, replace(claims[index], support=support)), "Support"
        case Relevance(level=relevance):
            changed, label = _with(claims, index, replace(claims[index], relevance=relevance)), "Relevance"
    return Change(replace(state, claims=_with(state.claims, answer, changed)), label)


def _placed(state: Opinion, event: Place) -> Change[Opinion] | Refusal:
    if not state.begin.task.is_ranking:
        return Refusal("these answers are rated, not ranked")
    others = [tuple(one for one in place if one != event.answer) for place in state.places]
    others = [place for place in others if place]
    if not 0 <= event.place < len(others) + (not event.is_tied):
        return Refusal(f"there is no place {event.place + 1}")
    if event.is_tied:
        others[event.place] = tuple(sorted((*others[event.place], event.answer)))
    else:
        others.insert(event.place, (event.answer,))
    if tuple(others) == state.places:
        return Refusal("it is there already")
    return Change(replace(state, places=tuple(others)), "Rank")


def _with(values: tuple[T, ...], index: int, value: T) -> tuple[T, ...]:
    return (*values[:index], value, *values[index + 1 :])


def _missing(state: Opinion) -> tuple[str, ...]:
    """What Appendix C.2 asks for and is not there: with the full form everything, otherwise the final rating."""
    task = state.begin.task
    if state.flag is not None:
        return ()
    missing = []
    if task.is_full:
        for index, (trust, claims) in enumerate(zip(state.trust, state.claims, strict=True)):
            name = answer_name(index)
            unrated = [f"[{number}]" for number, level in enumerate(trust, start=1) if level is None]
            if unrated:
                missing.append(f"trust in the sources of answer {name}: {' '.join(unrated)}")
            if not claims:
                missing.append(f"the claims of answer {name}")
            elif any(claim.relevance is None for claim in claims):
                missing.append(f"the relevance of claims of answer {name}")
    if task.is_ranking:
        if unplaced := _unplaced(state):
            missing.append(
                f"the place of {'answers' if len(unplaced) > 1 else 'answer'} {', '.join(map(answer_name, unplaced))}"
            )
    else:
        rated = dict(state.scores)
        needed = RATED if task.is_full else RATED[-1:]
        missing.extend(f"which is or has {words}" for name, words in needed if name not in rated)
    return tuple(missing)


def answer_name(index: int) -> str:
    """What an answer is called on the screen: A, B, ..."""
    return chr(ord("A") + index)


# --------------------------------------------------------------------------------------------------------------- export


def finished(folder: Path) -> Iterator[Rating]:
    """The submitted ratings in a folder and the folders in it, in order of their names; nothing is written.

    Raises:
        RecordError: A journal cannot be read, or was changed after it was sealed.
    """
    for path in sorted(folder.rglob(JOURNAL)):
        if read_journal(path, SCHEMA).digest is not None:
            with Rating(path.parent) as rating:
                yield rating
