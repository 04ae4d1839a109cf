"""Comparisons: every event, undo and redo, reopening, and the exported record."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from tempfile import mkdtemp

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from browser_env.errors import UsageError
from browser_env.records import Annotation, Claim, ComparedAnswer, Comparison, Question, Ratings, Reference
from browser_env.records.storage import append_record, read_records
from recorder.comparisons.events import (
    JOURNAL,
    RATED,
    SCORES,
    Begin,
    Event,
    Flag,
    Mark,
    Place,
    Rate,
    Relevance,
    Support,
    Task,
    Trust,
    Unmark,
    WriteNotes,
)
from recorder.comparisons.ranking import move_down, move_up
from recorder.comparisons.rating import Rating, finished
from recorder.comparisons.state import RatingState
from recorder.journal.recording import Redo, Submit, Undo
from recorder.journal.text_edits import Edit

SOURCE = Reference(title="Crows", url="http://birds.org/crows", extract="Crows bring gifts.", page="0", start=0, end=18)
OTHER = replace(SOURCE, title="Corvids", url="http://b.org/")
ANSWERS = (
    ComparedAnswer(text="Crows bring keys. [1] And glass. [2]", references=(SOURCE, OTHER), actor="model", episode="e0"),
    ComparedAnswer(text="Nothing.", actor="human:bob", episode="e1"),
    ComparedAnswer(text="Gifts.", references=(OTHER,)),
    ComparedAnswer(text="Ask a crow."),
)
PAIR = Task(id="t", question=Question(id="q", text="What do crows bring?"), answers=ANSWERS[:2], shown=(1, 0), seed=7)
RANKING = replace(PAIR, answers=ANSWERS, shown=(2, 0, 3, 1), is_ranking=True)


def open_rating(folder: Path, task: Task = PAIR) -> Rating:
    return Rating(folder, Begin(task=task, annotator="ann"))


def done(rating: Rating, *events: Event) -> None:
    for event in events:
        assert rating.do(event).problem is None, event


@pytest.fixture
def rating(tmp_path: Path, no_fsync: None) -> Iterator[Rating]:
    with open_rating(tmp_path / "rating", replace(PAIR, is_full=True)) as rating:
        yield rating


def test_the_full_form_from_the_first_event_to_the_record(rating: Rating, tmp_path: Path) -> None:
    assert [answer.text for answer in rating.view().answers] == ["Nothing.", ANSWERS[0].text]
    assert rating.view().missing == (
        "the claims of answer A",
        "trust in the sources of answer B: [1] [2]",
        "the claims of answer B",
        *(f"rating: {words}" for _, words in RATED),
    )
    assert rating.do(Submit()).problem == "still to do: the claims of answer A"
    done(
        rating,
        Mark(answer=0, start=0, end=7, support="none"),
        Relevance(answer=0, claim=0, level="irrelevant"),
        Trust(answer=1, reference=2, level="suspicious"),
        Trust(answer=1, reference=1, level="trustworthy"),
        Mark(answer=1, start=22, end=31, support="strong"),
        Mark(answer=1, start=0, end=16, support="citation_error"),
        Support(answer=1, claim=1, level="weak"),
        Relevance(answer=1, claim=0, level="core"),
    )
    assert "the relevance of claims of answer B" in rating.view().missing
    done(rating, Relevance(answer=1, claim=1, level="side"))
    done(rating, *(Rate(of=name, score=score) for (name, _), score in zip(RATED, [1, 0.5, 0, -0.5, -1, 0, -0.5], strict=True)))
    done(rating, WriteNotes(edit=Edit(start=0, end=0, text="B cites.")), Submit())
    assert rating.view().is_submitted
    comparison = rating.comparison()
    assert comparison == Comparison(
        id=comparison.id,
        question=PAIR.question,
        answers=ANSWERS[:2],
        labeler="human:ann",
        # The answers were shown in the other order, so the signs are reversed.
        ratings=Ratings(
            overall=0.5,
            unsupported=-1,
            irrelevant=-0.5,
            strong_support=0,
            weak_support=0.5,
            no_support=1,
            coherence=0,
        ),
        annotations=(
            Annotation(
                trust=("trustworthy", "suspicious"),
                claims=(
                    Claim(start=0, end=16, support="citation_error", relevance="core"),
                    Claim(start=22, end=31, support="weak", relevance="side"),
                ),
            ),
            Annotation(claims=(Claim(start=0, end=7, support="none", relevance="irrelevant"),)),
        ),
        notes="B cites.",
        seed=7,
        shown=(1, 0),
        seconds=comparison.seconds,
    )
    append_record(tmp_path / "comparisons.jsonl", comparison)
    assert list(read_records(tmp_path / "comparisons.jsonl", Comparison)) == [comparison]
    assert [submitted.comparison() for submitted in finished(tmp_path)] == [comparison]


def test_the_short_form_needs_only_the_final_rating(tmp_path: Path, no_fsync: None) -> None:
    with open_rating(tmp_path, replace(PAIR, shown=(0, 1))) as rating:
        assert rating.view().missing == ("rating: more useful overall",)
        done(rating, Rate(of="overall", score=0.5), Submit())
        assert rating.comparison().ratings == Ratings(overall=0.5)
        assert rating.comparison().annotations is None


def test_a_flagged_question_needs_no_ratings(rating: Rating) -> None:
    done(rating, Rate(of="overall", score=1), Flag(flag="nonsense"))
    assert rating.view().missing == ()
    done(rating, Flag(flag=None))
    assert rating.view().missing != ()
    done(rating, Flag(flag="controversial"), Submit())
    assert (rating.comparison().flag, rating.comparison().ratings) == ("controversial", None)


def test_a_ranking_with_ties(tmp_path: Path, no_fsync: None) -> None:
    with open_rating(tmp_path, RANKING) as rating:
        assert rating.view().missing == ("the place of answers A, B, C, D",)
        done(rating, Place(answer=1, place=0), Place(answer=0, place=0), Place(answer=3, place=1, is_tied=True))
        assert (rating.view().places, rating.view().unplaced) == (((0,), (1, 3)), (2,))
        done(rating, Place(answer=2, place=2))
        assert rating.view().missing == ()
        done(rating, Submit())
        # Shown as 2, 0, 3, 1: the best is answer 2, then 0 and 1, then 3.
        assert rating.comparison().ranks == (2, 2, 1, 4)


def test_moving_answers_reaches_every_order_with_every_tie(tmp_path: Path, no_fsync: None) -> None:
    task = replace(RANKING, answers=ANSWERS[:3], shown=(0, 1, 2))
    with open_rating(tmp_path, task) as rating:
        for answer in range(3):
            done(rating, move_up(rating.state, answer))
        seen, waiting = {rating.state.places}, [rating.state]
        while waiting:
            here = waiting.pop()
            for answer in range(3):
                for move in (move_up, move_down):
                    rating._history[rating._position] = replace(rating._history[rating._position], state=here)
                    response = rating.do(move(rating.state, answer))
                    if response.is_done and rating.state.places not in seen:
                        seen.add(rating.state.places)
                        waiting.append(rating.state)
    orders = {tuple((answer,) for answer in order) for order in permutations(range(3))}
    one_tie = {
        order for pair, other in (((0, 1), 2), ((0, 2), 1), ((1, 2), 0)) for order in ((pair, (other,)), ((other,), pair))
    }
    assert seen == orders | one_tie | {((0, 1, 2),)}


@pytest.mark.parametrize(
    ("event", "problem"),
    [
        (Trust(answer=1, reference=3, level=None), "this answer has no reference [3]"),
        (Trust(answer=2, reference=1, level=None), "there is no answer 2"),
        (Mark(answer=1, start=4, end=4, support="weak"), "nothing is selected"),
        (Mark(answer=1, start=5, end=6, support="weak"), "nothing is selected"),
        (Mark(answer=1, start=0, end=37, support="weak"), "nothing is selected"),
        (Mark(answer=0, start=4, end=8, support="weak"), "this overlaps claim 1; unmark that claim first"),
        (Unmark(answer=1, claim=0), "this answer has no claim 1"),
        (Rate(of="overall", score=0.25), "a rating is one of 1, 0.5, 0, -0.5, -1"),
        (Place(answer=0, place=0), "these answers are rated, not ranked"),
        (WriteNotes(edit=Edit(start=3, end=3, text="x")), "the edit is outside the notes"),
        (Redo(), "there is nothing to redo"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else "",
)
def test_impossible_events_are_refused_and_not_written(rating: Rating, event: Event, problem: str) -> None:
    done(rating, Mark(answer=0, start=0, end=5, support="weak"))
    journal = (rating.folder / JOURNAL).read_bytes()
    assert rating.do(event).problem == problem
    assert (rating.folder / JOURNAL).read_bytes() == journal


def test_marking_the_same_words_again_changes_their_support(rating: Rating) -> None:
    done(rating, Mark(answer=1, start=0, end=5, support="weak"), Relevance(answer=1, claim=0, level="core"))
    done(rating, Mark(answer=1, start=0, end=5, support="strong"))
    assert rating.view().answers[1].claims == (Claim(start=0, end=5, support="strong", relevance="core"),)
    done(rating, Unmark(answer=1, claim=0))
    assert rating.view().answers[1].claims == ()


def test_the_view_does_not_contain_the_origin_of_answers(rating: Rating) -> None:
    shown = repr(rating.view())
    assert all(word not in shown for word in ("model", "human:bob", "e0", "e1"))


def test_invalid_ratings_and_tasks_are_rejected(tmp_path: Path, no_fsync: None) -> None:
    with pytest.raises(UsageError, match="there is no comparison to continue"):
        Rating(tmp_path)
    with open_rating(tmp_path) as rating, pytest.raises(UsageError, match="is not finished"):
        rating.comparison()
    with pytest.raises(UsageError, match="contains the comparison of another item: 't'"):
        open_rating(tmp_path, replace(PAIR, id="other"))
    with pytest.raises(ValueError, match="expected two answers to rate, or two or more to rank; got 4"):
        replace(RANKING, is_ranking=False)
    with pytest.raises(ValueError, match="shown must contain each index of the 2 answers once"):
        replace(PAIR, shown=(1, 1))


ANSWER, PLACE = st.integers(0, 4), st.integers(0, 3)


class Anything(RuleBasedStateMachine):
    """All events in any order. Reopening, undo and redo give the same states."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(mkdtemp())
        self.past: list[RatingState] = []
        self.future: list[RatingState] = []

    def teardown(self) -> None:
        self.rating.close()
        shutil.rmtree(self.folder)

    @initialize(task=st.sampled_from([PAIR, replace(PAIR, is_full=True), RANKING]))
    def begin(self, task: Task) -> None:
        self.rating = open_rating(self.folder, task)

    @rule(
        event=st.one_of(
            st.builds(Flag, flag=st.sampled_from([None, "nonsense", "controversial"])),
            st.builds(Trust, answer=ANSWER, reference=st.integers(1, 3), level=st.sampled_from([None, "neutral"])),
            st.builds(Mark, answer=ANSWER, start=st.integers(0, 20), end=st.integers(0, 20), support=st.just("weak")),
            st.builds(Unmark, answer=ANSWER, claim=PLACE),
            st.builds(Support, answer=ANSWER, claim=PLACE, level=st.sampled_from(["strong", "none"])),
            st.builds(Relevance, answer=ANSWER, claim=PLACE, level=st.sampled_from([None, "core"])),
            st.builds(Rate, of=st.sampled_from([name for name, _ in RATED]), score=st.sampled_from([None, *SCORES])),
            st.builds(Place, answer=ANSWER, place=PLACE, is_tied=st.booleans()),
        )
    )
    def event(self, event: Event) -> None:
        before = self.rating.state
        if self.rating.do(event).problem is None:
            self.past.append(before)
            self.future = []
        else:
            assert self.rating.state is before

    @rule()
    def undo(self) -> None:
        before = self.rating.state
        assert self.rating.do(Undo()).is_done == bool(self.past)
        if self.past:
            self.future.append(before)
            assert self.rating.state == self.past.pop()

    @rule()
    def redo(self) -> None:
        before = self.rating.state
        assert self.rating.do(Redo()).is_done == bool(self.future)
        if self.future:
            self.past.append(before)
            assert self.rating.state == self.future.pop()

    @invariant()
    def reopening_gives_the_same_state(self) -> None:
        with Rating(self.folder) as again:
            assert again.state == self.rating.state
            assert (again.undoes, again.redoes) == (self.rating.undoes, self.rating.redoes)

    @invariant()
    def complete_ratings_can_be_exported(self) -> None:
        view = self.rating.view()
        assert sorted([answer for place in view.places for answer in place] + list(view.unplaced)) in ([], [0, 1, 2, 3])
        if not view.missing:
            copy = self.folder.with_name(f"{self.folder.name}-copy")
            shutil.copytree(self.folder, copy)
            with Rating(copy) as rating:
                done(rating, Submit())
                assert rating.comparison().shown == self.rating.state.begin.task.shown
            shutil.rmtree(copy)


@pytest.mark.usefixtures("no_fsync")
class TestAnything(Anything.TestCase):  # type: ignore[misc, valid-type]  # made by hypothesis
    settings = settings(max_examples=40, stateful_step_count=30, suppress_health_check=list(HealthCheck))
