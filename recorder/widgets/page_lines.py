"""Drawing of a line of a page: highlights of its links, its quotes and the selection."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rich.segment import Segment
from rich.style import Style

from browser_env.pages.characters import LINK_CLOSE
from browser_env.pages.layout import lay_out
from browser_env.pages.matching import Span
from browser_env.pages.page import Link, Page
from recorder.widgets.selection import columns_of, extent


@dataclass(frozen=True, slots=True)
class Marked:
    """A span of the page that is quoted."""

    number: int
    """Number of the reference, from 1."""
    span: Span


class Highlight(NamedTuple):
    """Columns of a line with a style of their own."""

    columns: Span
    style: str
    """Component class of `PageView`."""
    number: int | None = None
    """Number of the reference, for a quote."""


def marker_columns(page: Page, width: int, line: int, link: Link) -> Span | None:
    """Return the columns of a link's marker in a line, including its brackets, or None if it is not in this line."""
    columns = columns_of(page, width, line, (link.start, link.end))
    if columns is None:
        return None
    close = lay_out(page, width).lines[line].find(LINK_CLOSE, columns[1] - 1)
    return columns[0], max(columns[1], close + 1)


def highlights(
    page: Page,
    width: int,
    line: int,
    *,
    links: Sequence[Link],
    is_chosen: Callable[[int], bool],
    marks: Sequence[Marked],
    selection: Span | None,
) -> Iterator[Highlight]:
    """Yield the highlights of a line; later ones are drawn over earlier ones.

    Args:
        page: The page.
        width: Width of the layout, in cells.
        line: Line of the page, from 0.
        links: Links in view, sorted by position.
        is_chosen: Whether the link with an index is chosen.
        marks: Quotes from the page.
        selection: Selected span of the page's text.
    """
    first, last = extent(page, width, range(line, line + 1))
    for index in range(bisect_left(links, first, key=lambda link: link.end), len(links)):
        if links[index].start >= last:
            break
        if columns := marker_columns(page, width, line, links[index]):
            yield Highlight(columns, "page--link")
            if is_chosen(index):
                yield Highlight(columns, "page--chosen-link")
    for mark in marks:
        if mark.span[0] < last and first < mark.span[1] and (columns := columns_of(page, width, line, mark.span)):
            yield Highlight(columns, "page--quoted", mark.number)
    if (
        selection is not None
        and selection[0] < last
        and first < selection[1]
        and (columns := columns_of(page, width, line, selection))
    ):
        yield Highlight(columns, "page--selected")


def segments(text: str, base: Style, parts: Iterable[Highlight], style_of: Callable[[str], Style]) -> Iterator[Segment]:
    """Yield the text of a line in segments of one style.

    Args:
        text: The line.
        base: Style of the text outside highlights.
        parts: The highlights.
        style_of: Returns the style of a component class, added to that of the text.
    """
    styles = [base] * len(text)
    for part in parts:
        style, made = style_of(part.style), dict[Style, Style]()
        for column in range(*part.columns):
            before = styles[column]
            if before not in made:
                made[before] = before + style
            styles[column] = made[before]
    start = 0
    for end in range(1, len(text) + 1):
        if end == len(text) or styles[end] is not styles[start]:
            yield Segment(text[start:end], styles[start])
            start = end
