"""The program of `webgpt compare`, driven by keys and the mouse, from the question to the submitted record."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from browser_env.records import Claim, Comparison, Ratings
from recorder.compare_app import CompareApp
from recorder.comparisons.events import Begin, Task
from recorder.comparisons.rating import Rating, finished
from recorder.comparisons.state import ShownAnswer
from recorder.queue.queue import Job, Queue
from recorder.screens.comparison import ComparisonScreen
from recorder.screens.dialogs import Help
from recorder.screens.ranking import RankingScreen, RankList
from recorder.widgets.answer_layout import Source, Span, choices
from recorder.widgets.answer_view import AnswerView
from tests.recorder.made import ANSWERS, PAIR, RANKING, SOURCE
from tests.recorder.programs import press as press_all
from tests.recorder.programs import run, settle

pytestmark = pytest.mark.usefixtures("no_fsync")

NARROW, WIDE = (80, 24), (200, 60)


def app_of(folder: Path, *tasks: Task, annotator: str = "ann") -> CompareApp:
    known = {task.id: task for task in tasks}

    def open_rating(job: Job) -> Rating:
        return Rating(job.folder, Begin(task=known[job.item], annotator=annotator))

    return CompareApp(Queue(folder, list(known), annotator), open_rating)


async def press(pilot: Pilot[None], keys: str) -> None:
    """Press keys that are separated by spaces."""
    await press_all(pilot, *keys.split())


def submitted(folder: Path) -> list[Comparison]:
    return [rating.comparison() for rating in finished(folder)]


def todo(app: CompareApp) -> str:
    return str(app.screen.query_one("#todo", Static).render())


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=["80x24", "200x60"])
def test_a_full_comparison_with_keys_alone(size: tuple[int, int], tmp_path: Path) -> None:
    app = app_of(tmp_path, replace(PAIR, is_full=True))

    async def steps(pilot: Pilot[None]) -> None:
        await settle(pilot)
        assert todo(app) == "To do (full form): trust in the sources of answer A: [1] (and 10 more)"
        await press(pilot, "3 i down 2")  # answer A: all of its one sentence, then its source
        await press(pilot, "b 1 c down shift+left 4 s down 1 down 3")  # answer B: two claims, two sources
        await press(pilot, "r 1 2 3 4 5 3")
        assert todo(app) == "To do (full form): rating: more useful overall"
        await press(pilot, "4 n O K ! escape")
        assert todo(app) == "✓ Ready to submit: ^s"
        await press(pilot, "ctrl+s enter")

    run(app, steps, size)
    [comparison] = submitted(tmp_path)
    assert comparison.answers == ANSWERS[:2]
    assert comparison.ratings == Ratings(
        overall=0.5, unsupported=-1, irrelevant=-0.5, strong_support=0, weak_support=0.5, no_support=1, coherence=0
    )
    assert comparison.annotations is not None
    shown_second, shown_first = comparison.annotations
    assert shown_first.trust == ("neutral",)
    assert shown_first.claims == (Claim(start=0, end=8, support="none", relevance="irrelevant"),)
    assert shown_second.trust == ("trustworthy", "suspicious")
    assert shown_second.claims == (
        Claim(start=0, end=21, support="strong", relevance="core"),
        Claim(start=22, end=32, support="citation_error", relevance="side"),
    )
    assert comparison.notes == "OK!"
    assert comparison.shown == (1, 0)


def test_a_short_comparison_is_followed_by_the_next_task(tmp_path: Path) -> None:
    app = app_of(tmp_path, PAIR, replace(PAIR, id="u", question=replace(PAIR.question, id="r", text="And owls?")))

    async def steps(pilot: Pilot[None]) -> None:
        await press(pilot, "ctrl+s")
        assert app.recording is not None and not app.recording.is_submitted
        assert "still to do" in str(app.screen.query_one("#message", Static).render())
        await press(pilot, "r 3 ctrl+s enter")
        assert app.recording is not None
        assert app.recording.view().question == "And owls?"
        await press(pilot, "f 1")
        assert "‹flagged: it does not make sense›" in str(app.screen.query_one("#question", Static).render())
        await press(pilot, "ctrl+s enter")
        assert "2 of 2 done" in str(app.screen.query_one(".dialog-title", Static).render())

    run(app, steps, NARROW)
    first, second = sorted(submitted(tmp_path), key=lambda one: one.flag or "")
    assert first.ratings == Ratings(overall=0)
    assert (second.flag, second.ratings) == ("nonsense", None)


def test_a_ranking_of_four_with_keys_alone(tmp_path: Path) -> None:
    app = app_of(tmp_path, RANKING)

    async def steps(pilot: Pilot[None]) -> None:
        await settle(pilot)
        assert todo(app) == "To do (short form): the place of answers A, B, C, D"
        await press(pilot, "shift+up")  # A
        await press(pilot, "down 1")  # B before A
        await press(pilot, "down down 9")  # C behind both
        await press(pilot, "down shift+down shift+up")  # D: behind C, then tied with it
        assert app.recording is not None
        assert app.recording.view().places == ((1,), (0,), (2, 3))
        await press(pilot, "enter 2 tab ctrl+z ctrl+y")  # a claim of D, undone and done again
        await press(pilot, "ctrl+s enter")

    run(app, steps, NARROW)
    [comparison] = submitted(tmp_path)
    # Shown as 2, 0, 3, 1: B is answer 0, A is 2, and C and D are 3 and 1.
    assert comparison.ranks == (1, 3, 2, 3)
    assert comparison.annotations is not None
    assert [len(one.claims) for one in comparison.annotations] == [0, 1, 0, 0]


def test_undo_and_redo_are_shown(tmp_path: Path) -> None:
    app = app_of(tmp_path, PAIR)

    async def steps(pilot: Pilot[None]) -> None:
        await press(pilot, "1")
        assert app.recording is not None
        assert len(app.recording.view().answers[0].claims) == 1
        await press(pilot, "ctrl+z")
        assert app.recording.view().answers[0].claims == ()
        assert str(app.screen.query_one("#message", Static).render()) == "· undone: Mark"
        await press(pilot, "ctrl+y x")
        assert app.recording.view().answers[0].claims == ()
        await press(pilot, "n h i")
        await press(pilot, "ctrl+z")
        assert app.recording.view().notes == ""

    run(app, steps, WIDE)


def test_an_unfinished_comparison_is_offered_and_continues(tmp_path: Path) -> None:
    app = app_of(tmp_path, PAIR)

    async def steps(pilot: Pilot[None]) -> None:
        await press(pilot, "1 c r 2 ctrl+q")

    run(app, steps, NARROW)
    again = app_of(tmp_path, PAIR)

    async def steps_in_again(pilot: Pilot[None]) -> None:
        await settle(pilot)
        assert again.screen.is_modal
        await press(pilot, "enter")
        assert again.recording is not None
        view = again.recording.view()
        assert view.scores == {"overall": 0.5}
        assert view.answers[0].claims == (Claim(start=0, end=8, support="strong", relevance="core"),)
        await press(pilot, "ctrl+s enter")

    run(again, steps_in_again, NARROW)
    assert len(submitted(tmp_path)) == 1


def test_choosing_rating_and_ranking_with_the_mouse(tmp_path: Path) -> None:
    app = app_of(tmp_path, replace(PAIR, shown=(0, 1)))

    async def steps(pilot: Pilot[None]) -> None:
        await settle(pilot)
        await pilot.mouse_down("#answer-a", offset=(6, 0))
        await pilot.hover("#answer-a", offset=(13, 0))
        await pilot.mouse_up("#answer-a", offset=(13, 0))
        await settle(pilot)
        assert app.screen.query_one("#answer-a", AnswerView).chosen == Span(6, 17)  # "bring keys."
        await pilot.click("#answer-a", offset=(6, 5))
        await press(pilot, "1")
        assert app.recording is not None
        assert app.recording.view().answers[0].trust == (None, "trustworthy")
        await pilot.click("#ratings", offset=(54, 7))  # the third circle of the last row
        await settle(pilot)
        assert app.recording.view().scores == {"overall": 0}

    run(app, steps, WIDE)
    ranking = app_of(tmp_path / "ranks", RANKING)

    async def steps_in_ranking(pilot: Pilot[None]) -> None:
        await press(pilot, "1 down 2 down 3 down 4")
        await pilot.mouse_down("#ranks", offset=(5, 3))
        await pilot.mouse_up("#ranks", offset=(5, 0))
        await settle(pilot)
        assert ranking.recording is not None
        assert ranking.recording.view().places == ((3,), (0,), (1,), (2,))
        assert ranking.screen.query_one(RankList).answer == 3

    run(ranking, steps_in_ranking, WIDE)


@pytest.mark.parametrize("kind", [ComparisonScreen, RankingScreen])
def test_every_key_is_in_the_help(kind: type, tmp_path: Path) -> None:
    app = app_of(tmp_path, PAIR if kind is ComparisonScreen else RANKING)

    async def steps(pilot: Pilot[None]) -> None:
        await settle(pilot)
        shown = {
            active.binding
            for active in app.screen.active_bindings.values()
            if active.binding.show and active.binding.description
        }
        await press(pilot, "f1")
        assert isinstance(app.screen, Help)
        explained = [meaning for _, meaning in app.screen.keys]
        text = " ".join(str(part.render()) for part in app.screen.query(Static))
        assert [binding.description for binding in shown if not binding.system and binding.tooltip not in explained] == []
        assert "do no research of your own" in text

    run(app, steps, WIDE)


def test_the_screen_does_not_show_the_origin_of_answers(tmp_path: Path) -> None:
    app = app_of(tmp_path, PAIR)

    async def steps(pilot: Pilot[None]) -> None:
        await settle(pilot)
        shown = " ".join(re.findall(r">([^<]+)</text>", app.export_screenshot()))
        assert "Crows" in shown
        assert not any(word in shown for word in ("model", "bob", "e0", "e1"))

    run(app, steps, WIDE)


CHOICES: Sequence[tuple[str, tuple[tuple[int, int], ...], Sequence[str]]] = [
    ("One. Two three.", (), ["One.", "Two three.", "[1]"]),
    ("One. Two three.", ((5, 8),), ["One.", "Two", "three.", "[1]"]),
    ("One. Two three.", ((0, 8),), ["One. Two", "three.", "[1]"]),
    ("One two three four.", ((4, 7), (14, 18)), ["One", "two", "three", "four", "[1]"]),
    ("One two. [1]", ((0, 8),), ["One two.", "[1]"]),
    ("", (), ["[1]"]),
]


@pytest.mark.parametrize(("text", "claims", "expected"), CHOICES, ids=lambda value: str(value)[:30])
def test_choices_are_claims_sentences_between_them_and_sources(
    text: str, claims: Sequence[tuple[int, int]], expected: Sequence[str]
) -> None:
    marks = tuple(Claim(start=start, end=end, support="weak") for start, end in claims)
    found = choices(ShownAnswer(text, (SOURCE,), (None,), marks))
    assert [f"[{one.number}]" if isinstance(one, Source) else text[one.start : one.end] for one in found] == expected
