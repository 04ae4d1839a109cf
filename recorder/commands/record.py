"""`webgpt record`: record demonstrations by people."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import arg

from browser_env.command_line.web_options import WebOptions
from browser_env.env import check_question
from browser_env.errors import UsageError
from browser_env.records import Question, Settings
from browser_env.records.question_file import read_questions
from recorder.commands.annotation import check_terminal, run_app, textual_required
from recorder.queue.queue import Job, Queue


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Record demonstrations: answer questions in the text browser in this terminal, with keys or the mouse.

    Every step is saved before it is shown. Close the terminal at any time; the same command continues where you left off.
    Several annotators can share a folder, each with their own --annotator, and get different questions. Press F1 for the keys;
    docs/recorder.md is the manual.

    Exit codes: 0 finished or left, 1 failure, 2 usage error.
    """

    questions: Annotated[Path, arg(metavar="FILE")]
    """File of questions: records as written by `webgpt questions`, or plain text with one question per line."""
    out: Annotated[Path, arg(metavar="DIR")]
    """Folder for the recordings. Created if it does not exist."""
    annotator: Annotated[str, arg(metavar="NAME")]
    """Name of the annotator."""
    web: Annotated[WebOptions, arg(name="")] = field(default_factory=WebOptions)
    """The web to browse."""
    seed: Annotated[int | None, arg(metavar="N")] = None
    """Seed for a random order of the questions. Default: the order of the file."""
    common: Annotated[int, arg(metavar="N")] = 0
    """Number of questions, from the start of the file, to ask every annotator. The others are asked once."""
    theme: Literal["dark", "light"] = "dark"
    """Initial colors. F3 switches them."""
    settings: Annotated[Settings, arg(name="")] = field(default_factory=Settings)
    """Format of the observation and limits of the episode."""

    def run(self) -> int:
        """Record until the queue is empty or the annotator leaves."""
        with textual_required("webgpt record"):
            from recorder.record_app import DemonstrationApp
        from recorder.demonstrations.events import Begin
        from recorder.demonstrations.session import Session

        if self.settings.token_counter != "words":
            raise UsageError(f"--token-counter must be words, got {self.settings.token_counter!r}")
        questions = self._read_questions()
        queue = Queue(self.out, list(questions), self.annotator, seed=self.seed, common=list(questions)[: self.common])
        check_terminal("webgpt record")
        with self.web.open() as web:

            def open_session(job: Job) -> Session:
                begin = Begin(question=questions[job.item], settings=self.settings, backend=web.name, annotator=self.annotator)
                return Session(job.folder, web, begin)

            return run_app(DemonstrationApp(queue, open_session, theme=f"textual-{self.theme}"), queue)

    def _read_questions(self) -> dict[str, Question]:
        """Return the questions by id, in the order of the file."""
        questions: dict[str, Question] = {}
        for question in read_questions(self.questions):
            try:
                check_question(question.text)
            except ValueError as error:
                raise UsageError(f"{self.questions}: {question.id}: {error}") from error
            if question.id in questions:
                raise UsageError(f"{self.questions}: contains a question twice: {question.text[:100]}")
            questions[question.id] = question
        if not questions:
            raise UsageError(f"{self.questions}: contains no questions")
        return questions
