"""Active keys of a screen, and labels to click."""

from collections.abc import Iterator
from typing import Any

from rich.style import Style
from rich.text import Text
from textual.app import RenderResult
from textual.binding import ActiveBinding
from textual.geometry import Size
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static


def shown_bindings(screen: Screen[Any]) -> list[ActiveBinding]:
    """Return the active bindings of a screen that are shown to the annotator, each action once."""
    shown: dict[str, ActiveBinding] = {}
    for active in screen.active_bindings.values():
        if active.binding.show and active.binding.description:
            shown.setdefault(active.binding.action, active)
    return list(shown.values())


class Keys(Widget):
    """The active keys, on as many lines as needed. A click on a key has the effect of the key."""

    ALLOW_SELECT = False

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._items: list[Text] = []

    def on_mount(self) -> None:
        """Follow the screen's active keys, which depend on the focus."""
        self._follow(self.screen)
        self.screen.bindings_updated_signal.subscribe(self, self._follow)

    def render(self) -> RenderResult:
        return Text("\n").join(self._lines(self.size.width))

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return max(1, len(self._lines(width)))

    def _follow(self, screen: Screen[object]) -> None:
        """Redraw if the keys have changed. The screen is laid out again only if the number of lines changes."""
        before, items = self._items, list(self._key_labels())
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

    def _key_labels(self) -> Iterator[Text]:
        for active in shown_bindings(self.screen):
            binding, node = active.binding, active.node
            namespace = "app" if node is self.app else "screen" if node is self.screen else "focused"
            click = Style.from_meta({"@click": f"{namespace}.{binding.action}"}) if active.enabled else Style(dim=True)
            item = Text(self.app.get_key_display(binding), Style(bold=active.enabled))
            item.append(f" {binding.description}", Style(bold=False))
            item.stylize(click)
            yield item


class ClickLabel(Static):
    """A label to click, followed by its key. It never takes the focus."""

    ALLOW_SELECT = False

    def __init__(self, label: str, key: str, action: str, *, id: str | None = None) -> None:
        super().__init__(Text(f" {label} ").append(f"{key} ", "bold"), id=id)
        self._action = action

    async def on_click(self) -> None:
        """Run the action."""
        await self.screen.run_action(self._action)
