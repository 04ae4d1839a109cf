"""Lenient parsing of chat models' replies, which add thoughts, explanations and formatting to a command or rephrase it.

The parsed command is carried out, and the reply is recorded beside it. If the first line of a reply is a command, it is used
as it is.
"""

import re
from collections.abc import Callable, Iterator
from itertools import takewhile

from browser_env.actions import MAX_SCROLLS, Find, Invalid, Quote, first_line, parse_action
from browser_env.pages.characters import END_OF_FIELD

MAX_QUOTE_LINES = 100
"""Maximum number of lines that a quote may continue over."""

_THOUGHTS = re.compile(r"<(think|thinking|thought|reasoning)>.*?(?:</\1>|\Z)", re.DOTALL | re.IGNORECASE)
_END_OF_THOUGHTS = re.compile(r"</(?:think|thinking|thought|reasoning)>", re.IGNORECASE)
_LABEL = re.compile(r"\W*(?:(?:my|the)\s+)?(?:next\s+)?(?:action|command)(?:\s+is)?\W*?[:：]\W*?", re.IGNORECASE)
_ANSWER_LABEL = re.compile(r"\W*(?:final\s+)?answer\W*?[:：]\W*?\s", re.IGNORECASE)
_BULLET = re.compile(r"(?:[-*•>#]+|[0-9]+[.)])\s+")
_PREFIX = {Quote: "Quote: ", Find: "Find in page: "}
_QUOTATION_MARKS = {'"': '"', "“": "”", "'": "'", "‘": "’", "«": "»", "`": "`"}


def _scroll(match: re.Match[str]) -> str:
    return f"Scrolled {match[1].lower()} {min(max(int(match[2] or 1), 1), MAX_SCROLLS)}"


_FORMS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), command)
    for pattern, command in (
        (r"search(?:ed)?(?:\s+for\b)?\s*[:=]?\s*[\[(](.+)[\])]", lambda match: f"Search {_unquoted(match[1])}"),
        (r"search(?:ed)?(?:\s+for\b|\s*[:=]|\s)\s*(\S.*)", lambda match: f"Search {_unquoted(match[1])}"),
        (
            r"(?:click|open|follow)(?:ed)?(?:\s+on)?(?:\s+the)?(?:\s+link)?(?:\s+(?:id|number))?\s*[:#=]?\s*[\[(【]?\s*0*([0-9]+)"
            r"\s*(?:†[^】]*)?[\])】]?[.!]?",
            lambda match: f"Clicked on link {match[1]}",
        ),
        (r"find(?:\s+(?:in|on)\s+(?:the\s+)?page)?\s*[:=]?\s*(\S.*)", lambda match: f"Find in page: {_unquoted(match[1])}"),
        (r"quoted?\s*[:=]?\s*(\S.*)", lambda match: f"Quote: {_unquoted(match[1])}"),
        (
            r"scroll(?:ed)?[\s_-]*(down|up)(?:\s*(?:by\s*)?[:=(\[]?\s*([0-9]{1,3})[)\]]?(?:\s*(?:times?|views?|pages?))?)?[.!]?",
            _scroll,
        ),
        (
            r"(?:(?:go|scroll(?:ed)?|back|return)\s+(?:back\s+)?to\s+(?:the\s+)?)?top(?:\s+of\s+(?:the\s+)?page)?[.!]?",
            lambda _: "Top",
        ),
        (r"(?:(?:go|went|navigate|press)\s+)?back[.!]?", lambda _: "Back"),
        (
            r"(?:end|finish|done|stop)(?:\s*[:\-(\[]?\s*(answer|nonsense|controversial))?[)\]]?[.!]?",
            lambda match: f"End: {(match[1] or 'answer').capitalize()}",
        ),
    )
)
"""Patterns of rephrased commands, each with the command that it means. A pattern matches a whole line, not a sentence about a
command."""


def read_command(reply: str, observation: str = "") -> str:
    """The command in a reply, or the reply's first line if it contains none.

    The command is the first line that is labeled as the action, or else the first line that is a command, or else the first
    line that rephrases one. A quote continues over the following lines, or loses quotation marks around it, if the result is in
    view.

    Args:
        reply: The reply, unchanged.
        observation: The observation that the model replied to.
    """
    lines = without_thoughts(reply).splitlines()
    for read in (_labeled, _exact, _rephrased):
        for index, line in enumerate(lines):
            if command := read(line):
                return _as_shown(command, lines[index + 1 :], observation)
    return next((line.strip() for line in lines if line.strip()), "")


def read_answer(reply: str) -> str:
    """The answer in a reply, without thoughts, a label such as ``Answer:``, and text after the end of the field."""
    text = without_thoughts(reply).partition(END_OF_FIELD)[0].strip()
    label = _ANSWER_LABEL.match(text)
    return text[label.end() :].strip() if label else text


def without_thoughts(reply: str) -> str:
    """A reply without thoughts, also if the chat template opened them or the reply ends within them."""
    return _END_OF_THOUGHTS.split(_THOUGHTS.sub("", reply))[-1].strip()


def _labeled(line: str) -> str | None:
    label = _LABEL.match(line)
    return label and (_exact(line[label.end() :]) or _rephrased(line[label.end() :]))


def _exact(line: str) -> str | None:
    return next((form for form in _bare(line) if not isinstance(parse_action(form), Invalid)), None)


def _rephrased(line: str) -> str | None:
    for form in _bare(line):
        for pattern, command in _FORMS:
            if (match := pattern.fullmatch(form)) and not isinstance(parse_action(command(match)), Invalid):
                return command(match)
    return None


def _bare(line: str) -> Iterator[str]:
    """A line as it is, then without its formatting."""
    line = line.strip()
    yield line
    bullet = _BULLET.match(line)
    line = line[bullet.end() :] if bullet else line
    yield line
    yield _unquoted(line.strip("*_").strip())
    yield line.strip("`*_\"'“”‘’ ")


def _unquoted(text: str) -> str:
    """A text without the quotation marks around it."""
    text = text.strip()
    if len(text) > 2 and _QUOTATION_MARKS.get(text[0]) == text[-1] and text[0] not in text[1:-1]:
        return text[1:-1].strip()
    return text


def _as_shown(command: str, following: list[str], observation: str) -> str:
    """A command; the text of a quote or find is changed to one that is in view, if there is one."""
    action = parse_action(command)
    if not isinstance(action, Quote | Find):
        return first_line(command)
    page = _squeezed(observation)
    lines = [action.text]
    if isinstance(action, Quote):
        lines += takewhile(str.strip, following[:MAX_QUOTE_LINES])
    for number in range(len(lines), 0, -1):
        text = " ".join(map(str.strip, lines[:number]))
        for form in (text, _unquoted(text)):
            if _squeezed(form) in page:
                return f"{_PREFIX[type(action)]}{form}"
    return f"{_PREFIX[type(action)]}{_unquoted(action.text)}"


def _squeezed(text: str) -> str:
    """A text without case and white space, for comparison with the view."""
    return "".join(text.casefold().split())
