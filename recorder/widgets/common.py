"""The small parts that the recorder's screens share: heading, message line, keys, references, answers with their citations."""

from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from rich.style import Style
from rich.text import Text
from textual.app import RenderResult
from textual.geometry import Size
from textual.reactive import reactive
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from browser_env.records import Reference
from browser_env.records.citations import check_citations, citation_spans
from recorder.journal.recording import Response

SEPARATOR = " · "


def minutes(seconds: float) -> str:
    """``2:05``, or ``1:02:05`` from an hour on."""
    minute, second = divmod(int(seconds), 60)
    hour, minute = divmod(minute, 60)
    return f"{hour}:{minute:02}:{second:02}" if hour else f"{minute}:{second:02}"


class Heading(Static):
    """The first line of a screen: what the work is and how far it is, and at its right end the time."""

    ALLOW_SELECT = False
    left: reactive[str] = reactive("")
    right: reactive[str] = reactive("")

    def render(self) -> Text:
        room = max(0, self.size.width - cell_len(self.right) - 1)
        left = Text(self.left, no_wrap=True)
        left.truncate(room, overflow="ellipsis", pad=True)
        return left.append(f" {self.right}")


class MessageLine(Static):
    """One line that says what came of the last step: ``!`` why it could not be done, ``·`` what to know of it."""

    ALLOW_SELECT = False

    def say(self, response: Response) -> None:
        """Show a response; one that says nothing empties the line."""
        self.set_class(response.problem is not None, "-problem")
        said = response.problem or response.note
        mark = "!" if response.problem else "·"
        self.update(Text(f"{mark} {said}" if said else "", no_wrap=True, overflow="ellipsis"), layout=False)


class Keys(Widget):
    """The keys of what can be done now, on as many lines as they need. A click on one does it too."""

    ALLOW_SELECT = False

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._items: list[Text] = []

    def on_mount(self) -> None:
        """Follow the screen: what has the focus decides about keys."""
        self._follow(self.screen)
        self.screen.bindings_updated_signal.subscribe(self, self._follow)

    def render(self) -> RenderResult:
        return Text("\n").join(self._lines(self.size.width))

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return max(1, len(self._lines(width)))

    def _follow(self, screen: Screen[object]) -> None:
        """Draw them again if they are others, and lay the screen out again only if they need more lines or fewer."""
        before, items = self._items, list(self._made())
        if [(item.plain, item.spans) for item in before] != [(item.plain, item.spans) for item in items]:
            height = len(self._lines(self.size.width))
            self._items = items
            self.refresh(layout=height != len(self._lines(self.size.width)))

    def _lines(self, width: int) -> list[Text]:
        lines: list[Text] = []
        for item in self._items:
            if lines and lines[-1].cell_len + 2 + item.cell_len <= width:
                lines[-1] = Text("  ").join([lines[-1], item])
            else:
                lines.append(item)
        return lines

    def _made(self) -> Iterable[Text]:
        seen = set()
        for active in self.screen.active_bindings.values():
            binding = active.binding
            if not binding.show or not binding.description or binding.action in seen:
                continue
            seen.add(binding.action)
            node = active.node
            namespace = "app" if node is self.app else "screen" if node is self.screen else "focused"
            click = Style.from_meta({"@click": f"{namespace}.{binding.action}"}) if active.enabled else Style(dim=True)
            item = Text(self.app.get_key_display(binding), Style(bold=active.enabled))
            item.append(f" {binding.description}", Style(bold=False))
            item.stylize(click)
            yield item


class Press(Static):
    """A word to click on; it never takes the focus, so keys stay where they were. Its key stands beside it."""

    ALLOW_SELECT = False

    def __init__(self, label: str, key: str, action: str, *, id: str | None = None) -> None:
        super().__init__(Text(f" {label} ").append(f"{key} ", "bold"), id=id)
        self._action = action

    async def on_click(self) -> None:
        """Do it, as its key would."""
        await self.screen.run_action(self._action)


class ReferenceList(OptionList):
    """References with their numbers. One of them can be chosen; what that means is the screen's to say."""

    def show(self, references: Sequence[Reference]) -> None:
        """Show these; what was chosen stays chosen if it is still there."""
        chosen = self.highlighted
        self.clear_options()
        self.add_options(Option(_reference_text(number, one)) for number, one in enumerate(references, start=1))
        if references:
            self.highlighted = min(chosen or 0, len(references) - 1)

    @property
    def number(self) -> int | None:
        """The one that is chosen, from 1; None: there are none."""
        return None if self.highlighted is None else self.highlighted + 1


def _reference_text(number: int, reference: Reference) -> Text:
    text = Text(f"[{number}] {reference.full_title}", "bold")
    text.append(f"\n{' '.join(reference.extract.split())}\n", Style(bold=False))
    return text


def answer_text(answer: str, references: Sequence[Reference]) -> Text:
    """An answer to read: its citations bold, those that point at nothing struck through."""
    text = Text(answer)
    for start, end, numbers in citation_spans(answer):
        known = all(1 <= number <= len(references) for number in numbers)
        text.stylize("bold" if known else "bold strike", start, end)
    return text


def citation_report(answer: str, references: Sequence[Reference]) -> list[str]:
    """What is to be said of an answer's citations, a line each; empty: every sentence cites a reference that exists."""
    check = check_citations(answer, references)
    lines = []
    if check.unknown:
        numbers = ", ".join(f"[{number}]" for number in check.unknown)
        lines.append(f"there is no reference {numbers}")
    lines.extend(f"cites nothing: {_clipped(sentence.text)}" for sentence in check.uncited)
    unused = [number for number in range(1, len(references) + 1) if number not in check.citations]
    if unused and check.sentences:
        lines.append(f"not cited yet: {', '.join(f'[{number}]' for number in unused)}")
    return lines


def _clipped(text: str, length: int = 60) -> str:
    line = " ".join(text.split())
    return line if len(line) <= length else f"{line[: length - 1]}…"
