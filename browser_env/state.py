"""The state of an episode and what each command does to it. No I/O: pages come in as arguments.

A page is a *visit*: Back shows the stored page with its cursor, a second search never overwrites the first, and a reference
points at the snapshot that was read.
"""

import re
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import assert_never
from urllib.parse import unquote, urldefrag

from browser_env.actions import Back, End, EndReason, Find, Quote, ScrollDown, ScrollUp, Top
from browser_env.pages.characters import clean_line
from browser_env.pages.layout import lay_out
from browser_env.pages.matching import Span, find_next, find_quote
from browser_env.pages.page import Layout, Page
from browser_env.records import Ending, Phase, Question, Reference, Settings

TokenCounter = Callable[[str], int]
"""Counts the tokens of a text, for the reference budget."""

CONTEXT_LINES = 2
"""Lines that stay in view after a scroll, so that a sentence at the border can be read."""
FOUND_LINE = 1
"""Line of the view, from 0, on which find puts its hit."""
MAX_SHOWN = 300
"""Characters of a query or link text that past actions show."""

BLANK = Page(url="about:blank", title="", text="")
"""What is shown before the first search."""


def count_words(text: str) -> int:
    """The default token counter: words between white space."""
    return len(text.split())


@dataclass(frozen=True, slots=True)
class Visit:
    """A page that was opened, and the place on it."""

    page: Page
    top: int = 0
    """First line in view."""
    found: int = 0
    """Offset in the page's text from which the next find starts."""


@dataclass(frozen=True, slots=True)
class BrowserState:
    """Everything that an observation is made from."""

    question: Question
    settings: Settings
    count_tokens: TokenCounter = field(default=count_words, compare=False)
    visits: tuple[Visit, ...] = ()
    """The way here; the last is in view."""
    references: tuple[Reference, ...] = ()
    past_actions: tuple[str, ...] = ()
    """As the observation words them; invalid actions are not among them."""
    actions_taken: int = 0
    ending: Ending | None = None
    """Why browsing ended; None while it goes on."""
    answered: bool = False

    @property
    def phase(self) -> Phase:
        """*answering* follows browsing if there is something to answer from (Appendix A)."""
        if self.ending is None:
            return "browsing"
        if self.answered or not self.references or self.ending in ("nonsense", "controversial"):
            return "ended"
        return "answering"

    @property
    def visit(self) -> Visit:
        """What is in view."""
        return self.visits[-1] if self.visits else Visit(BLANK)

    @property
    def page(self) -> Page:
        """The page in view."""
        return self.visit.page

    @property
    def layout(self) -> Layout:
        """The lines of the page in view."""
        return lay_out(self.page, self.settings.view_width)

    @property
    def actions_left(self) -> int:
        """Commands left before browsing ends."""
        return self.settings.max_actions - self.actions_taken

    @property
    def reference_tokens_left(self) -> int:
        """Tokens left for references, titles included."""
        return self.settings.max_reference_tokens - sum(map(self.reference_tokens, self.references))

    def reference_tokens(self, reference: Reference) -> int:
        """What a reference costs."""
        return self.count_tokens(reference.full_title) + self.count_tokens(reference.extract)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an action did."""

    state: BrowserState
    problem: str | None = None
    """Why it could not be done: it was invalid, and only cost an action."""
    note: str | None = None
    """What a person should know of a valid action that moved nothing."""


ReadingAction = Find | Quote | ScrollDown | ScrollUp | Top | Back | End
"""The actions that need nothing but the pages that were opened already."""


def apply(state: BrowserState, action: ReadingAction) -> Outcome:
    """What an action does, before its cost is counted."""
    match action:
        case Find(text):
            return _find(state, text)
        case Quote(text):
            return _quote(state, text)
        case ScrollDown(times):
            moved = _scroll(state, times * _scroll_lines(state.settings), f"Scroll down {times}")
            return Outcome(moved, note="this is the end of the page" if moved.visit.top == state.visit.top else None)
        case ScrollUp(times):
            moved = _scroll(state, -times * _scroll_lines(state.settings), f"Scroll up {times}")
            return Outcome(moved, note="this is the top of the page" if moved.visit.top == state.visit.top else None)
        case Top():
            return Outcome(_scroll(state, -state.visit.top, "Top"))
        case Back():
            if len(state.visits) < 2:
                return Outcome(state, problem="there is no page before this one")
            return Outcome(_did(replace(state, visits=state.visits[:-1]), "Back"))
        case End(reason):
            return Outcome(replace(state, ending=_ENDINGS[reason]))
        case _:
            assert_never(action)


_ENDINGS: dict[EndReason, Ending] = {
    EndReason.ANSWER: "answer",
    EndReason.NONSENSE: "nonsense",
    EndReason.CONTROVERSIAL: "controversial",
}


def open_page(state: BrowserState, page: Page, past_action: str, fragment: str = "") -> BrowserState:
    """Show a page as a new visit, at the place that a fragment names if it names one."""
    visit = Visit(page)
    offset = _fragment_offset(page, fragment) if fragment else None
    if offset is not None:
        visit = _at_line(state.settings, visit, lay_out(page, state.settings.view_width).line_at(offset))
    return _did(replace(state, visits=(*state.visits, visit)), past_action)


def answer(state: BrowserState) -> BrowserState:
    """The state after the answer was given."""
    return replace(state, answered=True)


def count_action(state: BrowserState) -> BrowserState:
    """Count one action; the last one of the budget ends browsing."""
    state = replace(state, actions_taken=state.actions_taken + 1)
    if state.ending is None and state.actions_left <= 0:
        state = replace(state, ending="max_actions")
    return state


def shown(text: str) -> str:
    """Text on one line, short enough for the list of past actions."""
    line = clean_line(text)
    return line if len(line) <= MAX_SHOWN else f"{line[:MAX_SHOWN]}…"


def _did(state: BrowserState, past_action: str) -> BrowserState:
    return replace(state, past_actions=(*state.past_actions, past_action))


def _find(state: BrowserState, text: str) -> Outcome:
    visit, layout = state.visit, state.layout
    past_action = f"Find in page {shown(text)}"
    hit = find_next(visit.page.normal, text, visit.found)
    if hit is None:
        return Outcome(_did(state, f"{past_action} (not found)"), note="the text is not on this page")
    again = hit[1] == visit.found
    visit = replace(_at_line(state.settings, visit, layout.line_at(hit[0]) - FOUND_LINE), found=hit[1])
    note = "there is no other occurrence on this page" if again else None
    return Outcome(_did(_moved(state, visit), past_action), note=note)


def _scroll(state: BrowserState, lines: int, past_action: str) -> BrowserState:
    return _did(_moved(state, _at_line(state.settings, state.visit, state.visit.top + lines)), past_action)


def _scroll_lines(settings: Settings) -> int:
    return max(1, settings.view_height - CONTEXT_LINES)


def _moved(state: BrowserState, visit: Visit) -> BrowserState:
    return replace(state, visits=(*state.visits[:-1], visit)) if state.visits else state


def _at_line(settings: Settings, visit: Visit, line: int) -> Visit:
    """A visit with some line at the top of its view, or the nearest line that leaves no empty view."""
    layout = lay_out(visit.page, settings.view_width)
    top = max(0, min(line, len(layout.lines) - settings.view_height))
    return replace(visit, top=top, found=layout.starts[top] if layout.starts else 0)


def _fragment_offset(page: Page, fragment: str) -> int | None:
    name, _, directive = fragment.partition(":~:text=")
    if directive:
        # Scroll to text: [prefix-,]start[,end][,-suffix]; the first part without a dash at its border is the start.
        parts = [unquote(part) for part in directive.partition("&")[0].split(",")]
        start = next((part for part in parts if not part.endswith("-") and not part.startswith("-")), "")
        if hit := find_next(page.normal, start, 0):
            return hit[0]
    offset = page.anchor(name)
    return page.anchor(unquote(name)) if offset is None else offset


def _quote(state: BrowserState, text: str) -> Outcome:
    visit, page = state.visit, state.page
    if page.kind == "error" or (page.kind == "results" and not page.links):
        return Outcome(state, problem="a message is no page; it cannot be quoted")
    if "soft_404" in page.notes:
        return Outcome(state, problem="this page says that there is none; it cannot be quoted")
    start = state.layout.starts[visit.top] if state.layout.starts else 0
    span = find_quote(page.normal, text, start)
    if isinstance(span, str):
        return Outcome(state, problem=span)
    references, is_full = _with_reference(state, _reference(page, span))
    quoted = _did(replace(state, references=references), "Quote")
    if is_full or quoted.reference_tokens_left <= 0:
        quoted = replace(quoted, ending="max_references")
    return Outcome(quoted)


def _reference(page: Page, span: Span) -> Reference:
    """The reference that a span of a page makes. On a results page it is the hit's, whose words the snippet repeats."""
    start, end = span
    title, url = page.title, urldefrag(page.url)[0]
    if page.kind == "results" and (hit := page.link_before(start)):
        title, url = page.text[hit.start : hit.end], urldefrag(hit.url)[0]
    return Reference(title=title, url=url, extract=page.text[start:end], page=page.digest, start=start, end=end)


def _with_reference(state: BrowserState, new: Reference) -> tuple[tuple[Reference, ...], bool]:
    """The references with a new one, and whether the budget was too small for it.

    A quote that overlaps a reference of the same page is merged into it and keeps its number. One that does not fit is cut
    at a word, or left out if no word fits.
    """
    for index, old in enumerate(state.references):
        if (old.page, old.url) == (new.page, new.url) and new.start < old.end and old.start < new.end:
            start, end = min(old.start, new.start), max(old.end, new.end)
            merged = replace(new, extract=state.page.text[start:end], start=start, end=end)
            if state.reference_tokens(merged) > state.reference_tokens_left + state.reference_tokens(old):
                return state.references, True
            return (*state.references[:index], merged, *state.references[index + 1 :]), False
    room = state.reference_tokens_left - state.count_tokens(new.full_title)
    length = _fitting(new.extract, room, state.count_tokens)
    if length == len(new.extract):
        return (*state.references, new), False
    if not length:
        return state.references, True
    return (*state.references, replace(new, extract=new.extract[:length], end=new.start + length)), True


def _fitting(extract: str, room: int, count_tokens: TokenCounter) -> int:
    """Length of the longest beginning of an extract, in whole words, that costs at most so many tokens."""
    if count_tokens(extract) <= room:
        return len(extract)
    ends = [match.end() for match in re.finditer(r"\S+", extract)]
    return ends[fitting - 1] if (fitting := bisect_right(ends, room, key=lambda end: count_tokens(extract[:end]))) else 0
