"""The screen for rating two answers: reading them, marking claims, and comparing them (Appendix C.2)."""

from collections.abc import Iterable
from typing import ClassVar, Final

from rich.style import Style
from rich.text import Text
from textual import events
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget
from textual.widgets import Static

from recorder.comparisons.events import RATED, SCORES, Rate, ScoreOf
from recorder.comparisons.state import View, answer_name
from recorder.screens.judging import PRIORITIES, JudgingScreen, Notes
from recorder.widgets.answer_view import AnswerView

POINTS: Final = ("A much better", "A better", "equally good", "B better", "B much better")
"""Names of the points of `SCORES`."""
CIRCLES: Final = 49
"""Column of the first of the five circles, in cells. Each is two cells wide."""
PARTS: Final = {"answer-a": "a answer A", "answer-b": "b answer B", "ratings": "r ratings"}
"""Parts of the screen and their labels. A narrow screen shows one at a time."""


class RatingList(Widget, can_focus=True):
    """The ratings, one per line, with five circles each."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"ratings--chosen"}
    BINDINGS = [
        Binding("down,j", "choose(1)", "choose", key_display="↑↓", tooltip="Choose the next rating; ↑ or k: previous"),
        Binding("up,k", "choose(-1)", show=False),
        *(
            Binding(str(number), f"rate({score})", name, tooltip=f"Rate: {name}")
            for number, (score, name) in enumerate(zip(SCORES, POINTS, strict=True), start=1)
        ),
        Binding("x,delete", "rate(None)", "not rated", tooltip="Remove the rating"),
    ]
    row: reactive[int] = reactive(0)
    """Index of the chosen rating."""

    class Rated(Message):
        """Request to rate the answers in an aspect."""

        def __init__(self, of: ScoreOf, score: float | None) -> None:
            super().__init__()
            self.of: ScoreOf = of
            self.score = score

    def __init__(self) -> None:
        super().__init__(id="ratings")
        self._scores: dict[ScoreOf, float] = {}
        self._needed: frozenset[ScoreOf] = frozenset()

    def on_mount(self) -> None:
        """Start at the final rating, the only one that the short form needs."""
        self.row = len(RATED) - 1

    def show(self, view: View) -> None:
        """Show the ratings given and those required."""
        self._scores = view.scores
        self._needed = frozenset(name for name, _ in (RATED if view.is_full else RATED[-1:]))
        self.refresh()

    def begin_at_first(self) -> None:
        """Choose the first rating that is required and missing."""
        self.row = next((row for row, (name, _) in enumerate(RATED) if name in self._needed - self._scores.keys()), self.row)

    def render(self) -> Text:
        lines = [Text("   Which answer is or has …", "italic")]
        for row, (name, words) in enumerate(RATED):
            is_chosen = row == self.row
            score = self._scores.get(name)
            mark = "▸" if is_chosen and self.has_focus else " "
            need = "*" if name in self._needed and score is None else " "
            line = Text(f"{mark}{need} {words:<{CIRCLES - 5}}A ", no_wrap=True)
            for point in SCORES:
                line.append("◉ " if point == score else "○ ")
            line.append("B  ")
            line.append("-" if score is None else POINTS[SCORES.index(score)], "bold")
            if name == "overall":
                line.stylize("bold")
            if is_chosen and self.has_focus:
                line.stylize(self.get_component_rich_style("ratings--chosen", partial=True))
            lines.append(line)
        return Text("\n").join(lines)

    def action_choose(self, by: int) -> None:
        """Choose a rating."""
        self.row = min(max(self.row + by, 0), len(RATED) - 1)

    def action_rate(self, score: float | None) -> None:
        """Rate and go to the next rating."""
        self.post_message(self.Rated(RATED[self.row][0], score))
        if score is not None:
            self.action_choose(1)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Choose the rating under the mouse. A click on a circle also rates."""
        offset = event.get_content_offset(self)
        if offset is None or not 1 <= offset.y <= len(RATED):
            return
        self.row = offset.y - 1
        circle = (offset.x - CIRCLES) // 2
        if 0 <= circle < len(SCORES):
            self.post_message(self.Rated(RATED[self.row][0], SCORES[circle]))


class ComparisonScreen(JudgingScreen):
    """Two answers, side by side on a wide screen and one at a time on a narrow one."""

    TITLE: ClassVar[str | None] = "Comparison"
    HELP: ClassVar[str | None] = f"""
Say which answer is more useful to the person who asked. {PRIORITIES}
The full form requires everything: trust in every source, the claims
of both answers with their support and relevance, and all ratings. A *
marks what is missing. The short form requires only the last rating;
the rest is welcome.

Choose a sentence or a source with the arrows, then judge it with a
digit. Shift and an arrow move the end of the chosen text.
"""
    BINDINGS = [
        Binding("a", "go('answer-a')", "answer A", tooltip="Read answer A"),
        Binding("b", "go('answer-b')", "answer B", tooltip="Read answer B"),
        Binding("r", "go('ratings')", "ratings", tooltip="Say which answer is better"),
        Binding("tab", "next(1)", show=False),
        Binding("shift+tab", "next(-1)", show=False),
    ]

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        self._part = "answer-a"
        self.add_class("-at-answer-a")

    def compose_work(self) -> Iterable[Widget]:
        yield Static(id="question")
        yield Static(id="parts")
        with Horizontal(id="answers"):
            for index in range(2):
                name = answer_name(index)
                with Vertical(id=f"box-{name.lower()}", classes="answer-box"):
                    yield Static(f"Answer {name}", classes="answer-name")
                    yield AnswerView(index, id=f"answer-{name.lower()}")
        with Horizontal(id="judging"):
            yield RatingList()
            yield Notes(self.write_notes, id="notes")
        yield Static(id="todo")

    def on_mount(self) -> None:
        """Start with the first answer."""
        super().on_mount()
        self.query_one(RatingList).begin_at_first()
        self.action_go("answer-a")

    def show(self) -> None:
        view = self.recording.view()
        self.show_question(view)
        for part, answer in zip(self.query(AnswerView), view.answers, strict=True):
            part.show(answer)
        self.query_one(RatingList).show(view)
        self.show_notes(view)
        self._show_parts()

    def summary(self) -> str:
        view = self.recording.view()
        if view.flag is not None:
            return "The question is flagged; ratings are not exported."
        return f"More useful overall: {POINTS[SCORES.index(view.scores['overall'])]}"

    def on_rating_list_rated(self, message: RatingList.Rated) -> None:
        """Record a rating."""
        self.do(Rate(of=message.of, score=message.score))

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Show the part with the focus on a narrow screen."""
        if (name := event.widget.id) in PARTS:
            self._part = name
        elif name == "notes":
            self.set_class(True, "-at-ratings")
        self._show_parts()

    def action_go(self, part: str) -> None:
        """Go to an answer or to the ratings."""
        self._part = part
        self._show_parts()
        self.call_after_refresh(self.query_one(f"#{part}").focus)

    def action_next(self, by: int) -> None:
        """Go to the next or previous part."""
        names = list(PARTS)
        self.action_go(names[(names.index(self._part) + by) % len(names)])

    def action_notes(self) -> None:
        """Go to the notes."""
        for name in PARTS:
            self.set_class(name == "ratings", f"-at-{name}")
        self.call_after_refresh(self.query_one(Notes).focus)

    def action_leave_notes(self) -> None:
        """Return to the part before the notes."""
        self.action_go(self._part)

    def _show_parts(self) -> None:
        is_noting = self.focused is not None and self.focused.id == "notes"
        shown = "ratings" if is_noting else self._part
        for name in PARTS:
            self.set_class(name == shown, f"-at-{name}")
        parts = Text("  ").join(
            Text(
                f" {words} ",
                Style(reverse=name == shown, bold=name == shown) + Style.from_meta({"@click": f"screen.go('{name}')"}),
            )
            for name, words in PARTS.items()
        )
        self.query_one("#parts", Static).update(parts)
