"""Server-side request forgery: addresses by which a page may try to reach private servers, for tests of all clients.

The attacker's site is ``attacker.example`` at `ATTACKER`, which counts as public in the tests. The target is a server on this
machine; ``{port}`` in an address is its port. A visit must end with a `FetchError`, unless the attack is `harmless`, and the
target must not receive a request.
"""

import ipaddress
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from browser_env.network import addresses
from browser_env.network.connection import resolve

ATTACKER = "127.0.0.2"
"""Address that counts as public in the tests."""
SITE = "attacker.example"


@dataclass(frozen=True, slots=True)
class Attack:
    """An address to visit, and the answers of the attacker's servers."""

    name: str
    url: str
    location: str | None = None
    """Location to which the attacker's server redirects all requests. Default: no redirect."""
    answers: Mapping[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)
    """IP addresses that the attacker's name server returns for a host, for each query in turn; the last are repeated."""
    harmless: bool = False
    """Whether the address leads to the attacker's own site, although it looks dangerous."""


class Names:
    """The name server of an attack, a `browser_env.network.connection.Resolver` that records the hosts."""

    def __init__(self, attack: Attack) -> None:
        self._answers = {SITE: ((ATTACKER,),), **attack.answers}
        self.hosts: list[str] = []

    def __call__(self, host: str, port: int) -> Iterable[str]:
        self.hosts.append(host)
        if host in self._answers:
            turns = self._answers[host]
            return turns[min(self.hosts.count(host), len(turns)) - 1]
        if host.rstrip(".").endswith((".example", ".invalid")):
            raise OSError(f"{host} is not known")
        return resolve(host, port)


def is_public(real: Callable[[addresses.IPAddress], bool] = addresses.is_public) -> Callable[[addresses.IPAddress], bool]:
    """Replacement of `browser_env.network.addresses.is_public` for which the attacker's address is public."""
    return lambda address: address == ipaddress.ip_address(ATTACKER) or real(address)


SPELLINGS = {
    "dotted": "127.0.0.1",
    "another of the block": "127.8.8.8",
    "name": "localhost",
    "name in capitals": "LOCALHOST",
    "name with a dot behind it": "localhost.",
    "decimal": "2130706433",
    "hexadecimal": "0x7f000001",
    "hexadecimal, dotted": "0x7f.0x0.0x0.0x1",
    "octal": "0177.0.0.1",
    "octal with zeros": "00000177.0.0.1",
    "two parts": "127.1",
    "three parts": "127.0.1",
    "mixed bases": "0x7f.1",
    "zero": "0",
    "unspecified": "0.0.0.0",
    "full-width digits": "１２７.０.０.１",
    "full-width dots": "127。0。0。1",
    "circled digits": "①②⑦.⓪.⓪.①",
    "circled letters": "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ",
    "escaped": "127%2e0%2e0%2e1",
    "IPv6": "[::1]",
    "IPv6, long": "[0000:0000:0000:0000:0000:0000:0000:0001]",
    "IPv6 unspecified": "[::]",
    "mapped": "[::ffff:127.0.0.1]",
    "mapped, hexadecimal": "[::ffff:7f00:1]",
    "compatible": "[::127.0.0.1]",
    "translated": "[::ffff:0:127.0.0.1]",
    "NAT64": "[64:ff9b::7f00:1]",
    "local NAT64": "[64:ff9b:1::7f00:1]",
    "6to4": "[2002:7f00:1::]",
    "Teredo": "[2001:0:7f00:1::1]",
    "scoped": "[fe80::1%25lo]",
    "IPv6 of the future": "[v1.127.0.0.1]",
}
"""Hosts that lead to the loopback interface."""
INSIDE = {
    "metadata of a cloud": "169.254.169.254",
    "metadata, mapped": "[::ffff:169.254.169.254]",
    "metadata, decimal": "2852039166",
    "metadata of a cloud, IPv6": "[fd00:ec2::254]",
    "class A": "10.0.0.1",
    "class B": "172.16.0.1",
    "class C": "192.168.0.1",
    "carrier": "100.64.0.1",
    "multicast": "224.0.0.1",
    "reserved": "240.0.0.1",
    "broadcast": "255.255.255.255",
    "unique local": "[fd00::1]",
    "link-local": "[fe80::1]",
    "site-local": "[fec0::1]",
    "class C by NAT64": "[64:ff9b::c0a8:1]",
    "class C by 6to4": "[2002:c0a8:1::]",
}
"""Hosts in private and special networks."""
SCHEMES = {
    "file": "file:///etc/passwd",
    "file of a host": "file://localhost/etc/passwd",
    "ftp": "ftp://127.0.0.1:{port}/",
    "gopher": "gopher://127.0.0.1:{port}/_GET%20/",
    "dict": "dict://127.0.0.1:{port}/info",
    "ldap": "ldap://127.0.0.1:{port}/",
    "data": "data:text/html,<script>fetch('http://127.0.0.1:{port}/')</script>",
    "javascript": "javascript:fetch('http://127.0.0.1:{port}/')",
    "blob": "blob:http://127.0.0.1:{port}/7f3a",
    "view-source": "view-source:http://127.0.0.1:{port}/",
    "jar": "jar:http://127.0.0.1:{port}/!/x",
    "web socket": "ws://127.0.0.1:{port}/",
    "secure web socket": "wss://127.0.0.1:{port}/",
    "none": "//127.0.0.1:{port}/",
    "no slashes": "http:127.0.0.1:{port}/",
    "one slash": "http:/127.0.0.1:{port}/",
    "three slashes": "http:///127.0.0.1:{port}/",
    "backslashes": "http:\\\\127.0.0.1:{port}\\",
    "in capitals, another scheme": "FILE:///etc/passwd",
    "a tab inside": "fi\tle:///etc/passwd",
}
CONFUSED = {
    "user name that is a host": f"http://{SITE}@127.0.0.1:{{port}}/",
    "password": f"http://{SITE}:80@127.0.0.1:{{port}}/",
    "user name twice": f"http://a@{SITE}@127.0.0.1:{{port}}/",
    "empty user name": "http://@127.0.0.1:{port}/",
    "backslash before the user name": f"http://127.0.0.1:{{port}}\\@{SITE}/",
    "backslash after the host": f"http://{SITE}\\@127.0.0.1:{{port}}/",
    "line break in the path": f"http://{SITE}/\r\nHost: 127.0.0.1\r\n\r\nGET / HTTP/1.1\r\n",
    "line break in the host": f"http://{SITE}\r\n.127.0.0.1:{{port}}/",
    "null byte in the host": f"http://127.0.0.1:{{port}}\0.{SITE}/",
    "space in the host": f"http://127.0.0.1 .{SITE}:{{port}}/",
    "a slash that is a letter": f"http://127.0.0.1:{{port}}\u2044.{SITE}/",
    "a care-of sign that becomes a slash": f"http://127.0.0.1℀.{SITE}/",
}
"""Addresses that parsers read in different ways."""


def _named(name: str, url: str, *answers: tuple[str, ...], location: str | None = None) -> Attack:
    return Attack(name, url, location, {"inside.example": answers})


ATTACKS: tuple[Attack, ...] = (
    *(Attack(f"loopback: {name}", f"http://{host}:{{port}}/") for name, host in SPELLINGS.items()),
    *(Attack(f"inside: {name}", f"http://{host}/") for name, host in INSIDE.items()),
    *(Attack(f"scheme: {name}", url) for name, url in SCHEMES.items()),
    *(Attack(f"confused: {name}", url) for name, url in CONFUSED.items()),
    *(
        Attack(f"redirect to loopback: {name}", f"http://{SITE}/", f"http://{host}:{{port}}/")
        for name, host in SPELLINGS.items()
        if name in ("dotted", "name", "decimal", "hexadecimal", "octal", "IPv6", "mapped", "NAT64", "6to4")
    ),
    *(Attack(f"redirect inside: {name}", f"http://{SITE}/", f"http://{host}/") for name, host in list(INSIDE.items())[:6]),
    *(
        Attack(f"redirect to a scheme: {name}", f"http://{SITE}/", url)
        for name, url in SCHEMES.items()
        if name in ("file", "ftp", "gopher", "data", "javascript", "web socket", "none")
    ),
    Attack("redirect with a user name", f"http://{SITE}/", f"http://{SITE}@127.0.0.1:{{port}}/"),
    Attack("redirect to another port", f"http://{SITE}/", f"http://{SITE}:22/"),
    Attack("redirect to itself, for ever", f"http://{SITE}/", "/again"),
    _named("name of loopback", "http://inside.example:{port}/", ("127.0.0.1",)),
    _named("name of loopback, IPv6", "http://inside.example:{port}/", ("::1",)),
    _named("name of a mapped address", "http://inside.example:{port}/", ("::ffff:127.0.0.1",)),
    _named("name of a scoped address", "http://inside.example:{port}/", ("fe80::1%lo",)),
    _named("name of the metadata", "http://inside.example/", ("169.254.169.254",)),
    _named("mixed answers, the public one first", "http://inside.example:{port}/", (ATTACKER, "127.0.0.1")),
    _named("mixed answers, the public one last", "http://inside.example:{port}/", ("127.0.0.1", ATTACKER)),
    _named("mixed families", "http://inside.example:{port}/", (ATTACKER, "::1")),
    _named("no answer", "http://inside.example/", ()),
    _named("redirect to a name of loopback", f"http://{SITE}/", ("127.0.0.1",), location="http://inside.example:{port}/"),
    _named("rebinding between two requests", "http://inside.example/", (ATTACKER,), ("127.0.0.1",), location="/again"),
    Attack(
        "rebinding between check and connection",
        "http://inside.example/",
        answers={"inside.example": ((ATTACKER,), ("127.0.0.1",))},
        harmless=True,
    ),
    Attack("host in the fragment", f"http://{SITE}#@127.0.0.1:{{port}}/", harmless=True),
    Attack("host in the query", f"http://{SITE}?@127.0.0.1:{{port}}/", harmless=True),
    Attack("host in the path", f"http://{SITE}/http://127.0.0.1:{{port}}/", harmless=True),
    *(
        Attack(f"port of {service}", f"http://{SITE}:{number}/")
        for service, number in {"ssh": 22, "mail": 25, "redis": 6379, "memcached": 11211, "docker": 2375, "none": 0}.items()
    ),
)
