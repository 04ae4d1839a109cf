"""Kinds of documents, and documents that are refused."""

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from browser_env.errors import FetchError
from browser_env.pages.document import Document
from browser_env.pages.page import Page
from browser_env.rendering.main_content import ReadingMode
from browser_env.rendering.render import render

URL = "https://a.com/d/"
HTML = b"<!doctype html><title>T</title><p>a <a href=b>b</a>"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


@pytest.mark.parametrize(
    ("name", "url", "content_type", "body", "text"),
    [
        ("HTML", URL, "text/html; charset=utf-8", b"<p>a", "a"),
        ("XHTML", URL, "application/xhtml+xml", b"<?xml version='1.0'?><html xmlns='x'><p>a</p></html>", "a"),
        ("HTML labeled as text", URL, "text/plain", HTML, "a b"),
        ("HTML labeled as an image", URL, "image/png", HTML, "a b"),
        ("HTML without a label", URL, None, HTML, "a b"),
        ("a fragment of HTML without a label", URL, None, b"See <a href='x'>this</a>", "See this"),
        ("a file of HTML", "file:///a.HTM", None, b"a<br>b", "a\nb"),
        ("HTML after a comment", URL, "text/plain", b"\n<!-- x --><html>a", "a"),
        ("text", URL, "text/plain", b"a  <b>\n\n\n  b\t\n", "a  <b>\n\n\n  b"),
        ("text without a label", URL, None, b"if a < b: c > d", "if a < b: c > d"),
        ("source code", URL + "x.py", "text/x-python", b"def f():\n\treturn '<p>'", "def f():\n        return '<p>'"),
        ("a file of text with tags", "file:///a.txt", None, b"<p>a</p>", "<p>a</p>"),
        ("markers in text", URL, "text/plain", "♦Text 【0†x】\x00".encode(), "◆Text 〖0‡x〗"),
        ("Markdown", URL, "text/markdown", b"# A\n\nb *c*\nd\n\n- e\n\n| f | g |\n|---|---|\n| h | i |", "A\n\nb c d\n\n* e\n\nf | g\nh | i"),
        ("a file of Markdown", URL + "a.md", "text/plain", b"1. a\n2. b\n\n```\nc\n  d\n```", "1. a\n2. b\n\nc\n  d"),
        ("front matter", URL + "a.md", None, b"---\nx: y\n---\n# A", "A"),
        ("HTML in Markdown", URL, "text/markdown", b"a <span hidden>b</span><kbd>c</kbd>", "a c"),
        ("JSON", URL, "application/json", b'{\n "a": 1}', '{\n "a": 1}'),
        ("JSON on one long line", URL, "application/ld+json", b'{"a":[' + b"1," * 300 + b'"\xc3\xa9"]}', '{\n  "a": [\n' + "    1,\n" * 300 + '    "é"\n  ]\n}'),
        ("broken JSON", URL, "application/json", b"[" * 200_000, "[" * 200_000),
        ("XML", URL, "application/rss+xml", b"<?xml version='1.0'?>\n<rss>\n  <a/>\n</rss>", "<?xml version='1.0'?>\n<rss>\n  <a/>\n</rss>"),
        ("bytes without a type that are text", URL, "application/octet-stream", b"a\nb", "a\nb"),
        ("an empty page", URL, "text/html", b"", ""),
        ("nothing at all", URL, None, b"", ""),
        ("GBK labeled gb2312", URL, "text/html; charset=gb2312", "<p>朱镕基".encode("gbk"), "朱镕基"),
        ("CP932 labeled shift_jis", URL, "text/html", "<meta charset=shift_jis><p>①②髙".encode("cp932"), "①②髙"),
        ("UTF-16", URL, "text/html; charset=utf-16", "<p>é".encode("utf-16-le"), "é"),
        ("UTF-16 with a mark", URL, "text/html", "<p>é".encode("utf-16"), "é"),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 40 and "/" not in value and "\n" not in value else "",
)  # fmt: skip
def test_renders(name: str, url: str, content_type: str | None, body: bytes, text: str) -> None:
    assert render(Document(url, body, content_type)).text == text


@pytest.mark.parametrize(
    ("name", "content_type", "body", "message"),
    [
        ("an image", "image/png", PNG, "Unsupported content type: image/png"),
        ("an image labeled as HTML", "text/html", PNG, "Unsupported content type: image/png"),
        ("an archive without a label", None, b"PK\x03\x04" + bytes(30), "Unsupported content type: application/zip"),
        ("compressed bytes", None, gzip.compress(b"x"), "Unsupported content type: application/gzip"),
        ("binary without a label", None, zlib.compress(bytes(range(256)) * 99), "Unsupported content type: binary data"),
        ("binary labeled as HTML", "text/html", bytes(range(32)) * 9, "Unsupported content type: text/html, but binary"),
        ("a video", "video/mp4", b"text", "Unsupported content type: video/mp4"),
    ],
    ids=lambda value: value if isinstance(value, str) and "/" not in value else "",
)
def test_refuses(name: str, content_type: str | None, body: bytes, message: str) -> None:
    with pytest.raises(FetchError) as caught:
        render(Document(URL, body, content_type))
    assert str(caught.value) == f"{message} at {URL}"


@pytest.mark.parametrize(
    ("name", "document", "message"),
    [
        ("with a body", Document(URL, b"<h1>Gone</h1><p>Try  later", "text/html", 404), f"HTTP 404 Not Found: {URL} The server says: Gone Try later"),
        ("without one", Document(URL, b"", "text/html", 503), f"HTTP 503 Service Unavailable: {URL}"),
        ("with an image", Document(URL, PNG, "image/png", 403), f"HTTP 403 Forbidden: {URL} does not admit this visitor."),
        ("of no known status", Document(URL, b"x" * 900, "text/plain", 499), f"HTTP 499: {URL} The server says: {'x' * 500}"),
    ],
    ids=lambda value: value if isinstance(value, str) and "HTTP" not in value else "",
)  # fmt: skip
def test_an_http_error_says_what_the_server_said(name: str, document: Document, message: str) -> None:
    with pytest.raises(FetchError) as caught:
        render(document)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("name", "document", "title"),
    [
        ("Markdown", Document(URL + "a.md", b"intro\n\n## First *heading*\n\n## Second"), "First heading"),
        ("a text file", Document(URL + "read%20me.txt", b"a"), "read me.txt"),
        ("text at a domain", Document("https://a.com/", b"a", "text/plain"), "a.com"),
        ("an address that cannot be read", Document("https://[a/", b"a", "text/plain"), ""),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_title(name: str, document: Document, title: str) -> None:
    assert render(document).title == title


def test_relative_links_of_markdown_work() -> None:
    page = render(Document(URL + "a.md", b"[b](../b.md#c) [x](javascript:y)"))
    assert [link.url for link in page.links] == ["https://a.com/b.md#c"]


def test_a_file_links_to_what_its_collection_allows() -> None:
    document = Document("file:///docs/a.md", b"[b](b.md) [c](https://c.com/)")
    page = render(document, followable=lambda url: url.startswith("file:///docs/"))
    assert [link.url for link in page.links] == ["file:///docs/b.md"]


def test_twenty_megabytes_of_text_are_cut_at_an_empty_line() -> None:
    page = render(Document(URL, b"one\ntwo\n\n" * 2_200_000, "text/plain"))
    assert page.text.endswith("one\ntwo\n\n[Page truncated: 5.0 MB of 19.8 MB]")
    assert page.notes == ("truncated",)


TYPES = st.none() | st.sampled_from(
    ["text/html", "text/markdown", "application/json", "text/plain; charset=utf-16", "image/x", ";"]
)
MODES = st.sampled_from(["full", "reader"])
BODIES = (
    st.binary()
    | st.lists(st.sampled_from([b"<", b">", b"</", b"a", b"table", b"td", b"&", b"#", b"=", b'"', b"\xff", b"\x00", b"[", b"`", b"\n", b" "])).map(b"".join)
)  # fmt: skip


@given(BODIES, TYPES, st.sampled_from([200, 404]), MODES, st.sampled_from([URL, "", "file:///x.md", "http://[", "x"]))
def test_any_bytes_are_a_page_or_a_fetch_error(
    body: bytes, content_type: str | None, status: int, mode: ReadingMode, url: str
) -> None:
    try:
        page = render(Document(url, body, content_type, status), mode=mode)
    except FetchError:
        return
    assert isinstance(page, Page)


def test_rendering_twice_gives_the_same_page() -> None:
    assert render(Document(URL, HTML)) == render(Document(URL, HTML))
