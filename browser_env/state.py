"""The state of an episode and the effect of each command on it. No I/O: pages are passed as arguments.

Every opened page is a *visit* with its own position. Back returns to the stored visit, a new search does not overwrite an
earlier one, and a reference points to the snapshot of the page that was read.
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
"""Returns the number of tokens in a text, for the reference budget."""

CONTEXT_LINES = 2
"""Lines that stay in view when scrolling, so that sentences at the border can be read."""
FIND_LINE = 1
"""Line of the view, counted from 0, to which Find scrolls its match."""
MAX_ARGUMENT = 300
"""Characters of a query or link text that the list of past actions shows."""

BLANK = Page(url="about:blank", title="", text="")
"""The page in view before the first search."""


def count_words(text: str) -> int:
    """Count words separated by white space; the default token counter."""
    return len(text.split())


@dataclass(frozen=True, slots=True)
class Visit:
    """An opened page with the current position on it."""

    page: Page
    top: int = 0
    """Index of the first line in view."""
    find_from: int = 0
    """Offset in the page's text at which the next Find starts."""


@dataclass(frozen=True, slots=True)
class BrowserState:
    """The state of an episode; observations are computed from it alone."""

    question: Question
    settings: Settings
    count_tokens: TokenCounter = field(default=count_words, compare=False)
    visits: tuple[Visit, ...] = ()
    """Opened pages that Back can return to, and the page in view as the last."""
    references: tuple[Reference, ...] = ()
    """Quoted passages; citation [1] is the first."""
    past_actions: tuple[str, ...] = ()
    """Valid actions as the observation describes them."""
    actions_taken: int = 0
    """Number of commands given, invalid ones included."""
    ending: Ending | None = None
    """Reason that browsing ended; None while browsing."""
    answered: bool = False
    """Whether the answer was given."""

    @property
    def phase(self) -> Phase:
        """The current phase; *answering* follows browsing only if there are references (Appendix A)."""
        if self.ending is None:
            return "browsing"
        if self.answered or not self.references or self.ending in ("nonsense", "controversial"):
            return "ended"
        return "answering"

    @property
    def visit(self) -> Visit:
        """The visit in view."""
        return self.visits[-1] if self.visits else Visit(BLANK)

    @property
    def page(self) -> Page:
        """The page in view."""
        return self.visit.page

    @property
    def layout(self) -> Layout:
        """The page in view as wrapped lines."""
        return lay_out(self.page, self.settings.view_width)

    @property
    def actions_left(self) -> int:
        """Number of commands left before browsing ends."""
        return self.settings.max_actions - self.actions_taken

    @property
    def reference_tokens_left(self) -> int:
        """Number of tokens left for references, titles included."""
        return self.settings.max_reference_tokens - sum(map(self.reference_tokens, self.references))

    def reference_tokens(self, reference: Reference) -> int:
        """Number of tokens in a reference, title included."""
        return self.count_tokens(reference.full_title) + self.count_tokens(reference.extract)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of an action."""

    state: BrowserState
    """State after the action."""
    problem: str | None = None
    """Reason that the action was invalid and had no effect but its cost. None: it was valid."""
    note: str | None = None
    """Remark about a valid action that had no effect."""


ReadingAction = Find | Quote | ScrollDown | ScrollUp | Top | Back | End
"""Actions on pages that are already open; they need no backend."""


def apply(state: BrowserState, action: ReadingAction) -> Outcome:
    """Apply an action to a state, without counting it against the budget (`count_action` does)."""
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
            return Outcome(_with_past_action(replace(state, visits=state.visits[:-1]), "Back"))
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
    """Show a page as a new visit, scrolled to the URL fragment if the page has it."""
    visit = Visit(page)
    offset = _fragment_offset(page, fragment) if fragment else None
    if offset is not None:
        visit = _at_line(state.settings, visit, lay_out(page, state.settings.view_width).line_at(offset))
    return _with_past_action(replace(state, visits=(*state.visits, visit)), past_action)


def answer(state: BrowserState) -> BrowserState:
    """Record that the answer was given."""
    return replace(state, answered=True)


def count_action(state: BrowserState) -> BrowserState:
    """Count one action; browsing ends when the budget is used up."""
    state = replace(state, actions_taken=state.actions_taken + 1)
    if state.ending is None and state.actions_left <= 0:
        state = replace(state, ending="max_actions")
    return state


def shorten(text: str) -> str:
    """Put a text on one line and cut it to the length that the list of past actions shows."""
    line = clean_line(text)
    return line if len(line) <= MAX_ARGUMENT else f"{line[:MAX_ARGUMENT]}…"


def _with_past_action(state: BrowserState, past_action: str) -> BrowserState:
    return replace(state, past_actions=(*state.past_actions, past_action))


def _find(state: BrowserState, text: str) -> Outcome:
    visit, layout = state.visit, state.layout
    past_action = f"Find in page {shorten(text)}"
    span = find_next(visit.page.normal, text, visit.find_from)
    if span is None:
        return Outcome(_with_past_action(state, f"{past_action} (not found)"), note="the text is not on this page")
    is_same_match = span[1] == visit.find_from
    visit = replace(_at_line(state.settings, visit, layout.line_at(span[0]) - FIND_LINE), find_from=span[1])
    note = "there is no other occurrence on this page" if is_same_match else None
    return Outcome(_with_past_action(_with_visit(state, visit), past_action), note=note)


def _scroll(state: BrowserState, lines: int, past_action: str) -> BrowserState:
    return _with_past_action(_with_visit(state, _at_line(state.settings, state.visit, state.visit.top + lines)), past_action)


def _scroll_lines(settings: Settings) -> int:
    return max(1, settings.view_height - CONTEXT_LINES)


def _with_visit(state: BrowserState, visit: Visit) -> BrowserState:
    return replace(state, visits=(*state.visits[:-1], visit)) if state.visits else state


def _at_line(settings: Settings, visit: Visit, line: int) -> Visit:
    """Scroll a visit to a line, but not beyond the last full view of the page."""
    layout = lay_out(visit.page, settings.view_width)
    top = max(0, min(line, len(layout.lines) - settings.view_height))
    return replace(visit, top=top, find_from=layout.starts[top] if layout.starts else 0)


def _fragment_offset(page: Page, fragment: str) -> int | None:
    name, _, directive = fragment.partition(":~:text=")
    if directive:
        # Text fragment: [prefix-,]start[,end][,-suffix]; the first part without a dash at its border is the start.
        parts = [unquote(part) for part in directive.partition("&")[0].split(",")]
        start = next((part for part in parts if not part.endswith("-") and not part.startswith("-")), "")
        if span := find_next(page.normal, start, 0):
            return span[0]
    offset = page.anchor(name)
    return page.anchor(unquote(name)) if offset is None else offset


def _quote(state: BrowserState, text: str) -> Outcome:
    visit, page = state.visit, state.page
    if page.kind == "error" or (page.kind == "results" and not page.links):
        return Outcome(state, problem="error pages and empty results pages cannot be quoted")
    if "soft_404" in page.notes:
        return Outcome(state, problem="pages that report a missing page cannot be quoted")
    start = state.layout.starts[visit.top] if state.layout.starts else 0
    span = find_quote(page.normal, text, start)
    if isinstance(span, str):
        return Outcome(state, problem=span)
    references, is_full = _with_reference(state, _reference(page, span))
    quoted = _with_past_action(replace(state, references=references), "Quote")
    if is_full or quoted.reference_tokens_left <= 0:
        quoted = replace(quoted, ending="max_references")
    return Outcome(quoted)


def _reference(page: Page, span: Span) -> Reference:
    """Make a reference from a span of a page. On a results page it refers to the page of the search result."""
    start, end = span
    title, url = page.title, urldefrag(page.url)[0]
    if page.kind == "results" and (link := page.link_before(start)):
        title, url = page.text[link.start : link.end], urldefrag(link.url)[0]
    return Reference(title=title, url=url, extract=page.text[start:end], page=page.digest, start=start, end=end)


def _with_reference(state: BrowserState, new: Reference) -> tuple[tuple[Reference, ...], bool]:
    """Add a reference; returns all references and whether the budget was too small for the new one.

    A quote that overlaps a reference to the same page is merged into it and keeps its number. A quote that exceeds the budget
    is cut at a word, or left out if no word fits.
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
    """Length in characters of the longest prefix of whole words that has at most `room` tokens."""
    if count_tokens(extract) <= room:
        return len(extract)
    ends = [match.end() for match in re.finditer(r"\S+", extract)]
    num_fitting = bisect_right(ends, room, key=lambda end: count_tokens(extract[:end]))
    return ends[num_fitting - 1] if num_fitting else 0
