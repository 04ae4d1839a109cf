"""Parsing of the view for extractive policies: search results, links, and sentences with their definition or heading.

It reads only the lines of the observation, which are all that a policy may see.
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
    """A sentence in view, with its context."""

    text: str
    """The sentence on one line, with links as their text, as a quote would have it."""
    definition: str | None
    """Name of the definition that it belongs to, as in ``copytree(src, dst)``; None if there is none."""
    owner: str | None
    """Class that contains the definition; None if its line is not in view."""
    heading: str | None
    """The line above its block: the whole signature, or a heading."""
    is_first: bool
    """Whether it directly follows its heading."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A search result in view."""

    link_id: int
    title: str
    snippet: str


def without_markers(line: str) -> str:
    """A line of the view, with each link marker replaced by the link's text."""
    return _MARKER.sub(r"\2", line)


def links(lines: Sequence[str]) -> dict[str, int]:
    """The ids of the links in view, by the link's text; of links with equal text, the first."""
    return {marker[2]: int(marker[1]) for line in reversed(lines) for marker in _MARKER.finditer(line)}


def hits(lines: Sequence[str]) -> list[Hit]:
    """The search results in view."""
    results: list[Hit] = []
    for line in lines:
        if marker := _MARKER.match(line):
            results.append(Hit(int(marker[1]), marker[2], ""))
        elif results and line:
            last = results[-1]
            results[-1] = Hit(last.link_id, last.title, f"{last.snippet} {line}".strip())
    return results


def sentences(lines: Sequence[str], under: str | None = None) -> Iterator[Sentence]:
    """The sentences of a view, in order.

    A definition is a line that begins like a call, a name alone above indented text, or ``name = value``. The lines indented
    below it belong to it.

    Args:
        lines: Lines of the view.
        under: Name of the definition that the first lines belong to, if its own line is above the view.
    """
    open_definitions = [_Definition(under, None, 0)] if under else []
    is_first = False
    for block, following in pairwise([*_blocks(lines), [""]]):
        indent = _indent(block[0])
        text = " ".join(without_markers(line).strip() for line in block)
        # The text of a class is not indented below it, so the column of the class belongs to it too.
        is_class = text.startswith("class ")
        while open_definitions and indent - is_class <= open_definitions[-1].indent:
            open_definitions.pop()
        inner = open_definitions[-1] if open_definitions else _Definition(None, None, -1)
        owner = open_definitions[-2].name if len(open_definitions) > 1 else None
        name = _defined(text, is_over_indented_text=_indent(following[0]) > indent)
        if is_first and inner.name and re.match(rf"[\w.]*\b{re.escape(inner.name)}\(", text):
            open_definitions[-1] = replace(inner, line=f"{inner.line} {text}")  # the signature is repeated
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
    """A definition whose text is being read."""

    name: str | None
    line: str | None
    indent: int


def _defined(text: str, *, is_over_indented_text: bool) -> str | None:
    """The name that a line defines; None if it is not a definition."""
    call = _CALL.match(text)
    if call and _closes(text, call.end() - 1):
        return call[1]
    return text if is_over_indented_text and _NAME.fullmatch(text) else None


def _blocks(lines: Sequence[str]) -> Iterator[list[str]]:
    """Runs of lines with the same indentation and without empty lines; a list item begins a new run."""
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
    """Whether the bracket that opens at an offset closes at the end of the text, or only an arrow or a remark follows it."""
    depth = 0
    for index in range(opening, len(text)):
        depth += (text[index] in "([{") - (text[index] in ")]}")
        if depth == 0:
            rest = text[index + 1 :].strip()
            return not rest or rest.startswith(("->", "from ", "method ", "unbound "))
    return False
