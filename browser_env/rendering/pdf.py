"""Rendering of PDF files to text, page by page.

A PDF can make the program that reads it run forever or use all memory. It is therefore read in a child process with limits on
time and memory, which returns only text.
"""

import json
import re
import subprocess
import sys
from io import BytesIO
from typing import Final

from browser_env.errors import FetchError
from browser_env.pages.characters import clean, clean_line
from browser_env.pages.page import Page, PageBuilder
from browser_env.rendering.plain_text import name_of

MAX_BYTES: Final = 20_000_000
"""Maximum bytes of a file."""
MAX_SECONDS: Final = 20
"""Seconds after which the process is killed."""
ENOUGH_SECONDS: Final = 10
"""Seconds after which no further page is read; the pages read so far are shown."""
MAX_MEMORY: Final = 1_500_000_000
"""Maximum bytes of the process's address space."""
MAX_CHARACTERS: Final = 5_000_000
"""Characters after which no further page is read."""
_EMPTY_LINES = re.compile(r"\n\s*\n\s*")


def render_pdf(body: bytes, url: str) -> Page:
    """Render a PDF; each of its pages begins with a line ``[Page n]``.

    Raises:
        FetchError: The file is too large, broken, encrypted or without text, or reading it takes too long.
    """
    if len(body) > MAX_BYTES:
        raise FetchError(f"{url} is a PDF of more than {MAX_BYTES / 1e6:g} MB")
    try:
        process = subprocess.run(
            [sys.executable, "-m", "browser_env.rendering.pdf"],
            input=body,
            capture_output=True,
            timeout=MAX_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise FetchError(f"{url} is a PDF that cannot be read within {MAX_SECONDS} seconds") from error
    try:
        result = json.loads(process.stdout)
    except ValueError as error:  # a limit ended the process
        raise FetchError(f"{url} is a PDF that cannot be read: it is broken, or takes more memory than it may") from error
    if isinstance(result, str):
        raise FetchError(f"{url} is a PDF {result}")
    return _page(url, result["title"], result["pages"], result["num_pages"])


def _page(url: str, title: str, pages: list[str], num_pages: int) -> Page:
    builder = PageBuilder()
    anchors, notes = [], []
    for number, text in enumerate(pages, start=1):
        if builder.length:
            builder.write("\n\n")
        anchors.append((f"page={number}", builder.length))
        lines = "\n".join(line.rstrip() for line in clean(text).expandtabs().split("\n"))
        builder.write(f"[Page {number}]\n{_EMPTY_LINES.sub(chr(10) * 2, lines).strip()}".rstrip())
    if len(pages) < num_pages:
        builder.write(f"\n\n[Page truncated: {len(pages)} of {num_pages} pages]")
        notes.append("truncated")
    return builder.page(url, clean_line(title)[:300] or name_of(url), anchors=anchors, notes=notes)


def extract(body: bytes, max_seconds: float = ENOUGH_SECONDS) -> dict[str, object] | str:
    """Title, page texts and number of pages of a PDF; or the reason why it cannot be read, as the end of a sentence."""
    import time

    try:
        from pypdf import PdfReader
        from pypdf.errors import DependencyError, PyPdfError
    except ImportError:
        return "which needs pypdf to be read: make install EXTRAS=web"

    end = time.monotonic() + max_seconds
    try:
        reader = PdfReader(BytesIO(body))
        if reader.is_encrypted and not reader.decrypt(""):
            return "that is encrypted; it needs a password"
        num_pages = len(reader.pages)
        pages: list[str] = []
        num_characters = 0
        for page in reader.pages:
            pages.append(page.extract_text())
            num_characters += len(pages[-1])
            if time.monotonic() > end or num_characters > MAX_CHARACTERS:
                break
        title = (reader.metadata and reader.metadata.title) or ""
    except DependencyError:
        return "that is encrypted in a way that cannot be read here"
    except (PyPdfError, ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError, OverflowError) as error:
        return f"that is broken: {type(error).__name__}"  # pypdf raises many kinds of errors for broken files
    if not any(map(str.strip, pages)):
        return f"without text ({num_pages} pages): its pages are pictures"
    return {"title": title, "pages": pages, "num_pages": num_pages}


def _main() -> None:
    try:
        import resource
    except ImportError:
        pass  # Windows has no such limits; the parent limits the time
    else:
        resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (MAX_SECONDS, MAX_SECONDS))
    sys.stdout.write(json.dumps(extract(sys.stdin.buffer.read())))


if __name__ == "__main__":
    _main()
