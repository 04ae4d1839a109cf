"""Browsing ended without an answer: it can be submitted like that, or gone back from."""

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding
from textual.containers import Vertical
from textual.widget import Widget
from textual.widgets import Static

from recorder.demonstrations.events import Reopen
from recorder.demonstrations.session import Session
from recorder.journal.recording import Submit
from recorder.screens.work import WorkScreen
from recorder.widgets.common import Press

REASONS = {
    "nonsense": "This question does not make sense.",
    "controversial": "This question should not be answered.",
    "max_actions": "The actions are used up and nothing was quoted, so there is nothing to answer from.",
    "max_references": "The tokens for quotes are used up.",
}
"""What is said of each ending."""


class EndedScreen(WorkScreen):
    """Asks whether to submit a demonstration without an answer."""

    TITLE: ClassVar[str | None] = "Demonstration"
    HELP: ClassVar[str | None] = "Submit the demonstration as it is, or go back to browsing. Once submitted, it stays as it is."
    BINDINGS = [
        Binding("enter", "submit", "submit", key_display="enter", tooltip="Submit; it cannot be changed after that"),
        Binding("b", "reopen", "back to browsing", tooltip="Go on browsing"),
    ]
    recording: Session

    def compose_work(self) -> Iterable[Widget]:
        with Vertical(classes="dialog", id="ended"):
            yield Static(id="question", markup=False)
            yield Static(id="reason", classes="dialog-title", markup=False)
            yield Press("Submit", "enter", "submit")
            yield Press("Back to browsing", "b", "reopen")

    def show(self) -> None:
        view = self.recording.view()
        self.query_one("#question", Static).update(view.question)
        self.query_one("#reason", Static).update(REASONS.get(view.ending or "", ""))

    def action_submit(self) -> None:
        """Finish it."""
        self.do(Submit())

    def action_reopen(self) -> None:
        """Go on browsing."""
        self.do(Reopen())
