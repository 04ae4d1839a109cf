"""Parsing and formatting of the ten commands of Table 1.

A *command* is text, an *action* its parsed value. Other text parses to `Invalid`, which costs one action and has no other
effect; its reason is shown and recorded. For every command, ``format_action(parse_action(s)) == s``.
"""

import re
from dataclasses import dataclass
from enum import Enum
from typing import assert_never

from browser_env.pages.characters import LINE_BREAKS

MAX_LINK_DIGITS = 6
"""Maximum number of digits in a link id."""
MAX_SCROLLS = 3
"""Maximum number of views that one scroll command moves (Table 1)."""


class EndReason(Enum):
    """Reason to end browsing: the word after ``End: ``."""

    ANSWER = "Answer"
    NONSENSE = "Nonsense"
    CONTROVERSIAL = "Controversial"


@dataclass(frozen=True, slots=True)
class Search:
    """``Search <query>``: show a page of search results."""

    query: str


@dataclass(frozen=True, slots=True)
class Click:
    """``Clicked on link <link id>``: follow a link on this page."""

    link_id: int


@dataclass(frozen=True, slots=True)
class Find:
    """``Find in page: <text>``: scroll to the next occurrence."""

    text: str


@dataclass(frozen=True, slots=True)
class Quote:
    """``Quote: <text>`` or ``Quote: <start>━<end>``: keep a passage of this page as a reference."""

    text: str


@dataclass(frozen=True, slots=True)
class ScrollDown:
    """``Scrolled down <1, 2, 3>``: move down by one to three views."""

    times: int


@dataclass(frozen=True, slots=True)
class ScrollUp:
    """``Scrolled up <1, 2, 3>``: move up by one to three views."""

    times: int


@dataclass(frozen=True, slots=True)
class Top:
    """``Top``: scroll to the top of the page."""


@dataclass(frozen=True, slots=True)
class Back:
    """``Back``: return to the previous page."""


@dataclass(frozen=True, slots=True)
class End:
    """``End: <Answer, Nonsense, Controversial>``: end browsing."""

    reason: EndReason


@dataclass(frozen=True, slots=True)
class Invalid:
    """Text that is not a command."""

    text: str
    """The text as it was given."""
    reason: str
    """One line for people: what is wrong and what is expected."""


Action = Search | Click | Find | Quote | ScrollDown | ScrollUp | Top | Back | End

_LINK = re.compile(rf"Clicked on link (0|[1-9][0-9]{{0,{MAX_LINK_DIGITS - 1}}})")
_SCROLL = re.compile(rf"Scrolled (down|up) ([1-{MAX_SCROLLS}])")
_LINE = re.compile(f"[^{LINE_BREAKS}]*")

_EXPECTED = (
    "expected Search <query>, Clicked on link <id>, Find in page: <text>, Quote: <text>, Scrolled down <1, 2, 3>, "
    "Scrolled up <1, 2, 3>, Top, Back, End: Answer, End: Nonsense or End: Controversial"
)


def first_line(text: str) -> str:
    """The first line of a text, which is the command, without trailing white space."""
    match = _LINE.match(text)
    assert match is not None  # the pattern matches the empty string
    return match[0].rstrip()


def parse_action(text: str) -> Action | Invalid:
    """Parse the command in the first line of a text."""
    command = first_line(text)
    match command:
        case "":
            return Invalid(text, "the command is empty")
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
            return Invalid(text, "expected End: Answer, End: Nonsense or End: Controversial")
    if command.startswith("Clicked on link"):
        return Invalid(text, f"expected a link id: a number of at most {MAX_LINK_DIGITS} digits without leading zeros")
    if command.startswith("Scrolled "):
        return Invalid(text, "expected Scrolled down or Scrolled up, and 1, 2 or 3")
    return Invalid(text, f"{command[:40]!r} is not a command; {_EXPECTED}")


def format_action(action: Action) -> str:
    """Format an action as a command.

    Raises:
        ValueError: No command expresses it: its text contains a line break or ends with white space, or a number is out of
            range.
    """
    command = _command(action)
    if parse_action(command) != action:
        raise ValueError(f"no command expresses {action!r}")
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
