"""The contract of `Backend`, tested on every backend of this package that works offline."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from browser_env.backends import Backend, FakeBackend
from browser_env.env import BrowserEnv
from browser_env.errors import FetchError
from browser_env.offline_web.collection import Collection
from browser_env.pages.page import Page
from browser_env.snapshots.backend import SnapshotBackend
from browser_env.snapshots.store import SnapshotStore

ODD_QUERIES = (
    "",
    " ",
    "foo-bar",
    "what's",
    "AND",
    '"x',
    "???",
    "東京",
    "\0",
    "\ud800",
    "x" * 100_000,
    "NEAR(a b)",
    "title:x",
    "-a",
    "a*",
)


@pytest.fixture(params=["fake", "collection", "recorded"])
def backend(request: pytest.FixtureRequest, python_docs_file: Path, tmp_path: Path) -> Backend:
    fake = FakeBackend([Page("http://a.org/shutil", "shutil", "copytree(src, dst)\n    Recursively copy a directory tree.")])
    if request.param == "fake":
        return fake
    if request.param == "recorded":
        store = SnapshotStore(tmp_path, create=True)
        request.addfinalizer(store.close)
        return SnapshotBackend(store, fake)
    collection = Collection.open(python_docs_file)
    request.addfinalizer(collection.close)
    return collection


def test_it_has_a_name(backend: Backend) -> None:
    assert backend.name
    assert backend.name == backend.name.strip()


def test_a_search_finds_pages_that_can_be_fetched(backend: Backend) -> None:
    hits = backend.search("copytree directory tree")
    assert hits
    for hit in hits:
        page = backend.fetch(hit.url)
        assert page.kind == "page"
        assert page.title == hit.title


def test_the_same_query_and_address_give_equal_results(backend: Backend) -> None:
    hits = backend.search("copytree directory")
    assert backend.search("copytree directory") == hits
    assert backend.fetch(hits[0].url) == backend.fetch(hits[0].url)


def test_a_fragment_is_ignored(backend: Backend) -> None:
    url = backend.search("copytree")[0].url
    assert backend.fetch(f"{url}#-copytree") == backend.fetch(url)


@pytest.mark.parametrize(
    "url", ["http://nowhere.invalid/", "", "nonsense", "http://[", "file:///etc/passwd", "http://a.org/\ud800"]
)
def test_an_address_without_a_page_raises_a_fetch_error_of_one_line(backend: Backend, url: str) -> None:
    with pytest.raises(FetchError) as caught:
        backend.fetch(url)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("query", ODD_QUERIES, ids=lambda query: ascii(query[:12]))
def test_odd_queries_raise_nothing(backend: Backend, query: str) -> None:
    assert isinstance(backend.search(query), tuple)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=st.text())
def test_every_text_is_a_valid_query(backend: Backend, query: str) -> None:
    backend.search(query)


def test_threads_get_the_same_results(backend: Backend) -> None:
    queries = ["copytree", "directory tree", "nothing of the kind"] * 20
    expected = [backend.search(query) for query in queries]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(backend.search, queries)) == expected


def test_a_snippet_can_be_quoted_from_its_page(backend: Backend) -> None:
    env = BrowserEnv(backend)
    env.reset("What does copytree do?")
    snippet = " ".join(backend.search("copytree")[0].snippet.split())
    env.step("Search copytree")
    env.step("Clicked on link 0")
    assert env.step(f"Quote: {snippet}").info.problem is None
