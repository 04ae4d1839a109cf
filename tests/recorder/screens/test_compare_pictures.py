"""The screens of `webgpt compare`, compared with the pictures of docs/comparing.md."""

from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot

from browser_env.records import ComparedAnswer, Question, Reference
from recorder.compare_app import CompareApp
from recorder.comparisons.events import Begin, Task
from recorder.comparisons.rating import Rating
from recorder.queue.queue import Job, Queue
from tests.recorder.pictures import compare_picture
from tests.recorder.programs import Steps, press, typed

pytestmark = pytest.mark.usefixtures("no_fsync")

FOLDER = Path(__file__).parents[3] / "docs" / "comparing"
GIFTS, RAVENS, FACES = (
    Reference(title=title, url=url, extract=extract, page="0", start=0, end=len(extract))
    for title, url, extract in (
        (
            "Gifts from crows",
            "http://birds.example.org/gifts",
            "A gift to a person may be the same behaviour, directed at somebody who has become part of the flock's day.",
        ),
        (
            "Play in ravens",
            "http://birds.example.org/play",
            "Young ravens carry objects to others and show them, and partners give each other food before they breed.",
        ),
        (
            "Memory for faces",
            "http://faces.example.com/",
            "Crows remember people who were kind to them, and those who were not.",
        ),
    )
)
ANSWERS = (
    ComparedAnswer(
        text="Crows share what they carry: partners give each other food before they breed [2], and a person who feeds them "
        "may be part of that. [1] Some gifts are worth a lot of money.",
        references=(GIFTS, RAVENS),
    ),
    ComparedAnswer(
        text="Crows remember people who were kind to them. [1] That is why they thank them with presents. [2]",
        references=(FACES,),
    ),
    ComparedAnswer(
        text="They drop what they carry when they pick up a peanut, without meaning a present.", references=(GIFTS,)
    ),
    ComparedAnswer(text="Nobody knows."),
)
PAIR = Task(
    id="t",
    question=Question(id="q", text="Explain: why do crows bring gifts to people who feed them?"),
    answers=ANSWERS[:2],
    shown=(0, 1),
    is_full=True,
)
RANKING = replace(PAIR, answers=ANSWERS, shown=(0, 1, 2, 3), is_full=False, is_ranking=True)


async def _mark(pilot: Pilot[None]) -> None:
    await press(pilot, "1", "c", "down", "3", "s", "down", "1", "down", "2")
    await press(pilot, "b", "2", "c", "down", "shift+left")


async def _rate(pilot: Pilot[None]) -> None:
    await press(pilot, "r", "2", "3", "1", "up")
    await press(pilot, "n")
    await typed(pilot, "A says why")
    await press(pilot, "escape")


async def _rank(pilot: Pilot[None]) -> None:
    await press(pilot, "1", "down", "2", "down", "3", "shift+up")


PICTURES: list[tuple[str, Task, Steps, tuple[int, int], str]] = [
    ("comparison", PAIR, _mark, (126, 34), "dark"),
    ("comparison-narrow", PAIR, _mark, (80, 24), "light"),
    ("ratings", PAIR, _rate, (80, 24), "dark"),
    ("ranking", RANKING, _rank, (126, 30), "dark"),
    ("ranking-narrow", RANKING, _rank, (80, 24), "light"),
]


@pytest.mark.parametrize(("name", "task", "steps", "size", "theme"), PICTURES, ids=[picture[0] for picture in PICTURES])
def test_screens_match_the_pictures_of_the_manual(
    tmp_path: Path, name: str, task: Task, steps: Steps, size: tuple[int, int], theme: str
) -> None:
    def open_rating(job: Job) -> Rating:
        return Rating(job.folder, Begin(task=task, annotator="ann"), clock=lambda: 0.0)

    app = CompareApp(Queue(tmp_path, [task.id], "ann"), open_rating, theme=f"textual-{theme}")
    compare_picture(app, steps, size, FOLDER / f"{name}.svg", "webgpt compare")
