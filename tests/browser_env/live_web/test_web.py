"""The live web as a backend, against servers on this machine."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from browser_env.command_line.web_options import WebOptions
from browser_env.env import BrowserEnv
from browser_env.errors import FetchError, Refused, UsageError
from browser_env.live_web.backend import LiveWeb
from browser_env.live_web.loading import Fetcher, is_readable
from browser_env.live_web.search.engine import SearchEngine
from browser_env.live_web.search.providers import make_provider
from browser_env.network.client import Network
from browser_env.network.robots import Robots
from browser_env.network.settings import NetworkSettings
from browser_env.offline_web.collection import Collection
from browser_env.pages.document import Document
from tests.browser_env.conftest import Answer, WebServer
from tests.tools.towns import Country, TownServer, serving_towns


@pytest.fixture(scope="module")
def towns() -> Iterator[TownServer]:
    with serving_towns(Country(40)) as server:
        yield server


class Web:
    """A live web on a local server, with a clock that only the test moves."""

    def __init__(self, url: str, port: int) -> None:
        self.now = 0.0
        settings = NetworkSettings(ports=frozenset({port}), allow_loopback=True, requests_per_second=1e6)
        self.network = Network(settings)
        engine = SearchEngine(make_provider("searxng", base_url=url, environ={}))
        self.backend = LiveWeb(engine, Fetcher(self.network), robots=Robots(self.network), clock=lambda: self.now)


def test_search_and_visit(towns: TownServer) -> None:
    web = Web(towns.url, towns.port).backend
    town = towns.country.towns[3]
    env = BrowserEnv(web)
    env.reset(town.question)
    assert town.name in env.step(f"Search {town.name}").observation
    shown = env.step("Clicked on link 0").observation
    assert f"founded by {town.founder}" in " ".join(shown.split())
    assert env.state.page.url == towns.url + town.path


def test_redirect_is_cited_by_its_final_address(towns: TownServer) -> None:
    town = towns.country.towns[4]
    page = Web(towns.url, towns.port).backend.fetch(f"{towns.url}/old/{town.name.lower()}#people")
    assert page.url == towns.url + town.path


def test_page_that_robots_txt_forbids_is_an_error_page(towns: TownServer) -> None:
    web = Web(towns.url, towns.port).backend
    with pytest.raises(Refused, match=r"robots\.txt of 127\.0\.0\.1 forbids to visit"):
        web.fetch(f"{towns.url}/private/ledger")
    with WebOptions(web=True, search_url=towns.url, loopback_port=towns.port, ignore_robots=True).open() as free:
        assert "Nobody but people" in free.fetch(f"{towns.url}/private/ledger").text


def test_redirect_into_what_robots_txt_forbids_is_refused(web_server: WebServer) -> None:
    web_server.answers["/robots.txt"] = Answer(b"User-agent: *\nDisallow: /private/\n", "text/plain")
    web_server.answers["/open"] = Answer(status=302, headers={"Location": "/private/x"})
    web_server.answers["/private/x"] = Answer(b"<p>secret")
    with pytest.raises(Refused, match="forbids to visit"):
        Web(web_server.url, web_server.port).backend.fetch(f"{web_server.url}/open")


def test_missing_page_and_picture_are_errors(web_server: WebServer) -> None:
    web_server.answers["/picture"] = Answer(b"\x89PNG\r\n", "image/png")
    web = Web(web_server.url, web_server.port).backend
    with pytest.raises(FetchError, match="HTTP 404 Not Found"):
        web.fetch(f"{web_server.url}/none")
    with pytest.raises(FetchError, match="unsupported content type: image/png"):
        web.fetch(f"{web_server.url}/picture")


@pytest.mark.parametrize(
    ("media_type", "expected"),
    [
        ("text/html", True),
        ("application/pdf", True),
        ("", True),
        ("application/octet-stream", True),
        ("application/ld+json", True),
        ("image/png", False),
        ("video/mp4", False),
        ("font/woff2", False),
        ("application/zip", False),
        ("application/gzip", False),
        ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", False),
    ],
)
def test_only_media_types_of_pages_are_read(media_type: str, expected: bool) -> None:
    assert is_readable(media_type) is expected


def test_pages_and_searches_are_cached_for_some_minutes(towns: TownServer) -> None:
    web = Web(towns.url, towns.port)
    town = towns.country.towns[5]
    towns.asked.clear()
    for _ in range(3):
        web.backend.search(town.name)
        first = web.backend.fetch(towns.url + town.path)
    assert (towns.asked["/search"], towns.asked[town.path], towns.asked["/robots.txt"]) == (1, 1, 1)
    web.now += 601
    web.backend.search(town.name)
    assert web.backend.fetch(towns.url + town.path) == first
    assert (towns.asked["/search"], towns.asked[town.path]) == (2, 2)


def test_concurrent_sessions_fetch_a_page_once(towns: TownServer) -> None:
    web = Web(towns.url, towns.port).backend
    town = towns.country.towns[6]
    towns.asked.clear()
    with ThreadPoolExecutor(16) as pool:
        pages = list(pool.map(lambda _: web.fetch(towns.url + town.path), range(64)))
    assert len({id(page) for page in pages}) == 1
    assert towns.asked[town.path] == 1


def test_failure_is_not_cached(web_server: WebServer) -> None:
    web_server.answers["/x"] = Answer(status=500, then=Answer(b"<p>there again"))
    web = Web(web_server.url, web_server.port).backend
    with pytest.raises(FetchError, match="HTTP 500"):
        web.fetch(f"{web_server.url}/x")
    assert web.fetch(f"{web_server.url}/x").text == "there again"


def test_any_loader_of_documents_can_be_used(towns: TownServer) -> None:
    engine = SearchEngine(make_provider("searxng", base_url=towns.url, environ={}))
    web = LiveWeb(engine, lambda url: Document(url, b"<p>drawn", "text/html"))
    assert web.fetch("https://any.example/").text == "drawn"


def test_default_is_an_offline_web(small_collection: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files: list[Path | None] = []

    def open_web(file: Path | None) -> Collection:
        files.append(file)
        return Collection.open(small_collection)

    monkeypatch.setattr("browser_env.command_line.web_options.open_web", open_web)
    with WebOptions().open() as web:
        assert web.search("copytree")
    assert files == [None]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"provider": "brave"}, "--provider needs --web"),
        ({"loopback_port": 80}, "--loopback-port needs --web"),
        ({"ignore_robots": True}, "--ignore-robots needs --web"),
    ],
)
def test_options_of_the_live_web_need_it(options: dict[str, object], expected: str) -> None:
    with pytest.raises(UsageError, match=expected):
        WebOptions(**options)  # type: ignore[arg-type]


def test_loopback_is_refused_by_default(towns: TownServer) -> None:
    with WebOptions(web=True, search_url=towns.url).open() as web:
        (hit, *_) = web.search(towns.country.towns[0].name)
        with pytest.raises(Refused, match=r"port .* may not be connected to"):
            web.fetch(hit.url)
