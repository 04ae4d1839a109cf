"""Requests and responses of the network client, redirects, retries and rate limits; `test_network` tests which servers it visits."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler

import pytest

from browser_env.errors import FetchError, Refused
from browser_env.network.addresses import parse_address
from browser_env.network.client import Network, retry_after
from browser_env.network.settings import NetworkSettings
from tests.browser_env.conftest import Answer, WebServer, serving
from tests.browser_env.network.test_network import visiting


def test_headers_and_body_are_sent(web_server: WebServer) -> None:
    web_server.answers["/api"] = Answer(b"{}", "application/json", headers={"X-Rate": "1", "Set-Cookie": "id=1"})
    response = visiting(web_server).request(
        f"{web_server.url}/api", method="POST", headers={"X-Key": "k", "accept": "application/json"}, body=b"q=1"
    )
    (headers,), (body,) = web_server.headers, web_server.bodies
    assert (headers["X-Key"], headers["Accept"], headers["Content-Length"], body) == ("k", "application/json", "3", b"q=1")
    assert (response.status, response.body, response.content_type) == (200, b"{}", "application/json")
    assert response.headers["x-rate"] == "1"
    assert not {"set-cookie", "content-length"} & response.headers.keys()


def test_headers_of_the_connection_cannot_be_set(web_server: WebServer) -> None:
    web_server.answers["/"] = Answer(b"x")
    forged = {"Host": "other.example", "Cookie": "id=1", "Accept-Encoding": "compress", "Content-Length": "9", "TE": "trailers"}
    visiting(web_server).request(f"{web_server.url}/", headers=forged)
    (headers,) = web_server.headers
    assert headers["Host"] == f"127.0.0.1:{web_server.port}"
    assert headers["Accept-Encoding"] == "gzip, deflate, br, zstd"
    assert not {"Cookie", "Content-Length", "Te"} & headers.keys()


@pytest.mark.parametrize("headers", [{"X-A": "b\r\nX-C: d"}, {"X-A\r\nX-B": "c"}, {"X A": "b"}, {"X-A": "b\0"}])
def test_header_injection_is_refused(web_server: WebServer, headers: dict[str, str]) -> None:
    web_server.answers["/"] = Answer(b"x")
    with pytest.raises(FetchError, match="could not be fetched"):
        visiting(web_server).request(f"{web_server.url}/", headers=headers)
    assert web_server.requested == []


def test_head_response_has_no_body(web_server: WebServer) -> None:
    web_server.answers["/"] = Answer(headers={"Content-Encoding": "gzip", "Content-Length": "1000"})
    response = visiting(web_server).request(f"{web_server.url}/", method="HEAD")
    assert (response.status, response.body) == (200, b"")


def test_repeated_headers_are_joined(web_server: WebServer) -> None:
    def write(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nVia: a\r\nVIA: b\r\nContent-Length: 0\r\n\r\n")

    web_server.answers["/"] = Answer(write=write)
    assert visiting(web_server).request(f"{web_server.url}/").headers["via"] == "a, b"


# ---------------------------------------------------------------------------- addresses


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://Example.ORG", "http://example.org/"),
        ("HTTPS://example.org:443/a#b", "https://example.org/a"),
        ("http://example.org:443/", "http://example.org:443/"),
        ("http://bücher.example/ü?ß=ä", "http://xn--bcher-kva.example/%C3%BC?%C3%9F=%C3%A4"),
        ("http://BÜCHER.example/", "http://xn--bcher-kva.example/"),
        ("http://ＥＸＡＭＰＬＥ.org/", "http://example.org/"),
        ("http://東京.example/", "http://xn--1lqs71d.example/"),
        ("http://example。org/", "http://example.org/"),
        ("http://example.org/a b%20c", "http://example.org/a%20b%20c"),
        ("http://[2606:4700::1111]:80/x", "http://[2606:4700::1111]/x"),
        ("http://a_b.example/", "http://a_b.example/"),
    ],
)
def test_address_is_normalized(url: str, expected: str) -> None:
    assert str(parse_address(url)) == expected


@pytest.mark.parametrize(
    "url", ["http://" + "ü" * 70 + ".example/", "http://a..ü.example/", "http://\u200d.example/", "http://ü\ud800/"]
)
def test_invalid_host_name_is_refused(url: str) -> None:
    with pytest.raises(Refused):
        parse_address(url)


# ---------------------------------------------------------------------------- redirects


def test_response_lists_its_redirects(web_server: WebServer) -> None:
    web_server.answers["/1"] = Answer(status=301, headers={"Location": "2?x"})
    web_server.answers["/2"] = Answer(status=308, headers={"Location": "/3"})
    web_server.answers["/3"] = Answer(b"end")
    response = visiting(web_server).request(f"{web_server.url}/1")
    assert response.redirects == (f"{web_server.url}/1", f"{web_server.url}/2?x")
    assert (response.url, response.body) == (f"{web_server.url}/3", b"end")


@pytest.mark.parametrize("location", ["/ü".encode(), "/ü".encode("latin-1"), b"/%C3%BC"])
def test_redirect_location_outside_ascii_is_followed(web_server: WebServer, location: bytes) -> None:
    def write(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + location + b"\r\n\r\n")

    web_server.answers["/1"] = Answer(write=write)
    web_server.answers["/%C3%BC"] = Answer(b"end")
    assert visiting(web_server).get(f"{web_server.url}/1").body == b"end"


def test_redirect_is_returned_without_follow(web_server: WebServer) -> None:
    web_server.answers["/1"] = Answer(b"moved", status=302, headers={"Location": "file:///etc/passwd"})
    response = visiting(web_server).request(f"{web_server.url}/1", follow=False)
    assert (response.status, response.headers["location"]) == (302, "file:///etc/passwd")


@pytest.mark.parametrize(("status", "method", "body"), [(301, "GET", b""), (302, "GET", b""), (303, "GET", b""), (307, "POST", b"q"), (308, "POST", b"q")])  # fmt: skip
def test_post_is_redirected_as_in_browsers(web_server: WebServer, status: int, method: str, body: bytes) -> None:
    web_server.answers["/1"] = Answer(status=status, headers={"Location": "/2"})
    web_server.answers["/2"] = Answer(b"end")
    visiting(web_server).request(f"{web_server.url}/1", method="POST", headers={"Content-Type": "text/plain"}, body=b"q")
    assert web_server.bodies == [b"q", body]
    assert ("Content-Type" in web_server.headers[1]) == (method == "POST")


def test_key_is_not_sent_to_another_origin(web_server: WebServer) -> None:
    with serving() as other:
        other.answers["/2"] = Answer(b"end")
        web_server.answers["/1"] = Answer(status=302, headers={"Location": f"{other.url}/2"})
        network = visiting(web_server, ports=frozenset({web_server.port, other.port}))
        network.request(f"{web_server.url}/1", headers={"Authorization": "Bearer k", "X-Key": "k", "Accept-Language": "de"})
        (headers,) = other.headers
    assert headers["Accept-Language"] == "de"
    assert not {"Authorization", "X-Key"} & headers.keys()
    assert web_server.headers[0]["Authorization"] == "Bearer k"


# ---------------------------------------------------------------------------- limits


def test_pdf_may_be_larger(web_server: WebServer) -> None:
    web_server.answers["/pdf"] = Answer(b"%PDF-1.7" + bytes(3_000), "application/pdf")
    web_server.answers["/liar"] = Answer(b"<html>" + bytes(3_000), "application/pdf")
    network = visiting(web_server, max_bytes=1_000, max_pdf_bytes=5_000)
    assert len(network.get(f"{web_server.url}/pdf").body) == 3_008
    with pytest.raises(Refused, match=r"is larger than 0\.001 MB"):
        network.get(f"{web_server.url}/liar")
    web_server.answers["/pdf"] = Answer(b"%PDF-1.7" + bytes(6_000), "application/pdf")
    with pytest.raises(Refused, match=r"is larger than 0\.005 MB"):
        network.get(f"{web_server.url}/pdf")


def test_headers_are_capped(web_server: WebServer) -> None:
    web_server.answers["/"] = Answer(b"x", headers={f"X-{number}": "y" * 60_000 for number in range(2)})
    with pytest.raises(FetchError, match=r"larger than 64 kB|could not be fetched"):
        visiting(web_server).get(f"{web_server.url}/")
    web_server.answers["/"] = Answer(b"x", headers={"X-1": "y" * 60_000})
    assert visiting(web_server).get(f"{web_server.url}/").body == b"x"


# ---------------------------------------------------------------------------- busy servers


class Waiting:
    """A network client whose waiting times are recorded."""

    def __init__(self, server: WebServer, **settings: object) -> None:
        self.slept: list[float] = []
        options = {"ports": frozenset({server.port}), "allow_loopback": True, "requests_per_second": 1e6, **settings}
        self.network = Network(NetworkSettings(**options), sleep=self.slept.append)  # type: ignore[arg-type]


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_obeyed_once(web_server: WebServer, status: int) -> None:
    web_server.answers["/"] = Answer(status=status, headers={"Retry-After": "7"}, then=Answer(b"here"))
    waiting = Waiting(web_server)
    assert waiting.network.get(f"{web_server.url}/").body == b"here"
    assert waiting.slept == [7.0]
    web_server.answers["/"] = Answer(b"busy", status=status, headers={"Retry-After": "7"})
    assert waiting.network.get(f"{web_server.url}/").status == status
    assert len(web_server.requested) == 4


@pytest.mark.parametrize("value", ["11", "3600", "soon", "-1", "", "Wed, 25 Nov 2099 08:00:00 GMT", "1" * 500])
def test_long_or_invalid_retry_after_is_ignored(web_server: WebServer, value: str) -> None:
    web_server.answers["/"] = Answer(b"busy", status=429, headers={"Retry-After": value})
    waiting = Waiting(web_server)
    assert waiting.network.get(f"{web_server.url}/").status == 429
    assert waiting.slept == []


def test_retry_after_beyond_the_time_limit_is_ignored(web_server: WebServer) -> None:
    web_server.answers["/"] = Answer(b"busy", status=429, headers={"Retry-After": "5"})
    assert Waiting(web_server, max_seconds=4).network.get(f"{web_server.url}/").status == 429
    assert len(web_server.requested) == 1


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0", 0.0),
        ("120", 120.0),
        ("Wed, 25 Nov 2026 08:00:05 GMT", 5.0),
        ("Wed, 25 Nov 2026 07:00:00 GMT", 0.0),
        ("Wed, 99 Nov 2026", None),
        ("1.5", None),
        ("٣", None),
        ("", None),
    ],
)
def test_retry_after_header_is_parsed(value: str, expected: float | None) -> None:
    assert retry_after({"retry-after": value}, lambda: datetime(2026, 11, 25, 8, tzinfo=UTC)) == expected


def test_requests_to_a_host_are_rate_limited(web_server: WebServer) -> None:
    web_server.answers["/"] = Answer(b"x")
    slept: list[float] = []
    settings = NetworkSettings(ports=frozenset({web_server.port}), allow_loopback=True, requests_per_second=4, burst=2)
    network = Network(settings, clock=lambda: 0.0, sleep=slept.append)
    for _ in range(5):
        network.get(f"{web_server.url}/")
    assert slept == [0.25, 0.5, 0.75]


def test_concurrent_equal_gets_are_sent_once(web_server: WebServer) -> None:
    arrived = threading.Barrier(8)

    def write(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(0.3)
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")

    web_server.answers["/"] = Answer(write=write)
    network = visiting(web_server)

    def ask(number: int) -> bytes:
        arrived.wait()
        return network.get(f"{web_server.url}/#{number}").body

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(ask, range(8))) == {b"x"}
    assert len(web_server.requested) == 1


def test_concurrent_posts_are_all_sent(web_server: WebServer) -> None:
    web_server.answers["/"] = Answer(b"x")
    network = visiting(web_server)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: network.request(f"{web_server.url}/", method="POST", body=b"q"), range(4)))
    assert len(web_server.requested) == 4
