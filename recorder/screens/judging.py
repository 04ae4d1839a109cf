"""Base class of the screens for comparisons: the question and its flag, the answers, notes, and submission."""

from abc import abstractmethod
from typing import Any, Final

from rich.style import Style
from rich.text import Text
from textual import on
from textual.binding import Binding
from textual.widgets import Static

from recorder.comparisons.events import Flag as FlagEvent
from recorder.comparisons.events import FlagKind, Mark, Relevance, Trust, Unmark, WriteNotes
from recorder.comparisons.rating import Rating
from recorder.comparisons.state import View
from recorder.journal.recording import Submit
from recorder.journal.text_edits import edit_between
from recorder.screens.dialogs import Choice
from recorder.screens.work import WorkScreen
from recorder.widgets.answer_layout import Source, Span
from recorder.widgets.answer_view import AnswerView
from recorder.widgets.writing_area import WritingArea

FLAGS: dict[FlagKind, str] = {"nonsense": "it does not make sense", "controversial": "it should not be answered"}

PRIORITIES: Final = """Criteria,
the most important first: unsupported information (supported means
that a reliable source says it or everybody knows it), whether the
core of the question is answered, other helpful information, coherence
and citation errors, irrelevant information. Judge by the sources
shown; do no research of your own.
"""
"""Criteria of Appendix C.2, for the help of the screens."""


class Notes(WritingArea):
    """Notes on a comparison."""

    BINDINGS = [Binding("escape", "screen.leave_notes", "done", key_display="esc", tooltip="Leave the notes")]
    BORDER_TITLE = "Notes"


class JudgingScreen(WorkScreen):
    """Answers to a question and the annotator's judgement of them."""

    CSS_PATH = "../compare_app.tcss"
    BINDINGS = [
        Binding("f", "flag", "flag", tooltip="Flag the question: it makes no sense, or should not be answered"),
        Binding("n", "notes", "notes", tooltip="Write notes, such as other reasons for your rating"),
        Binding("ctrl+s", "submit", "submit", key_display="^s", priority=True, tooltip="Submit; this cannot be undone"),
    ]
    recording: Rating

    def show_question(self, view: View) -> None:
        """Show the question with its flag, and the next missing part."""
        question = Text(view.question, "bold")
        if view.flag is not None:
            question.append(f"  ‹flagged: {FLAGS[view.flag]}›", Style(reverse=True))
        self.query_one("#question", Static).update(question)
        if view.missing:
            more = f" (and {len(view.missing) - 1} more)" if len(view.missing) > 1 else ""
            form = "full form" if view.is_full else "short form"
            todo = f"To do ({form}): {view.missing[0]}{more}"
        else:
            todo = "✓ Ready to submit: ^s"
        self.query_one("#todo", Static).update(Text(todo, no_wrap=True, overflow="ellipsis"))

    def show_notes(self, view: View) -> None:
        """Show the notes."""
        self.query_one(Notes).show(view.notes)

    def write_notes(self, text: str) -> None:
        """Record the text of the notes."""
        if (edit := edit_between(self.recording.state.notes, text)) is not None and not self.do(WriteNotes(edit=edit)).is_done:
            self.show()

    @on(AnswerView.Judged)
    def _judge(self, message: AnswerView.Judged) -> None:
        view, chosen, level = message.view, message.view.chosen, message.level
        event: Any
        match message.kind, chosen, view.claim:
            case "trust", Source(number=number), _:
                event = Trust(answer=view.index, reference=number, level=level)
            case "mark", Span(start=start, end=end), _:
                event = Mark(answer=view.index, start=start, end=end, support=level)
            case "relevance", _, int(claim):
                event = Relevance(answer=view.index, claim=claim, level=level)
            case "unmark", _, int(claim):
                event = Unmark(answer=view.index, claim=claim)
            case _:
                return  # the choice has changed since the key was pressed
        self.do(event)

    def action_flag(self) -> None:
        """Ask for the flag of the question."""

        def flag(choice: str | None) -> None:
            match choice:
                case "nonsense" | "controversial":
                    self.do(FlagEvent(flag=choice))
                case "none":
                    self.do(FlagEvent(flag=None))

        choices: dict[str, tuple[str, str]] = {
            name: (key, words) for (name, words), key in zip(FLAGS.items(), "12", strict=True)
        }
        if self.recording.view().flag is not None:
            choices["none"] = ("0", "remove the flag")
        text = "A flagged question needs no ratings."
        self.app.push_screen(Choice("What is wrong with the question?", text, choices), flag)

    def action_submit(self) -> None:
        """Submit after a confirmation, or say what is missing."""
        if self.recording.view().missing:
            self.do(Submit())  # shows the first missing part
            return
        self.confirm_submit(self.summary())

    @abstractmethod
    def summary(self) -> str:
        """Return a short summary of the judgement, for the confirmation."""
