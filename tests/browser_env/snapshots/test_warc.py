"""Web archives: exported ones read by warcio, and those of other programs imported."""

import gzip
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from warcio.archiveiterator import ArchiveIterator
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from browser_env.backends import FakeBackend
from browser_env.errors import FetchError, SnapshotError
from browser_env.network.messages import Response
from browser_env.offline_web.collection import Collection
from browser_env.offline_web.indexing import build
from browser_env.offline_web.sources.warc import Warc
from browser_env.pages.page import Page
from browser_env.snapshots.backend import SnapshotBackend
from browser_env.snapshots.store import SnapshotStore
from browser_env.snapshots.warc import export_warc, import_warc

FETCHED = Page("http://a.org/heard", "Heard", "From a server: Zoë")
COLLECTED = Page("http://a.org/unheard", "Unheard", "From a collection: Zoë")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SnapshotStore]:
    with SnapshotStore(tmp_path / "ours", create=True) as store:
        recorded = SnapshotBackend(store, FakeBackend([FETCHED, COLLECTED]))
        recorded.search("server % / \n zoë")
        recorded.fetch(FETCHED.url)
        recorded.fetch(COLLECTED.url)
        with pytest.raises(FetchError):
            recorded.fetch("http://a.org/none")
        store.add_response(Response("http://a.org/moved", 301, {"location": "/heard"}, b""))
        store.add_response(Response(FETCHED.url, 200, {"content-type": "text/html; charset=utf-8"}, "<p>Zoë\r\n\r\n".encode()))
        yield store


@pytest.mark.parametrize("name", ["out.warc", "out.warc.gz"])
def test_import_undoes_export(store: SnapshotStore, tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    assert export_warc(store, file) == 7
    assert file.read_bytes().startswith(b"\x1f\x8b" if name.endswith(".gz") else b"WARC/1.0\r\n")
    with SnapshotStore(tmp_path / "copy", create=True) as copy:
        assert import_warc(file, copy) == 6  # the conversion is not imported
        assert copy.backend == store.backend
        assert list(copy.answers()) == list(store.answers())
        assert list(copy.responses()) == list(store.responses())


def test_exported_archive_is_readable_by_warcio(store: SnapshotStore, tmp_path: Path) -> None:
    export_warc(store, tmp_path / "out.warc.gz")
    with (tmp_path / "out.warc.gz").open("rb") as file:
        records = {}
        for record in ArchiveIterator(file, check_digests="raise"):
            kind, url = record.rec_type, record.rec_headers.get_header("WARC-Target-URI")
            records[kind, url] = (record.http_headers and record.http_headers.get_statuscode(), record.content_stream().read())
    assert records["response", FETCHED.url] == ("200", "<p>Zoë\r\n\r\n".encode())
    assert records["response", "http://a.org/moved"] == ("301", b"")
    assert records["conversion", COLLECTED.url] == (None, COLLECTED.text.encode())
    assert ("conversion", FETCHED.url) not in records


def foreign(path: Path) -> Path:
    """Write an archive like those of crawlers, with requests, and compressed and chunked bodies."""
    with path.open("wb") as file:
        writer = WARCWriter(file, gzip=True)

        def add(url: str, kind: str, status: str, body: bytes, *headers: tuple[str, str]) -> None:
            http = StatusAndHeaders(status, list(headers), protocol="HTTP/1.1")
            writer.write_record(
                writer.create_warc_record(url, kind, payload=BytesIO(body), length=len(body), http_headers=http)
            )

        add("http://b.org/", "request", "GET / HTTP/1.0", b"")
        html, page = ("Content-Type", "text/html"), b"<title>Home</title>Welcome <a href=/next>on</a>"
        add("http://b.org/", "response", "200 OK", gzip.compress(page), html, ("Content-Encoding", "gzip"))
        chunked = b"9\r\n<p>Next p\r\n3\r\nage\r\n0\r\n\r\n"
        add("http://b.org/next", "response", "200 OK", chunked, html, ("Transfer-Encoding", "chunked"))
        add("http://b.org/old", "response", "302 Found", b"", ("Location", "/next"))
        add("http://b.org/huge", "response", "200 OK", b"x" * 20_000_001, html)
        add("http://b.org/seen", "revisit", "200 OK", b"", html)
        writer.write_record(
            writer.create_warc_record(
                "http://b.org/note", "resource", payload=BytesIO(b"A note"), length=6, warc_content_type="text/plain"
            )
        )
        add("dns:b.org", "response", "200 OK", b"x")
    return path


def test_imported_archive_can_be_browsed(tmp_path: Path) -> None:
    with SnapshotStore(tmp_path / "theirs", create=True) as store:
        assert import_warc(foreign(tmp_path / "crawl.warc.gz"), store) == 4
        archive = SnapshotBackend(store)
        assert archive.name == "crawl.warc.gz"
        home = archive.fetch("http://b.org/")
        assert (home.title, home.text) == ("Home", "Welcome on")
        assert archive.fetch(home.link_urls[0]).text == "Next page"
        assert archive.fetch("http://b.org/old").url == "http://b.org/next"
        assert archive.fetch("http://b.org/note").text == "A note"
        with pytest.raises(SnapshotError, match="huge is not among the snapshots"):
            archive.fetch("http://b.org/huge")


@pytest.mark.parametrize(
    ("name", "content"),
    [("other.warc", b"something else\n" * 10), ("cut.warc.gz", b"cut"), ("empty.warc.gz", gzip.compress(b"words"))],
    ids=["other", "cut", "empty"],
)
def test_invalid_archive_is_an_error_of_one_line(store: SnapshotStore, tmp_path: Path, name: str, content: bytes) -> None:
    if content == b"cut":
        export_warc(store, tmp_path / name)
        content = (tmp_path / name).read_bytes()[:-40]
    (tmp_path / name).write_bytes(content)
    with SnapshotStore(tmp_path / "into", create=True) as into, pytest.raises(SnapshotError, match=name) as caught:
        import_warc(tmp_path / name, into)
    assert len(str(caught.value).splitlines()) == 1
    with SnapshotStore(tmp_path / "into", create=True) as into, pytest.raises(SnapshotError, match="cannot be read"):
        import_warc(tmp_path / "missing.warc", into)


def test_archive_can_be_indexed_and_searched(tmp_path: Path) -> None:
    source = Warc(foreign(tmp_path / "crawl.warc.gz"))
    assert source.label == "crawl"
    build(tmp_path / "crawl.sqlite", source)
    with Collection.open(tmp_path / "crawl.sqlite") as collection:
        assert [hit.url for hit in collection.search("next page")] == ["http://b.org/next"]
        assert collection.fetch("http://b.org/old").url == "http://b.org/next"
        assert sorted(collection.urls()) == ["http://b.org/", "http://b.org/next", "http://b.org/note"]
