"""Recorded answers are replayed unchanged, whichever process and thread wrote them."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from browser_env.backends import FakeBackend, SearchHit
from browser_env.errors import FetchError, SnapshotError
from browser_env.network.client import Network
from browser_env.network.messages import Response
from browser_env.network.settings import NetworkSettings
from browser_env.pages.page import Link, Page
from browser_env.snapshots.backend import SnapshotBackend
from browser_env.snapshots.store import FILE_NAME, SnapshotStore
from tests.browser_env.conftest import Answer, WebServer

CROWS = Page(
    "https://birds.example/crows",
    "Crows 🐦‍⬛",
    "Crows bring gifts.\n\nTheir nests",
    links=(Link(0, 5, "https://birds.example/corvids"), Link(20, 31, "https://birds.example/nests#top")),
    anchors=(("gifts", 0), ("nests", 20)),
    headings=((20, 31),),
    notes=("12 hidden",),
)
WEB = FakeBackend([CROWS], {"\ud800": [SearchHit(CROWS.url, "Odd", "")]})


class Changing:
    """A backend whose answers differ every time."""

    name = "changing"

    def __init__(self) -> None:
        self.num_asked = 0

    def search(self, query: str) -> tuple[SearchHit, ...]:
        self.num_asked += 1
        return (SearchHit("http://a.org/", f"{query} {self.num_asked}", ""),)

    def fetch(self, url: str) -> Page:
        self.num_asked += 1
        if "broken" in url:
            raise FetchError(f"{url} failed {self.num_asked} times")
        return Page(url, "Page", f"Look {self.num_asked}")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SnapshotStore]:
    with SnapshotStore(tmp_path / "snapshots", create=True) as store:
        yield store


def test_recorded_answers_are_replayed_offline(store: SnapshotStore) -> None:
    recorded = SnapshotBackend(store, WEB)
    seen = (recorded.search("crows"), recorded.search("nothing"), recorded.search("\ud800"), recorded.fetch(CROWS.url))
    with SnapshotStore(store.path.parent) as again:
        replayed = SnapshotBackend(again)
        assert replayed.name == WEB.name
        assert (
            replayed.search("crows"), replayed.search("nothing"), replayed.search("\ud800"), replayed.fetch(f"{CROWS.url}#x")
        ) == seen  # fmt: skip
    assert seen[3] == CROWS
    assert seen[3].digest == CROWS.digest


def test_an_error_is_replayed_as_the_same_error(store: SnapshotStore) -> None:
    recorded = SnapshotBackend(store, Changing())
    messages = set()
    for backend in (recorded, recorded, SnapshotBackend(store)):
        with pytest.raises(FetchError) as caught:
            backend.fetch("http://broken.org/")
        messages.add(str(caught.value))
    assert messages == {"http://broken.org/ failed 1 times"}


def test_recorded_address_is_not_fetched_again(store: SnapshotStore) -> None:
    web = Changing()
    first = SnapshotBackend(store, web).fetch("http://a.org/")
    assert SnapshotBackend(store, web).fetch("http://a.org/#place") == first
    assert web.num_asked == 1


@pytest.mark.parametrize(
    "ask", [lambda b: b.search("unknown"), lambda b: b.fetch("http://unknown.org/")], ids=["search", "fetch"]
)
def test_missing_answer_is_a_snapshot_error_that_names_the_request(store: SnapshotStore, ask: object) -> None:
    SnapshotBackend(store, WEB).fetch(CROWS.url)
    with pytest.raises(SnapshotError, match=r"unknown.* is not among the snapshots in .*snapshots") as caught:
        ask(SnapshotBackend(store))  # type: ignore[operator]
    assert not isinstance(caught.value, FetchError)


def test_answer_has_its_final_address_time_and_renderer(store: SnapshotStore) -> None:
    moved = FakeBackend([CROWS])
    moved._pages["http://old.example/"] = CROWS
    SnapshotBackend(store, moved).fetch("http://old.example/")
    (answer,) = store.answers()
    assert (answer.request, answer.url) == ("http://old.example/", CROWS.url)
    assert answer.at.endswith("Z")
    assert answer.renderer > 0


def test_responses_are_stored_with_status_and_encoding(store: SnapshotStore, web_server: WebServer) -> None:
    web_server.answers["/old"] = Answer(status=301, headers={"Location": "/new"})
    web_server.answers["/new"] = Answer("Zoë".encode("latin-1"), "text/html; charset=latin-1", headers={"Set-Cookie": "a=b"})
    settings = NetworkSettings(ports=frozenset({web_server.port}), allow_loopback=True)
    network = Network(settings, on_response=store.add_response)
    for path in ("/old", "/new", "/none"):
        network.request(f"{web_server.url}{path}")
    received = {response.response.url.removeprefix(web_server.url): response for response in store.responses()}
    assert {path: (response.response.status, response.decoder) for path, response in received.items()} == {
        "/old": (301, "utf-8"), "/new": (200, "cp1252"), "/none": (404, "utf-8"),
    }  # fmt: skip
    assert "set-cookie" not in received["/new"].response.headers


def test_an_archive_without_answers_is_rendered_and_its_redirects_followed(store: SnapshotStore) -> None:
    store.begin("elsewhere")
    store.add_response(Response("http://a.org/old", 302, {"location": "new#part"}, b""))
    store.add_response(Response("http://a.org/new", 200, {"content-type": "text/html"}, b"<title>New</title>Words"))
    store.add_response(Response("http://a.org/loop", 302, {"location": "loop"}, b""))
    replayed = SnapshotBackend(store)
    page = replayed.fetch("http://a.org/old")
    assert (page.url, page.title, page.text) == ("http://a.org/new", "New", "Words")
    with pytest.raises(SnapshotError, match="not among"):
        replayed.fetch("http://a.org/loop")


def test_equal_content_is_stored_once_and_compressed(store: SnapshotStore) -> None:
    for number in range(20):
        store.add_response(Response(f"http://a.org/{number}", 200, {}, b"the same words " * 100_000))
    assert store.path.stat().st_size < 100_000


def test_concurrent_equal_requests_get_the_same_answer(store: SnapshotStore) -> None:
    recorded = SnapshotBackend(store, Changing())
    urls = [f"http://a.org/{number % 5}" for number in range(100)]
    with ThreadPoolExecutor(8) as pool:
        seen = list(pool.map(recorded.fetch, urls))
    assert {url: page.text for url, page in zip(urls, seen, strict=True)} == {page.url: page.text for page in seen}
    assert len({page.text for page in seen}) == 5


BROKEN = {
    "no file": (lambda path: path.unlink(), "there are no snapshots in"),
    "cut": (lambda path: path.write_bytes(path.read_bytes()[:5_000]), "cannot be used"),
    "no database": (lambda path: path.write_bytes(b"x" * 10_000), "cannot be used"),
    "another version": (lambda path: run_sql(path, "PRAGMA user_version = 99"), "is of version 99"),
    "an empty file": (lambda path: path.write_bytes(b""), "is of version 0"),
    "changed content": (lambda path: run_sql(path, "UPDATE content SET body = x'00'"), "is corrupt"),
    "content of another": (
        lambda path: run_sql(path, "UPDATE content SET body = (SELECT body FROM content ORDER BY digest LIMIT 1)"),
        "is corrupt",
    ),
    "no content": (lambda path: run_sql(path, "DELETE FROM content"), "is corrupt"),
}


def run_sql(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(statement)
    connection.close()


@pytest.mark.parametrize(("damage", "message"), BROKEN.values(), ids=BROKEN.keys())
def test_broken_folder_is_an_error_of_one_line(tmp_path: Path, damage: object, message: str) -> None:
    with SnapshotStore(tmp_path, create=True) as store:
        recorded = SnapshotBackend(store, WEB)
        recorded.fetch(CROWS.url)
        recorded.search("crows")
    damage(tmp_path / FILE_NAME)  # type: ignore[operator]
    with pytest.raises(SnapshotError, match=message) as caught, SnapshotStore(tmp_path) as store:
        backend = SnapshotBackend(store)
        backend.fetch(CROWS.url)
        backend.search("crows")
    assert len(str(caught.value).splitlines()) == 1


def test_snapshots_of_two_webs_do_not_mix(store: SnapshotStore) -> None:
    SnapshotBackend(store, WEB)
    with pytest.raises(SnapshotError, match="holds snapshots of fake, not of changing; pass another folder"):
        SnapshotBackend(store, Changing())


def test_an_empty_folder_cannot_be_replayed(store: SnapshotStore) -> None:
    with pytest.raises(SnapshotError, match="there is nothing to replay in"):
        SnapshotBackend(store)


def test_folder_that_cannot_be_created_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SnapshotError, match="cannot be used for snapshots"):
        SnapshotStore(tmp_path / "file", create=True)


WRITER = textwrap.dedent("""
    import sys
    from pathlib import Path
    from browser_env.pages.page import Page
    from browser_env.snapshots.backend import SnapshotBackend
    from browser_env.snapshots.store import SnapshotStore

    class Web:
        name = "web"
        def fetch(self, url):
            return Page(url, url, f"{url} as {sys.argv[2]} saw it. " * 500)

    with SnapshotStore(Path(sys.argv[1]), create=True) as store:
        recorded = SnapshotBackend(store, Web())
        for number in range(int(sys.argv[3])):
            page = recorded.fetch(f"http://a.org/{number}")
            print(number, page.digest, flush=True)
""")


def start_writer(folder: Path, name: str, num_pages: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", WRITER, str(folder), name, str(num_pages)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8")


def assert_stored(folder: Path, output: str) -> None:
    """Check that the folder contains every page that a writer printed."""
    with SnapshotStore(folder) as store:
        replayed = SnapshotBackend(store)
        for line in output.splitlines():
            number, digest = line.split()
            assert replayed.fetch(f"http://a.org/{number}").digest == digest


def test_concurrent_processes_store_the_same_answers(tmp_path: Path) -> None:
    writers = [start_writer(tmp_path, name, 20) for name in ("one", "two", "three")]
    outputs = [writer.communicate(timeout=60)[0] for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    assert len(set(outputs)) == 1
    assert len(outputs[0].splitlines()) == 20
    assert_stored(tmp_path, outputs[0])


def test_killed_writer_leaves_every_finished_answer(tmp_path: Path) -> None:
    for seed in range(3):
        lines = []
        with start_writer(tmp_path, f"victim {seed}", 100_000) as writer:
            assert writer.stdout is not None
            for _ in range(random.Random(seed).randrange(5, 20) + 20 * seed):
                lines.append(writer.stdout.readline())
            os.kill(writer.pid, signal.SIGKILL)
            lines += writer.stdout.readlines()
        assert writer.returncode == -signal.SIGKILL
        assert_stored(tmp_path, "".join(line for line in lines if line.endswith("\n")))
        run_sql(tmp_path / FILE_NAME, "PRAGMA integrity_check")
