"""Every attack of `tests.browser_env.network.attacks` on the network client, and servers whose responses never end."""

import gzip
import time
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

import pytest

from browser_env.errors import FetchError, Refused
from browser_env.network.client import Network
from browser_env.network.settings import NetworkSettings
from tests.browser_env.conftest import Answer, WebServer, serving
from tests.browser_env.network.attacks import ATTACKER, ATTACKS, SITE, Attack, Names, is_public
from tests.browser_env.network.compressing import compress_brotli, compress_zstd


@pytest.fixture(scope="module")
def attacker() -> Iterator[WebServer]:
    with serving(ATTACKER) as server:
        yield server


@pytest.fixture(scope="module")
def target() -> Iterator[WebServer]:
    with serving() as server:
        yield server


def test_attacks_are_many_and_have_unique_names() -> None:
    assert len(ATTACKS) >= 60
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_attack_does_not_reach_the_target(
    attack: Attack, attacker: WebServer, target: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("browser_env.network.connection.is_public", is_public())
    attacker.requested.clear()
    target.requested.clear()
    names = Names(attack)

    def fill(text: str) -> str:
        # The attacker's server is not on port 80, which only root could take.
        by_name = {
            f"http://{host}{end}": f"http://{host}:{attacker.port}{end}" for host in (SITE, "inside.example") for end in "/#?"
        }
        text = text.replace("{port}", str(target.port))
        return next((text.replace(old, new, 1) for old, new in by_name.items() if text.startswith(old)), text)

    if attack.location is None:
        answer = Answer(b"<p>the attacker's own page", "text/html")
    else:
        answer = Answer(status=302, headers={"Location": fill(attack.location)})
    attacker.answers.update(
        dict.fromkeys(("/", "/again", f"/http://127.0.0.1:{target.port}/", f"/?@127.0.0.1:{target.port}/"), answer)
    )
    network = Network(
        NetworkSettings(ports=frozenset({80, 443, attacker.port, target.port}), max_seconds=5, requests_per_second=1e6),
        resolver=names,
    )
    if attack.harmless:
        assert b"attacker" in network.get(fill(attack.url)).body
    else:
        with pytest.raises(FetchError):
            network.get(fill(attack.url))
    assert target.requested == []
    assert max(map(names.hosts.count, names.hosts), default=0) <= 1 + len(attacker.requested)  # once for each connection


# ---------------------------------------------------------------------------- servers that never end


@pytest.fixture
def network(attacker: WebServer, monkeypatch: pytest.MonkeyPatch) -> Network:
    monkeypatch.setattr("browser_env.network.connection.is_public", is_public())
    return Network(NetworkSettings(ports=frozenset({attacker.port}), max_seconds=1, max_bytes=1_000_000))


def bomb(encoding: str) -> bytes:
    """100 to 500 MB of zeros, compressed to less than 5 MB."""
    match encoding:
        case "gzip":
            return gzip.compress(bytes(50_000_000)) * 10
        case "deflate":
            return zlib.compress(bytes(100_000_000), 1)
        case "br":
            return compress_brotli(bytes(500_000_000), quality=1)
        case "zstd":
            return compress_zstd(bytes(500_000_000), 1)
        case _:
            return gzip.compress(gzip.compress(bytes(100_000_000), 1))


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "gzip, gzip"])
def test_decompression_bomb_is_refused_within_a_second(attacker: WebServer, network: Network, encoding: str) -> None:
    body = bomb(encoding)
    assert len(body) < 5_000_000
    attacker.answers["/bomb"] = Answer(body, headers={"Content-Encoding": encoding})
    began = time.monotonic()
    with pytest.raises(Refused, match="is larger than 1 MB"):
        network.get(f"{attacker.url}/bomb")
    assert time.monotonic() - began < 1


def endless_body(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
    while True:
        handler.wfile.write(bytes(65_536))


def endless_nothing(handler: BaseHTTPRequestHandler) -> None:
    """Empty gzip members: no byte is ever decompressed."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n")
    nothing = gzip.compress(b"") * 1_000
    while True:
        handler.wfile.write(nothing)


def endless_headers(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        handler.wfile.write(b"X-More: and more\r\n" * 1_000)


def many_headers(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n" + b"X-More: and more\r\n" * 4_000 + b"\r\n")
    handler.close_connection = True


def endless_interim(handler: BaseHTTPRequestHandler) -> None:
    while True:
        handler.wfile.write(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100)


def slow_drip(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
    while True:
        handler.wfile.write(b"x")
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("write", "expected"),
    [
        (endless_body, "is larger than"),
        (endless_nothing, "is larger than|did not answer within 1 seconds"),
        (endless_headers, "could not be fetched"),
        (many_headers, r"the headers of .* are larger than 64 kB"),
        (endless_interim, "did not answer within 1 seconds"),
        (slow_drip, "did not answer within 1 seconds"),
    ],
)
def test_endless_response_is_an_error_in_time(attacker: WebServer, network: Network, write: object, expected: str) -> None:
    attacker.answers["/endless"] = Answer(write=write)  # type: ignore[arg-type]
    began = time.monotonic()
    with pytest.raises(FetchError, match=expected):
        network.get(f"{attacker.url}/endless")
    assert time.monotonic() - began < 2


def test_redirects_end_at_the_limit(attacker: WebServer, network: Network) -> None:
    attacker.answers.update({f"/{number}": Answer(status=302, headers={"Location": f"/{number + 1}"}) for number in range(20)})
    attacker.requested.clear()
    with pytest.raises(Refused, match="after 10 redirects"):
        network.get(f"{attacker.url}/0")
    assert len(attacker.requested) == 11
