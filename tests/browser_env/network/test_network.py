import gzip
import ipaddress
import socket
import ssl
import subprocess
import threading
import time
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from browser_env.errors import FetchError
from browser_env.network.addresses import is_public
from browser_env.network.client import Network
from browser_env.network.settings import NetworkSettings
from browser_env.network.trusted import ClientError, trusted_client
from tests.browser_env.conftest import Answer, WebServer


def visiting(server: WebServer, **settings: object) -> Network:
    """A network client that may visit a server on this machine."""
    options = {"ports": frozenset({server.port}), "allow_loopback": True, "requests_per_second": 1e6, **settings}
    return Network(NetworkSettings(**options))  # type: ignore[arg-type]


# ---------------------------------------------------------------------------- addresses


PUBLIC = [
    "8.8.8.8",
    "1.1.1.1",
    "93.184.216.34",
    "2606:4700:4700::1111",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
    "2002:808:808::1",
]
PRIVATE = [
    "127.0.0.1", "127.1.2.3", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "192.0.2.1",
    "198.18.0.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "fc00::1", "fd00::1",
    "fec0::1", "ff02::1", "ff0e::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1", "2002:7f00:1::", "2002:c0a8:101::1", "2001:0:7f00:1::1", "2001:0:808:808::80ff:fffe", "2001:db8::1",
]  # fmt: skip


@pytest.mark.parametrize("address", PUBLIC)
def test_public_address_is_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", PRIVATE)
def test_other_address_is_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@given(st.ip_addresses(v=4))
def test_ipv6_address_is_public_if_its_embedded_ipv4_address_is(address: ipaddress.IPv4Address) -> None:
    number = int(address)
    wrapped = [(0xFFFF << 32) | number, (0x64FF9B << 96) | number, (0x2002 << 112) | (number << 80)]
    assert {is_public(ipaddress.IPv6Address(value)) for value in wrapped} == {is_public(address)}


@pytest.mark.parametrize("address", PRIVATE)
def test_name_that_resolves_to_a_private_address_is_refused(address: str) -> None:
    network = Network(resolver=lambda host, port: [address])
    with pytest.raises(FetchError, match=r"innocent\.example is not on the public internet"):
        network.get("http://innocent.example/")


def test_one_private_address_among_public_ones_is_refused() -> None:
    network = Network(resolver=lambda host, port: ["8.8.8.8", "127.0.0.1"])
    with pytest.raises(FetchError, match="not on the public internet"):
        network.get("https://innocent.example/")


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "0",
        "１２７.0.0.1",
    ],
)
def test_loopback_is_refused_in_every_spelling(web_server: WebServer, host: str) -> None:
    network = Network(NetworkSettings(ports=frozenset({web_server.port})))
    with pytest.raises(FetchError):
        network.get(f"http://{host}:{web_server.port}/")
    assert not web_server.requested


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("file:///etc/passwd", "no http or https address"),
        ("ftp://example.org/", "no http or https address"),
        ("data:text/html,x", "no http or https address"),
        ("javascript:alert(1)", "no http or https address"),
        ("//example.org/", "no http or https address"),
        ("", "no http or https address"),
        ("http://", "no http or https address"),
        ("http://user:secret@example.org/", "user name or password"),
        ("http://user@example.org/", "user name or password"),
        ("http://example.org:22/", "port 22 of example.org may not be connected to"),
        ("https://example.org:8443/", "port 8443"),
        ("http://example.org:99999/", "no web address"),
        ("http://[::1/", "no web address"),
        ("http://exa mple.org/", "no http or https address"),
        ("http://example.org/\0", "no web address"),
    ],
)
def test_forbidden_address_is_refused_before_its_host_is_resolved(url: str, expected: str) -> None:
    def resolver(host: str, port: int) -> list[str]:
        raise AssertionError(host)

    with pytest.raises(FetchError, match=expected) as raised:
        Network(resolver=resolver).get(url)
    assert "secret" not in str(raised.value)


@given(st.text())
def test_arbitrary_text_raises_nothing_but_fetch_errors(url: str) -> None:
    with pytest.raises(FetchError):
        Network(resolver=lambda host, port: []).get(url)


def test_unknown_host_is_named() -> None:
    def resolver(host: str, port: int) -> list[str]:
        raise socket.gaierror("not known")

    with pytest.raises(FetchError, match=r"the host nowhere\.example is not known"):
        Network(resolver=resolver).get("http://nowhere.example/")


# ---------------------------------------------------------------------------- responses


def test_document_is_the_servers_response(web_server: WebServer) -> None:
    web_server.answers["/a?b=c"] = Answer(b"<p>hello", "text/html; charset=latin-1")
    document = visiting(web_server).get(f"{web_server.url}/a?b=c#fragment")
    assert document.url == f"{web_server.url}/a?b=c"
    assert (document.body, document.content_type, document.status) == (b"<p>hello", "text/html; charset=latin-1", 200)


def test_error_status_is_a_document(web_server: WebServer) -> None:
    document = visiting(web_server).get(f"{web_server.url}/nothing")
    assert (document.status, document.body) == (404, b"not found")


def test_host_name_is_sent_in_the_host_header_and_resolved_once(web_server: WebServer) -> None:
    web_server.answers["/"] = Answer(b"x")
    asked: list[str] = []

    def resolver(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    network = Network(NetworkSettings(ports=frozenset({web_server.port}), allow_loopback=True), resolver=resolver)
    network.get(f"http://some.example:{web_server.port}/")
    assert asked == ["some.example"]
    (headers,) = web_server.headers
    assert headers["Host"] == f"some.example:{web_server.port}"
    assert headers["User-Agent"].startswith("open-webgpt/")
    assert not {"Cookie", "Authorization", "Referer"} & headers.keys()


def test_second_address_is_tried_when_the_first_does_not_answer(web_server: WebServer) -> None:
    web_server.answers["/"] = Answer(b"x")
    settings = NetworkSettings(ports=frozenset({web_server.port}), allow_loopback=True)
    network = Network(settings, resolver=lambda host, port: ["::1", "127.0.0.1"])
    assert network.get(f"http://two.example:{web_server.port}/").body == b"x"


def test_proxies_and_credentials_of_the_environment_are_not_used(
    web_server: WebServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    web_server.answers["/"] = Answer(b"x")
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret")
    monkeypatch.setenv("NETRC", str(netrc))
    visiting(web_server).get(f"{web_server.url}/")
    assert "Authorization" not in web_server.headers[0]


def test_cookies_are_not_sent_back(web_server: WebServer) -> None:
    web_server.answers["/"] = Answer(b"x", headers={"Set-Cookie": "id=1"})
    network = visiting(web_server)
    network.get(f"{web_server.url}/")
    network.get(f"{web_server.url}/")
    assert "Cookie" not in web_server.headers[1]


def test_unwanted_content_is_not_read(web_server: WebServer) -> None:
    web_server.answers["/i"] = Answer(b"x" * 100, "image/png")
    with pytest.raises(FetchError, match="unsupported content type: image/png"):
        visiting(web_server).get(f"{web_server.url}/i", wanted=lambda media_type: media_type.startswith("text/"))


# ---------------------------------------------------------------------------- redirects


def test_redirects_are_followed_to_the_final_address(web_server: WebServer) -> None:
    web_server.answers["/1"] = Answer(status=302, headers={"Location": "/2"})
    web_server.answers["/2"] = Answer(status=307, headers={"Location": f"{web_server.url}/3#x"})
    web_server.answers["/3"] = Answer(b"end")
    document = visiting(web_server).get(f"{web_server.url}/1")
    assert (document.url, document.body) == (f"{web_server.url}/3", b"end")


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("/loop", "10 redirects, and redirects again"),
        ("file:///etc/passwd", "no http or https address"),
        ("http://me:secret@127.0.0.1/", "user name or password"),
        ("http://127.0.0.1:22/", "port 22"),
        ("http://[::1", "redirects to what is no address"),
    ],
)
def test_every_redirect_is_checked_again(web_server: WebServer, location: str, expected: str) -> None:
    web_server.answers["/loop"] = Answer(status=301, headers={"Location": location})
    with pytest.raises(FetchError, match=expected):
        visiting(web_server).get(f"{web_server.url}/loop")
    assert len(web_server.requested) <= 11


def test_redirect_to_a_private_address_is_refused(web_server: WebServer) -> None:
    web_server.answers["/"] = Answer(status=302, headers={"Location": f"http://inside.example:{web_server.port}/secret"})
    settings = NetworkSettings(ports=frozenset({web_server.port}), allow_loopback=True)
    network = Network(settings, resolver=lambda host, port: ["192.168.0.1" if host == "inside.example" else "127.0.0.1"])
    with pytest.raises(FetchError, match=r"inside\.example is not on the public internet"):
        network.get(f"{web_server.url}/")
    assert web_server.requested == ["/"]


# ---------------------------------------------------------------------------- TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=secure.example -addext subjectAltName=DNS:secure.example"
    )
    subprocess.run([*command.split(), "-keyout", path, "-out", path.with_suffix(".crt")], check=True, capture_output=True)
    return path


@pytest.fixture
def tls_server(certificate: Path) -> Iterator[tuple[int, list[str]]]:
    """A TLS server that redirects every request to http; yields its port and the server names that clients sent."""
    names: list[str] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.with_suffix(".crt"), certificate)
    context.sni_callback = lambda connection, name, context: names.append(name)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            try:
                with context.wrap_socket(connection, server_side=True) as secure:
                    secure.recv(10_000)
                    secure.sendall(b"HTTP/1.1 302 Found\r\nLocation: http://secure.example/\r\nContent-Length: 0\r\n\r\n")
            except OSError:
                continue

    thread = threading.Thread(target=serve)
    thread.start()
    yield listener.getsockname()[1], names
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


@pytest.mark.parametrize(
    ("host", "trusts", "expected"),
    [
        ("secure.example", True, "redirects from https to http"),
        ("other.example", True, "CERTIFICATE_VERIFY_FAILED"),
        ("secure.example", False, "CERTIFICATE_VERIFY_FAILED"),
    ],
    ids=["good certificate", "other host name", "unknown authority"],
)
def test_certificate_is_checked_against_the_name(
    tls_server: tuple[int, list[str]],
    certificate: Path,
    monkeypatch: pytest.MonkeyPatch,
    host: str,
    trusts: bool,
    expected: str,
) -> None:
    port, names = tls_server
    if trusts:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate.with_suffix(".crt")))
    settings = NetworkSettings(ports=frozenset({port, 80}), allow_loopback=True)
    network = Network(settings, resolver=lambda host, port: ["127.0.0.1"])
    with pytest.raises(FetchError, match=expected):
        network.get(f"https://{host}:{port}/")
    assert names == [host]


# ---------------------------------------------------------------------------- limits


def test_large_body_is_refused(web_server: WebServer) -> None:
    web_server.answers["/"] = Answer(b"x" * 1001)
    with pytest.raises(FetchError, match=r"is larger than 0.001 MB"):
        visiting(web_server, max_bytes=1000).get(f"{web_server.url}/")
    assert len(visiting(web_server, max_bytes=1001).get(f"{web_server.url}/").body) == 1001


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_bytes_are_counted_after_decompression(web_server: WebServer, encoding: str) -> None:
    compress = gzip.compress if encoding == "gzip" else zlib.compress
    web_server.answers["/bomb"] = Answer(compress(bytes(50_000_000)), headers={"Content-Encoding": encoding})
    web_server.answers["/small"] = Answer(compress(b"small"), headers={"Content-Encoding": encoding})
    with pytest.raises(FetchError, match="is larger than 5 MB"):
        visiting(web_server).get(f"{web_server.url}/bomb")
    assert visiting(web_server).get(f"{web_server.url}/small").body == b"small"


def drip_headers(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(200):
        handler.wfile.write(f"X-{number}: y\r\n".encode())
        time.sleep(0.05)


def drip_body(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 200\r\n\r\n")
    for _ in range(200):
        handler.wfile.write(b"x")
        time.sleep(0.05)


def silence(handler: BaseHTTPRequestHandler) -> None:
    time.sleep(2)


@pytest.mark.parametrize("write", [drip_headers, drip_body, silence])
def test_slow_server_is_an_error_at_the_time_limit(web_server: WebServer, write: object) -> None:
    web_server.answers["/"] = Answer(write=write)  # type: ignore[arg-type]
    with pytest.raises(FetchError, match=r"did not answer within 0\.3 seconds"):
        visiting(web_server, max_seconds=0.3).get(f"{web_server.url}/")


def test_slow_resolver_is_an_error_at_the_time_limit() -> None:
    released = threading.Event()

    def resolver(host: str, port: int) -> list[str]:
        released.wait(10)
        return []

    network = Network(NetworkSettings(max_seconds=0.1), resolver=resolver)
    with pytest.raises(FetchError, match=r"did not answer within 0\.1 seconds"):
        network.get("http://slow.example/")
    released.set()


def broken_off(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort")
    handler.close_connection = True


def nonsense(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"\x00\x01 this is no HTTP\r\n\r\n")
    handler.close_connection = True


def bad_gzip(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nwrong")


def nothing(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True


@pytest.mark.parametrize("write", [broken_off, nonsense, bad_gzip, nothing])
def test_broken_response_is_a_fetch_error(web_server: WebServer, write: object) -> None:
    web_server.answers["/"] = Answer(write=write)  # type: ignore[arg-type]
    with pytest.raises(FetchError, match="could not be fetched"):
        visiting(web_server).get(f"{web_server.url}/")


def test_missing_server_is_a_fetch_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(FetchError, match="could not be fetched"):
        Network(NetworkSettings(ports=frozenset({port}), allow_loopback=True)).get(f"http://127.0.0.1:{port}/")


def test_network_is_shared_between_threads(web_server: WebServer) -> None:
    from concurrent.futures import ThreadPoolExecutor

    for number in range(40):
        web_server.answers[f"/{number}"] = Answer(str(number).encode())
    network = visiting(web_server)
    with ThreadPoolExecutor(8) as pool:
        bodies = pool.map(lambda number: network.get(f"{web_server.url}/{number}").body, range(40))
        assert list(bodies) == [str(number).encode() for number in range(40)]


# ---------------------------------------------------------------------------- the trusted client


def test_trusted_client_visits_its_base_address_without_a_proxy(web_server: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    web_server.answers["/v1/models"] = Answer(b"{}", "application/json")
    with trusted_client(f"{web_server.url}/v1", headers={"Authorization": "Bearer k"}) as client:
        assert client.get("models").json() == {}
    assert web_server.headers[0]["Authorization"] == "Bearer k"


def test_trusted_client_has_a_read_timeout(web_server: WebServer) -> None:
    web_server.answers["/"] = Answer(write=silence)
    with trusted_client(web_server.url, read_seconds=0.1) as client, pytest.raises(ClientError):
        client.get("/")
