"""Fake search providers: the documented requests and replies of each."""

import html
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, quote

KEY = "secret-key-7f3a9"

Entry = Mapping[str, object]
"""A result with the keys url, title and snippet; each may be missing."""


@dataclass(frozen=True, slots=True)
class Fake:
    """The documented API of one provider."""

    name: str
    path: str
    method: str
    reply: Callable[[Iterable[Entry]], bytes]
    """Encodes results as a reply."""
    query_in: str
    """Name of the parameter, form field or JSON field of the query."""
    key_header: str | None = None
    key_format: str = "{}"
    url_of: Callable[[str], str] = lambda title: ""
    """Path of a result with a title, for providers that return no URL."""

    def query_of(self, target: str, body: bytes) -> str:
        """The query in a request."""
        if self.method == "GET":
            return parse_qs(target.partition("?")[2])[self.query_in][0]
        return parse_qs(body.decode())[self.query_in][0] if self.name == "duckduckgo" else json.loads(body)[self.query_in]


def _json(make: Callable[[list[dict[str, object]]], object], **names: str) -> Callable[[Iterable[Entry]], bytes]:
    """Make a function that encodes results as JSON with the field names of a provider."""

    def reply(entries: Iterable[Entry]) -> bytes:
        return json.dumps(make([{names.get(key, key): value for key, value in entry.items()} for entry in entries])).encode()

    return reply


def _lists(name: str) -> Callable[[Iterable[Entry]], bytes]:
    """Make a function that encodes results as JSON with lists of snippets."""

    def reply(entries: Iterable[Entry]) -> bytes:
        listed = [
            {(name if key == "snippet" else key): ([value] if key == "snippet" else value) for key, value in entry.items()}
            for entry in entries
        ]
        if name == "highlights":
            return json.dumps({"requestId": "a", "results": listed, "costDollars": {"total": 0.005}}).encode()
        return json.dumps({"results": {"web": listed, "news": []}, "metadata": {"search_uuid": "a"}}).encode()

    return reply


def _duckduckgo(entries: Iterable[Entry]) -> bytes:
    """The results page for browsers without JavaScript; it starts with an advertisement."""

    def block(entry: Entry) -> str:
        url, title, snippet = (str(entry.get(name) or "") for name in ("url", "title", "snippet"))
        link = f'href="//duckduckgo.com/l/?uddg={quote(url, safe="")}&amp;rut=abc"' if url else ""
        return (
            '<div class="result results_links results_links_deep web-result"><div class="links_main result__body">'
            f'<h2 class="result__title"><a rel="nofollow" class="result__a" {link}>{html.escape(title)}</a></h2>'
            f'<a class="result__snippet" href="x">{html.escape(snippet)}</a></div></div>'
        )

    advertisement = (
        '<div class="result results_links result--ad"><a class="result__a" href="https://ads.example/">Buy</a></div>'
    )
    return f'<html><body><div id="links">{advertisement}{"".join(map(block, entries))}</div></body></html>'.encode()


FAKES = {
    fake.name: fake
    for fake in (
        Fake(
            "searxng", "/search", "GET",
            _json(lambda hits: {"query": "q", "results": hits, "answers": [], "unresponsive_engines": [["bing", "timeout"]]}, snippet="content"),
            "q",
        ),
        Fake(
            "brave", "/res/v1/web/search", "GET",
            _json(lambda hits: {"type": "search", "query": {"original": "q"}, "web": {"type": "search", "results": hits}}, snippet="description"),
            "q", "X-Subscription-Token",
        ),
        Fake(
            "tavily", "/search", "POST",
            _json(lambda hits: {"query": "q", "answer": None, "results": hits, "response_time": 1.2}, snippet="content"),
            "query", "Authorization", "Bearer {}",
        ),
        Fake("exa", "/search", "POST", _lists("highlights"), "query", "x-api-key"),
        Fake(
            "serper", "/search", "POST",
            _json(lambda hits: {"searchParameters": {"q": "q"}, "organic": hits, "peopleAlsoAsk": []}, url="link"),
            "q", "X-API-KEY",
        ),
        Fake("you", "/v1/search", "GET", _lists("snippets"), "query", "X-API-Key"),
        Fake(
            "kagi", "/api/v1/search", "POST", _json(lambda hits: {"meta": {"trace": "a", "ms": 3}, "data": {"search": hits}}),
            "query", "Authorization", "Bearer {}",
        ),
        Fake(
            "mediawiki", "/api.php", "GET",
            _json(lambda hits: {"batchcomplete": True, "query": {"searchinfo": {"totalhits": 2}, "search": hits}}),
            "srsearch", url_of=lambda title: f"/index.php/{quote(title.replace(' ', '_'))}",
        ),
        Fake("duckduckgo", "/html/", "POST", _duckduckgo, "q"),
    )
}  # fmt: skip
