"""A comparison in progress: a person reads answers to a question, annotates them, and rates or ranks them (Appendix C.2).

Screens show `Rating.view`, translate keys into events, and pass them to `Rating.do`:

- `Flag`: the question makes no sense, or should not be answered. Then nothing else is required.
- `Trust` in a source; `Mark`, `Support`, `Relevance` and `Unmark` of claims in an answer.
- `Rate`: two answers on a five-point scale; or `Place`: an answer in a ranking, ties allowed (`ranking.move_up` and
  `ranking.move_down` give the event that moves an answer by one place).
- `WriteNotes`: an edit of the notes (`text_edits.edit_between`).
- `Submit`, `Undo`, `Redo`.

Events and views count answers from 0 in the order in which they are shown. The exported record has them in the order in which
they were drawn, together with the order in which they were shown. Neither events nor views contain the origin of an answer.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final, assert_never

from browser_env.errors import UsageError
from browser_env.pages.characters import clean
from browser_env.records import Comparison
from recorder.comparisons.annotations import change_claim, mark_claim, rate_source
from recorder.comparisons.events import (
    JOURNAL,
    RATED,
    SCHEMA,
    SCORES,
    Begin,
    Event,
    Flag,
    Mark,
    Place,
    Rate,
    Relevance,
    Support,
    Trust,
    Unmark,
    WriteNotes,
)
from recorder.comparisons.export import comparison_of
from recorder.comparisons.ranking import place_answer
from recorder.comparisons.state import RatingState, ShownAnswer, View, missing_parts
from recorder.journal.journal import sealed_journals
from recorder.journal.recording import Change, Recording, Redo, Refusal, Submit, Undo
from recorder.journal.text_edits import Edit, apply_edit

MAX_NOTES: Final = 10_000
"""Maximum length of the notes, in characters."""


class Rating(Recording[Event, RatingState]):
    """A comparison in progress. See the module's docstring."""

    def __init__(self, folder: Path, begin: Begin | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Continue the comparison in a folder, or begin a new one there.

        Args:
            folder: Folder of this recording alone.
            begin: The first event of a new recording. An existing recording must have the same task. None to continue an
                existing recording.
            clock: A monotonic clock, in seconds.

        Raises:
            RecordError: The journal cannot be read or written.
            UsageError: There is nothing to continue, or the recording has another task.
        """
        super().__init__(folder / JOURNAL, SCHEMA, begin, clock=clock)

    def view(self) -> View:
        """Return everything that a screen shows."""
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
            unplaced=state.unplaced,
            flag=state.flag,
            notes=state.notes,
            missing=missing_parts(state),
            undoes=self.undoes,
            redoes=self.redoes,
            is_submitted=self.is_submitted,
            elapsed=self.elapsed,
        )

    def comparison(self) -> Comparison:
        """Return the submitted comparison as a record.

        Raises:
            UsageError: The comparison is not submitted.
        """
        if self.state.submitted is None:
            raise UsageError(f"{self.folder}: the comparison is not finished; finish it or leave it out")
        return comparison_of(self.state)

    def _initial_state(self, begin: Event) -> RatingState:
        assert isinstance(begin, Begin)
        answers = tuple(begin.task.answers[index] for index in begin.task.shown)
        return RatingState(
            begin,
            trust=tuple((None,) * len(answer.references) for answer in answers),
            claims=((),) * len(answers),
        )

    def _item_id(self, begin: Event) -> str:
        assert isinstance(begin, Begin)
        return begin.task.id

    def _text_edit(self, event: Event) -> Edit | None:
        return event.edit if isinstance(event, WriteNotes) else None

    def _apply(self, state: RatingState, event: Event, elapsed: float) -> Change[RatingState] | Refusal:
        if isinstance(event, (Trust, Mark, Unmark, Support, Relevance, Place)) and not 0 <= event.answer < len(state.answers):
            return Refusal(f"there is no answer {event.answer}")
        match event:
            case Flag(flag=flag):
                return Change(replace(state, flag=flag), "Flag")
            case Trust():
                return rate_source(state, event)
            case Mark():
                return mark_claim(state, event)
            case Unmark() | Support() | Relevance():
                return change_claim(state, event)
            case Rate():
                return _rate(state, event)
            case Place():
                return place_answer(state, event)
            case WriteNotes(edit=edit):
                return _edit_notes(state, edit)
            case Submit():
                if missing := missing_parts(state):
                    return Refusal(f"still to do: {missing[0]}")
                return Change(replace(state, submitted=elapsed), "Submit")
            case Begin() | Undo() | Redo():
                return Refusal("a comparison begins only once")
            case _:
                assert_never(event)


def finished(folder: Path) -> Iterator[Rating]:
    """Yield the submitted comparisons in a folder and its subfolders, sorted by path. Nothing is written.

    Raises:
        RecordError: A journal cannot be read, or was changed after it was sealed.
    """
    for path in sealed_journals(folder, JOURNAL, SCHEMA):
        with Rating(path.parent) as rating:
            yield rating


def _rate(state: RatingState, event: Rate) -> Change[RatingState] | Refusal:
    if state.begin.task.is_ranking:
        return Refusal("these answers are ranked, not rated")
    if event.score is not None and event.score not in SCORES:
        return Refusal(f"a rating is one of {', '.join(f'{score:g}' for score in SCORES)}")
    given = {**dict(state.scores), event.of: event.score}
    scores = tuple((name, score) for name, _ in RATED if (score := given.get(name)) is not None)
    return Change(replace(state, scores=scores), f"Rating: {dict(RATED)[event.of]}")


def _edit_notes(state: RatingState, edit: Edit) -> Change[RatingState] | Refusal:
    notes = apply_edit(state.notes, edit)
    if notes is None:
        return Refusal("the edit is outside the notes")
    if len(notes) > MAX_NOTES:
        return Refusal(f"the notes are too long; the limit is {MAX_NOTES:,} characters")
    return Change(replace(state, notes=notes), "Notes")
