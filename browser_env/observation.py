"""Observations: the browsing text of Figure 1b and the answering prompt of Appendix A.

The terminal, models, records and tests all use `observe`, so people and policies see the same text, byte for byte. Page text,
titles and questions cannot contain ``♦``, so pages cannot forge headings. A quote is one paragraph after an empty line and
contains no empty line, so it cannot forge another quote.
"""

from browser_env.pages.characters import END_OF_FIELD, SECTION, clean, clean_line
from browser_env.pages.layout import wrap_text
from browser_env.records import Reference
from browser_env.state import BrowserState


def observe(state: BrowserState) -> str:
    """The observation of a state: the text to reply to with a command or the answer; empty when the episode has ended."""
    match state.phase:
        case "browsing":
            return _browsing(state)
        case "answering":
            return _answering(state)
        case "ended":
            return ""


def view_lines(state: BrowserState) -> tuple[str, ...]:
    """The lines of the page in view that the observation shows."""
    top = state.visit.top
    return state.layout.lines[top : top + state.settings.view_height]


def scrollbar(state: BrowserState) -> tuple[int, int]:
    """The first and last percent of the page that are in view (Figure 1b)."""
    num_lines = len(state.layout.lines)
    if not num_lines:
        return 0, 100
    top = state.visit.top
    bottom = min(num_lines, top + state.settings.view_height)
    return 100 * top // num_lines, -(-100 * bottom // num_lines)


def _browsing(state: BrowserState) -> str:
    first, last = scrollbar(state)
    quotes = "\n\n".join(_quoted(reference, state.settings.view_width) for reference in state.references)
    sections = (
        (f"{SECTION}Question", _question(state)),
        (f"{SECTION}Quotes", *filter(None, [quotes])),
        (f"{SECTION}Past actions", *state.past_actions),
        (f"{SECTION}Title", *filter(None, [state.page.full_title])),
        (f"{SECTION}Scrollbar: {first} - {last}", f"{SECTION}Text", *view_lines(state)),
        (f"{SECTION}Actions left: {state.actions_left}", f"{SECTION}Next action\n"),
    )
    return "\n\n".join(map("\n".join, sections))


def _quoted(reference: Reference, width: int) -> str:
    extract = "\n".join(wrap_text(f"> {clean_line(reference.extract)}", width))
    return f"From {reference.full_title}\n{extract}"


def _answering(state: BrowserState) -> str:
    references = (
        f"[{number}] {reference.full_title}\n\n{reference.extract}{END_OF_FIELD}"
        for number, reference in enumerate(state.references, start=1)
    )
    return f"{_question(state)}{END_OF_FIELD}{''.join(references)}"


def _question(state: BrowserState) -> str:
    return clean(state.question.text).strip()
