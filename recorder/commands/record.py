"""`webgpt record`: people answer questions with the ten commands, and what they do is kept."""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import arg

from browser_env.command_line.web_options import WebOptions
from browser_env.env import check_question
from browser_env.errors import UsageError
from browser_env.records import Question, Settings
from browser_env.records.question_file import own_questions
from recorder.queue.queue import Job, Queue


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Record demonstrations: answer questions in the text browser, with keys or the mouse, in this terminal.

    Whatever is done is on the disk before the screen shows it. Close the terminal at any time: the same command goes on exactly
    there. Several annotators can work on one folder, each with their own --annotator; nobody gets the same question.
    F1 lists the keys; docs/recorder.md is the manual.

    Exit codes: 0 done or left, 1 failure, 2 usage.
    """

    questions: Annotated[Path, arg(metavar="FILE")]
    """Questions: records as `webgpt questions` writes them, or plain text with a question a line."""
    out: Annotated[Path, arg(metavar="DIR")]
    """Folder of what is recorded; made if there is none."""
    annotator: Annotated[str, arg(metavar="NAME")]
    """Who records; several can share the folder."""
    web: Annotated[WebOptions, arg(name="")] = field(default_factory=WebOptions)
    """Which web is browsed."""
    seed: Annotated[int | None, arg(metavar="N")] = None
    """Ask in the random order of this seed. None: in the file's order."""
    common: Annotated[int, arg(metavar="N")] = 0
    """So many questions, the first of the file, are asked of every annotator; all others of one each."""
    theme: Literal["dark", "light"] = "dark"
    """Colours to begin with; F3 changes them."""
    settings: Annotated[Settings, arg(name="")] = field(default_factory=Settings)
    """What is shown and how much may be done."""

    def run(self) -> int:
        """Record until the queue is empty or the annotator leaves; what is done is summed up on stderr."""
        try:
            from recorder.record_app import DemonstrationApp
        except ImportError as error:
            raise UsageError("webgpt record needs textual: pip install 'open-webgpt[recorder]'") from error
        from recorder.demonstrations.events import Begin
        from recorder.demonstrations.session import Session
        from recorder.screens.summary import summary_line

        if self.settings.token_counter != "words":
            raise UsageError(f"--token-counter can be words, not {self.settings.token_counter!r}")
        questions = self._read_questions()
        queue = Queue(self.out, list(questions), self.annotator, seed=self.seed, common=list(questions)[: self.common])
        if not (sys.stdin.isatty() and sys.stderr.isatty()):  # Textual draws on stderr
            raise UsageError("webgpt record is a program for a terminal, and this is none")
        with self.web.open() as web:

            def open_session(job: Job) -> Session:
                begin = Begin(question=questions[job.item], settings=self.settings, backend=web.name, annotator=self.annotator)
                return Session(job.folder, web, begin)

            app = DemonstrationApp(queue, open_session, theme=f"textual-{self.theme}")
            app.run()
        if app.error is not None:
            raise app.error
        print(summary_line(queue.progress()), file=sys.stderr)
        return app.return_code or 0

    def _read_questions(self) -> dict[str, Question]:
        """By id, in the file's order."""
        questions: dict[str, Question] = {}
        for question in own_questions(self.questions):
            try:
                check_question(question.text)
            except ValueError as error:
                raise UsageError(f"{self.questions}: {question.id}: {error}") from error
            if question.id in questions:
                raise UsageError(f"{self.questions}: asks twice: {question.text[:100]}")
            questions[question.id] = question
        if not questions:
            raise UsageError(f"{self.questions}: has no questions")
        return questions
