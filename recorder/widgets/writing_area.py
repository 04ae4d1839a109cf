"""A text area whose edits are recorded before they are drawn."""

from collections.abc import Callable

from textual.widgets import TextArea
from textual.widgets.text_area import Edit as TextAreaEdit
from textual.widgets.text_area import EditResult

from recorder.journal.text_edits import edit_between


class WritingArea(TextArea):
    """A text area that reports each change of its text before it is drawn."""

    def __init__(self, on_write: Callable[[str], None], *, id: str) -> None:
        """Create the text area. `on_write` is called with the whole text after each change."""
        super().__init__(soft_wrap=True, tab_behavior="focus", show_line_numbers=False, id=id)
        self._on_write = on_write

    def edit(self, edit: TextAreaEdit) -> EditResult:
        """Change the text, by a key or a paste."""
        result = super().edit(edit)
        self._on_write(self.text)
        return result

    def show(self, text: str) -> None:
        """Show a text. If it is new, the cursor moves to the end of the change."""
        if (change := edit_between(self.text, text)) is not None:
            self.load_text(text)
            self.move_cursor(_location(text, change.start + len(change.text)))


def _location(text: str, offset: int) -> tuple[int, int]:
    """Return the line and the column of an offset."""
    before = text[:offset]
    return before.count("\n"), len(before) - before.rfind("\n") - 1
