"""Questions that stand in front of a screen, and the help that lists its keys."""

from rich.table import Table
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from recorder.widgets.common import Keys


class AskLine(ModalScreen[str | None]):
    """Asks for a line of text; None: it was called off."""

    BINDINGS = [Binding("enter", "submit", "ok", priority=True), Binding("escape", "cancel", "not now")]

    def __init__(self, title: str, text: str, placeholder: str = "") -> None:
        super().__init__()
        self._title, self._text, self._placeholder = title, text, placeholder

    def compose(self) -> ComposeResult:
        """A title, what to think of, and the line."""
        with Vertical(classes="dialog"):
            yield Static(self._title, classes="dialog-title", markup=False)
            yield Static(self._text, markup=False)
            yield Input(placeholder=self._placeholder, compact=True)
            yield Keys()

    def action_submit(self) -> None:
        """Answer with the line, if there is one."""
        if line := self.query_one(Input).value.strip():
            self.dismiss(line)

    def action_cancel(self) -> None:
        """Answer with nothing."""
        self.dismiss(None)


class Choice(ModalScreen[str | None]):
    """Asks which of some things to do; each has its key. None: it was called off."""

    def __init__(self, title: str, text: str, choices: dict[str, tuple[str, str]], *, can_cancel: bool = True) -> None:
        """Ask.

        Args:
            title: One line.
            text: What to know.
            choices: By the result: the key and what it does.
            can_cancel: Whether Escape answers with None.
        """
        super().__init__()
        self._title, self._text = title, text
        for result, (key, description) in choices.items():
            self._bindings.bind(key, f"choose({result!r})", description)
        if can_cancel:
            self._bindings.bind("escape", "choose(None)", "not now")

    def compose(self) -> ComposeResult:
        """A title and what to know; the choices are the keys."""
        with Vertical(classes="dialog"):
            yield Static(self._title, classes="dialog-title", markup=False)
            yield Static(self._text, markup=False)
            yield Keys()

    def action_choose(self, result: str | None) -> None:
        """Answer."""
        self.dismiss(result)


class Help(ModalScreen[None]):
    """What a screen is for, and all its keys."""

    BINDINGS = [Binding("escape,f1,enter,question_mark", "dismiss", "close")]

    def __init__(self, text: str, keys: list[tuple[str, str]]) -> None:
        """Show help.

        Args:
            text: What the screen is for.
            keys: Each key and what it does.
        """
        super().__init__()
        self._text, self.keys = text, keys

    def compose(self) -> ComposeResult:
        """The text, then a line for each key."""
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
