import pytest

from browser_env.errors import FetchError, Refused
from browser_env.network.client import Network
from browser_env.network.robots import DISALLOW_ALL, Robots, Rules, read_robots
from browser_env.network.settings import NetworkSettings
from tests.browser_env.conftest import Answer, WebServer

ME = "open-webgpt/0.1 (text browser for research)"


@pytest.mark.parametrize(
    ("rules", "path", "expected"),
    [
        ("", "/", True),
        ("Disallow: /", "/anything", False),
        ("Disallow:", "/anything", True),
        ("Disallow: /a", "/about", False),
        ("Disallow: /a/", "/about", True),
        ("Disallow: /\nAllow: /public", "/public/x", True),
        ("Disallow: /\nAllow: /public", "/private", False),
        ("Allow: /public\nDisallow: /public/not", "/public/not/this", False),
        ("Allow: /page\nDisallow: /page", "/page", True),
        ("Disallow: /*.php", "/x/y.php?z", False),
        ("Disallow: /*.php$", "/x/y.php?z", True),
        ("Disallow: /*.php$", "/x/y.php", False),
        ("Disallow: /x$", "/x", False),
        ("Disallow: /x$", "/xy", True),
        ("Disallow: /a*b*c$", "/a-b-b-c", False),
        ("Disallow: /a*b*c$", "/a-c", True),
        ("Disallow: /*?", "/x?y", False),
        ("Disallow: /%7Eme", "/~me/x", False),
        ("Disallow: /ü", "/%C3%BC", False),
        ("Disallow: /%c3%bc", "/%C3%BC", False),
        ("Disallow: /%62ar", "/bar", False),
        ("Disallow: /file-%2A.html", "/file-*.html", False),
        ("Disallow: /file-%2A.html", "/file-x.html", True),
        ("Disallow: /file-%2a.html", "/file-x.html", True),
        ("Disallow: /file-%24", "/file-$", False),
        ("Disallow: /file-%24", "/file-", True),
        ("Disallow: /a$b", "/a$b", False),
        ("Disallow: /a%2Fb", "/a/b", True),
        ("Disallow: /a/b", "/a%2Fb", True),
        ("Disallow: /s%3Fq", "/s?q=1", True),
        ("Disallow: /a%23b", "/a%23b", False),
        ("Disallow: /100%", "/100%", False),
        ("Disallow: /", "/robots.txt", True),
        ("disallow : /a # said somebody", "/a", False),
        ("Noindex: /\nSitemap: /x", "/a", True),
    ],
)
def test_longest_matching_rule_decides(rules: str, path: str, expected: bool) -> None:
    assert read_robots(f"User-agent: *\n{rules}\n", ME).allow(path) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("User-agent: *\nDisallow: /\nUser-agent: open-webgpt\nDisallow: /a", True),
        ("User-agent: Open-WebGPT/2\nDisallow: /\n\nUser-agent: *\nDisallow: /a", False),
        ("User-agent: other\nDisallow: /", True),
        ("User-agent: other\nUser-agent: open-webgpt\nDisallow: /", False),
        ("User-agent: open-webgpt\nDisallow: /a\nUser-agent: *\nUser-agent: open-webgpt\nDisallow: /", False),
        ("Disallow: /", True),
        ("\ufeffUser-agent: *\r\nDisallow: /\r\n", False),
        ("<html>not found</html>", True),
        ("User-agent\n::::\nUser-agent: *", True),
    ],
)
def test_groups_for_this_crawler_apply(text: str, expected: bool) -> None:
    assert read_robots(text, ME).allow("/page") is expected


def test_crawl_delay_is_parsed() -> None:
    assert read_robots("User-agent: *\nCrawl-delay: 2.5\nDisallow: /x", ME).crawl_delay == 2.5
    assert read_robots("User-agent: *\nCrawl-delay: soon", ME).crawl_delay is None


def test_pattern_with_many_wildcards_is_matched_in_linear_time() -> None:
    rules = Rules((("/" + "*a" * 2_000 + "$", False),))
    assert rules.allow("/" + "a" * 50_000 + "b")


def test_many_agents_with_many_rules_are_parsed_in_linear_time() -> None:
    text = "".join(f"User-agent: crawler-{number:x}\n" for number in range(15_000)) + "Disallow: /a\n" * 15_000
    assert read_robots(text, ME) == Rules()


def robots_of(server: WebServer, clock: object = lambda: 0.0) -> Robots:
    settings = NetworkSettings(ports=frozenset({server.port}), allow_loopback=True, requests_per_second=1e6)
    return Robots(Network(settings), clock=clock)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer(status=404), Rules()),
        (Answer(status=410), Rules()),
        (Answer(status=401), DISALLOW_ALL),
        (Answer(status=403), DISALLOW_ALL),
        (Answer(b"User-agent: *\nDisallow: /a\n"), Rules((("/a", False),))),
    ],
)
def test_status_decides_which_rules_apply(web_server: WebServer, answer: Answer, expected: Rules) -> None:
    web_server.answers["/robots.txt"] = answer
    assert robots_of(web_server).rules(web_server.url) == expected


@pytest.mark.parametrize("status", [429, 500, 503])
def test_site_whose_robots_txt_fails_is_not_visited(web_server: WebServer, status: int) -> None:
    web_server.answers["/robots.txt"] = Answer(status=status)
    with pytest.raises(FetchError, match=f"answers HTTP {status}, so nothing may be fetched"):
        robots_of(web_server).check(f"{web_server.url}/x")


def test_robots_txt_is_fetched_once_an_hour(web_server: WebServer) -> None:
    web_server.answers["/robots.txt"] = Answer(b"User-agent: *\nDisallow: /a\n")
    time = [0.0]
    robots = robots_of(web_server, lambda: time[0])
    for _ in range(3):
        robots.check(f"{web_server.url}/b?c")
        with pytest.raises(Refused, match=r"robots\.txt of 127\.0\.0\.1 forbids to visit .*/a"):
            robots.check(f"{web_server.url}/a")
    assert web_server.requested == ["/robots.txt"]
    time[0] = 3_601
    robots.check(f"{web_server.url}/b")
    assert len(web_server.requested) == 2
