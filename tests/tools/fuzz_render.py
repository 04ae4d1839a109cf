"""Fuzz test of rendering: ``python tests/tools/fuzz_render.py --pages 100000 --seed 0`` renders mutated pages of pydoc.

Fails on any exception but `FetchError`. The pages are those of the standard library, cut into pieces of some kilobytes, so that
one core renders hundreds a second. The same seed gives the same pages.
"""

import argparse
import importlib
import pydoc
import random
import re
import sys
import time
from collections.abc import Callable
from typing import get_args

from browser_env.errors import FetchError
from browser_env.pages.document import Document
from browser_env.rendering.main_content import ReadingMode
from browser_env.rendering.render import render

MODULES = (
    "argparse",
    "collections",
    "csv",
    "decimal",
    "email",
    "html",
    "http",
    "json",
    "os",
    "random",
    "re",
    "shutil",
    "textwrap",
    "typing",
)
PIECE = 4000
"""Minimum bytes of a piece."""
TYPES = (
    None,
    "text/html",
    "text/html; charset=utf-8",
    "text/html; charset=shift_jis",
    "text/plain",
    "text/markdown",
    "application/json",
)
ENCODINGS = ("utf-16", "utf-16-le", "gb18030", "cp932", "iso2022-jp", "cp037", "utf-7")
TAG = re.compile(rb"<[^<>]*>")
SPLICES = tuple(
    b"<table> <tr> <td> <th> </table> <ul> <ol> <li> </ul> <dl> <dt> <dd> <pre> </pre> <a> </a> <b> </p> <p> <div> </div> <sup> <sub> <math> "
    b"<svg> <select> <option> <script> </script> <style> <!-- --> <![CDATA[ ]]> <? ?> <textarea> <title> <base> <frameset> <body> <html> "
    b"<ruby> <rt> <q> <dialog> <img> <noscript> <template> &nbsp; &#0; &#xD800; &lt; &amp <caption> <blockquote> <button>".split()
)  # fmt: skip
ATTRIBUTES = tuple(
    b"hidden style='display:none' style='white-space:pre' colspan=9999999 rowspan=-1 href=http://[ href=//x:99999 href='javascript:x' id=a "
    b"name=b role=dialog role=heading aria-hidden=true start=x value=9e9 reversed type=i class=section-title width=1 alt= alt=x "
    b"style='color:#fff;background:#fff' \xff=\xfe \x00 ' \" = title=\xc3".split(b" ")
)  # fmt: skip

Mutation = Callable[[random.Random, bytes], bytes]


def main() -> None:
    """Render the pages; the first failure ends the program with the page and the exception."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    pieces = standard_library_pieces()
    started = time.monotonic()
    rendered = refused = 0
    for number in range(options.pages):
        document, mode = mutated(random.Random(f"{options.seed} {number}"), pieces)
        try:
            render(document, mode=mode)
            rendered += 1
        except FetchError:
            refused += 1
        except BaseException:
            print(f"Page {number} of seed {options.seed} failed in mode {mode}: {document!r}", file=sys.stderr)
            raise
        if (number + 1) % 10_000 == 0:
            print(f"{number + 1:,} pages in {time.monotonic() - started:.0f} s", file=sys.stderr)
    print(f"{options.pages:,} mutated pages of seed {options.seed}: {rendered:,} rendered, {refused:,} refused, none failed")


def standard_library_pieces() -> list[bytes]:
    """Pages of some modules, cut at tags into pieces."""
    html = pydoc.HTMLDoc()
    pieces = []
    for name in MODULES:
        page = html.page(name, html.document(importlib.import_module(name), name)).encode("utf-8", "replace")
        start = 0
        while start < len(page):
            end = page.find(b"<", start + PIECE)
            end = end if end > 0 else len(page)
            pieces.append(page[start:end])
            start = end
    return pieces


def mutated(chance: random.Random, pieces: list[bytes]) -> tuple[Document, ReadingMode]:
    """A document made of a piece by one to eight mutations, and a mode."""
    body = chance.choice(pieces)
    for _ in range(chance.randint(1, 8)):
        body = chance.choice(MUTATIONS)(chance, body)
    if chance.random() < 0.1:
        body = body.decode("utf-8", "replace").encode(chance.choice(ENCODINGS), "replace")
    document = Document(f"https://a.com/{chance.choice(('', 'x.md', 'x.json', 'x.html', 'x#y'))}", body, chance.choice(TYPES))
    return document, chance.choice(get_args(ReadingMode))


def flip_bytes(chance: random.Random, body: bytes) -> bytes:
    """Replace up to 20 bytes."""
    changed = bytearray(body)
    for _ in range(chance.randint(1, 20) if body else 0):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


def delete_tag(chance: random.Random, body: bytes) -> bytes:
    """Delete a tag."""
    start, end = some_tag(chance, body)
    return body[:start] + body[end:]


def duplicate_tag(chance: random.Random, body: bytes) -> bytes:
    """Repeat a tag up to 300 times."""
    start, end = some_tag(chance, body)
    return body[:start] + body[start:end] * chance.choice((2, 3, 10, 300)) + body[end:]


def splice(chance: random.Random, body: bytes) -> bytes:
    """Insert tags and entities, or a copy of a part of the page."""
    at, start = chance.randint(0, len(body)), chance.randint(0, len(body))
    part = body[start : start + 500] if chance.random() < 0.3 else b"".join(chance.choices(SPLICES, k=chance.randint(1, 6)))
    return body[:at] + part + body[at:]


def garble_attributes(chance: random.Random, body: bytes) -> bytes:
    """Add attributes to a tag."""
    start, end = some_tag(chance, body)
    return (
        body[: end - 1] + b" " + b" ".join(chance.choices(ATTRIBUTES, k=chance.randint(1, 4))) + body[end - 1 :]
        if end > start
        else body
    )


def truncate(chance: random.Random, body: bytes) -> bytes:
    """Cut the end of the page."""
    return body[: chance.randint(len(body) // 2, len(body))]


def some_tag(chance: random.Random, body: bytes) -> tuple[int, int]:
    """Span of a tag; empty if there is none."""
    match = TAG.search(body, chance.randint(0, len(body)))
    return match.span() if match else (0, 0)


MUTATIONS: tuple[Mutation, ...] = (flip_bytes, delete_tag, duplicate_tag, splice, garble_attributes, truncate)


if __name__ == "__main__":
    main()
