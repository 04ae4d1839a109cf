"""Definitions on the pages of the Python documentation, and the sentences of their docstrings that can be gold evidence.

The pages come from `browser_env.offline_web.sources.python_docs`: each definition has a heading, an anchor (``-copytree``,
``TextWrapper-fill``) and its docstring below. Docstrings vary in style, so most of this module decides what to leave out:
repeated signatures, examples, lists, incomplete sentences and notes to maintainers.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

from browser_env.pages.page import Page
from browser_env.records.citations import split_sentences

DefinitionKind = Literal["module", "class", "exception", "function", "method", "property"]

MIN_WORDS, MAX_WORDS = 4, 45
"""Length of an evidence sentence, in words."""
MIN_SUMMARY_WORDS = 3
"""Minimum length of a docstring's first sentence, in words: *Copy file metadata* is enough."""

_SECTIONS: Final = frozenset(
    {"Package Contents", "Modules", "Submodules", "Classes", "Functions", "Data", "Version", "Date", "Author", "Credits"}
)
_NAME = re.compile(r"[A-Za-z_]\w*")
_ANCHOR = re.compile(r"(?P<owner>[A-Za-z]\w*)?(?:-(?P<name>[A-Za-z]\w*))?")
_LABEL = re.compile(r"Method resolution order:|Built-in subclasses:|.+ (?:defined here|inherited from .+):")
_SIGNATURE = re.compile(r"(?:new )?(?:[A-Za-z_][\w.]*\.)?[A-Za-z_]\w*(?: ?\(|\s*->)")
_NO_PROSE = re.compile(
    r"""\s*(?:
        >>> | \.\.\.\  | [-*+•|\#=~@<]\  | \(?[0-9]+[.)]\s | \w+\ =\  | :\w+   # examples, items, assignments, fields
        | [\w*', "]+\s--?\s | [\w*'`]+(?:\s?/\s?\w+)?(?:\ \([^)]*\))?\s?:   # name -- text, name (type): text
    )""",
    re.VERBOSE,
)
"""Beginning of a line that is an example, a list item, a field or a note."""
_UNFIT = re.compile(
    r"XXX|TODO|FIXME|\bhelp\(type|->|>>>|::|\|\||==|\$Id|https?:|\.\.\.|={2,}|[{}\\^]|\*\*|__\w+__|\b(?:[Ss]ee|RFC|PEP|Issue)\b"
    r"|:(?:param|return|rtype|class|func|meth|mod|data|exc|attr)\b|\[,|\w\[\w*,? ?\[|\bI(?:'m|'ve|'ll)?\b(?! ?/ ?O)|\s--?\s|;"
    r"|\b(?:[Nn]ote|NB|[Ww]arning|[Dd]eprecated|DEPRECATED|[Oo]bsolete|[Ii]nternal|[Ss]ame as)\b|\w\.\.|\t"
)
"""Marks of sentences that are garbled, refer to other texts or describe earlier versions."""
_UNFINISHED: Final = frozenset(
    "a an and as at but by for from if in is of on or than that the to when which with write".split()  # noqa: SIM905
)
"""Last words of an incomplete sentence."""
_SMALL_START = re.compile(r"(?<=[\w)\]'\"`]{2}\.) (?=[a-z_`'])(?<!e\.g\. )(?<!i\.e\. )(?<!etc\. )(?<!vs\. )")
_EXCEPTION = re.compile(r"(?:Error|Exception|Warning|Interrupt|Exit|Iteration)$")


@dataclass(frozen=True, slots=True)
class Definition:
    """A documented definition: a module, class, function, method or property."""

    module: str
    """Name of its module and page, such as ``os.path``."""
    name: str
    """Name in its module: ``copytree``, ``TextWrapper.fill``; for a module, its own name."""
    kind: DefinitionKind
    url: str
    heading: str
    """Its heading on the page: the whole signature."""
    summary: str | None
    """First sentence of the docstring; None if it cannot be evidence."""
    sentences: tuple[str, ...]
    """Sentences that can be evidence, in order, each on one line."""

    @property
    def full_name(self) -> str:
        """Name with its module, as in ``shutil.copytree``; built-in names have no module."""
        return self.name if self.kind == "module" or self.module == "builtins" else f"{self.module}.{self.name}"

    @property
    def short_name(self) -> str:
        """The last part of the name."""
        return self.full_name.rpartition(".")[2]

    @property
    def owner(self) -> str:
        """The class or module that contains it."""
        return self.full_name.rpartition(".")[0] or "builtins"

    @property
    def library(self) -> str:
        """The top-level module: ``os`` for ``os.path``."""
        return self.module.partition(".")[0]


def definitions(page: Page) -> Iterator[Definition]:
    """The definitions of a page in order, the module first; without private names and definitions that have no evidence."""
    anchors = {page.text.rfind("\n", 0, offset) + 1: name for name, offset in reversed(page.anchors)}
    owner: str | None = None
    aliases: set[str] = set()
    for (start, end), (following, _) in pairwise((*page.headings, (len(page.text), 0))):
        heading, body = page.text[start:end], page.text[end:following]
        kind: DefinitionKind
        if (start, end) == page.headings[0]:
            name, kind = page.title, "module"
        elif heading in _SECTIONS:
            owner = None
            continue
        elif anchor := anchors.get(page.text.rfind("\n", 0, start) + 1):
            parts = _ANCHOR.fullmatch(anchor)
            owner = anchor.partition("-")[0] or None
            if " = " in heading.partition("(")[0]:
                aliases.add(anchor)
            if parts is None or not aliases.isdisjoint((anchor, owner)):
                continue
            name = ".".join(filter(None, parts.groups()))
            kind = ("method" if owner else "function") if parts["name"] else _kind_of_class(name)
        elif owner and not owner.startswith("_") and _NAME.fullmatch(heading) and not heading.startswith("_"):
            name, kind = f"{owner}.{heading}", "property"
            body = body if body.lstrip("\n").startswith("    ") else ""
        else:
            continue
        yield from _definition(page, name, kind, heading, body)


def _kind_of_class(name: str) -> DefinitionKind:
    return "exception" if _EXCEPTION.search(name) else "class"


def _definition(page: Page, name: str, kind: DefinitionKind, heading: str, body: str) -> Iterator[Definition]:
    lines = body.strip("\n").split("\n")
    label = next((number for number, line in enumerate(lines) if _LABEL.fullmatch(line)), len(lines))
    summary, sentences = docstring_sentences(lines[:label])
    if sentences:
        yield Definition(page.title, name, kind, page.url, heading, summary, sentences)


def docstring_sentences(lines: Sequence[str]) -> tuple[str | None, tuple[str, ...]]:
    """The first sentence of a docstring (None if it cannot be evidence), and all sentences that can be evidence."""
    lines = _without_signature(lines)
    indent = min((_indent(line) for line in lines if line.strip()), default=0)
    summary: str | None = None
    good: list[str] = []
    for number, (block, is_whole) in enumerate(_blocks(lines, indent)):
        parts = _sentences(" ".join(" ".join(block).split()))
        for position, sentence in enumerate(parts):
            is_summary = number == position == 0
            if position == len(parts) - 1 and not is_whole and sentence[-1:] not in ".!?":
                continue  # it continues in the indented text below
            min_words = MIN_SUMMARY_WORDS if is_summary else MIN_WORDS
            if can_be_evidence(sentence, min_words) and not any(map(_NO_PROSE.match, block)):
                summary = sentence if is_summary else summary
                good.append(sentence)
    return summary, tuple(good)


def _sentences(text: str) -> list[str]:
    """The sentences of a paragraph; a sentence may begin in lower case with the name of an argument."""
    return [part for start, end in split_sentences(text) for part in _SMALL_START.split(text[start:end].strip())]


def can_be_evidence(sentence: str, min_words: int = MIN_WORDS) -> bool:
    """Whether a sentence can be evidence on its own: it is complete, consists of words, and is about the definition."""
    words = sentence.split()
    letters = sum(character.isalpha() for character in sentence)
    return (
        min_words <= len(words) <= MAX_WORDS
        and (sentence[0].isalnum() or sentence[0] in "`'\"")
        and sentence[-1] not in ",:-(["
        and words[-1].lower() not in _UNFINISHED
        and letters >= 0.7 * (len(sentence) - len(words) + 1)
        and not _UNFIT.search(sentence)
        and all(sentence.count(opening) == sentence.count(closing) for opening, closing in ("()", "[]"))
        and sentence.count('"') % 2 == 0
        and sum(word.isalpha() and len(word) > 1 for word in words) >= min_words - 1
    )


def _without_signature(lines: Sequence[str]) -> Sequence[str]:
    """A docstring without the signatures at its beginning."""
    remaining = list(lines)
    while remaining and not remaining[0].strip():
        remaining.pop(0)
    while remaining and _SIGNATURE.match(remaining[0].strip()) and _is_signature(remaining[0].strip()):
        depth = 0
        while remaining and remaining[0].strip():
            line = remaining.pop(0)
            depth += line.count("(") + line.count("[") - line.count(")") - line.count("]")
            if depth <= 0:
                break
        while remaining and not remaining[0].strip():
            remaining.pop(0)
    return remaining


def _is_signature(line: str) -> bool:
    """Whether a line is only a signature: nothing or an arrow follows its last bracket."""
    depth = 0
    for index, character in enumerate(line):
        depth += (character in "([") - (character in ")]")
        if character in ")]" and depth == 0:
            rest = line[index + 1 :].strip()
            return not rest or rest.startswith("->")
    return "->" in line or depth > 0


def _blocks(lines: Sequence[str], indent: int) -> Iterator[tuple[list[str], bool]]:
    """Runs of lines at an indentation, each with whether it is complete: no indented text follows it."""
    block: list[str] = []
    for number, line in enumerate(lines):
        if line.strip() and _indent(line) == indent:
            block.append(line)
        following = lines[number + 1] if number + 1 < len(lines) else ""
        if block and (not following.strip() or _indent(following) != indent):
            following_line = next((other for other in lines[number + 1 :] if other.strip()), None)
            yield block, following_line is None or _indent(following_line) == indent
            block = []


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
