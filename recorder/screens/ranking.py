"""The screen for ranking several answers, ties allowed."""

from collections.abc import Iterable
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget
from textual.widgets import Static

from recorder.comparisons.events import Place
from recorder.comparisons.pairs import MAX_RANKED
from recorder.comparisons.ranking import move_down, move_up
from recorder.comparisons.state import View, answer_name
from recorder.screens.judging import PRIORITIES, JudgingScreen, Notes
from recorder.widgets.answer_view import AnswerView


class RankList(Widget, can_focus=True):
    """The answers, best first. Answers without a place are below a line."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"ranks--chosen"}
    BINDINGS = [
        Binding("down,j", "choose(1)", "choose", key_display="↑↓", tooltip="Choose the next answer; ↑ or k: previous"),
        Binding("up,k", "choose(-1)", show=False),
        Binding(
            "shift+up,K",
            "move(-1)",
            "better",
            key_display="⇧↑",
            tooltip="Move up: first into a tie with the place above, then before it",
        ),
        Binding(
            "shift+down,J",
            "move(1)",
            "worse",
            key_display="⇧↓",
            tooltip="Move down: first into a tie with the place below, then after it",
        ),
        Binding("1", "put(1)", "set place", key_display="1…9", tooltip="Move to a place without a tie; 1 is the best"),
        *(Binding(str(number), f"put({number})", show=False) for number in range(2, MAX_RANKED + 1)),
        Binding("enter", "read", "read", tooltip="Go to the text, to scroll and to mark claims"),
    ]
    answer: reactive[int] = reactive(0)
    """Index of the chosen answer, from 0."""

    class Chosen(Message):
        """Another answer was chosen."""

    class Moved(Message):
        """Request to move an answer by one place."""

        def __init__(self, answer: int, by: int) -> None:
            super().__init__()
            self.answer = answer
            self.by = by
            """-1: up, 1: down."""

    class Put(Message):
        """Request to move an answer to a place without a tie."""

        def __init__(self, answer: int, place: int) -> None:
            super().__init__()
            self.answer = answer
            self.place = place
            """Index of the place, from 0."""

    def __init__(self) -> None:
        super().__init__(id="ranks")
        self._view: View | None = None
        self._dragged: int | None = None

    def show(self, view: View) -> None:
        """Show the ranking."""
        self._view = view
        self.refresh(layout=True)

    def rows(self) -> list[tuple[str, int] | None]:
        """Return the rank and the answer on each line, or None for the dividing line."""
        assert self._view is not None
        rows: list[tuple[str, int] | None] = []
        rank = 1
        for place in self._view.places:
            rows += [(f"{rank}." if number == 0 else "=", answer) for number, answer in enumerate(place)]
            rank += len(place)
        if self._view.unplaced:
            rows += [None, *(("?", answer) for answer in self._view.unplaced)]
        return rows

    def render(self) -> Text:
        if self._view is None:
            return Text()
        lines = []
        for row in self.rows():
            if row is None:
                lines.append(Text(f"{'── not ranked yet ':─<{self.size.width}}", "dim"))
                continue
            rank, answer = row
            is_chosen = answer == self.answer
            snippet = " ".join(self._view.answers[answer].text.split())
            line = Text(f"{'▸' if is_chosen else ' '}{rank:>2} ", no_wrap=True, overflow="ellipsis")
            line.append(f"{answer_name(answer)} ", "bold")
            line.append(snippet)
            line.truncate(self.size.width, overflow="ellipsis", pad=True)
            if is_chosen:
                line.stylize(self.get_component_rich_style("ranks--chosen", partial=True) if self.has_focus else "bold")
            lines.append(line)
        return Text("\n").join(lines)

    def watch_answer(self) -> None:
        """Report that another answer was chosen."""
        self.post_message(self.Chosen())

    def action_choose(self, by: int) -> None:
        """Choose the next or previous answer."""
        order = [row[1] for row in self.rows() if row is not None]
        self.answer = order[min(max(order.index(self.answer) + by, 0), len(order) - 1)]

    def action_move(self, by: int) -> None:
        """Move the chosen answer."""
        self.post_message(self.Moved(self.answer, by))

    def action_put(self, place: int) -> None:
        """Move the chosen answer to a place."""
        self.post_message(self.Put(self.answer, place - 1))

    def action_read(self) -> None:
        """Go to the text of the chosen answer."""
        self.screen.query_one(f"#answer-{self.answer}").focus()

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Choose the answer under the mouse."""
        row = self._row_at(event.y)
        if row is not None:
            self.answer = self._dragged = row[1]
            self.capture_mouse()

    def on_mouse_up(self, event: events.MouseUp) -> None:
        """Move the dragged answer to the place under the mouse."""
        dragged, self._dragged = self._dragged, None
        self.release_mouse()
        row = self._row_at(event.y)
        if dragged is None or (row is not None and row[1] == dragged):
            return
        assert self._view is not None
        if row is None or row[0] == "?":
            self.post_message(self.Put(dragged, len(self._view.places)))
            return
        place = next(index for index, answers in enumerate(self._view.places) if row[1] in answers)
        self.post_message(self.Put(dragged, place))

    def _row_at(self, y: int) -> tuple[str, int] | None:
        rows = self.rows()
        return rows[y] if 0 <= y < len(rows) else None


class RankingScreen(JudgingScreen):
    """The ranking, and the text of the chosen answer."""

    TITLE: ClassVar[str | None] = "Ranking"
    HELP: ClassVar[str | None] = f"""
Put the answers in order, the most useful first. {PRIORITIES}
Choose an answer with the arrows; move it with shift and an arrow. A
move up first ties it with the answer above (=); the next one puts it
before that answer. A digit moves it to that place without a tie.

The full form also requires trust in every source and the claims of
every answer: press enter to go to the text.
"""
    BINDINGS = [
        Binding(
            "tab,escape",
            "switch",
            "list/text",
            key_display="tab",
            tooltip="Switch between the ranking and the text",
        ),
        Binding("shift+tab", "switch", show=False),
    ]

    def compose_work(self) -> Iterable[Widget]:
        yield Static(id="question")
        with Horizontal(id="answers"):
            with Vertical(id="order"):
                yield Static("Best first", classes="answer-name")
                yield RankList()
                yield Notes(self.write_notes, id="notes")
            with Vertical(id="reading"):
                yield Static(id="answer-name", classes="answer-name")
                for index in range(len(self.recording.state.answers)):
                    yield AnswerView(index, id=f"answer-{index}")
        yield Static(id="todo")

    def on_mount(self) -> None:
        """Start with the list."""
        super().on_mount()
        self.on_rank_list_chosen()
        self.query_one(RankList).focus()

    def show(self) -> None:
        view = self.recording.view()
        self.show_question(view)
        self.query_one(RankList).show(view)
        for part, answer in zip(self.query(AnswerView), view.answers, strict=True):
            part.show(answer)
        self.show_notes(view)

    def summary(self) -> str:
        view = self.recording.view()
        if view.flag is not None:
            return "The question is flagged; the ranking is not exported."
        return "Best first: " + " > ".join(" = ".join(map(answer_name, place)) for place in view.places)

    def on_rank_list_chosen(self) -> None:
        """Show the text of the chosen answer."""
        chosen = self.query_one(RankList).answer
        self.query_one("#answer-name", Static).update(f"Answer {answer_name(chosen)}")
        for part in self.query(AnswerView):
            part.display = part.index == chosen

    def on_rank_list_moved(self, message: RankList.Moved) -> None:
        """Move an answer by one place."""
        self.do((move_up if message.by < 0 else move_down)(self.recording.state, message.answer))

    def on_rank_list_put(self, message: RankList.Put) -> None:
        """Move an answer to a place. A number after the last place means the end."""
        places = [place for place in self.recording.view().places if place != (message.answer,)]
        self.do(Place(answer=message.answer, place=min(message.place, len(places))))

    def action_switch(self) -> None:
        """Switch between the list and the text."""
        ranks = self.query_one(RankList)
        if self.focused is ranks:
            ranks.action_read()
        else:
            ranks.focus()

    def action_notes(self) -> None:
        """Go to the notes."""
        self.query_one(Notes).focus()

    def action_leave_notes(self) -> None:
        """Return to the list."""
        self.query_one(RankList).focus()
