"""What stands in view, as an extractive reader sees it: sentences, each under the heading or definition it belongs to.

Works on the lines of the observation alone, which is all that a policy may read.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from browser_env.pages.characters import LINK_CLOSE, LINK_FIELD, LINK_OPEN
from browser_env.records.citations import split_sentences

_NAME = re.compile(r"[A-Za-z_][\w.]*")
_VALUE = re.compile(r"([A-Za-z_][\w.]*) = \S")
_ITEM = re.compile(r"\s*(?:[-*•] |[0-9]+[.)] |\S+ -- |>>> |[A-Za-z_]\w* = )")
_MARKER = re.compile(f"{LINK_OPEN}([0-9]+){LINK_FIELD}([^{LINK_CLOSE}{LINK_FIELD}]*)[^{LINK_CLOSE}]*{LINK_CLOSE}")
_CALL = re.compile(r"(?:class |async def |def )?([A-Za-z_][\w.]*)(?: = [\w.]*[A-Za-z_]\w*)?\(")


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence in view."""

    text: str
    """On one line, links as their text: what a quote of it would be."""
    definition: str | None
    """The name that is being defined here, as in ``copytree(src, dst)``."""
    owner: str | None
    """The class that the definition is a part of, if its line is in view."""
    heading: str | None
    """The line that stands over it: the whole signature, or a heading."""
    is_first: bool
    """Whether nothing stands between it and its heading."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A search result in view."""

    link_id: int
    title: str
    snippet: str


def without_markers(line: str) -> str:
    """A line of the view with each link as its text."""
    return _MARKER.sub(r"\2", line)


def links(lines: Sequence[str]) -> dict[str, int]:
    """The links in view, by their text."""
    return {marker[2]: int(marker[1]) for line in reversed(lines) for marker in _MARKER.finditer(line)}


def hits(lines: Sequence[str]) -> list[Hit]:
    """The results that a results page shows."""
    found: list[Hit] = []
    for line in lines:
        if marker := _MARKER.match(line):
            found.append(Hit(int(marker[1]), marker[2], ""))
        elif found and line:
            last = found[-1]
            found[-1] = Hit(last.link_id, last.title, f"{last.snippet} {line}".strip())
    return found


def sentences(lines: Sequence[str], under: str | None = None) -> Iterator[Sentence]:
    """The sentences of a view, in order.

    A definition is a line that begins like a call, or a name alone over indented text, or ``name = value``. It holds for the
    lines that are indented below it; `under` is the one of the view's first lines, if its own line is above the view.
    """
    open_definitions = [_Definition(under, None, 0)] if under else []
    is_first = False
    for block, following in pairwise([*_blocks(lines), [""]]):
        indent = _indent(block[0])
        text = " ".join(without_markers(line).strip() for line in block)
        is_class = text.startswith("class ")  # its documentation is not indented below it, so it holds for its own column too
        while open_definitions and indent - is_class <= open_definitions[-1].indent:
            open_definitions.pop()
        inner = open_definitions[-1] if open_definitions else _Definition(None, None, -1)
        owner = open_definitions[-2].name if len(open_definitions) > 1 else None
        name = _defined(text, is_over_indented_text=_indent(following[0]) > indent)
        if is_first and inner.name and re.match(rf"[\w.]*\b{re.escape(inner.name)}\(", text):
            open_definitions[-1] = replace(inner, line=f"{inner.line} {text}")  # how it is called, told once more
        elif name and name != inner.name:
            open_definitions.append(_Definition(name, text, indent - is_class))
            is_first = True
        elif value := _VALUE.match(text):
            yield Sentence(text, value[1], inner.name, None, True)
        else:
            for start, end in split_sentences(text):
                yield Sentence(text[start:end].strip(), inner.name, owner, inner.line, is_first)
                is_first = False


@dataclass(frozen=True, slots=True)
class _Definition:
    """A definition whose indented lines are being read."""

    name: str | None
    line: str | None
    indent: int


def _defined(text: str, *, is_over_indented_text: bool) -> str | None:
    """The name that a line defines, if it is a definition."""
    call = _CALL.match(text)
    if call and _closes(text, call.end() - 1):
        return call[1]
    return text if is_over_indented_text and _NAME.fullmatch(text) else None


def _blocks(lines: Sequence[str]) -> Iterator[list[str]]:
    """Runs of lines with the same indentation and no empty line between them; a list item begins a new one."""
    block: list[str] = []
    for line in lines:
        if block and (not line.strip() or _indent(line) != _indent(block[-1]) or _ITEM.match(line)):
            yield block
            block = []
        if line.strip():
            block.append(line)
    if block:
        yield block


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _closes(text: str, opening: int) -> bool:
    """Whether the bracket at an offset closes at the end of a text, or at an arrow or a remark behind it."""
    depth = 0
    for index in range(opening, len(text)):
        depth += (text[index] in "([{") - (text[index] in ")]}")
        if depth == 0:
            rest = text[index + 1 :].strip()
            return not rest or rest.startswith(("->", "from ", "method ", "unbound "))
    return False
