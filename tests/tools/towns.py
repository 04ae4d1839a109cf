"""A local web site about a fictional country, several hundred pages, with a search API like SearXNG's.

The pages are generated from a seed: the same number of towns gives the same site, byte for byte. Every tenth town's page is
empty until its script has run. robots.txt disallows ``/private/``; ``/old/NAME`` redirects to the page of a town.

    python -m tests.tools.towns --port 8001
"""

import argparse
import json
import random
import re
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from math import log
from urllib.parse import parse_qs, urlsplit

DRAWN_EVERY = 10
"""The page of every tenth town is drawn by a script."""
_STARTS = [
    "Bel",
    "Cor",
    "Dun",
    "El",
    "Fal",
    "Gor",
    "Hal",
    "Il",
    "Jor",
    "Kel",
    "Lor",
    "Mar",
    "Nor",
    "Or",
    "Pel",
    "Quen",
    "Ros",
    "Sel",
    "Tor",
    "Ul",
    "Ver",
    "Wen",
    "Yar",
    "Zel",
]
_MIDDLES = ["a", "e", "i", "o", "u", "ara", "eni", "ilo", "oma", "una"]
_ENDS = ["bridge", "dale", "fell", "ford", "gate", "ham", "haven", "mere", "mont", "port", "stead", "wick"]
_GOODS = [
    "amber",
    "barley",
    "bells",
    "candles",
    "cheese",
    "copper",
    "glass",
    "honey",
    "ink",
    "lace",
    "paper",
    "pears",
    "rope",
    "salt",
    "silk",
    "slate",
    "tiles",
    "wool",
]
_RIVERS = ["Aldra", "Brenn", "Cassel", "Doven", "Erline", "Fossa", "Garn", "Hesper", "Isen", "Jule"]
_FOUNDERS = ["Ada", "Bruno", "Clara", "Dario", "Edda", "Falk", "Greta", "Hugo", "Ines", "Jonas"]
_FAMILIES = ["Ahlers", "Brandt", "Castell", "Dorn", "Eberle", "Falke", "Grimm", "Holm", "Ivers", "Jansen", "Kern", "Lund"]


@dataclass(frozen=True, slots=True)
class Town:
    """The facts about a town, its page and a question about it."""

    number: int
    name: str
    founder: str
    year: int
    river: str
    goods: str
    people: int

    @property
    def path(self) -> str:
        """Path of its page."""
        return f"/towns/{self.name.lower()}"

    @property
    def is_drawn(self) -> bool:
        """Whether a script draws its page."""
        return self.number % DRAWN_EVERY == DRAWN_EVERY - 1

    @property
    def paragraphs(self) -> tuple[str, ...]:
        """Paragraphs of its page."""
        return (
            f"{self.name} is a town on the river {self.river}. It has {self.people:,} inhabitants.",
            f"{self.name} was founded by {self.founder} in the year {self.year}.",
            f"The town of {self.name} is known for its {self.goods}, which are sold at a fair every autumn.",
            "Like everywhere in the country, there is a market on Thursdays, and the old walls can be walked on in summer.",
        )

    @property
    def question(self) -> str:
        """A question that its page answers."""
        return f"Who founded {self.name}?"


@dataclass(frozen=True)
class Country:
    """All towns and pages of the site."""

    num_towns: int = 400

    @cached_property
    def towns(self) -> tuple[Town, ...]:
        """All towns; names are unique."""
        chance = random.Random("towns")
        names = [f"{start}{middle}{end}" for start in _STARTS for middle in _MIDDLES for end in _ENDS]
        chance.shuffle(names)
        return tuple(
            Town(
                number,
                name,
                f"{chance.choice(_FOUNDERS)} {chance.choice(_FAMILIES)}",
                chance.randrange(900, 1900),
                chance.choice(_RIVERS),
                chance.choice(_GOODS),
                chance.randrange(500, 90_000),
            )
            for number, name in enumerate(names[: self.num_towns])
        )

    @cached_property
    def pages(self) -> dict[str, str]:
        """HTML by path."""
        pages = {town.path: self._page(town) for town in self.towns}
        for river in _RIVERS:
            here = [town for town in self.towns if town.river == river]
            links = "".join(f'<li><a href="{town.path}">{town.name}</a>' for town in here)
            pages[f"/rivers/{river.lower()}"] = _html(f"The river {river}", f"<p>{len(here)} towns are on it.<ul>{links}</ul>")
        rivers = "".join(f'<li><a href="/rivers/{river.lower()}">{river}</a>' for river in _RIVERS)
        pages["/"] = _html("A country of towns", f"<p>Its towns are on ten rivers.<ul>{rivers}</ul>")
        pages["/private/ledger"] = _html("The ledger", "<p>Nobody but people may read this.")
        return pages

    def _page(self, town: Town) -> str:
        neighbour = self.towns[(town.number + 1) % len(self.towns)]
        text = "".join(f"<p>{paragraph}" for paragraph in town.paragraphs)
        body = (
            f'{text}<p>Next to it: <a href="{neighbour.path}">{neighbour.name}</a>, '
            f'on <a href="/rivers/{town.river.lower()}">the river {town.river}</a>.'
        )
        if not town.is_drawn:
            return _html(town.name, f"<nav><a href=/>All rivers</a></nav><main><h1>{town.name}</h1>{body}</main>")
        script = f"document.getElementById('root').innerHTML = {json.dumps(f'<h1>{town.name}</h1>{body}')};"
        return _html(
            town.name, f'<div id="root"></div><noscript>Please switch on JavaScript.</noscript><script>{script}</script>'
        )

    def search(self, query: str, limit: int = 10) -> list[Town]:
        """Towns whose pages contain the words of a query, rare words first."""
        scores: Counter[int] = Counter()
        for word in set(_words(query)):
            numbers = self._index.get(word, ())
            for number in numbers:
                scores[number] += log(1 + self.num_towns / len(numbers))  # type: ignore[assignment]
        return [self.towns[number] for number, _ in scores.most_common(limit)]

    @cached_property
    def _index(self) -> dict[str, list[int]]:
        index: defaultdict[str, list[int]] = defaultdict(list)
        for town in self.towns:
            for word in set(_words(" ".join(town.paragraphs))):
                index[word].append(town.number)
        return index


def _html(title: str, body: str) -> str:
    return f"<!doctype html><html lang=en><head><meta charset=utf-8><title>{title}</title></head><body>{body}</body></html>"


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


@dataclass
class TownServer:
    """A running server of the site."""

    url: str
    port: int
    country: Country
    asked: Counter[str]
    """Number of requests by path."""


@contextmanager
def serving_towns(country: Country | None = None, port: int = 0) -> Iterator[TownServer]:
    """Serve the site on loopback."""
    served = country or Country()
    pages = {path: page.encode() for path, page in served.pages.items()}
    asked: Counter[str] = Counter()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            asked[parts.path] += 1
            if parts.path == "/search":
                self._search({name: values[0] for name, values in parse_qs(parts.query).items()})
            elif parts.path == "/robots.txt":
                self._say(200, "text/plain", b"User-agent: *\nDisallow: /private/\n")
            elif parts.path.startswith("/old/"):
                self.send_response(301)
                self.send_header("Location", parts.path.replace("/old/", "/towns/"))
                self.end_headers()
            elif parts.path in pages:
                self._say(200, "text/html; charset=utf-8", pages[parts.path])
            else:
                self._say(404, "text/html; charset=utf-8", b"<title>Not found</title><p>There is no such page.")

        def _search(self, asked_for: dict[str, str]) -> None:
            """Answer a search as SearXNG does in JSON."""
            if asked_for.get("format") != "json":
                self._say(200, "text/html; charset=utf-8", b"<title>SearXNG</title>")
                return
            query = asked_for.get("q", "")
            results = [
                {
                    "url": f"http://{self.headers['Host']}{town.path}",
                    "title": town.name,
                    "content": town.paragraphs[0],
                    "engine": "towns",
                    "engines": ["towns"],
                    "score": 1.0,
                    "category": "general",
                }
                for town in served.search(query)
            ]
            reply = {"query": query, "results": results, "answers": [], "suggestions": [], "unresponsive_engines": []}
            self._say(200, "application/json", json.dumps(reply).encode())

        def _say(self, status: int, content_type: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except ConnectionError:
                self.close_connection = True  # the client has gone away

    class Server(ThreadingHTTPServer):
        request_queue_size = 256
        daemon_threads = True

    server = Server(("127.0.0.1", port), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    port = server.server_address[1]
    try:
        yield TownServer(f"http://127.0.0.1:{port}", port, served, asked)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def main() -> None:
    """Serve until interrupted, and print the address."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    with serving_towns(port=parser.parse_args().port) as server:
        print(server.url, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
