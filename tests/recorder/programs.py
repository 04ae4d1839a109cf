"""The recorder's programs without a terminal, for tests that press keys."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from unittest.mock import patch

from textual.app import App
from textual.pilot import Pilot

from browser_env.backends import Backend
from browser_env.records import Question, Settings
from recorder.demonstrations.events import Begin
from recorder.demonstrations.session import Session
from recorder.queue.queue import Job, Queue
from recorder.record_app import DemonstrationApp
from recorder.screens.browse import BrowseScreen
from tests.recorder.webs import web

Steps = Callable[[Pilot[None]], Awaitable[None]]


def demonstration_app(
    folder: Path, *questions: str, backend: Backend | None = None, annotator: str = "ann", settings: Settings | None = None
) -> DemonstrationApp:
    """Return the program of `webgpt record` on a small web, with a constant clock."""
    by_id = {
        f"q{number}": Question(id=f"q{number}", text=text) for number, text in enumerate(questions or ("What do crows bring?",))
    }
    world = backend or web()

    def open_session(job: Job) -> Session:
        begin = Begin(question=by_id[job.item], settings=settings or Settings(), backend=world.name, annotator=annotator)
        return Session(job.folder, world, begin, clock=lambda: 0.0)

    return DemonstrationApp(Queue(folder, list(by_id), annotator), open_session)


def run(app: App[None], steps: Steps, size: tuple[int, int] = (80, 24)) -> None:
    """Run a program and carry out steps in it."""

    async def session() -> None:
        async with app.run_test(size=size) as pilot:
            await settle(pilot)
            await steps(pilot)

    # Textual's pilot waits until the processor is idle, which may never happen on a busy machine; `settle` waits for messages.
    with patch("textual.app.wait_for_idle", _soon), patch("textual.pilot.wait_for_idle", _soon):
        asyncio.run(session())


async def _soon(*arguments: float) -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def press(pilot: Pilot[None], *keys: str) -> None:
    """Press keys, and wait for the web and the screen after each."""
    for key in keys:
        await pilot.press(key)
        await settle(pilot)


async def typed(pilot: Pilot[None], text: str) -> None:
    """Type a text."""
    await pilot.press(*("space" if letter == " " else letter for letter in text))
    await settle(pilot)


async def settle(pilot: Pilot[None]) -> None:
    """Wait for the web and the screen."""
    for _ in range(500):
        for _ in range(3):  # a key, the message that it makes, and what that changes
            await pilot.pause()
        screen = pilot.app.screen
        if not isinstance(screen, BrowseScreen) or not screen.is_waiting:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the web did not answer within five seconds")
