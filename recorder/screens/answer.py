"""Writing the answer, with the references beside it and a check of its citations at every key."""

from collections.abc import Callable, Iterable
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import OptionList, Static, TextArea
from textual.widgets.text_area import Edit as TextAreaEdit
from textual.widgets.text_area import EditResult

from recorder.demonstrations.events import Reopen, Write
from recorder.demonstrations.session import Session
from recorder.journal.recording import Submit
from recorder.journal.text_edits import edit_between
from recorder.screens.dialogs import Choice
from recorder.screens.work import WorkScreen
from recorder.widgets.common import ReferenceList, citation_report

MAX_REPORTED = 5
"""Lines of the check that are shown at once."""


class AnswerArea(TextArea):
    """Tells of every change at once, before it is drawn."""

    def __init__(self, wrote: Callable[[str], None]) -> None:
        super().__init__(soft_wrap=True, tab_behavior="focus", show_line_numbers=False, id="answer")
        self._wrote = wrote

    def edit(self, edit: TextAreaEdit) -> EditResult:
        """A change by a key or a paste."""
        result = super().edit(edit)
        self._wrote(self.text)
        return result

    def on_resize(self) -> None:
        """Keep the cursor in sight when the check under it grows, and when an answer that was begun is taken up again."""
        self.call_after_refresh(self.scroll_cursor_visible)


class Citable(ReferenceList):
    """References to cite."""

    BINDINGS = [
        Binding("1", "screen.cite(1)", "cite that one", key_display="1…9", tooltip="Cite the reference with this number"),
        *(Binding(str(number), f"screen.cite({number})", show=False) for number in range(2, 10)),
        Binding("enter", "select", "cite", key_display="enter", tooltip="Cite the chosen reference where the cursor was"),
        Binding("escape,ctrl+r", "screen.write", "to the answer", key_display="esc", tooltip="Back to the answer"),
    ]


class AnswerScreen(WorkScreen):
    """The answer, its references, and what is wrong with its citations."""

    TITLE: ClassVar[str | None] = "Demonstration"
    HELP: ClassVar[str | None] = """
Write an answer that a reader can check: relevant, coherent, and each claim supported by a reference, which its number cites, as
in [1].

^r and then a digit cite that reference where the cursor is; beyond the ninth, choose it with the arrows and press enter. Under
the answer stands what is wrong with its citations.
"""
    BINDINGS = [
        Binding("ctrl+s", "submit", "submit", key_display="^s", priority=True, tooltip="Submit; nothing can be changed then"),
        Binding("ctrl+r", "references", "cite", key_display="^r", tooltip="Cite: press ^r, then the reference's number"),
        Binding("ctrl+b", "reopen", "browse on", key_display="^b", priority=True, tooltip="Back to browsing; the answer stays"),
    ]
    recording: Session

    def compose_work(self) -> Iterable[Widget]:
        yield Static(id="question", markup=False)
        with Horizontal(id="desk"):
            with Vertical(id="writing"):
                yield AnswerArea(self._write)
                yield Static(id="check")
            with Vertical(id="quotes"):
                yield Static("References", classes="dialog-title")
                yield Citable(id="references")

    def on_mount(self) -> None:
        """Begin to write."""
        super().on_mount()
        area = self.query_one(AnswerArea)
        area.move_cursor(area.document.end)
        self.set_focus(area)

    def show(self) -> None:
        view, area = self.recording.view(), self.query_one(AnswerArea)
        self.query_one("#question", Static).update(view.question)
        change = edit_between(area.text, view.answer)
        if change is not None:
            area.load_text(view.answer)
            area.move_cursor(_location(view.answer, change.start + len(change.text)))
        references = self.query_one(Citable)
        if references.option_count != len(view.references):
            references.show(view.references)
        report = citation_report(view.answer, view.references)
        shown = report[:MAX_REPORTED]
        if len(report) > MAX_REPORTED:
            shown[-1] = f"and {len(report) - MAX_REPORTED + 1} more"
        fine = "✓ every sentence cites a reference" if view.answer.strip() else "^r and then 1 cites reference [1]."
        self.query_one("#check", Static).update(Text("\n".join(f"! {line}" for line in shown) or fine))

    def _write(self, text: str) -> None:
        if (edit := edit_between(self.recording.state.answer, text)) is not None:
            response = self.do(Write(edit=edit))
            if not response.is_done:
                self.show()

    def action_cite(self, number: int) -> None:
        """Cite a reference where the cursor is."""
        area = self.query_one(AnswerArea)
        self.set_focus(area)
        if number <= len(self.recording.view().references):
            area.replace(f"[{number}]", *area.selection)

    def action_references(self) -> None:
        """Choose a reference to cite."""
        self.set_focus(self.query_one(Citable))

    def action_write(self) -> None:
        """Back to the answer."""
        self.set_focus(self.query_one(AnswerArea))

    @on(OptionList.OptionSelected)
    def _cite(self, message: OptionList.OptionSelected) -> None:
        self.action_cite(message.option_index + 1)

    def action_submit(self) -> None:
        """Ask, then finish it."""
        view = self.recording.view()
        if view.problem is not None:
            self.do(Submit())  # says why not
            return
        report = citation_report(view.answer, view.references)
        text = "\n".join(f"! {line}" for line in report) or "✓ every sentence cites a reference"

        def submit(choice: str | None) -> None:
            if choice == "submit":
                self.do(Submit())

        choices = {"submit": ("enter", "submit it as it is")}
        self.app.push_screen(Choice("Submit the answer? It cannot be changed after that.", text, choices), submit)

    def action_reopen(self) -> None:
        """Go on browsing."""
        self.do(Reopen())


def _location(text: str, offset: int) -> tuple[int, int]:
    """Line and column of a place in a text."""
    before = text[:offset]
    return before.count("\n"), len(before) - before.rfind("\n") - 1
