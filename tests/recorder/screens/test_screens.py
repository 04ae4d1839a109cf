"""The program of `webgpt record`, driven by keys and the mouse; effects are asserted on the records."""

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from textual.command import CommandPalette
from textual.pilot import Pilot
from textual.screen import Screen

from browser_env.backends import SearchHit
from browser_env.pages.page import Page
from browser_env.records import Settings
from recorder.demonstrations.export import replay
from recorder.demonstrations.session import Session, finished
from recorder.journal.recording import Response
from recorder.screens.answer import AnswerArea, AnswerScreen
from recorder.screens.browse import BrowseScreen
from recorder.screens.dialogs import Choice, Help
from recorder.screens.ended import EndedScreen
from recorder.screens.summary import Summary
from recorder.screens.work import WorkScreen
from recorder.widgets.heading import MessageLine
from recorder.widgets.keys import Keys
from recorder.widgets.page_view import PageView
from tests.recorder.programs import demonstration_app, press, run, settle, typed
from tests.recorder.webs import CROWS, CROWS_URL, web

pytestmark = pytest.mark.usefixtures("no_fsync")


def session(pilot: Pilot[None]) -> Session:
    screen = pilot.app.screen
    assert isinstance(screen, WorkScreen) and isinstance(screen.recording, Session)
    return screen.recording


def commands(pilot: Pilot[None]) -> Sequence[str]:
    return [step.completion for step in session(pilot).episode().steps]


def is_shown(pilot: Pilot[None], screen: type[Screen[None]]) -> bool:
    return isinstance(pilot.app.screen, screen)


def message(pilot: Pilot[None]) -> str:
    return str(pilot.app.screen.query_one(MessageLine).render())


async def search(pilot: Pilot[None], query: str) -> None:
    await press(pilot, "s") if not isinstance(pilot.app.focused, type(pilot.app.screen.query_one("#search"))) else None
    await typed(pilot, query)
    await press(pilot, "enter")


def test_a_whole_queue_with_keys_alone(tmp_path: Path) -> None:
    app = demonstration_app(tmp_path, "What do crows bring?", "Colourless green?", "How many crows?")

    async def steps(pilot: Pilot[None]) -> None:
        await typed(pilot, "crows")
        await press(pilot, "enter", "0", "enter")
        assert session(pilot).view().page.url == CROWS_URL
        await press(pilot, "down", "down", "v", "down", "left", "enter")  # two lines, without the last word
        await press(pilot, "f")
        await typed(pilot, "number 7")
        await press(pilot, "enter", "n", "v", "tab", "right", "right", "enter")  # that line, without its first two words
        assert [one.extract for one in session(pilot).view().references] == [
            "Crow number 0 brought me a key.\nCrow number 1 brought me an",
            "7 brought me an earring.",
        ]
        await press(pilot, "r", "down", "e", "left", "enter")  # the second one, without its last word
        await press(pilot, "up", "x", "ctrl+z", "escape")  # the first one removed, and not
        assert [one.extract for one in session(pilot).view().references][1] == "7 brought me an"
        await press(pilot, "d", "b", "ctrl+z", "a")
        assert is_shown(pilot, AnswerScreen)
        await typed(pilot, "Keys, and more. Glass")
        await press(pilot, "ctrl+r", "2", "ctrl+z", "ctrl+y", "ctrl+s", "enter")
        assert is_shown(pilot, BrowseScreen)
        await press(pilot, "escape", "N")
        assert is_shown(pilot, EndedScreen)
        await press(pilot, "b", "escape", "N", "enter")
        await press(pilot, "f4")
        await typed(pilot, "I never counted")
        await press(pilot, "enter")
        assert is_shown(pilot, Summary)

    run(app, steps)
    made = {one.state.begin.question.id: (one.episode(), replay(one.episode(), one.web())) for one in finished(tmp_path)}
    episode, difference = made["q0"]
    assert difference is None
    assert episode.answer == "Keys, and more. Glass[2]"
    assert [step.completion for step in episode.steps[:-1]] == [
        "Search crows",
        "Clicked on link 0",
        "Quote: Crow number 0 brought me a key. Crow number 1 brought me an",
        "Find in page: number 7",
        "Find in page: number 7",
        "Quote: 7 brought me an",
        "Scrolled down 1",
        "End: Answer",
    ]
    assert (made["q1"][0].ending, made["q1"][1], len(made)) == ("nonsense", None, 2)


def test_browsing_with_the_mouse(tmp_path: Path) -> None:
    app = demonstration_app(tmp_path)

    async def steps(pilot: Pilot[None]) -> None:
        await search(pilot, "crows")
        await pilot.click(PageView, offset=(3, 0))
        await settle(pilot)
        await pilot.mouse_down(PageView, offset=(5, 2))
        await pilot.hover(PageView, offset=(13, 2))
        await pilot.mouse_up(PageView, offset=(13, 2))
        await press(pilot, "enter")
        for name in ("#down", "#up", "#back"):
            await pilot.click(name)
            await settle(pilot)
        assert commands(pilot) == [
            "Search crows",
            "Clicked on link 0",
            "Quote: number 0",
            "Scrolled down 1",
            "Scrolled up 1",
            "Back",
        ]
        await pilot.click("#controversial")
        assert isinstance(app.screen, EndedScreen)

    run(app, steps)


def test_an_unfinished_recording_is_offered_and_continues(tmp_path: Path) -> None:
    async def begin(pilot: Pilot[None]) -> None:
        await search(pilot, "crows")
        await press(pilot, "0", "enter", "down", "down", "v", "enter", "a")
        await typed(pilot, "A key")

    async def go_on(pilot: Pilot[None]) -> None:
        assert isinstance(pilot.app.screen, Choice)
        await press(pilot, "enter")
        assert pilot.app.screen.query_one(AnswerArea).text == "A key"
        await typed(pilot, "s")
        assert session(pilot).state.answer == "A keys"

    async def skip(pilot: Pilot[None]) -> None:
        await press(pilot, "f4")
        await typed(pilot, "tired")
        await press(pilot, "enter")
        assert isinstance(pilot.app.screen, Summary)

    for steps in (begin, go_on, skip):
        run(demonstration_app(tmp_path), steps)


class SlowWeb:
    """A backend that replies when told to."""

    name = "slow"

    def __init__(self) -> None:
        self.may_answer = threading.Event()

    def search(self, query: str) -> tuple[SearchHit, ...]:
        self.may_answer.wait(5)
        return web().search(query)

    def fetch(self, url: str) -> Page:
        raise OSError("the cable is cut")


def test_a_slow_search_does_not_block_and_can_be_canceled(tmp_path: Path) -> None:
    slow = SlowWeb()
    app = demonstration_app(tmp_path, backend=slow)

    async def steps(pilot: Pilot[None]) -> None:
        await typed(pilot, "crows")
        await pilot.press("enter")
        await pilot.pause(0.15)
        assert "searching for crows" in message(pilot)
        await pilot.press("d", "f1")
        assert isinstance(app.screen, Help)
        await pilot.press("escape", "escape")
        assert "canceled" in message(pilot)
        slow.may_answer.set()
        await asyncio.sleep(0.1)
        await settle(pilot)
        assert commands(pilot) == []
        await search(pilot, "crows")
        assert session(pilot).view().page.kind == "results"

    run(app, steps)


def test_a_failed_fetch_shows_an_error_page(tmp_path: Path) -> None:
    slow = SlowWeb()
    slow.may_answer.set()
    app = demonstration_app(tmp_path, backend=slow)

    async def steps(pilot: Pilot[None]) -> None:
        await typed(pilot, "crows")
        await press(pilot, "enter", "tab", "enter")
        assert session(pilot).view().lines == ("OSError: the cable is cut",)
        await press(pilot, "b")
        assert session(pilot).view().page.kind == "results"

    run(app, steps)


REFUSALS = [
    ("a link that is not there", ["9", "9", "enter"], "link 99"),
    ("nothing above", ["u"], "this is the top of the page"),
    ("nothing to answer from", ["a"], "quote something first"),
]


@pytest.mark.parametrize(("keys", "reason"), [case[1:] for case in REFUSALS], ids=[case[0] for case in REFUSALS])
def test_refused_commands_show_the_reason_and_are_not_recorded(tmp_path: Path, keys: list[str], reason: str) -> None:
    app = demonstration_app(tmp_path)

    async def steps(pilot: Pilot[None]) -> None:
        await search(pilot, "crows")
        for key in keys:
            await press(pilot, key)
        assert reason in message(pilot) and message(pilot).startswith("!")
        assert commands(pilot) == ["Search crows"]

    run(app, steps)


@pytest.mark.parametrize("size", [(80, 24), (200, 60)], ids=str)
def test_every_action_has_a_key_on_the_screen_and_in_the_help(tmp_path: Path, size: tuple[int, int]) -> None:
    app = demonstration_app(tmp_path)

    async def steps(pilot: Pilot[None]) -> None:
        await search(pilot, "crows")
        await press(pilot, "0", "enter", "v", "enter")
        for keys in (["escape"], ["v"], ["escape", "r"], ["escape", "a"]):
            await press(pilot, *keys)
            shown = str(app.screen.query_one(Keys).render())
            for active in app.screen.active_bindings.values():
                if active.binding.show and not active.binding.system and active.binding.description:
                    assert f"{app.get_key_display(active.binding)} {active.binding.description}" in shown
            assert app.screen.query_one(Keys).region.bottom <= size[1]
            useful = {binding.tooltip or binding.description for binding in app.useful_bindings()}
            await press(pilot, "f1")
            assert isinstance(app.screen, Help)
            assert {meaning for _, meaning in app.screen.keys} == useful
            await press(pilot, "escape")

    run(app, steps, size)


def test_the_citation_check_is_updated_with_every_key(tmp_path: Path) -> None:
    app = demonstration_app(tmp_path)

    async def steps(pilot: Pilot[None]) -> None:
        await search(pilot, "crows")
        await press(pilot, "0", "enter", "down", "down", "v", "enter", "a")
        for text, report in (
            ("Keys", "! no citation: Keys\n! not cited yet: [1]"),
            (" [2]", "! there is no reference [2]\n! no citation: Keys\n! not cited yet: [1]"),
            (" [1]", "! there is no reference [2]"),
        ):
            await typed(pilot, text)
            assert str(app.screen.query_one("#check").render()) == report
        await press(pilot, "ctrl+z", "ctrl+z")
        assert app.screen.query_one(AnswerArea).text == session(pilot).state.answer
        await press(pilot, "ctrl+b")
        assert isinstance(app.screen, BrowseScreen)
        await press(pilot, "a")
        assert app.screen.query_one(AnswerArea).text == session(pilot).state.answer != ""

    run(app, steps)


def test_the_command_palette_runs_the_commands_of_keys(tmp_path: Path) -> None:
    app = demonstration_app(tmp_path)

    async def steps(pilot: Pilot[None]) -> None:
        await search(pilot, "crows")
        await press(pilot, "0", "enter")
        palette = {command.title: command for command in app.get_system_commands(app.screen)}
        assert palette.keys() >= {"Search", "Select", "No sense", "Undo", "Skip", "Help", "Leave"}
        await palette["Undo"].callback()
        await press(pilot, "ctrl+p")
        assert isinstance(app.screen, CommandPalette)
        await press(pilot, "escape")
        assert commands(pilot) == ["Search crows"]

    run(app, steps)


def test_resizing_the_terminal_keeps_the_state(tmp_path: Path) -> None:
    app = demonstration_app(tmp_path, settings=Settings(view_height=30))

    async def steps(pilot: Pilot[None]) -> None:
        await search(pilot, "crows")
        await press(pilot, "0", "enter")
        for width, height in ((200, 60), (40, 10), (80, 24), (10, 3), (120, 40)):
            await pilot.resize_terminal(width, height)
            await press(pilot, "down", "space", "up")
            assert isinstance(app.screen, BrowseScreen)
        screen = app.screen
        assert isinstance(screen, BrowseScreen)
        screen.say(Response(note="still here"))
        assert session(pilot).view().page.text == CROWS.text

    run(app, steps)
