"""The screens of `webgpt record`, compared with the pictures of docs/recorder.md."""

from pathlib import Path

import pytest
from textual.pilot import Pilot

from browser_env.backends import FakeBackend, SearchHit
from browser_env.pages.page import Link, Page
from tests.recorder.pictures import compare_picture
from tests.recorder.programs import Steps, demonstration_app, press, typed

pytestmark = pytest.mark.usefixtures("no_fsync")

FOLDER = Path(__file__).parents[3] / "docs" / "recorder"
QUESTION = "Explain: why do crows bring gifts to people who feed them?"
GIFTS = """Gifts from crows

People who feed crows for a long time sometimes find things where the food was: a key, an earring, a piece of polished glass. Nobody
had trained the birds to do so.

Corvids store food and share it. Young ravens carry objects to others and show them, and partners give each other food before they
breed. A gift to a person may be the same behaviour, directed at somebody who has become part of the flock's day.

Others are more careful: a crow that drops what it carries in order to pick up a peanut leaves a present too, without meaning one.

See also

Play in ravens, Caching, Memory for faces"""
SEARCH = (
    SearchHit(
        "http://birds.example.org/gifts",
        "Gifts from crows",
        "A gift to a person may be the same behaviour, directed at somebody",
    ),
    SearchHit(
        "http://faces.example.com/", "Memory for faces", "Crows remember people who were kind to them, and those who were not."
    ),
)


def _page() -> Page:
    links = [("Play in ravens", "play"), ("Caching", "caching"), ("Memory for faces", "faces")]
    found = (
        Link(GIFTS.index(words), GIFTS.index(words) + len(words), f"http://birds.example.org/{name}") for words, name in links
    )
    return Page("http://birds.example.org/gifts", "Gifts from crows", GIFTS, links=tuple(found), headings=((0, 16),))


async def _browse(pilot: Pilot[None]) -> None:
    await typed(pilot, "crows gifts")
    await press(pilot, "enter", "0", "enter", "down", "down", "v", "down", "enter", "down", "down", "v", "down")


async def _search(pilot: Pilot[None]) -> None:
    await typed(pilot, "crows gifts")
    await press(pilot, "enter", "tab")


async def _answer(pilot: Pilot[None]) -> None:
    await _browse(pilot)
    await press(pilot, "enter", "a")
    await typed(pilot, "Crows share what they carry, and a person who feeds them is part of their day")
    await press(pilot, "ctrl+r", "2")
    await typed(pilot, ". Some presents may only be what a crow dropped for a peanut.")


async def _change(pilot: Pilot[None]) -> None:
    await _browse(pilot)
    await press(pilot, "enter", "r", "e", "left", "left")


async def _ended(pilot: Pilot[None]) -> None:
    await press(pilot, "escape", "X")


async def _help(pilot: Pilot[None]) -> None:
    await _browse(pilot)
    await press(pilot, "f1")


async def _summary(pilot: Pilot[None]) -> None:
    await press(pilot, "f4")
    await typed(pilot, "I know nothing about birds")
    await press(pilot, "enter")


async def _skip(pilot: Pilot[None]) -> None:
    await press(pilot, "f4")
    await typed(pilot, "I know nothing")


PICTURES: list[tuple[str, Steps, tuple[int, int], str]] = [
    ("browse", _browse, (126, 34), "dark"),
    ("browse-narrow", _browse, (80, 24), "light"),
    ("search", _search, (126, 34), "light"),
    ("answer", _answer, (126, 34), "dark"),
    ("answer-narrow", _answer, (80, 24), "light"),
    ("change-reference", _change, (100, 24), "dark"),
    ("ended", _ended, (100, 24), "dark"),
    ("help", _help, (100, 40), "dark"),
    ("skip", _skip, (80, 24), "dark"),
    ("summary", _summary, (80, 24), "dark"),
]


@pytest.mark.parametrize(("name", "steps", "size", "theme"), PICTURES, ids=[picture[0] for picture in PICTURES])
def test_screens_match_the_pictures_of_the_manual(
    tmp_path: Path, name: str, steps: Steps, size: tuple[int, int], theme: str
) -> None:
    web = FakeBackend([_page()], {"crows gifts": SEARCH})
    app = demonstration_app(tmp_path, QUESTION, backend=web)
    app.theme = f"textual-{theme}"
    compare_picture(app, steps, size, FOLDER / f"{name}.svg", "webgpt record")
