"""The screen after browsing ended without an answer: submit the demonstration, or return to browsing."""

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
from recorder.widgets.keys import ClickLabel

REASONS = {
    "nonsense": "This question does not make sense.",
    "controversial": "This question should not be answered.",
    "max_actions": "No actions are left and nothing was quoted, so there is nothing to answer from.",
    "max_references": "No quote tokens are left.",
}
"""Text for each reason why browsing ended."""


class EndedScreen(WorkScreen):
    """Asks whether to submit a demonstration without an answer."""

    TITLE: ClassVar[str | None] = "Demonstration"
    HELP: ClassVar[str | None] = "Submit without an answer, or go back to browsing. Submitting cannot be undone."
    BINDINGS = [
        Binding("enter", "submit", "submit", key_display="enter", tooltip="Submit; this cannot be undone"),
        Binding("b", "reopen", "back to browsing", tooltip="Return to browsing"),
    ]
    recording: Session

    def compose_work(self) -> Iterable[Widget]:
        with Vertical(classes="dialog", id="ended"):
            yield Static(id="question", markup=False)
            yield Static(id="reason", classes="dialog-title", markup=False)
            yield ClickLabel("Submit", "enter", "submit")
            yield ClickLabel("Back to browsing", "b", "reopen")

    def show(self) -> None:
        view = self.recording.view()
        self.query_one("#question", Static).update(view.question)
        self.query_one("#reason", Static).update(REASONS.get(view.ending or "", ""))

    def action_submit(self) -> None:
        """Submit the demonstration."""
        self.do(Submit())

    def action_reopen(self) -> None:
        """Return to browsing."""
        self.do(Reopen())
