import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from browser_env.actions import (
    Action,
    Back,
    Click,
    End,
    EndReason,
    Find,
    Invalid,
    Quote,
    ScrollDown,
    ScrollUp,
    Search,
    Top,
    format_action,
    parse_action,
)

TABLE_1 = [
    ("search", "Search how to train crows to bring you gifts", Search("how to train crows to bring you gifts")),
    ("click", "Clicked on link 12", Click(12)),
    ("click-0", "Clicked on link 0", Click(0)),
    ("click-largest", "Clicked on link 999999", Click(999_999)),
    ("find", "Find in page: crows", Find("crows")),
    ("quote", "Quote: Many animals give gifts", Quote("Many animals give gifts")),
    ("quote-abbreviated", "Quote: Many animals give━gifts to humans.", Quote("Many animals give━gifts to humans.")),
    ("down-1", "Scrolled down 1", ScrollDown(1)),
    ("down-3", "Scrolled down 3", ScrollDown(3)),
    ("up-2", "Scrolled up 2", ScrollUp(2)),
    ("top", "Top", Top()),
    ("back", "Back", Back()),
    ("answer", "End: Answer", End(EndReason.ANSWER)),
    ("nonsense", "End: Nonsense", End(EndReason.NONSENSE)),
    ("controversial", "End: Controversial", End(EndReason.CONTROVERSIAL)),
    ("search-like-a-command", "Search Top", Search("Top")),
    ("search-leading-space", "Search  two spaces", Search(" two spaces")),
]


@pytest.mark.parametrize(("command", "action"), [row[1:] for row in TABLE_1], ids=[row[0] for row in TABLE_1])
def test_each_command_of_table_1_parses_and_formats_back(command: str, action: Action) -> None:
    assert parse_action(command) == action
    assert format_action(action) == command


@pytest.mark.parametrize(
    ("text", "action"),
    [
        ("Top\nBack", Top()),
        ("Back  \t", Back()),
        ("Search a \r\nb", Search("a")),
        ("Search a\u2028♦Next action", Search("a")),
        ("Quote: x\x85y", Quote("x")),
        ("End: Answer\u00a0", End(EndReason.ANSWER)),
    ],
)
def test_the_command_is_the_first_line_without_trailing_white_space(text: str, action: Action) -> None:
    assert parse_action(text) == action


INVALID = [
    ("empty", ""),
    ("blank", "  \t "),
    ("leading-line-break", "\nTop"),
    ("leading-space", " Top"),
    ("lower-case", "top"),
    ("unknown", "Dance"),
    ("search-nothing", "Search "),
    ("search-glued", "Searchfoo"),
    ("search-colon", "Search: foo"),
    ("find-nothing", "Find in page:"),
    ("find-glued", "Find in page:foo"),
    ("quote-nothing", "Quote:   "),
    ("click-nothing", "Clicked on link"),
    ("click-word", "Clicked on link one"),
    ("click-leading-zeros", "Clicked on link 007"),
    ("click-zero-zero", "Clicked on link 00"),
    ("click-negative", "Clicked on link -1"),
    ("click-seven-digits", "Clicked on link 1000000"),
    ("click-5000-digits", "Clicked on link " + "9" * 5000),
    ("click-arabic-digits", "Clicked on link ٣"),
    ("click-superscript", "Clicked on link ²"),
    ("click-full-width", "Clicked on link ３"),
    ("click-underscore", "Clicked on link 1_0"),
    ("click-two", "Clicked on link 1 2"),
    ("scroll-0", "Scrolled down 0"),
    ("scroll-4", "Scrolled down 4"),
    ("scroll-01", "Scrolled down 01"),
    ("scroll-full-width", "Scrolled down １"),
    ("scroll-sideways", "Scrolled left 1"),
    ("scroll-nothing", "Scrolled up"),
    ("end-nothing", "End:"),
    ("end-lower", "End: answer"),
    ("end-other", "End: Boredom"),
    ("end-name", "End: ANSWER"),
    ("top-more", "Top of the page"),
    ("emoji", "🙂"),
    ("surrogate", "\ud800"),
]


@pytest.mark.parametrize("text", [row[1] for row in INVALID], ids=[row[0] for row in INVALID])
def test_other_text_is_an_invalid_action_with_a_reason_of_one_line(text: str) -> None:
    action = parse_action(text)
    assert isinstance(action, Invalid)
    assert action.text == text
    assert action.reason
    assert len(action.reason.splitlines()) == 1
    assert len(action.reason) < 400


near_commands = st.builds(
    str.__add__,
    st.sampled_from(
        [
            "Search ",
            "Clicked on link ",
            "Find in page: ",
            "Quote: ",
            "Scrolled down ",
            "Scrolled up ",
            "Top",
            "Back",
            "End: ",
            "",
        ]
    ),
    st.text() | st.integers().map(str) | st.sampled_from(["Answer", "Nonsense", "Controversial", "007", "٣", "━", " ", "\n"]),
)


@given(near_commands)
@example("Quote: a━")
@example("Search \u3000x")
def test_formatting_undoes_parsing_for_every_command(text: str) -> None:
    action = parse_action(text)
    if not isinstance(action, Invalid):
        command = format_action(action)
        assert text.splitlines()[0].rstrip() == command
        assert parse_action(command) == action


actions = st.one_of(
    st.builds(Search, st.text()),
    st.builds(Click, st.integers(-5, 10_000_000)),
    st.builds(Find, st.text()),
    st.builds(Quote, st.text()),
    st.builds(ScrollDown, st.integers(-1, 5)),
    st.builds(ScrollUp, st.integers(-1, 5)),
    st.just(Top()),
    st.just(Back()),
    st.builds(End, st.sampled_from(EndReason)),
)


@given(actions)
def test_parsing_undoes_formatting_or_formatting_raises(action: Action) -> None:
    try:
        command = format_action(action)
    except ValueError as error:
        assert repr(action) in str(error)
    else:
        assert parse_action(command) == action
        assert len(command.splitlines()) == 1


@given(st.text(max_size=200))
def test_parsing_never_raises(text: str) -> None:
    parse_action(text)
