"""Milliseconds to render a page of the Python documentation, from bytes."""

import importlib
import pydoc

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from browser_env.pages.document import Document
from browser_env.pages.page import Page
from browser_env.rendering.main_content import ReadingMode
from browser_env.rendering.render import render


@pytest.fixture(scope="module", params=["textwrap", "shutil", "json", "argparse", "decimal", "typing", "os"])
def document(request: pytest.FixtureRequest) -> Document:
    """A page as `pydoc` writes it."""
    name = request.param
    html = pydoc.HTMLDoc()
    page = html.page(name, html.document(importlib.import_module(name), name))
    return Document(f"https://docs.python.org/3/library/{name}.html", page.encode(), "text/html; charset=utf-8")


@pytest.mark.parametrize("mode", ["full", "reader"])
def test_render(benchmark: BenchmarkFixture, document: Document, mode: ReadingMode) -> None:
    benchmark.extra_info["kilobytes"] = len(document.body) // 1000
    page: Page = benchmark(render, document, mode=mode)
    assert len(page.text) > 5000
