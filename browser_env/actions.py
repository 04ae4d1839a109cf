"""The ten commands of Table 1: their exact strings, both directions.

A *command* is text, an *action* its parsed value. Text that is no command parses to `Invalid`, a value: it costs one
action, changes nothing else, and its reason is shown and kept. For every command, ``format_action(parse_action(s)) == s``.
"""

import re
from dataclasses import dataclass
from enum import Enum
from typing import assert_never

from browser_env.pages.characters import LINE_BREAKS

MAX_LINK_DIGITS = 6
"""Link ids have at most this many digits; a longer number is no command."""
MAX_SCROLLS = 3
"""Most views that one scroll command moves (Table 1)."""


class EndReason(Enum):
    """Why a policy ends browsing: the word after ``End: ``."""

    ANSWER = "Answer"
    NONSENSE = "Nonsense"
    CONTROVERSIAL = "Controversial"


@dataclass(frozen=True, slots=True)
class Search:
    """``Search <query>``: show a page of search results."""

    query: str


@dataclass(frozen=True, slots=True)
class Click:
    """``Clicked on link <link id>``: follow a link of this page."""

    link_id: int


@dataclass(frozen=True, slots=True)
class Find:
    """``Find in page: <text>``: scroll to the next occurrence."""

    text: str


@dataclass(frozen=True, slots=True)
class Quote:
    """``Quote: <text>`` or ``Quote: <start>━<end>``: keep a stretch of this page as a reference."""

    text: str


@dataclass(frozen=True, slots=True)
class ScrollDown:
    """``Scrolled down <1, 2, 3>``."""

    times: int


@dataclass(frozen=True, slots=True)
class ScrollUp:
    """``Scrolled up <1, 2, 3>``."""

    times: int


@dataclass(frozen=True, slots=True)
class Top:
    """``Top``: scroll to the top of the page."""


@dataclass(frozen=True, slots=True)
class Back:
    """``Back``: show the page before this one."""


@dataclass(frozen=True, slots=True)
class End:
    """``End: <Answer, Nonsense, Controversial>``: end browsing."""

    reason: EndReason


@dataclass(frozen=True, slots=True)
class Invalid:
    """Text that is no command, or a command that cannot be carried out on this page."""

    text: str
    reason: str
    """One line for a person: what is wrong and what would be right."""


Action = Search | Click | Find | Quote | ScrollDown | ScrollUp | Top | Back | End

_LINK = re.compile(rf"Clicked on link (0|[1-9][0-9]{{0,{MAX_LINK_DIGITS - 1}}})")
_SCROLL = re.compile(rf"Scrolled (down|up) ([1-{MAX_SCROLLS}])")
_LINE = re.compile(f"[^{LINE_BREAKS}]*")

_EXPECTED = (
    "expected Search <query>, Clicked on link <id>, Find in page: <text>, Quote: <text>, Scrolled down <1, 2, 3>, "
    "Scrolled up <1, 2, 3>, Top, Back, End: Answer, End: Nonsense or End: Controversial"
)


def first_line(text: str) -> str:
    """The line that is the command, without white space at its end."""
    match = _LINE.match(text)
    assert match is not None  # the pattern matches the empty string
    return match[0].rstrip()


def parse_action(text: str) -> Action | Invalid:
    """Read a command from the first line of some text."""
    command = first_line(text)
    match command:
        case "":
            return Invalid(text, "no command was given")
        case "Top":
            return Top()
        case "Back":
            return Back()
    if scroll := _SCROLL.fullmatch(command):
        times = int(scroll[2])
        return ScrollDown(times) if scroll[1] == "down" else ScrollUp(times)
    if link := _LINK.fullmatch(command):
        return Click(int(link[1]))
    for prefix, make in (("Search ", Search), ("Find in page: ", Find), ("Quote: ", Quote)):
        if command.startswith(prefix):
            return make(command.removeprefix(prefix))
        if command == prefix.rstrip():
            return Invalid(text, f"{command!r} needs a text after it")
    if command.startswith("End: "):
        try:
            return End(EndReason(command.removeprefix("End: ")))
        except ValueError:
            return Invalid(text, "an end is End: Answer, End: Nonsense or End: Controversial")
    if command.startswith("Clicked on link"):
        return Invalid(text, f"a link id is a number of at most {MAX_LINK_DIGITS} digits, without leading zeros")
    if command.startswith("Scrolled "):
        return Invalid(text, "a scroll is down or up, by 1, 2 or 3")
    return Invalid(text, f"{command[:40]!r} is no command; {_EXPECTED}")


def format_action(action: Action) -> str:
    """The command that means this action.

    Raises:
        ValueError: No command can mean it (a text with a line break or white space at its end, a number out of range).
    """
    command = _command(action)
    if parse_action(command) != action:
        raise ValueError(f"no command means {action!r}")
    return command


def _command(action: Action) -> str:
    match action:
        case Search(query):
            return f"Search {query}"
        case Click(link_id):
            return f"Clicked on link {link_id}"
        case Find(text):
            return f"Find in page: {text}"
        case Quote(text):
            return f"Quote: {text}"
        case ScrollDown(times):
            return f"Scrolled down {times}"
        case ScrollUp(times):
            return f"Scrolled up {times}"
        case Top():
            return "Top"
        case Back():
            return "Back"
        case End(reason):
            return f"End: {reason.value}"
        case _:
            assert_never(action)
