"""Dialogs in front of a screen: a line of text, a choice, and help."""

from rich.table import Table
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from recorder.widgets.keys import Keys


class AskLine(ModalScreen[str | None]):
    """Asks for a line of text. Returns None if canceled."""

    BINDINGS = [Binding("enter", "submit", "ok", priority=True), Binding("escape", "cancel", "cancel")]

    def __init__(self, title: str, text: str, placeholder: str = "") -> None:
        super().__init__()
        self._title, self._text, self._placeholder = title, text, placeholder

    def compose(self) -> ComposeResult:
        """Compose the title, the text, the input and the keys."""
        with Vertical(classes="dialog"):
            yield Static(self._title, classes="dialog-title", markup=False)
            yield Static(self._text, markup=False)
            yield Input(placeholder=self._placeholder, compact=True)
            yield Keys()

    def action_submit(self) -> None:
        """Close the dialog with the line as its result, unless it is empty."""
        if line := self.query_one(Input).value.strip():
            self.dismiss(line)

    def action_cancel(self) -> None:
        """Close the dialog with the result None."""
        self.dismiss(None)


class Choice(ModalScreen[str | None]):
    """Asks for one of several choices, each with a key. Returns None if canceled."""

    def __init__(self, title: str, text: str, choices: dict[str, tuple[str, str]], *, can_cancel: bool = True) -> None:
        """Create the dialog.

        Args:
            title: Title, one line.
            text: Explanation.
            choices: The key and the label of each result.
            can_cancel: Whether Escape cancels.
        """
        super().__init__()
        self._title, self._text = title, text
        for result, (key, description) in choices.items():
            self._bindings.bind(key, f"choose({result!r})", description)
        if can_cancel:
            self._bindings.bind("escape", "choose(None)", "cancel")

    def compose(self) -> ComposeResult:
        """Compose the title, the text and the keys."""
        with Vertical(classes="dialog"):
            yield Static(self._title, classes="dialog-title", markup=False)
            yield Static(self._text, markup=False)
            yield Keys()

    def action_choose(self, result: str | None) -> None:
        """Close the dialog with a choice as its result."""
        self.dismiss(result)


class Help(ModalScreen[None]):
    """Help on a screen, with all its keys."""

    BINDINGS = [Binding("escape,f1,enter,question_mark", "dismiss", "close")]

    def __init__(self, text: str, keys: list[tuple[str, str]]) -> None:
        """Create the help screen.

        Args:
            text: Text of the help, in paragraphs.
            keys: Each key and its meaning.
        """
        super().__init__()
        self._text, self.keys = text, keys

    def compose(self) -> ComposeResult:
        """Compose the text and a line for each key."""
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(justify="right", style="bold", no_wrap=True)
        for key, meaning in self.keys:
            table.add_row(key, meaning)
        paragraphs = (" ".join(paragraph.split()) for paragraph in self._text.strip().split("\n\n"))
        with VerticalScroll(classes="dialog help"):
            yield Static("Help", classes="dialog-title")
            yield Static("\n\n".join(paragraphs), markup=False)
            yield Static(table, classes="help-keys")
            yield Keys()
