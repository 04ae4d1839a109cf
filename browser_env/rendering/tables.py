"""Distinction of data tables from layout tables, and the expansion of cells that span rows or columns."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import takewhile

from browser_env.rendering.tree import Element

MAX_ROWS = 200
"""Maximum rows of a data table that are shown; a last line gives their total number."""
MAX_SPANNED_CELLS = 1000
"""Maximum number of cells that ``colspan`` and ``rowspan`` may add to a table."""
HEADER_EVERY = 30
"""Rows after which the header is repeated, so that every view of 40 lines has it."""
MAX_PLAIN_CELL = 150
"""Maximum characters of a cell in a data table without header, caption or border; with longer cells it is a layout table."""

_UNSEEN = frozenset({"col", "colgroup", "script", "style", "template"})
_NEVER_IN_DATA = frozenset({"table", "form", "h1", "h2", "h3", "h4", "h5", "h6", "article", "section", "nav", "iframe"})
_NOT_IN_PLAIN_DATA = _NEVER_IN_DATA | {
    "p",
    "div",
    "ul",
    "ol",
    "dl",
    "pre",
    "blockquote",
    "center",
    "input",
    "button",
    "select",
    "hr",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a data table."""

    element: Element
    cells: tuple[Element | None, ...]
    """Cells by column, spanned cells repeated; None where the source has no cell. Rows may differ in length."""


@dataclass(frozen=True, slots=True)
class DataTable:
    """The captions and rows of a data table."""

    captions: tuple[Element, ...]
    rows: tuple[Row, ...]
    """The first `MAX_ROWS` rows."""
    num_header_rows: int
    """Number of rows at the top that contain only header cells."""
    num_rows: int
    """Number of rows in the source."""


def data_table(table: Element, is_hidden: Callable[[Element], bool]) -> DataTable | None:
    """Read a data table; None if the table only lays out the page.

    A layout table has the role *presentation*, one column, another table inside, or long cells without any header, caption or
    border. A table with text outside its cells also counts as layout, so that the text is not lost.

    Args:
        table: A ``table`` element.
        is_hidden: Returns whether to leave out a row or cell.
    """
    role = table.attributes.get("role", "").strip().lower()
    if role in ("presentation", "none"):
        return None
    captions: list[Element] = []
    rows: list[tuple[Element, list[Element]]] = []
    says_data = role in ("table", "grid") or table.attributes.get("border", "0").strip() not in ("", "0")
    for part in _parts(table):
        if part is None:
            return None
        if is_hidden(part):
            continue
        if part.tag == "caption":
            captions.append(part)
        elif part.tag == "tr":
            cells = _cells(part)
            if cells is None:
                return None
            rows.append((part, [cell for cell in cells if not is_hidden(cell)]))
        says_data = says_data or part.tag in ("caption", "thead")
    lengths = {len(cells) for _, cells in rows if cells}
    all_cells = [cell for _, cells in rows for cell in cells]
    if max(lengths, default=0) < 2:
        return None
    plain = not says_data and all(cell.tag != "th" for cell in all_cells)
    if plain and (len(rows) < 2 or len(lengths) > 1 or any(_span(cell, "colspan") > 1 for cell in all_cells)):
        return None
    if not all(_holds_data(cell, plain=plain) for cell in all_cells):
        return None
    headers = list(takewhile(lambda row: row[1] and all(cell.tag == "th" for cell in row[1]), rows))
    return DataTable(tuple(captions), _expanded(rows), len(headers) if len(headers) < len(rows) else 0, len(rows))


def _parts(table: Element) -> Iterator[Element | None]:
    """Yield captions, heads and rows in order; None for any other visible content."""
    stack = list(reversed(table.children))
    while stack:
        node = stack.pop()
        if isinstance(node, str):
            if not node.isspace():
                yield None
        elif node.tag in ("tr", "caption"):
            yield node
        elif node.tag in ("tbody", "thead", "tfoot"):
            if node.tag == "thead":
                yield node
            stack.extend(reversed(node.children))
        elif node.tag not in _UNSEEN:
            yield None


def _cells(row: Element) -> list[Element] | None:
    cells = []
    for node in row.children:
        if isinstance(node, str):
            if not node.isspace():
                return None
        elif node.tag in ("td", "th"):
            cells.append(node)
        elif node.tag not in _UNSEEN:
            return None
    return cells


def _holds_data(cell: Element, *, plain: bool) -> bool:
    forbidden = _NOT_IN_PLAIN_DATA if plain else _NEVER_IN_DATA
    length = 0
    stack = list(reversed(cell.children))
    while stack:
        node = stack.pop()
        if isinstance(node, str):
            length += len(node)
            if plain and length > MAX_PLAIN_CELL:
                return False
        elif node.tag in forbidden:
            return False
        else:
            stack.extend(reversed(node.children))
    return True


def _span(cell: Element, name: str) -> int:
    value = cell.attributes.get(name, "").strip()
    return max(1, min(int(value), MAX_SPANNED_CELLS)) if value.isascii() and value.isdecimal() and len(value) < 7 else 1


def _expanded(rows: list[tuple[Element, list[Element]]]) -> tuple[Row, ...]:
    """Rows with spanned cells repeated, up to `MAX_SPANNED_CELLS`."""
    budget = MAX_SPANNED_CELLS
    from_above: dict[int, tuple[Element, int]] = {}
    expanded: list[Row] = []
    for number, (element, cells) in enumerate(rows[:MAX_ROWS]):
        row = {column: cell for column, (cell, _) in from_above.items()}
        below = {column: (cell, more - 1) for column, (cell, more) in from_above.items() if more > 1}
        column = 0
        for cell in cells:
            while column in row:
                column += 1
            across, down = _span(cell, "colspan"), min(_span(cell, "rowspan"), len(rows) - number)
            if len(cells) == 1 and not from_above:
                across = 1  # a heading across the table is shown once
            if across * down - 1 > budget:
                across = down = 1
            budget -= across * down - 1
            for spanned in range(column, column + across):
                row[spanned] = cell
                if down > 1:
                    below[spanned] = (cell, down - 1)
            column += across
        from_above = below
        expanded.append(Row(element, tuple(row.get(index) for index in range(max(row, default=-1) + 1))))
    return tuple(expanded)
