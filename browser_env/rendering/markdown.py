"""Rendering of Markdown (CommonMark with tables) to a `Page`, by conversion to HTML."""

import re
from collections.abc import Callable
from functools import cache

from markdown_it import MarkdownIt

from browser_env.pages.page import Page
from browser_env.rendering.html import render_html
from browser_env.rendering.links import is_http
from browser_env.rendering.main_content import ReadingMode

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(?:.*\n)*?---[ \t]*(?:\n|\Z)")


def render_markdown(text: str, url: str, *, mode: ReadingMode = "full", followable: Callable[[str], bool] = is_http) -> Page:
    """Render Markdown; the title is the first heading. Front matter is left out.

    Raises:
        NeedsJavaScript: The text contains HTML that shows almost no text without JavaScript.
    """
    return render_html(_parser().render(_FRONT_MATTER.sub("", text)), url, mode=mode, followable=followable)


@cache
def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
