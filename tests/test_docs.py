"""The examples in the documentation run, and the names in it exist."""

import re
from pathlib import Path
from pkgutil import resolve_name

import pytest

from agent.commands.browse import COMMANDS

DOCS = Path(__file__).parent.parent / "docs"
BLOCKS = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAMES = re.compile(r"`((?:browser_env|agent|recorder|training)\.[\w.]+)`")


@pytest.mark.parametrize("name", [path.name for path in sorted(DOCS.glob("*.md")) if BLOCKS.search(path.read_text("utf-8"))])
def test_examples_run(name: str) -> None:
    for block in BLOCKS.findall((DOCS / name).read_text("utf-8")):
        exec(compile(block, name, "exec"), {"__name__": "example"})


@pytest.mark.parametrize("name", [path.name for path in sorted(DOCS.glob("*.md"))])
def test_every_name_in_the_code_exists(name: str) -> None:
    unknown = [dotted for dotted in NAMES.findall((DOCS / name).read_text("utf-8")) if not exists(dotted)]
    assert unknown == []


def test_the_page_on_browsing_has_every_command() -> None:
    page = (DOCS / "browsing.md").read_text("utf-8")
    for command, letter, _ in COMMANDS:
        for spelling in ("End: Nonsense", "End: Controversial") if "Nonsense" in command else (command,):
            assert f"`{spelling}`" in page
        assert not letter or f"`{letter}" in page


def exists(dotted: str) -> bool:
    """Whether a dotted name is a module or something in one."""
    try:
        resolve_name(dotted)
    except (ImportError, AttributeError):
        return False
    return True
