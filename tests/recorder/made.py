"""Recordings made with the recorder, for tests of commands that read them."""

from dataclasses import replace
from pathlib import Path

from browser_env.records import ComparedAnswer, Question, Reference, Settings
from recorder.comparisons.events import Begin, Event, Task
from recorder.comparisons.rating import Rating
from recorder.demonstrations.events import Act, Write
from recorder.demonstrations.events import Begin as BeginSession
from recorder.demonstrations.session import Session
from recorder.journal.recording import Submit
from recorder.journal.text_edits import Edit
from tests.recorder.webs import web

SOURCE = Reference(title="Crows", url="http://birds.org/crows", extract="Crows bring gifts.", page="0", start=0, end=18)
OTHER = replace(SOURCE, title="Corvids", url="http://corvids.org/")
ANSWERS = (
    ComparedAnswer(text="Crows bring keys. [1] And glass. [2]", references=(SOURCE, OTHER), actor="model", episode="e0"),
    ComparedAnswer(text="Nothing.", references=(SOURCE,), actor="human:bob", episode="e1"),
    ComparedAnswer(text="Gifts.", references=(SOURCE, OTHER)),
    ComparedAnswer(text="Ask a crow."),
)
PAIR = Task(id="t", question=Question(id="q", text="What do crows bring?"), answers=ANSWERS[:2], shown=(1, 0), seed=7)
RANKING = replace(PAIR, id="r", answers=ANSWERS, shown=(2, 0, 3, 1), is_ranking=True)


def make_comparison(folder: Path, task: Task, *events: Event, annotator: str = "ann") -> Path:
    """Record a comparison in a folder and return the path of the journal."""
    with Rating(folder, Begin(task=task, annotator=annotator)) as rating:
        for event in events:
            assert rating.do(event).problem is None, event
    return folder / "comparison.jsonl"


def make_demonstration(folder: Path, question: str = "What do crows bring?", *, is_finished: bool = True) -> Path:
    """Record a demonstration in a folder and return the path of the journal."""
    begin = BeginSession(question=Question(id=question, text=question), settings=Settings(), backend="fake", annotator="ann")
    commands = ("Search crows", "Clicked on link 0", "Scrolled down 1", "Quote: Crow number 0 brought me a key.", "End: Answer")
    with Session(folder, web(), begin) as session:
        for command in commands:
            assert session.do(Act(command=command)).problem is None
        assert session.do(Write(edit=Edit(start=0, end=0, text="A key. [1]"))).problem is None
        if is_finished:
            assert session.do(Submit()).problem is None
    return folder / "demonstration.jsonl"
