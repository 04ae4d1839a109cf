"""Layout of pages: text with link markers, wrapped to a width in terminal cells.

Wrapping is for display only and never breaks a link marker. Each line keeps the offset at which it starts in the page's text,
so that Find can scroll to a match and a person's selection can become a quote.
"""

import re
from collections.abc import Iterator

from rich.cells import cell_len

from browser_env.pages.characters import LINK_CLOSE, LINK_FIELD, LINK_OPEN
from browser_env.pages.page import Layout, Link, Page

_WORD = re.compile(r"\S+|\s+")


def lay_out(page: Page, width: int) -> Layout:
    """Wrap a page to lines of at most `width` cells; only a link marker can be longer. Cached on the page."""
    layout = page.layouts.get(width)
    if layout is None:
        layout = page.layouts[width] = _lay_out(page, width)
    return layout


def _lay_out(page: Page, width: int) -> Layout:
    lines: list[str] = []
    starts: list[int] = []
    links = iter(page.links)
    link = next(links, None)
    offset = 0
    for source in page.text.split("\n") if page.text else ():
        end = offset + len(source)
        line_links: list[Link] = []
        while link is not None and link.start < end:
            line_links.append(link)
            link = next(links, None)
        if not line_links and len(source) <= width and source.isascii():
            lines.append(source)
            starts.append(offset)
        else:
            for line, start in _wrap(_marked_words(page, offset, end, line_links), width):
                lines.append(line)
                starts.append(start)
        offset = end + 1
    return Layout(tuple(lines), tuple(starts))


def marker(page: Page, link: Link) -> str:
    """Format a link as ``【<id>†<text>†<domain>】``, without the domain if it is the page's own (Appendix A)."""
    domain = page.link_domain(link.url)
    fields = (str(page.link_ids[link.url]), page.text[link.start : link.end], *((domain,) if domain else ()))
    return f"{LINK_OPEN}{LINK_FIELD.join(fields)}{LINK_CLOSE}"


def wrap_text(text: str, width: int) -> list[str]:
    """Wrap a line of plain text to lines of at most `width` cells."""
    return [line for line, _ in _wrap(_words(text, 0), width)]


def _words(text: str, offset: int) -> Iterator[tuple[str, int]]:
    return ((match[0], offset + match.start()) for match in _WORD.finditer(text))


def _marked_words(page: Page, start: int, end: int, links: list[Link]) -> Iterator[tuple[str, int]]:
    """Words and white space of a line, with offsets; a link marker and the text that touches it are one word."""
    word, word_start = "", start
    for link in (*links, None):
        for piece, offset in _words(page.text[start : link.start if link else end], start):
            if piece.isspace():
                if word:
                    yield word, word_start
                yield piece, offset
                word = ""
            else:
                word_start = word_start if word else offset
                word += piece
        if link:
            word_start = word_start if word else link.start
            word += marker(page, link)
            start = link.end
    if word:
        yield word, word_start


def _wrap(words: Iterator[tuple[str, int]], width: int) -> Iterator[tuple[str, int]]:
    """Wrap words to lines; yields each line with the offset of its start.

    White space at a break is dropped, later lines repeat the indentation of the first, and a word that is longer than a line
    is cut unless it contains a link.
    """
    indentation, line, start = "", "", None
    used, is_blank = 0, True
    for word, offset in words:
        if word.isspace() and is_blank:
            if start is None and not indentation and not line:
                indentation = line = word[: width // 2]  # at most half of the width
                used, start = len(line), offset
            continue
        cells = cell_len(word)
        if not is_blank and used + cells > width:
            assert start is not None
            yield line.rstrip(), start
            line, used, start, is_blank = indentation, len(indentation), None, True
            if word.isspace():
                continue
        start = offset if start is None else start
        while used + cells > width and LINK_OPEN not in word:
            cut = _fitting(word, width - used)
            yield line + word[:cut], start
            word, offset = word[cut:], offset + cut
            line, used, start, cells = indentation, len(indentation), offset, cell_len(word)
        line += word
        used += cells
        is_blank = False
    if not is_blank:
        assert start is not None
        yield line.rstrip(), start


def _fitting(word: str, room: int) -> int:
    """Number of characters of a word that fit into `room` cells, at least one."""
    used = 0
    for index, character in enumerate(word):
        used += cell_len(character)
        if used > room:
            return max(index, 1)
    return len(word)
