import re
import sys
from pathlib import Path

import pytest

from browser_env.errors import CollectionError
from browser_env.offline_web.collection import Collection
from browser_env.offline_web.sources import Expected, Item, Skipped
from browser_env.offline_web.sources.python_docs import PythonDocs
from browser_env.pages.document import Document
from browser_env.pages.page import Page
from browser_env.rendering.render import render

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture(scope="module")
def everything() -> list[Item]:
    return list(PythonDocs())


@pytest.fixture(scope="module")
def rendered(everything: list[Item]) -> dict[str, Page]:
    return {item.url: render(item) for item in everything if isinstance(item, Document)}


def pages(items: list[Item]) -> dict[str, str]:
    return {item.url.rpartition("/")[2]: item.body.decode() for item in items if isinstance(item, Document)}


def skipped(items: list[Item]) -> dict[str, str]:
    return {item.name: item.reason for item in items if isinstance(item, Skipped)}


@pytest.mark.parametrize(
    "name",
    [
        "abc",
        "builtins",
        "concurrent.futures",
        "email.mime.text",
        "json",
        "os",
        "os.path",
        "sys",
        "this",
        "xml.etree.ElementTree",
    ],
)
def test_public_modules_have_a_page_under_their_name(everything: list[Item], name: str) -> None:
    (document,) = (i for i in everything if isinstance(i, Document) and i.url.endswith(f"/{name}.html"))
    assert document.url == f"http://pydoc.localhost/{VERSION}/{name}.html"
    assert render(document).title == name


@pytest.mark.parametrize(
    "name", ["_thread", "posixpath" if sys.platform != "win32" else "ntpath", "test", "test.support", "unittest.__main__"]
)
def test_private_modules_tests_and_second_names_have_no_page(everything: list[Item], name: str) -> None:
    assert f"{name}.html" not in pages(everything)


def test_every_module_is_a_page_or_skipped_with_a_reason(everything: list[Item]) -> None:
    names = {
        name for name in sys.stdlib_module_names if not name.startswith("_") and name not in ("test", "posixpath", "ntpath")
    }
    documented = pages(everything)
    reasons = skipped(everything)
    assert {name for name in names if f"{name}.html" not in documented} <= reasons.keys()
    assert all(reason and "\n" not in reason for reason in reasons.values())


def test_the_index_page_lists_every_module_with_its_summary(rendered: dict[str, Page]) -> None:
    index = rendered[f"http://pydoc.localhost/{VERSION}/index.html"]
    assert index.title == f"Python {VERSION} documentation"
    assert set(index.link_urls) == rendered.keys() - {index.url}
    assert re.search(r"^textwrap\n\s+Text wrapping and filling\.$", index.text, re.MULTILINE)


def test_links_between_modules_lead_to_pages(rendered: dict[str, Page]) -> None:
    linked = {url.partition("#")[0] for page in rendered.values() for url in page.link_urls if "//pydoc.localhost/" in url}
    assert linked == rendered.keys()


def test_link_to_a_class_of_another_module_leads_to_its_place(rendered: dict[str, Page]) -> None:
    shutil = rendered[f"http://pydoc.localhost/{VERSION}/shutil.html"]
    (url,) = (url for url in shutil.link_urls if url.endswith("#OSError"))
    builtins = rendered[url.partition("#")[0]]
    place = builtins.anchor("OSError")
    assert place is not None
    assert builtins.text[place:].startswith("class OSError(Exception)")


def test_the_expected_number_is_the_number_of_pages(everything: list[Item]) -> None:
    (expected,) = (item for item in everything if isinstance(item, Expected))
    assert expected.num_documents == len(pages(everything))


def test_nothing_of_this_machine_is_in_a_page(everything: list[Item], monkeypatch: pytest.MonkeyPatch) -> None:
    machine = {
        sys.executable,
        str(Path(sys.executable).resolve()),
        str(Path(re.__file__).parent.parent),
        str(Path.home() / "x")[:-2],
        str(Path.cwd()),
    }
    for name, html in pages(everything).items():
        assert not re.search(r"\bat 0x[0-9A-Fa-f]{6}|href=\"file:|Module Reference", html), name
        assert not [path for path in machine if len(path) > 5 and path in html], name


def test_pages_are_the_same_bytes_from_anywhere(
    everything: list[Item], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in (
        ("HOME", str(tmp_path)), ("TMPDIR", str(tmp_path)), ("TZ", "Asia/Tokyo"), ("LANG", "de_DE.UTF-8"),
        ("PYTHONHASHSEED", "7"), ("PYTHONPATH", str(tmp_path)), ("USER", "somebody"), ("PYTHONOPTIMIZE", "2"),
    ):  # fmt: skip
        monkeypatch.setenv(name, value)
    (tmp_path / "shutil.py").write_text("raise SystemExit('not the one of the library')")
    assert pages(list(PythonDocs())) == pages(everything)


@pytest.mark.parametrize("name", ["antigravity", "this", "idlelib", "tkinter", "turtle", "webbrowser"])
def test_modules_with_side_effects_are_harmless(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    items = list(PythonDocs(modules=(name,)))
    assert f"{name}.html" in pages(items) or name in skipped(items)
    assert capfd.readouterr() == ("", "")


LIBRARY = {
    "hangs": "import time\ntime.sleep(600)",
    "crashes": "import os, signal\nos.abort()",
    "exits": "import sys\nsys.exit(3)",
    "fails": "raise ValueError('two\\nlines')",
    "prints": "'''Prints.'''\nimport sys\nprint('{}')\nsys.stderr.write('x')\nsys.__stdout__.write('y')",
    "reads": "'''Reads.'''\nimport sys\nassert sys.stdin.read() == ''",
    "connects": "import socket\nsocket.create_connection(('127.0.0.1', 9))",
    "resolves": "import socket\nsocket.getaddrinfo('example.org', 80)",
    "spawns": "import subprocess\nsubprocess.run(['true'])",
    "forks": "import os\nos.fork()",
    "writes": "open('left-behind', 'w')",
    "good": "'''A good one.'''\ndef work(callback=print, marker=object()):\n    '''Works.'''",
}


@pytest.fixture
def strange_python(tmp_path: Path) -> str:
    """An interpreter with additional modules."""
    library = tmp_path / "library"
    library.mkdir()
    for name, code in LIBRARY.items():
        (library / f"{name}.py").write_text(code)
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={library} exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    return str(python)


def test_only_modules_that_misbehave_are_skipped(strange_python: str, tmp_path: Path) -> None:
    items = list(PythonDocs(modules=tuple(LIBRARY), interpreter=strange_python, timeout=2))
    assert set(pages(items)) == {"index.html", "good.html", "prints.html", "reads.html"}
    reasons = skipped(items)
    assert reasons["hangs"] == "it took longer than 2 seconds"
    assert reasons["crashes"] == "it ended the interpreter"
    assert reasons["exits"] == "SystemExit: 3"
    assert reasons["fails"] == "ValueError: two lines"
    assert {name for name, reason in reasons.items() if reason.startswith("NotAllowed: it ")} == {
        "connects", "resolves", "spawns", "forks", "writes",
    }  # fmt: skip
    assert "work(callback=&lt;built-in function print&gt;, marker=&lt;object object&gt;)" in pages(items)["good.html"].replace(
        '<a name="-work"><strong>work</strong></a>', "work"
    )


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ('exec {python} -OO "$@"', "has no documentation (its documentation was stripped)"),
        ("exit 1", "cannot write its documentation"),
        (None, "cannot be run"),
    ],
    ids=["stripped", "broken", "missing"],
)
def test_an_interpreter_without_documentation_is_named_in_one_line(tmp_path: Path, script: str | None, expected: str) -> None:
    python = tmp_path / "python"
    if script is not None:
        python.write_text(f"#!/bin/sh\n{script.format(python=sys.executable)}\n")
        python.chmod(0o755)
    with pytest.raises(CollectionError) as raised:
        list(PythonDocs(modules=("json",), interpreter=str(python)))
    assert expected in str(raised.value)
    assert str(python) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_member_is_documented_once_with_its_class(python_docs: Collection) -> None:
    shutil = python_docs.fetch(f"http://pydoc.localhost/{VERSION}/shutil.html").text
    assert "inherited from" not in shutil
    assert "__reduce__" not in shutil
    assert "with_traceback" in python_docs.fetch(f"http://pydoc.localhost/{VERSION}/builtins.html").text
