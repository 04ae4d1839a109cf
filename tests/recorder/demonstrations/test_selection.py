"""Offsets of positions on the screen, and quote commands of selections."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from browser_env.actions import Quote, parse_action
from browser_env.backends import FakeBackend, SearchHit
from browser_env.env import BrowserEnv
from browser_env.pages.characters import ELLIPSIS_BAR, LINK_OPEN, clean
from browser_env.pages.layout import lay_out
from browser_env.pages.page import Link, Page
from browser_env.records import Settings
from browser_env.state import BrowserState
from recorder.demonstrations.quotation import quotation, trimmed
from recorder.widgets.selection import Place, columns_of, move_end, move_start, offset_at, offsets, spans_of_lines
from tests.recorder.webs import CROWS, CROWS_TEXT, web

WIDE_WORDS = st.text("ab é日本́\u200d👩‍🚀-", min_size=1, max_size=12)
PAGES = st.builds(
    lambda words, gaps, linked: _page(words, gaps, linked),
    st.lists(WIDE_WORDS, min_size=1, max_size=30),
    st.lists(st.sampled_from([" ", "  ", "\n", "\n\n", "\n    ", "\n" + " " * 30]), min_size=30, max_size=30),
    st.sets(st.integers(0, 29)),
)


def _page(words: list[str], gaps: list[str], linked: set[int]) -> Page:
    text, links = "", []
    for index, (word, gap) in enumerate(zip(words, gaps, strict=False)):
        word = clean(word).strip()
        if index in linked and word:
            links.append(Link(len(text), len(text) + len(word), f"http://{'other' if index % 2 else 'here'}.org/{index % 5}"))
        text += word + gap
    return Page("http://here.org/", "Here", text, links=tuple(links))


@given(PAGES, st.integers(20, 40))
def test_every_character_of_the_page_in_view_has_its_offset(page: Page, width: int) -> None:
    layout = lay_out(page, width)
    shown: set[int] = set()
    for number, line in enumerate(layout.lines):
        places = offsets(page, width, number)
        assert len(places) == len(line) + 1
        assert list(places) == sorted(places)
        inside = [column for column, (here, after) in enumerate(pairwise(places)) if after > here]
        assert [line[column] for column in inside] == [page.text[places[column]] for column in inside]
        shown.update(places[column] for column in inside)
        if LINK_OPEN not in line:
            assert not line.strip() or page.text[places[0] : places[-1]].strip() == line.strip()
    assert {index for index, character in enumerate(page.text) if not character.isspace()} <= shown


def on_crows(*commands: str) -> BrowserState:
    env = BrowserEnv(web(), Settings(view_height=10))
    env.reset("What do crows bring?")
    for command in ("Search crows", "Clicked on link 0", *commands):
        assert env.step(command).info.problem is None
    return env.state


def quoted(state: BrowserState, command: str) -> str:
    """Return the extract that the environment quotes for a command on this page."""
    env = BrowserEnv(FakeBackend([state.page], {"x": [SearchHit(state.page.url, "x", "x")]}), state.settings)
    env.reset("What?")
    env.step("Search x")
    env.step("Clicked on link 0")
    info = env.step(command).info
    assert info.problem is None
    return env.state.references[-1].extract


def span(words: str, nth: int = 0) -> tuple[int, int]:
    start = -1
    for _ in range(nth + 1):
        start = CROWS_TEXT.index(words, start + 1)
    return start, start + len(words)


@pytest.mark.parametrize(
    ("words", "command"),
    [
        ("Crow number 0 brought me a key.", "Quote: Crow number 0 brought me a key."),
        ("  \nCrow number 1 brought", "Quote: Crow number 1 brought"),
        ("a key.\nCrow number 1 brought me an earring.\n", "Quote: a key. Crow number 1 brought me an earring."),
        ("Thé end — “they” said.", "Quote: Thé end — “they” said."),
    ],
    ids=["a line", "white space around", "across lines and links", "signs"],
)
def test_a_selection_becomes_a_quote_command(words: str, command: str) -> None:
    state = on_crows()
    start, end = span(words.strip())
    quote = quotation(state, (start - 1 if words[0].isspace() else start, end))
    assert not isinstance(quote, str)
    assert (quote.command, quote.is_elsewhere, quote.span) == (command, False, (start, end))
    assert quoted(state, quote.command) == CROWS_TEXT[start:end]


def test_long_selections_are_abbreviated_to_unambiguous_ends() -> None:
    state = on_crows()
    start, end = span("Crow number 2")[0], span("Crow number 9 brought me a")[1]
    quote = quotation(state, (start, end))
    assert not isinstance(quote, str)
    assert quote.command.count(ELLIPSIS_BAR) == 1
    assert len(quote.command) < 80
    assert quoted(state, quote.command) == CROWS_TEXT[start:end]


def test_repeated_words_are_quoted_at_their_first_occurrence() -> None:
    state, (start, end) = on_crows(), span("Crow number 3 brought me a key.", 1)
    quote = quotation(state, (start, end))
    assert not isinstance(quote, str)
    assert quote.is_elsewhere
    assert quote.span == span("Crow number 3 brought me a key.")
    below = quotation(on_crows(*["Scrolled down 3"] * 3), (start, end))
    assert not isinstance(below, str)
    assert (below.is_elsewhere, below.span) == (False, (start, end))


def test_words_of_another_search_result_are_not_quoted() -> None:
    env = BrowserEnv(web(), Settings())
    env.reset("What do crows bring?")
    env.step("Search crows")
    text = env.state.page.text
    first, second = text.index("Crow number"), text.rindex("Crow number")
    length = len("Crow number 0 brought me a key.")
    assert not isinstance(quotation(env.state, (first, first + length)), str)
    assert (
        quotation(env.state, (second, second + length)) == "another result contains the same words; open the page to quote it"
    )
    longer = quotation(env.state, (second, len(text)))
    assert not isinstance(longer, str)
    assert longer.span == (second, len(text))


@pytest.mark.parametrize(
    ("selected", "problem"),
    [((3, 3), "nothing is selected"), (span("\n\n"), "nothing is selected"), ((0, len(CROWS_TEXT)), None)],
    ids=["empty", "blank", "the whole page"],
)
def test_empty_selections_are_refused(selected: tuple[int, int], problem: str | None) -> None:
    quote = quotation(on_crows(), selected)
    assert quote == problem if problem else not isinstance(quote, str)


@settings(max_examples=60)
@given(PAGES, st.data())
def test_quotes_are_the_selection_or_the_same_words(page: Page, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(page.text)))
    end = data.draw(st.integers(start, len(page.text)))
    env = BrowserEnv(FakeBackend([page], {"x": [SearchHit(page.url, "x", "x")]}), Settings(max_reference_tokens=10_000))
    env.reset("What?")
    env.step("Search x")
    env.step("Clicked on link 0")
    quote = quotation(env.state, (start, end))
    if isinstance(quote, str):
        return
    assert isinstance(parse_action(quote.command), Quote)
    assert env.step(quote.command).info.problem is None
    (reference,) = env.state.references
    assert (reference.start, reference.end) == quote.span
    if not quote.is_elsewhere:
        first, last = trimmed(page, (start, end))
        assert first <= reference.start < last


def test_selections_move_by_lines_and_words() -> None:
    number = next(n for n, line in enumerate(lay_out(CROWS, 80).lines) if line.startswith("Crow number 7"))
    selected = spans_of_lines(CROWS, 80, number, number + 1)
    assert CROWS_TEXT[slice(*selected)] == "Crow number 7 brought me an earring.\nCrow number 8 brought me glass."
    start, end = move_start(CROWS, selected[0], 2), move_end(CROWS, selected[1], -3)
    assert CROWS_TEXT[start:end] == "7 brought me an earring.\nCrow number 8"
    assert (move_start(CROWS, start, -2), move_end(CROWS, end, 3)) == selected
    assert (move_start(CROWS, 0, -1), move_end(CROWS, len(CROWS_TEXT), 1)) == (0, len(CROWS_TEXT))
    assert columns_of(CROWS, 80, number, (start, end)) == (12, 36)
    assert columns_of(CROWS, 80, number + 2, (start, end)) is None
    assert offset_at(CROWS, 80, Place(number, 12)) == start
    assert offset_at(CROWS, 80, Place(number, 500)) == selected[0] + len("Crow number 7 brought me an earring.")
