"""One contract for every search provider, against a local server with its documented API."""

import logging
import time
from collections.abc import Mapping
from dataclasses import replace

import pytest

from browser_env.backends import SearchHit
from browser_env.env import BrowserEnv
from browser_env.errors import FetchError, SearchConfigError, UsageError
from browser_env.live_web.backend import LiveWeb
from browser_env.live_web.search.engine import SearchEngine, clean_hits, network_for, plain
from browser_env.live_web.search.providers import PROVIDERS, make_provider
from browser_env.live_web.search.redirectors import unwrap
from browser_env.network.client import Network
from browser_env.network.settings import NetworkSettings
from tests.browser_env.conftest import Answer, WebServer
from tests.browser_env.live_web.providers import FAKES, KEY, Fake

TWO = (
    {"url": "https://crows.example/tools", "title": "Crows and tools", "snippet": "Crows make hooks of twigs."},
    {"url": "https://ravens.example/", "title": "Ravens", "snippet": "Ravens plan ahead."},
)


class Searching:
    """A search engine that sends the requests of one provider to a local server, and records its waiting times."""

    def __init__(self, fake: Fake, server: WebServer, max_seconds: float = 5) -> None:
        self.fake, self.server = fake, server
        kind = PROVIDERS[fake.name]
        environ = {kind.key_variable: KEY} if kind.key_variable else {}
        self.slept: list[float] = []
        provider = make_provider(fake.name, base_url=server.url, environ=environ)
        settings = network_for(provider).settings
        network = Network(replace(settings, max_seconds=max_seconds, requests_per_second=1e6), sleep=self.slept.append)
        self.engine = SearchEngine(provider, network, sleep=self.slept.append, jitter=lambda: 0.5)

    def set_results(self, *entries: Mapping[str, object], **answer: object) -> "Searching":
        """Set the results that the server returns."""
        self.server.answers[self.fake.path] = Answer(self.fake.reply(entries), "application/json", **answer)  # type: ignore[arg-type]
        return self

    def set_answer(self, answer: Answer) -> "Searching":
        self.server.answers[self.fake.path] = answer
        return self

    def url(self, entry: Mapping[str, object]) -> str:
        """URL of a result."""
        return self.server.url + self.fake.url_of(str(entry["title"])) if self.fake.name == "mediawiki" else str(entry["url"])

    def search(self, query: str = "crows") -> tuple[SearchHit, ...]:
        return self.engine.search(query)


@pytest.fixture(params=list(FAKES))
def searching(request: pytest.FixtureRequest, web_server: WebServer) -> Searching:
    return Searching(FAKES[request.param], web_server)


def test_every_provider_has_a_fake_server() -> None:
    assert set(FAKES) == set(PROVIDERS)


def test_results_keep_their_order(searching: Searching) -> None:
    assert searching.set_results(*TWO).search() == tuple(
        SearchHit(searching.url(hit), str(hit["title"]), str(hit["snippet"])) for hit in TWO
    )
    assert searching.slept == []


def test_request_is_as_documented(searching: Searching) -> None:
    fake, server = searching.fake, searching.server
    searching.set_results(*TWO).search("Über\n crows & tools?")
    (target,), (body,), (headers,) = server.requested, server.bodies, server.headers
    assert target.partition("?")[0] == fake.path
    assert bool(body) == (fake.method == "POST")
    assert fake.query_of(target, body) == "Über crows & tools?"
    lower = {name.lower(): value for name, value in headers.items()}
    assert lower["user-agent"].startswith("open-webgpt/")
    if fake.key_header is not None:
        assert lower[fake.key_header.lower()] == fake.key_format.format(KEY)
    assert KEY not in target


def test_long_query_is_cut_and_an_empty_one_is_not_sent(searching: Searching) -> None:
    assert searching.set_results().search(" \n ") == ()
    assert searching.server.requested == []
    searching.search("crow " * 2_000)
    (target,), (body,) = searching.server.requested, searching.server.bodies
    assert 100 <= len(searching.fake.query_of(target, body)) <= searching.engine.provider.max_query


def test_empty_results_are_not_an_error(searching: Searching) -> None:
    assert searching.set_results().search() == ()


def test_missing_fields_are_empty_and_results_without_an_address_are_dropped(searching: Searching) -> None:
    entries = (
        {"url": "https://a.example/", "title": "Only a title"},
        {"title": None, "snippet": 3},
        {"url": "", "title": "", "snippet": "nowhere"},
        {"url": "javascript:alert(1)", "title": "", "snippet": "no page"},
        {"url": "http://me:pw@a.example/", "title": "", "snippet": "credentials"},
    )
    (hit,) = searching.set_results(*entries).search()
    assert hit == SearchHit(searching.url(entries[0]), "Only a title", "")


@pytest.mark.parametrize("reply", [b"{}", b'{"results": null, "web": 3, "organic": {}, "data": [], "query": "x"}', b'{"results": [1, "x", null]}'])  # fmt: skip
def test_reply_without_results_has_none(searching: Searching, reply: bytes) -> None:
    assert searching.set_answer(Answer(reply, "application/json")).search() == ()


@pytest.mark.parametrize("searching", [name for name in FAKES if name != "duckduckgo"], indirect=True)
def test_markup_is_removed(searching: Searching) -> None:
    entry = {
        "url": "https://a.example/",
        "title": "Crows &amp; <b>tools</b>",
        "snippet": "A <strong class='x'>crow</strong>&#39;s\nhook <br/> List<int> &lt;b&gt;",
    }
    (hit,) = searching.set_results(entry).search()
    assert hit.title == "Crows & tools"
    assert hit.snippet == "A crow's hook List<int> <b>"


def test_markup_of_duckduckgo_is_removed(web_server: WebServer) -> None:
    page = b'<div class="result"><a class="result__a" href="https://a.example/">Crows &amp; <b>tools</b></a><a class="result__snippet">a <b>hook</b></a></div>'
    hits = Searching(FAKES["duckduckgo"], web_server).set_answer(Answer(page)).search()
    assert hits == (SearchHit("https://a.example/", "Crows & tools", "a hook"),)


def test_challenge_of_duckduckgo_is_an_error(web_server: WebServer) -> None:
    searching = Searching(FAKES["duckduckgo"], web_server)
    searching.set_answer(Answer(b'<div class="anomaly-modal__title">Unfortunately, bots use DuckDuckGo too.</div>', status=200))
    with pytest.raises(FetchError, match="whether a person is there"):
        searching.search()


@pytest.mark.parametrize("searching", [name for name in FAKES if name != "mediawiki"], indirect=True)
def test_redirectors_are_unwrapped_and_duplicates_dropped(searching: Searching) -> None:
    entries = (
        {"url": "https://www.google.com/url?q=https://a.example/x&sa=U", "title": "one", "snippet": "s"},
        {"url": "https://duckduckgo.com/l/?uddg=https%3A%2F%2Fa.example%2Fx%23part", "title": "the same", "snippet": "s"},
        {"url": "https://a.example/x?utm_source=feed", "title": "tracked", "snippet": "s"},
        {"url": "https://a.example/y", "title": "another", "snippet": "s"},
    )
    assert [hit.url for hit in searching.set_results(*entries).search()] == ["https://a.example/x", "https://a.example/y"]


@pytest.mark.parametrize("status", [401, 403])
def test_refused_key_is_a_configuration_error(searching: Searching, status: int) -> None:
    searching.set_answer(Answer(f'{{"error": "bad key {KEY}"}}'.encode(), "application/json", status))
    variable = PROVIDERS[searching.fake.name].key_variable or f"{searching.fake.name.upper()}_URL"
    env = BrowserEnv(LiveWeb(searching.engine, lambda url: pytest.fail(url)))
    env.reset("crows?")
    with pytest.raises(SearchConfigError, match=rf"HTTP {status}\).*{variable}") as raised:
        env.step("Search crows")
    assert KEY not in str(raised.value)


def test_used_up_quota_is_a_configuration_error(web_server: WebServer) -> None:
    searching = Searching(FAKES["tavily"], web_server).set_answer(Answer(b'{"detail":{"error":"plan"}}', status=432))
    with pytest.raises(SearchConfigError, match=r"no searches left.*TAVILY_API_KEY"):
        searching.search()


def test_key_is_not_sent_to_the_target_of_a_redirect(searching: Searching) -> None:
    searching.set_answer(Answer(status=302, headers={"Location": "https://other.example/"}))
    with pytest.raises(SearchConfigError, match=rf"is not at {searching.server.url}.*_URL"):
        searching.search()


def test_busy_provider_is_asked_again_after_its_retry_after(searching: Searching) -> None:
    searching.set_results(*TWO)
    good = searching.server.answers[searching.fake.path]
    searching.set_answer(Answer(status=429, headers={"Retry-After": "2"}, then=good))
    assert len(searching.search()) == 2
    assert searching.slept == [2.0]


def test_busy_provider_without_retry_after_is_asked_again_after_a_pause(searching: Searching) -> None:
    searching.set_results(*TWO)
    searching.set_answer(Answer(status=429, then=searching.server.answers[searching.fake.path]))
    assert len(searching.search()) == 2
    assert searching.slept == [1.5]


@pytest.mark.parametrize(("headers", "num_asked"), [({}, 2), ({"Retry-After": "1"}, 2), ({"Retry-After": "3600"}, 1)])
def test_provider_that_stays_busy_is_an_error(searching: Searching, headers: dict[str, str], num_asked: int) -> None:
    searching.set_answer(Answer(f"calm down, {KEY}".encode(), status=429, headers=headers))
    with pytest.raises(
        FetchError, match=rf"the search failed: {searching.fake.name}: too many searches \(HTTP 429\)"
    ) as raised:
        searching.search()
    assert len(searching.server.requested) == num_asked
    assert KEY not in str(raised.value)


@pytest.mark.parametrize("status", [500, 502, 503])
def test_failing_provider_is_asked_once_more(searching: Searching, status: int) -> None:
    searching.set_results(*TWO)
    searching.set_answer(Answer(status=status, then=searching.server.answers[searching.fake.path]))
    assert len(searching.search()) == 2
    searching.set_answer(Answer(KEY.encode(), status=status))
    with pytest.raises(FetchError, match=f"{searching.fake.name}: it answered HTTP {status}$"):
        searching.search()


@pytest.mark.parametrize("reply", [b"", b"{", b"[]", b"null", b"\xff\xfe\x00", b"<html>", b"[" * 100_000])
def test_malformed_reply_is_an_error_that_names_the_provider(searching: Searching, reply: bytes) -> None:
    searching.set_answer(Answer(reply, "application/json"))
    if searching.fake.name == "duckduckgo":
        assert searching.search() == ()  # HTML, whatever it is
        return
    with pytest.raises(FetchError, match=rf"the search failed: {searching.fake.name}: it answered with .*JSON"):
        searching.search()


def test_slow_provider_is_an_error_at_the_time_limit(searching: Searching) -> None:
    slow = Searching(searching.fake, searching.server, max_seconds=0.2)
    slow.set_answer(Answer(write=lambda handler: time.sleep(0.5)))
    with pytest.raises(FetchError, match=rf"{slow.fake.name}: .*did not answer within 0\.2 seconds"):
        slow.search()
    assert len(slow.server.requested) == 2


def test_unreachable_provider_is_a_configuration_error_until_it_has_answered(searching: Searching) -> None:
    searching.engine.provider = replace(searching.engine.provider, base_url="http://127.0.0.1:9")
    searching.engine._network = Network(NetworkSettings(ports=frozenset({9}), allow_private=True))
    variable = f"{searching.fake.name.upper()}_URL"
    with pytest.raises(SearchConfigError, match=rf"no {searching.fake.name} answers at http://127\.0\.0\.1:9: set {variable}"):
        searching.search()
    searching.engine._has_answered = True
    with pytest.raises(FetchError, match=rf"the search failed: {searching.fake.name}: .* could not be fetched"):
        searching.search()


def test_failed_search_is_shown_to_the_policy(searching: Searching) -> None:
    env = BrowserEnv(LiveWeb(searching.set_answer(Answer(status=500)).engine, lambda url: pytest.fail(url)))
    env.reset("crows?")
    assert f"the search failed: {searching.fake.name}: it answered HTTP 500" in env.step("Search crows").observation


def test_key_is_not_logged_or_shown(searching: Searching, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        searching.set_results(*TWO).search()
        for status in (401, 429, 500):
            searching.set_answer(Answer(status=status))
            with pytest.raises((FetchError, SearchConfigError)):
                searching.search()
    provider = searching.engine.provider
    messages = [record.getMessage() for record in caplog.records]
    described = [repr(provider), str(provider), repr(provider.request("q")), repr(searching.engine), searching.engine.name]
    assert not [text for text in (*messages, *described, caplog.text) if KEY in text]


# ---------------------------------------------------------------------------- choice of a provider


@pytest.mark.parametrize(
    ("name", "environ", "expected", "url"),
    [
        (None, {}, "searxng", "http://localhost:8080"),
        (None, {"SEARXNG_URL": "http://search.lan:8888/"}, "searxng", "http://search.lan:8888"),
        (None, {"SEARCH_PROVIDER": "brave", "BRAVE_API_KEY": "k"}, "brave", "https://api.search.brave.com"),
        ("kagi", {"SEARCH_PROVIDER": "brave", "KAGI_API_KEY": "k"}, "kagi", "https://kagi.com"),
        ("exa", {"EXA_API_KEY": " k ", "SEARXNG_URL": "http://x.lan"}, "exa", "https://api.exa.ai"),
        ("ddgs", {}, "duckduckgo", "https://html.duckduckgo.com"),
        ("mediawiki", {"MEDIAWIKI_URL": "https://de.wikipedia.org/w"}, "mediawiki", "https://de.wikipedia.org/w"),
    ],
)
def test_provider_is_chosen_by_name_or_environment(name: str | None, environ: dict[str, str], expected: str, url: str) -> None:
    provider = make_provider(name, environ=environ)
    assert (provider.name, provider.base_url) == (expected, url)
    assert provider.key in ("", "k")


@pytest.mark.parametrize(
    ("name", "environ", "expected"),
    [
        ("bing", {}, "'bing' is not a search provider; pass one of searxng, brave"),
        ("brave", {}, "brave needs a key: set BRAVE_API_KEY"),
        ("you", {"YDC_API_KEY": " "}, "you needs a key: set YDC_API_KEY"),
        ("serper", {"SERPER_API_KEY": "a\nb"}, "SERPER_API_KEY contains characters that are not valid in an API key"),
        (None, {"SEARXNG_URL": "search.lan"}, "SEARXNG_URL is not the URL of a server"),
        (None, {"SEARXNG_URL": "http://me:secret@search.lan"}, "SEARXNG_URL is not the URL of a server"),
    ],
)
def test_provider_that_cannot_be_used_says_what_to_set(name: str | None, environ: dict[str, str], expected: str) -> None:
    with pytest.raises(UsageError, match=expected) as raised:
        make_provider(name, environ=environ)
    assert "secret" not in str(raised.value)


def test_private_addresses_are_allowed_only_for_configured_providers() -> None:
    assert network_for(make_provider("searxng", environ={})).settings.allow_private
    assert network_for(make_provider("mediawiki", base_url="http://wiki.lan/w", environ={})).settings.allow_private
    assert not network_for(make_provider("brave", environ={"BRAVE_API_KEY": "k"})).settings.allow_private
    assert network_for(make_provider("brave", environ={"BRAVE_API_KEY": "k"})).settings.ports == {443}


def test_addresses_of_wikipedia_are_made_of_titles() -> None:
    wiki = make_provider("wikipedia", environ={})
    reply = '{"query":{"search":[{"title":"C♯ (note)"},{"title":"AC/DC"}]}}'.encode()
    assert [hit.url for hit in wiki.hits(reply)] == [
        "https://en.wikipedia.org/wiki/C%E2%99%AF_(note)",
        "https://en.wikipedia.org/wiki/AC/DC",
    ]


# ---------------------------------------------------------------------------- cleaning of hits


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://www.google.com/url?sa=t&url=https%3A%2F%2Fa.example%2F&ved=2", "https://a.example/"),
        ("https://google.co.uk/url?q=http://a.example/", "http://a.example/"),
        ("https://www.bing.com/ck/a?!&&p=1&u=a1aHR0cHM6Ly9hLmV4YW1wbGUv&ntb=1", "https://a.example/"),
        ("https://duckduckgo.com/l/?uddg=https%3A%2F%2Fa.example%2F&rut=1", "https://a.example/"),
        ("https://r.search.yahoo.com/_ylt=A/RV=2/RE=1/RO=10/RU=https%3a%2f%2fa.example%2f/RK=2/RS=x", "https://a.example/"),
        ("https://www.google.com/url?q=https://duckduckgo.com/l/?uddg=https://a.example/", "https://a.example/"),
        ("https://www.google.com/url?q=javascript:alert(1)", "javascript:alert(1)"),
        ("https://www.google.com/url", "https://www.google.com/url"),
        ("https://www.bing.com/ck/a?u=a1%ff%ff", "https://www.bing.com/ck/a?u=a1%ff%ff"),
        ("https://notgoogle.com/url?q=http://a.example/", "https://notgoogle.com/url?q=http://a.example/"),
        ("https://google.com.evil.example/url?q=http://a.example/", "https://google.com.evil.example/url?q=http://a.example/"),
        ("https://a.example/url?q=http://b.example/", "https://a.example/url?q=http://b.example/"),
        ("http://[", "http://["),
    ],
)
def test_redirector_is_unwrapped(url: str, expected: str) -> None:
    assert unwrap(url) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a <b>b</b> c", "a b c"),
        ("if a < b and c > d", "if a < b and c > d"),
        ("vector<string> and <T>", "vector<string> and <T>"),
        ("<script>alert('<b>')</script>shown<!-- not -->", "shown"),
        ("&lt;b&gt; &amp;amp; &quot;", '<b> &amp; "'),
        ('<span class="searchmatch">Crow</span>s', "Crows"),
        ("<b" * 10_000, "<b" * 5_000),
        ("<script" * 100_000, ("<script" * 1_429)[:10_000]),
    ],
)
def test_markup_of_titles_and_snippets_is_removed(text: str, expected: str) -> None:
    assert plain(text) == expected


def test_number_and_length_of_results_are_capped() -> None:
    hits = [SearchHit(f"https://a.example/{number}", "t" * 10_000, "s" * 10_000) for number in range(100)]
    cleaned = list(clean_hits(hits))
    assert len(cleaned) == 20
    assert max(len(hit.title) + len(hit.snippet) for hit in cleaned) == 1_300
