import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from browser_env.errors import FetchError
from browser_env.network.client import Network
from browser_env.network.settings import NetworkSettings
from browser_env.offline_web.collection import Collection
from browser_env.offline_web.indexing import build
from browser_env.offline_web.sources import Redirect, Skipped
from browser_env.offline_web.sources.site import Site
from browser_env.pages.document import Document
from tests.browser_env.conftest import Answer, WebServer


def page(title: str, *links: str) -> Answer:
    anchors = " ".join(f'<a href="{link}">{link}</a>' for link in links)
    return Answer(f"<title>{title}</title><p>{title} {anchors}".encode())


class Clock:
    """A clock that advances only when `sleep` is called."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept.append(seconds)


def network(server: WebServer) -> Network:
    return Network(NetworkSettings(ports=frozenset({server.port}), allow_loopback=True))


def site(server: WebServer, path: str = "/docs/", **options: object) -> Site:
    clock = Clock()
    options = {"clock": clock, "sleep": clock.sleep, **options}
    return Site(f"{server.url}{path}", network(server), **options)  # type: ignore[arg-type]


@pytest.fixture
def docs(web_server: WebServer) -> WebServer:
    web_server.answers.update(
        {
            "/docs/": page(
                "Home", "a.html", "b.html#x", "/docs/sub/c", "/blog/", "https://example.org/", "x.png", "moved", "image"
            ),
            "/docs/a.html": page("A", "b.html", "./", "a.html#y"),
            "/docs/b.html": page("B"),
            "/docs/sub/c": page("C", "../d.html?q=1"),
            "/docs/d.html?q=1": page("D"),
            "/docs/moved": Answer(status=301, headers={"Location": "/docs/a.html"}),
            "/docs/image": Answer(b"\x89PNG", "image/png"),
            "/blog/": page("Blog"),
        }
    )
    return web_server


def test_pages_under_the_prefix_are_found_nearest_first(docs: WebServer) -> None:
    items = list(site(docs))
    documents = [item.url.removeprefix(docs.url) for item in items if isinstance(item, Document)]
    assert documents == ["/docs/", "/docs/a.html", "/docs/b.html", "/docs/sub/c", "/docs/d.html?q=1"]
    assert docs.requested[0] == "/robots.txt"
    assert docs.requested.count("/docs/a.html") == 2  # by itself, and as the end of a redirect
    assert len(docs.requested) == len(set(docs.requested)) + 1
    assert not {"/blog/", "/docs/x.png"} & set(docs.requested)


def test_redirects_and_skipped_media_types_are_reported(docs: WebServer) -> None:
    items = list(site(docs))
    assert Redirect(f"{docs.url}/docs/moved", f"{docs.url}/docs/a.html") in items
    (skipped,) = (item for item in items if isinstance(item, Skipped))
    assert skipped.name == f"{docs.url}/docs/image"
    assert "image/png" in skipped.reason


def test_redirect_out_of_the_prefix_is_not_indexed(docs: WebServer) -> None:
    docs.answers["/docs/moved"] = Answer(status=302, headers={"Location": "/blog/"})
    assert f"{docs.url}/blog/" not in {item.url for item in site(docs) if isinstance(item, Document)}


def test_collection_of_a_site_can_be_browsed(docs: WebServer, tmp_path: Path) -> None:
    build(tmp_path / "c", site(docs))
    with Collection.open(tmp_path / "c") as collection:
        assert collection.label == "127.0.0.1"
        assert collection.fetch(f"{docs.url}/docs/moved").title == "A"
        assert collection.search("home")[0].url == f"{docs.url}/docs/"


def test_robots_txt_is_obeyed(docs: WebServer) -> None:
    docs.answers["/robots.txt"] = Answer(b"User-agent: *\nDisallow: /docs/a\nCrawl-delay: 3\n", "text/plain")
    clock = Clock()
    items = list(site(docs, clock=clock, sleep=clock.sleep))
    assert Skipped(f"{docs.url}/docs/a.html", "robots.txt forbids it") in items
    assert Skipped(f"{docs.url}/docs/moved", f"robots.txt forbids {docs.url}/docs/a.html, to which it redirects") in items
    assert f"{docs.url}/docs/a.html" not in {item.url for item in items if isinstance(item, Document)}
    assert set(clock.slept[1:]) == {3.0}


@pytest.mark.parametrize("status", [401, 403])
def test_forbidden_robots_txt_forbids_everything(docs: WebServer, status: int) -> None:
    docs.answers["/robots.txt"] = Answer(status=status)
    assert list(site(docs)) == [Skipped(f"{docs.url}/docs/", "robots.txt forbids it")]


def test_failing_robots_txt_stops_the_build(docs: WebServer) -> None:
    docs.answers["/robots.txt"] = Answer(status=503)
    with pytest.raises(FetchError, match=r"robots.txt answers HTTP 503, so nothing may be fetched; try again later"):
        list(site(docs))


def test_the_minimum_time_between_requests_is_kept(docs: WebServer) -> None:
    clock = Clock()
    list(site(docs, clock=clock, sleep=clock.sleep, seconds_between=0.5))
    assert clock.slept[0] == 0
    assert set(clock.slept[1:]) == {0.5}


def test_the_number_of_pages_is_limited(docs: WebServer) -> None:
    assert sum(isinstance(item, Document) for item in site(docs, max_pages=2)) == 2


def test_errors_and_pages_that_cannot_be_rendered_are_skipped(docs: WebServer, tmp_path: Path) -> None:
    docs.answers["/docs/a.html"] = Answer(b"oops", status=500)
    docs.answers["/docs/b.html"] = Answer(b"\x00\x01\x02" * 100, "text/html")
    report = build(tmp_path / "c", site(docs))
    reasons = {item.name.removeprefix(docs.url): item.reason for item in report.skipped}
    assert reasons["/docs/a.html"] == "HTTP 500"
    assert "/docs/b.html" in reasons
    assert report.num_pages == 3


def test_a_finished_site_is_fetched_again_by_the_next_build(docs: WebServer, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    build(tmp_path / "c", site(docs, journal=journal))
    assert not journal.exists()
    docs.answers["/docs/b.html"] = page("Changed")
    assert build(tmp_path / "c", site(docs, journal=journal)).num_rendered == 1


CRAWL = """
    import sys
    from pathlib import Path
    from browser_env.offline_web.indexing import build
    from browser_env.network.client import Network
    from browser_env.network.settings import NetworkSettings
    from browser_env.offline_web.sources.site import Site

    port = int(sys.argv[1])
    network = Network(NetworkSettings(ports=frozenset({port}), allow_loopback=True))
    site = Site(f"http://127.0.0.1:{port}/docs/", network, seconds_between=0.02, journal=Path(sys.argv[2]))
    build(Path(sys.argv[3]), site, on_item=lambda item: print(item, flush=True))
"""


def test_a_killed_crawl_continues_where_it_stopped(web_server: WebServer, tmp_path: Path) -> None:
    for number in range(100):
        web_server.answers[f"/docs/{number or ''}"] = page(f"Page {number}", f"/docs/{number + 1}")
    journal, path = tmp_path / "journal", tmp_path / "c"
    command = [sys.executable, "-c", textwrap.dedent(CRAWL), str(web_server.port), str(journal), str(path)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    for _ in range(30):
        child.stdout.readline()
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()
    before = set(web_server.requested)
    assert len(before) >= 30
    assert not path.exists()
    web_server.requested.clear()
    subprocess.run(command, check=True, capture_output=True)
    assert set(web_server.requested) & before == {"/robots.txt"}
    with Collection.open(path) as collection:
        assert len(collection.urls()) == 100
