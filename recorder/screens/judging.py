"""What rating a pair and ranking several have in common: the question, its flag, answers to judge, notes, submitting."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, Final

from rich.style import Style
from rich.text import Text
from textual import on
from textual.binding import Binding
from textual.widgets import Static, TextArea
from textual.widgets.text_area import Edit as TextAreaEdit
from textual.widgets.text_area import EditResult

from recorder.comparisons.events import Flag as FlagEvent
from recorder.comparisons.events import FlagKind, Mark, Relevance, Trust, Unmark, WriteNotes
from recorder.comparisons.rating import Rating
from recorder.comparisons.state import View
from recorder.journal.recording import Submit
from recorder.journal.text_edits import edit_between
from recorder.screens.dialogs import Choice
from recorder.screens.work import WorkScreen
from recorder.widgets.answer_view import AnswerView, Source, Span

FLAGS: dict[FlagKind, str] = {"nonsense": "it does not make sense", "controversial": "it should not be answered"}

PRIORITIES: Final = """What counts,
the most important first: unsupported information (supported is what
a reliable source says or everybody knows), whether the core of the
question is answered, what else is helpful, coherence and citation
errors, irrelevant information. Judge by the sources that are shown;
do no research of your own.
"""
"""For the help of the screens (Appendix C.2)."""


class Notes(TextArea):
    """Notes on a comparison. Tells of every change at once, before it is drawn."""

    BINDINGS = [Binding("escape", "screen.leave_notes", "done", key_display="esc", tooltip="Back to where you were")]

    def __init__(self, wrote: Callable[[str], None]) -> None:
        super().__init__(soft_wrap=True, tab_behavior="focus", show_line_numbers=False, id="notes")
        self._wrote = wrote
        self.border_title = "Notes"

    def edit(self, edit: TextAreaEdit) -> EditResult:
        """A change by a key or a paste."""
        result = super().edit(edit)
        self._wrote(self.text)
        return result


class JudgingScreen(WorkScreen):
    """Answers to a question, and what somebody thinks of them."""

    CSS_PATH = "../compare_app.tcss"
    BINDINGS = [
        Binding("f", "flag", "flag", tooltip="Flag the question: it makes no sense, or should not be answered"),
        Binding("n", "notes", "notes", tooltip="Write a note on what else makes an answer useful"),
        Binding("ctrl+s", "submit", "submit", key_display="^s", priority=True, tooltip="Submit; nothing can be changed then"),
    ]
    recording: Rating

    def show_question(self, view: View) -> None:
        """The question with its flag, and what is to be done."""
        question = Text(view.question, "bold")
        if view.flag is not None:
            question.append(f"  ‹flagged: {FLAGS[view.flag]}›", Style(reverse=True))
        self.query_one("#question", Static).update(question)
        if view.missing:
            more = f" (and {len(view.missing) - 1} more)" if len(view.missing) > 1 else ""
            form = "full form" if view.is_full else "short form"
            todo = f"To do ({form}): {view.missing[0]}{more}"
        else:
            todo = "✓ This can be submitted: ^s"
        self.query_one("#todo", Static).update(Text(todo, no_wrap=True, overflow="ellipsis"))

    def show_notes(self, view: View) -> None:
        """The notes as they stand."""
        notes = self.query_one(Notes)
        if notes.text != view.notes:
            change = edit_between(notes.text, view.notes)
            notes.load_text(view.notes)
            if change is not None:
                before = view.notes[: change.start + len(change.text)]
                notes.move_cursor((before.count("\n"), len(before) - before.rfind("\n") - 1))

    def write_notes(self, text: str) -> None:
        """The notes are another text now."""
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
                return  # what was chosen has changed since the key was pressed
        self.do(event)

    def action_flag(self) -> None:
        """Ask which flag the question gets."""

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
            choices["none"] = ("0", "it is fine after all")
        text = "A flagged question needs no ratings: the rest is skipped."
        self.app.push_screen(Choice("What is wrong with the question?", text, choices), flag)

    def action_submit(self) -> None:
        """Ask, then finish it; or say what is missing."""
        if self.recording.view().missing:
            self.do(Submit())
            return

        def submit(choice: str | None) -> None:
            if choice == "submit":
                self.do(Submit())

        self.app.push_screen(
            Choice("Submit? It cannot be changed after that.", self.summary(), {"submit": ("enter", "submit")}), submit
        )

    @abstractmethod
    def summary(self) -> str:
        """What would be submitted, in a line or two."""
