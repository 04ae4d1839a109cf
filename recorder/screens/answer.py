"""The screen for writing the answer, with its references and a check of its citations."""

from collections.abc import Iterable
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import OptionList, Static

from recorder.demonstrations.events import Reopen, Write
from recorder.demonstrations.session import Session
from recorder.journal.recording import Submit
from recorder.journal.text_edits import edit_between
from recorder.screens.work import WorkScreen
from recorder.widgets.references import ReferenceList, citation_report
from recorder.widgets.writing_area import WritingArea

ALL_CITED = "✓ every sentence cites a reference"
MAX_REPORTED = 5
"""Maximum number of lines of the citation check."""


class AnswerArea(WritingArea):
    """The text of the answer."""

    def on_resize(self) -> None:
        """Keep the cursor visible when the citation check grows and when an unfinished answer is opened again."""
        self.call_after_refresh(self.scroll_cursor_visible)


class CitableReferences(ReferenceList):
    """The references, to choose one to cite."""

    BINDINGS = [
        Binding("1", "screen.cite(1)", "cite by number", key_display="1…9", tooltip="Cite the reference with this number"),
        *(Binding(str(number), f"screen.cite({number})", show=False) for number in range(2, 10)),
        Binding("enter", "select", "cite", key_display="enter", tooltip="Cite the chosen reference at the cursor"),
        Binding("escape,ctrl+r", "screen.write", "to the answer", key_display="esc", tooltip="Back to the answer"),
    ]


class AnswerScreen(WorkScreen):
    """The answer, its references, and the problems with its citations."""

    TITLE: ClassVar[str | None] = "Demonstration"
    HELP: ClassVar[str | None] = """
Write an answer that a reader can check: relevant, coherent, and with a reference for each claim, cited by its number, such as
[1].

To cite a reference at the cursor, press ^r and its number. For numbers above 9, choose the reference with the arrows and press
enter. Problems with citations are listed below the answer.
"""
    BINDINGS = [
        Binding("ctrl+s", "submit", "submit", key_display="^s", priority=True, tooltip="Submit; this cannot be undone"),
        Binding("ctrl+r", "references", "cite", key_display="^r", tooltip="Cite a reference: press ^r, then its number"),
        Binding("ctrl+b", "reopen", "browse", key_display="^b", priority=True, tooltip="Back to browsing; the answer is kept"),
    ]
    recording: Session

    def compose_work(self) -> Iterable[Widget]:
        yield Static(id="question", markup=False)
        with Horizontal(id="desk"):
            with Vertical(id="writing"):
                yield AnswerArea(self._write, id="answer")
                yield Static(id="check")
            with Vertical(id="quotes"):
                yield Static("References", classes="dialog-title")
                yield CitableReferences(id="references")

    def on_mount(self) -> None:
        """Start at the end of the answer."""
        super().on_mount()
        area = self.query_one(AnswerArea)
        area.move_cursor(area.document.end)
        self.set_focus(area)

    def show(self) -> None:
        view, area = self.recording.view(), self.query_one(AnswerArea)
        self.query_one("#question", Static).update(view.question)
        area.show(view.answer)
        references = self.query_one(CitableReferences)
        if references.option_count != len(view.references):
            references.show(view.references)
        report = citation_report(view.answer, view.references)
        shown = report[:MAX_REPORTED]
        if len(report) > MAX_REPORTED:
            shown[-1] = f"and {len(report) - MAX_REPORTED + 1} more"
        empty = ALL_CITED if view.answer.strip() else "To cite reference [1], press ^r, then 1."
        self.query_one("#check", Static).update(Text("\n".join(f"! {line}" for line in shown) or empty))

    def _write(self, text: str) -> None:
        if (edit := edit_between(self.recording.state.answer, text)) is not None and not self.do(Write(edit=edit)).is_done:
            self.show()

    def action_cite(self, number: int) -> None:
        """Cite a reference at the cursor."""
        area = self.query_one(AnswerArea)
        self.set_focus(area)
        if number <= len(self.recording.view().references):
            area.replace(f"[{number}]", *area.selection)

    def action_references(self) -> None:
        """Go to the references."""
        self.set_focus(self.query_one(CitableReferences))

    def action_write(self) -> None:
        """Go to the answer."""
        self.set_focus(self.query_one(AnswerArea))

    @on(OptionList.OptionSelected)
    def _cite(self, message: OptionList.OptionSelected) -> None:
        self.action_cite(message.option_index + 1)

    def action_submit(self) -> None:
        """Submit the answer after a confirmation, or say why it cannot be submitted."""
        view = self.recording.view()
        if view.problem is not None:
            self.do(Submit())  # shows the problem
            return
        report = citation_report(view.answer, view.references)
        text = "\n".join(f"! {line}" for line in report) or ALL_CITED
        self.confirm_submit(text)

    def action_reopen(self) -> None:
        """Return to browsing."""
        self.do(Reopen())
