"""Rendering of plain text, JSON and XML to a `Page`, line by line."""

import json
import re
from contextlib import suppress
from urllib.parse import unquote, urlsplit

from browser_env.pages.characters import clean, clean_line
from browser_env.pages.page import Page, domain_of
from browser_env.rendering.truncation import cut, truncation_line

LONG_LINE = 500
"""JSON with a longer average line is indented."""

_EMPTY_LINE = re.compile(r"\n[ \t]*\n")


def render_text(text: str, url: str) -> Page:
    """Render plain text: without white space at the ends of lines, with spaces for tabs. URLs do not become links."""
    source = cut(text, _EMPTY_LINE)
    shown = "\n".join(line.expandtabs().rstrip() for line in clean(source).split("\n")).strip("\n")
    if len(source) == len(text):
        return Page(url=url, title=name_of(url), text=shown)
    shown = f"{shown}\n\n{truncation_line(len(source), len(text))}"
    return Page(url=url, title=name_of(url), text=shown, notes=("truncated",))


def render_json(text: str, url: str) -> Page:
    """Render JSON, indented if its lines are long."""
    if len(text) > LONG_LINE and text.count("\n") < len(text) / LONG_LINE:
        with suppress(ValueError, RecursionError):  # invalid JSON is shown as it is
            text = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    return render_text(text, url)


def name_of(url: str) -> str:
    """Title of a document that has none: the file name, or the domain."""
    try:
        name = clean_line(unquote(urlsplit(url).path.rpartition("/")[2]))
    except ValueError:
        name = ""
    return name or domain_of(url)
