import multiprocessing
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from browser_env.backends import Backend
from browser_env.errors import CollectionError, NotInCollection
from browser_env.offline_web.collection import Collection
from browser_env.offline_web.default_collection import default_collection, default_path
from browser_env.offline_web.file_format import APPLICATION_ID, dump_page, load_page
from browser_env.offline_web.indexing import build
from browser_env.offline_web.query import defined_names, index_text, read_query
from browser_env.offline_web.ranking import Relevance
from browser_env.offline_web.snippets import snippet
from browser_env.offline_web.sources import Item, Redirect, Skipped
from browser_env.offline_web.sources.python_docs import PythonDocs
from browser_env.pages.document import Document
from browser_env.pages.matching import find_next
from browser_env.pages.page import Page
from browser_env.rendering.render import render

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
AT = f"http://pydoc.localhost/{VERSION}"


class Pages:
    """A source of given pages."""

    label = "made-up"
    addresses: frozenset[str] = frozenset()

    def __init__(self, pages: dict[str, str], *more: Item) -> None:
        self.pages = pages
        self.more = more

    def __iter__(self) -> Iterator[Item]:
        for name, html in self.pages.items():
            yield Document(f"http://made.up/{name}", html.encode(), "text/html; charset=utf-8")
        yield from self.more


def titled(title: str, text: str) -> str:
    return f"<title>{title}</title><h1>{title}</h1><p>{text}"


def made(path: Path, pages: dict[str, str], *more: Item) -> Collection:
    build(path, Pages(pages, *more))
    return Collection.open(path)


def contents(collection: Collection) -> dict[str, Page]:
    return {url: collection.fetch(url) for url in collection.urls()}


# ---------------------------------------------------------------------------- reading


def test_collection_is_a_backend(python_docs: Collection) -> None:
    backend: Backend = python_docs
    assert backend.search("copytree")[0].url == f"{AT}/shutil.html"


def test_fetched_page_is_the_rendered_document(tmp_path: Path) -> None:
    html = titled("T", 'Text with <a href="b#c">a link</a>, <b id=place>a place</b> and <pre>  code</pre>.')
    with made(tmp_path / "c", {"a": html}) as collection:
        page = collection.fetch("http://made.up/a")
    assert page == render(Document("http://made.up/a", html.encode(), "text/html; charset=utf-8"))
    assert page.anchors and page.links and page.headings


@pytest.mark.parametrize(
    "url",
    [f"{AT}/shutil.html", f"{AT}/shutil.html#copytree", f"{AT}/shutil.html#"],
    ids=["plain", "fragment", "empty fragment"],
)
def test_fragment_is_ignored(python_docs: Collection, url: str) -> None:
    assert python_docs.fetch(url).url == f"{AT}/shutil.html"


@pytest.mark.parametrize("url", ["", f"{AT}/nothing.html", "https://example.org/", "\0", "http://[", "x" * 100_000, "\ud800"])
def test_other_address_is_not_in_the_collection(python_docs: Collection, url: str) -> None:
    with pytest.raises(NotInCollection, match="is not in this offline web"):
        python_docs.fetch(url)


def test_addresses_are_found_with_and_without_percent_encoding(tmp_path: Path) -> None:
    with made(tmp_path / "c", {"ü.html": titled("U", "umlaut")}) as collection:
        assert collection.fetch("http://made.up/ü.html") is collection.fetch("http://made.up/%C3%BC.html")


def test_redirect_leads_to_its_page(tmp_path: Path) -> None:
    pages = {"a": titled("A", "text")}
    redirects = (Redirect("http://made.up/old", "http://made.up/a"), Redirect("http://made.up/lost", "http://made.up/gone"))
    with made(tmp_path / "c", pages, *redirects) as collection:
        assert collection.fetch("http://made.up/old").url == "http://made.up/a"
        with pytest.raises(NotInCollection):
            collection.fetch("http://made.up/lost")


def test_second_visit_gives_the_same_object(python_docs: Collection) -> None:
    assert python_docs.fetch(f"{AT}/json.html") is python_docs.fetch(f"{AT}/json.html#x")
    assert python_docs.search("json") is python_docs.search("json")


def test_stats_are_totals_over_the_pages(python_docs: Collection) -> None:
    stats = python_docs.stats()
    pages = contents(python_docs)
    assert stats.name == python_docs.name
    assert stats.num_pages == len(pages)
    assert stats.num_characters == sum(len(page.text) for page in pages.values())
    assert stats.num_links == sum(len(page.links) for page in pages.values())
    assert stats.num_file_bytes == python_docs.path.stat().st_size
    assert stats.num_source_bytes > stats.num_characters


def test_many_threads_get_the_same_pages_and_results(python_docs: Collection) -> None:
    urls = python_docs.urls()
    queries = ["copytree", "join paths", "json dumps", "dedent", "OSError", "capwords", "Counter", "環境"]

    def browse(seed: int) -> list[object]:
        order = random.Random(seed)
        for _ in range(20):
            python_docs.fetch(order.choice(urls))
            python_docs.search(order.choice(queries))
        return [python_docs.search(query) for query in queries] + [python_docs.fetch(url) for url in urls]

    with ThreadPoolExecutor(32) as pool:
        seen = list(pool.map(browse, range(64)))
    assert all(other == seen[0] for other in seen)


@given(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.lists(st.tuples(st.text(st.characters(exclude_categories=["Cs"])), st.integers(0, 9))),
)
def test_page_survives_being_stored(text: str, anchors: list[tuple[str, int]]) -> None:
    page = Page("http://x.org/", "t", text, anchors=tuple(anchors), headings=((0, 1),), notes=("truncated",))
    assert load_page(*dump_page(page)) == page


# ---------------------------------------------------------------------------- bad files


def test_the_error_for_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(CollectionError) as raised:
        Collection.open(tmp_path / "none.sqlite")
    assert (
        str(raised.value)
        == f"there is no collection {tmp_path}/none.sqlite; make one with: webgpt index pydoc --out {tmp_path}/none.sqlite"
    )


def other_database(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE t (x)")
    connection.close()


def other_version(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()


def cut_off(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def garbage_head(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(random.Random(0).randbytes(4096))


def garbage_tables(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(100)
        file.write(random.Random(0).randbytes(3996))


def empty(path: Path) -> None:
    path.write_bytes(b"")


def half_built(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM about")
    connection.close()


@pytest.mark.parametrize(
    ("harm", "expected"),
    [
        (other_version, "is a collection of version 999, but this program reads version 1; index it again"),
        (cut_off, "delete it and index again"),
        (garbage_head, "is damaged or not a collection"),
        (garbage_tables, "is damaged or not a collection"),
        (empty, "is not a collection; make one with"),
        (half_built, "is incomplete; delete it and index again"),
    ],
)
def test_a_bad_file_is_described_in_one_line(python_docs_file: Path, tmp_path: Path, harm: object, expected: str) -> None:
    path = tmp_path / "c.sqlite"
    shutil.copy(python_docs_file, path)
    assert callable(harm)
    harm(path)
    with pytest.raises(CollectionError) as raised:
        Collection.open(path)
    assert expected in str(raised.value)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("content", [b"text", b"\x89PNG\r\n" * 500], ids=["text", "image"])
def test_file_of_another_kind_is_rejected(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "f").write_bytes(content)
    with pytest.raises(CollectionError, match="not a collection"):
        Collection.open(tmp_path / "f")


def test_database_of_another_program_is_rejected_and_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "theirs.sqlite"
    other_database(path)
    before = path.read_bytes()
    with pytest.raises(CollectionError, match="is not a collection"):
        Collection.open(path)
    with pytest.raises(CollectionError, match="exists and is not a collection; choose another file"):
        build(path, Pages({"a": "text"}))
    assert path.read_bytes() == before


def test_the_error_for_a_locked_file_says_so(python_docs_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("browser_env.offline_web.file_format.LOCK_SECONDS", 0.1)
    path = tmp_path / "c.sqlite"
    shutil.copy(python_docs_file, path)
    lock = sqlite3.connect(path, isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    with pytest.raises(CollectionError, match="is locked by another program; close that program and try again"):
        Collection.open(path)
    lock.close()
    Collection.open(path).close()


def test_damage_found_while_reading_is_a_collection_error(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    noise = random.Random(0).randbytes(30_000).hex()
    made(path, {"a": titled("A", noise)}).close()
    blob = path.read_bytes()
    with Collection.open(path) as collection:
        (root,) = collection._all[0].execute("SELECT rootpage FROM sqlite_schema WHERE name = 'pages'").fetchone()
        damaged = bytearray(blob)
        damaged[(root - 1) * 4096 : root * 4096] = bytes(4096)
        path.write_bytes(damaged)
    with Collection.open(path) as collection, pytest.raises(CollectionError, match="is damaged"):
        collection.fetch("http://made.up/a")


# ---------------------------------------------------------------------------- searching


ODD_QUERIES = [
    "", " ", "???", "foo-bar", "what's", "AND", "OR NOT", "NEAR(a b)", '"x', "x*", "title:shutil", "^a", "{a}", "a AND", "(", "'",
    "東京", "東", "\0", "a\0b", "NULL", "-", "--", "x" * 100_000, "word " * 20_000, "\ud800", "ﬁ", "🙂", "e\u0301", "what is the",
    "a.b.c", "...", "._.", "__init__", "1 2 3", "os.", ".path", "'; DROP TABLE pages; --",
]  # fmt: skip


@pytest.mark.parametrize("query", ODD_QUERIES, ids=lambda query: repr(query[:20]))
def test_odd_queries_raise_nothing(python_docs: Collection, query: str) -> None:
    assert len(python_docs.search(query)) <= 10


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text())
def test_every_text_is_a_valid_query(python_docs: Collection, query: str) -> None:
    python_docs.search(query)


@pytest.mark.parametrize("query", ["", "???", "zyzzyx", "環境"])
def test_query_that_matches_nothing_has_no_results(python_docs: Collection, query: str) -> None:
    assert python_docs.search(query) == ()


@pytest.mark.parametrize(
    ("query", "title"),
    [
        ("What does shutil.copytree do?", "shutil"),
        ("shutil.copytree", "shutil"),
        ("copytree", "shutil"),
        ("How do I copy a directory tree?", "shutil"),
        ("os.path.join", "os.path"),
        ("How do I join two paths with os.path?", "os.path"),
        ("os.path", "os.path"),
        ("os", "os"),
        ("disk_usage", "shutil"),
        ("disk usage", "shutil"),
        ("DISK USAGE!!", "shutil"),
        ("What does textwrap.dedent do?", "textwrap"),
        ("dedenting", "textwrap"),
        ("json.dumps", "json"),
        ("What's a Counter?", "collections"),
        ("what does zip() do", "builtins"),
        ("What does str.split return?", "builtins"),
        ("What does string.capwords do?", "string"),
    ],
)
def test_best_result(python_docs: Collection, query: str, title: str) -> None:
    hits = python_docs.search(query)
    assert hits[0].title == title
    assert len({hit.url for hit in hits}) == len(hits)


def test_title_and_heading_weigh_more_than_body(tmp_path: Path) -> None:
    filler = "other words that stand here "
    pages = {
        "body": titled("One", filler * 3 + "walrus. " + filler * 3),
        "heading": titled("Two", filler * 3) + f"<h2>The walrus and more</h2><p>{filler * 3}",
        "title": titled("A walrus story", filler * 6),
    }
    with made(tmp_path / "c", pages) as collection:
        assert [hit.url.rpartition("/")[2] for hit in collection.search("which walrus?")] == ["title", "heading", "body"]


def test_equal_pages_come_in_the_order_of_their_addresses(tmp_path: Path) -> None:
    names = [f"{number:02}" for number in range(30)]
    shuffled = random.Random(0).sample(names, len(names))
    with made(tmp_path / "c", {name: titled("Same", "equal text") for name in shuffled}) as collection:
        assert [hit.url for hit in collection.search("equal text")] == [f"http://made.up/{name}" for name in names[:10]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("東京", {"tokyo"}),
        ("東", {"tokyo"}),
        ("都", {"tokyo", "kyoto"}),
        ("京都の寺", {"kyoto", "tokyo"}),
        ("ソウル", {"seoul"}),
        ("ＡＢＣ", {"seoul"}),
        ("Zurich", {"zurich"}),
        ("zürich", {"zurich"}),
    ],
)
def test_search_works_in_every_script(tmp_path: Path, query: str, expected: set[str]) -> None:
    pages = {
        "tokyo": titled("日本", "東京都は日本の首都である。"),
        "kyoto": titled("古都", "京都には寺が多い。"),
        "seoul": titled("韓国", "ソウル ABC"),
        "zurich": titled("Schweiz", "Zürich ist eine Stadt"),
    }
    with made(tmp_path / "c", pages) as collection:
        assert {hit.url.rpartition("/")[2] for hit in collection.search(query)} == expected


@pytest.mark.parametrize(
    ("question", "words", "names"),
    [
        ("What does shutil.copytree do?", ("shutil", "copytree"), ("shutil.copytree",)),
        ("What's disk_usage?", ("disk", "usage"), ("disk_usage",)),
        ("foo-bar", ("foo", "bar"), ()),
        ("what is this", ("what", "is", "this"), ()),
        ("what does any() do", ("any",), ("any",)),
        ("json", ("json",), ("json",)),
        ("JSONDecodeError or ValueError", ("jsondecodeerror", "valueerror"), ("jsondecodeerror", "valueerror")),
        ("the re module", ("re", "module"), ()),
        ("東京都", ("東京", "京都"), ()),
        ("___", (), ()),
    ],
    ids=lambda value: str(value),
)
def test_words_of_a_question(question: str, words: tuple[str, ...], names: tuple[str, ...]) -> None:
    query = read_query(question)
    assert (query.words, query.names) == (words, names)


@pytest.mark.parametrize(
    ("heading", "names"),
    [
        ("copytree(src, dst)", {"copytree", "copytree()"}),
        ("class Error(OSError)", {"error", "error()"}),
        ("async gather(*aws)", {"gather", "gather()"}),
        ("shutil.copytree(src)", {"shutil.copytree", "copytree", "shutil.copytree()", "copytree()"}),
        ("maxsize = 3", {"maxsize"}),
        ("name", {"name"}),
        ("How it works", set()),
        ("", set()),
        ("1.2 Sections", set()),
    ],
)
def test_names_that_a_heading_defines(heading: str, names: set[str]) -> None:
    assert set(defined_names(heading)) == names


def test_text_without_spaces_is_indexed_as_pairs_of_characters() -> None:
    assert index_text("東京都 abc").split() == ["東京", "京都", "都", "abc"]
    assert index_text("plain") == "plain"


# ---------------------------------------------------------------------------- snippets


def test_snippet_of_a_name_is_its_definition(python_docs: Collection) -> None:
    snippet = python_docs.search("shutil.copytree")[0].snippet
    assert snippet.startswith("copytree(src, dst, ")
    assert "Recursively copy a directory tree" in snippet


@pytest.mark.parametrize(
    ("query", "beginning"),
    [
        ("What does str.split return?", "split(self, /, sep=None, maxsplit=-1)\n    Return a list of the"),
        ("os.path.join", "join(a, *p)"),
        ("collections.Counter", "class Counter(builtins.dict)"),
        ("What does disk usage mean?", "disk_usage(path)"),
    ],
)
def test_snippet_begins_with_the_definition(python_docs: Collection, query: str, beginning: str) -> None:
    assert python_docs.search(query)[0].snippet.startswith(beginning)


@pytest.mark.parametrize(
    "query", ["copy files", "OSError", "json encoder", "wrap a paragraph", "os.path", "sequence of characters"]
)
def test_snippet_can_be_quoted(python_docs: Collection, query: str) -> None:
    hits = python_docs.search(query)
    assert hits
    for hit in hits:
        page = python_docs.fetch(hit.url)
        assert hit.snippet
        assert hit.snippet in page.text
        assert find_next(page.normal, " ".join(hit.snippet.split()), 0) is not None


def test_a_snippet_contains_the_rare_words_that_occur_together() -> None:
    text = (
        "Cats and dogs.\n\n" + "Filler here. " * 100 + "\n\nDogs chase the zebra.\n\n" + "Filler here. " * 100 + "\n\nA zebra."
    )
    weights = {"dogs": 1.0, "zebra": 2.0}
    assert snippet(text, Relevance(weights, {})).startswith("Dogs chase the zebra.")


@given(
    st.text(st.sampled_from("ab .\nİ東。"), max_size=2000),
    st.dictionaries(st.sampled_from(["a", "b", "ab", "東", "zz"]), st.floats(0.1, 9)),
    st.integers(0, 50),
)
def test_a_snippet_is_a_contiguous_part_of_the_text(text: str, weights: dict[str, float], place: int) -> None:
    definitions = {min(place, len(text)): 3.0} if place else {}
    result = snippet(text, Relevance(weights, definitions))
    assert result in text
    assert result == result.strip()
    assert len(result) <= 700


# ---------------------------------------------------------------------------- building


def test_the_name_depends_on_the_content(tmp_path: Path) -> None:
    pages = {"a": titled("A", "one"), "b": titled("B", "two")}
    first = made(tmp_path / "1", pages).name
    assert first == made(tmp_path / "2", dict(reversed(pages.items()))).name
    assert first.startswith("made-up-")
    assert first != made(tmp_path / "3", {**pages, "b": titled("B", "three")}).name
    assert first != made(tmp_path / "4", {"a": pages["a"]}).name


def test_build_renders_only_what_has_changed(tmp_path: Path) -> None:
    path = tmp_path / "c"
    pages = {"same": titled("Same", "unchanging"), "new": titled("Old", "first"), "gone": titled("Gone", "lost")}
    report = build(path, Pages(pages))
    assert (report.num_pages, report.num_rendered, report.num_removed) == (3, 3, 0)
    report = build(path, Pages({"same": pages["same"], "new": titled("New", "second"), "more": titled("More", "third")}))
    assert (report.num_pages, report.num_rendered, report.num_removed) == (3, 2, 1)


def test_collection_brought_up_to_date_is_the_same_as_a_new_one(tmp_path: Path) -> None:
    old = {str(number): titled(f"Page {number}", f"common text {number} word{number % 7} 東京") for number in range(50)}
    new = {
        name: html if int(name) % 3 else titled(f"Changed {name}", "other text") for name, html in old.items() if int(name) % 5
    }
    build(tmp_path / "updated", Pages(old))
    build(tmp_path / "updated", Pages(new))
    with Collection.open(tmp_path / "updated") as updated, made(tmp_path / "fresh", new) as fresh:
        assert updated.name == fresh.name
        assert contents(updated) == contents(fresh)
        for query in ("common text", "word3", "changed", "page 7", "other", "東京", "5"):
            assert {hit.url for hit in updated.search(query)} == {hit.url for hit in fresh.search(query)}
        for table in ("frequencies", "redirects"):
            rows = [sorted(c._all[0].execute(f"SELECT * FROM {table}")) for c in (updated, fresh)]
            assert rows[0] == rows[1]
        check = updated._all[0].execute("SELECT count(*) FROM names WHERE page NOT IN (SELECT id FROM pages)").fetchone()
        assert check == (0,)


def test_page_that_cannot_be_rendered_is_skipped_and_named(tmp_path: Path) -> None:
    image = Document("http://made.up/image", b"\x89PNG\r\n\x1a\n" + bytes(100), "image/png")
    report = build(tmp_path / "c", Pages({"a": titled("A", "text")}, image, Skipped("x", "why")))
    assert report.num_pages == 1
    assert [item.name for item in report.skipped] == ["http://made.up/image", "x"]
    assert "image/png" in report.skipped[0].reason


def test_nothing_to_index_is_an_error_and_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "c"
    name = made(path, {"a": titled("A", "text")}).name
    with pytest.raises(CollectionError, match=r"there are no pages to index \(x: why\)"):
        build(path, Pages({}, Skipped("x", "why")))
    assert Collection.open(path).name == name


def test_on_item_is_called_with_every_item(tmp_path: Path) -> None:
    items: list[Item] = []
    source = Pages({"a": titled("A", "text")}, Redirect("http://made.up/r", "http://made.up/a"), Skipped("x", "why"))
    build(tmp_path / "c", source, on_item=items.append)
    assert items == list(source)


def test_first_of_two_documents_with_one_address_stays(tmp_path: Path) -> None:
    again = Document("http://made.up/a#again", b"second", "text/plain")
    with made(tmp_path / "c", {"a": titled("A", "first")}, again) as collection:
        assert collection.fetch("http://made.up/a").title == "A"


def test_a_damaged_collection_is_built_from_scratch(tmp_path: Path, python_docs_file: Path) -> None:
    path = tmp_path / "c"
    for harm in (other_version, cut_off, garbage_tables, half_built):
        shutil.copy(python_docs_file, path)
        harm(path)
        if harm is garbage_tables:  # the version is in the damaged part
            with path.open("r+b") as file:
                file.seek(68)
                file.write(APPLICATION_ID.to_bytes(4, "big"))
        assert made(path, {"a": titled("A", "text")}).urls() == ("http://made.up/a",)


def test_failing_source_leaves_the_old_file(tmp_path: Path) -> None:
    class Failing(Pages):
        def __iter__(self) -> Iterator[Item]:
            yield from super().__iter__()
            raise KeyboardInterrupt

    path = tmp_path / "c"
    made(path, {"a": titled("A", "text")}).close()
    before = path.read_bytes()
    with pytest.raises(KeyboardInterrupt):
        build(path, Failing({"b": titled("B", "text")}))
    assert path.read_bytes() == before
    assert {file.name for file in tmp_path.iterdir()} == {"c", ".c.lock"}


def test_a_reader_keeps_reading_the_file_that_it_opened(tmp_path: Path) -> None:
    path = tmp_path / "c"
    with made(path, {"a": titled("A", "old")}) as old:
        with made(path, {"b": titled("B", "new")}) as new:
            assert new.urls() == ("http://made.up/b",)
        assert old.fetch("http://made.up/a").title == "A"


def test_the_error_for_an_unwritable_place_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CollectionError, match="cannot be written"):
        build(tmp_path / "file" / "c", Pages({"a": "text"}))


SLOW_BUILD = """
    import sys, time
    from pathlib import Path
    from browser_env.pages.document import Document
    from browser_env.offline_web.indexing import build

    class Slow:
        label = "slow"
        addresses = frozenset()
        def __iter__(self):
            for number in range(1_000_000):
                yield Document(f"http://slow.up/{number}", b"text " * 2000, "text/plain")
                print(number, flush=True)

    build(Path(sys.argv[1]), Slow())
"""


@pytest.mark.parametrize("after", [0, 40, 400])
def test_a_killed_build_leaves_the_old_file_and_can_be_repeated(tmp_path: Path, after: int) -> None:
    path = tmp_path / "c"
    name = made(path, {"a": titled("A", "text")}).name
    child = subprocess.Popen([sys.executable, "-c", textwrap.dedent(SLOW_BUILD), path], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    for line in child.stdout:
        if int(line) >= after:
            break
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()
    assert Collection.open(path).name == name
    assert build(path, Pages({"b": titled("B", "text")})).num_pages == 1
    assert {file.name for file in tmp_path.iterdir()} == {"c", ".c.lock"}


def build_repeatedly(path: Path, word: str) -> None:
    for number in range(5):
        build(path, Pages({f"{word}{n}": titled(word, f"{word} {number}") for n in range(30)}))


def test_two_builds_at_once_leave_a_complete_file(tmp_path: Path) -> None:
    path = tmp_path / "c"
    context = multiprocessing.get_context("spawn")
    builders = [context.Process(target=build_repeatedly, args=(path, word)) for word in ("one", "two")]
    for builder in builders:
        builder.start()
    deadline = time.monotonic() + 60
    while any(builder.is_alive() for builder in builders) and time.monotonic() < deadline:
        if path.exists():
            with Collection.open(path) as collection:
                assert {page.title for page in contents(collection).values()} in ({"one"}, {"two"})
    for builder in builders:
        builder.join()
        assert builder.exitcode == 0
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.execute("INSERT INTO search (search) VALUES ('integrity-check')")
    connection.close()


def test_a_build_that_waits_too_long_raises_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("browser_env.offline_web.indexing.LOCK_SECONDS", 0.1)
    lock = sqlite3.connect(tmp_path / ".c.lock", isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    with pytest.raises(CollectionError, match="is being built by another program; wait until it has finished"):
        build(tmp_path / "c", Pages({"a": "text"}))
    lock.close()


# ---------------------------------------------------------------------------- the default collection


@pytest.fixture
def small_docs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the documentation of all modules by that of one module."""
    monkeypatch.setattr("browser_env.offline_web.default_collection.PythonDocs", lambda: PythonDocs(modules=("string",)))


@pytest.mark.usefixtures("small_docs")
def test_default_collection_is_built_once(tmp_path: Path) -> None:
    items: list[Item] = []
    with default_collection(items.append, folder=tmp_path) as collection:
        assert collection.search("capwords")[0].title == "string"
        name = collection.name
    assert items
    items.clear()
    with default_collection(items.append, folder=tmp_path) as collection:
        assert collection.name == name
    assert not items


@pytest.mark.usefixtures("small_docs")
@pytest.mark.parametrize("harm", [other_version, cut_off, garbage_head, garbage_tables, empty, half_built])
def test_default_collection_is_built_again_when_it_is_bad(tmp_path: Path, harm: object) -> None:
    default_collection(folder=tmp_path).close()
    assert callable(harm)
    harm(default_path(tmp_path))
    with default_collection(folder=tmp_path) as collection:
        assert collection.search("capwords")[0].title == "string"


@pytest.mark.usefixtures("small_docs")
@pytest.mark.parametrize("changed", ["browser_env.offline_web.default_collection.RENDERER_VERSION", "sys.version"])
def test_default_collection_is_built_again_for_another_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    default_collection(folder=tmp_path).close()
    monkeypatch.setattr(changed, "another")
    items: list[Item] = []
    with default_collection(items.append, folder=tmp_path) as collection:
        assert "another" in collection.made_from
    assert items
