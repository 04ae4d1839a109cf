"""Snapshots as WARC (ISO 28500), the format of web archives: ours can be opened elsewhere, and those of others browsed here.

What servers sent is in records of type *response*, as everywhere. What the backend answered is beside it, in records of type
*resource* under addresses that only this project uses, so that an export holds everything that a replay needs. A page whose
server was never heard (one of a collection) is also a *conversion*, its text, which other programs can read.
"""

import json
from collections.abc import Iterator
from http import HTTPStatus
from io import BytesIO
from pathlib import Path
from typing import IO, Final, Literal
from urllib.parse import quote, unquote

from warcio.archiveiterator import ArchiveIterator
from warcio.exceptions import ArchiveLoadFailed
from warcio.recordloader import ArcWarcRecord
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from browser_env.errors import SnapshotError
from browser_env.network.messages import Response
from browser_env.snapshots.store import Answer, Kind, Received, SnapshotStore

MAX_BYTES: Final = 20_000_000
"""Of a body; what is larger is left out."""
_OURS: Final = "urn:open-webgpt:"
_KINDS: Final[tuple[Kind, ...]] = ("search", "page")
_JSON: Final = "application/json"
_LEFT_OUT = frozenset({"content-encoding", "content-length", "transfer-encoding"})
"""Headers that tell how a body was sent; here it is plain."""

Item = Received | Answer
ENDINGS: Final = (".warc", ".warc.gz")
"""Of the names of such files."""


def export_warc(store: SnapshotStore, path: Path) -> int:
    """Write all snapshots into a file, compressed if its name ends in ``.gz``; returns the number of records.

    Raises:
        OSError: It cannot be written.
    """
    num_records = 0
    with path.open("wb") as file:
        writer = WARCWriter(file, gzip=path.suffix == ".gz")
        about = {"software": "open-webgpt", "format": "WARC File Format 1.0", "backend": store.backend or ""}
        writer.write_record(writer.create_warcinfo_record(path.name, about))
        heard = set()
        for received in store.all_received():
            heard.add(received.response.url)
            writer.write_record(_response_record(writer, received))
            num_records += 1
        for answer in store.all_answers():
            address = f"{_OURS}{answer.kind}:{answer.renderer}:{quote(answer.asked, safe='')}"
            _write(writer, address, "resource", answer.body, _JSON, answer.at)
            num_records += 1
            page = json.loads(answer.body).get("page")
            if page is not None and answer.url not in heard:
                _write(writer, answer.url, "conversion", page["text"].encode(), "text/plain; charset=utf-8", answer.at)
                num_records += 1
    return num_records


def import_warc(path: Path, store: SnapshotStore) -> int:
    """Add what is in a file to a store; returns the number of records that were taken.

    Raises:
        SnapshotError: It is no WARC file, or is broken.
    """
    num_records = 0
    backend: str | None = None
    for item in read_warc(path):
        match item:
            case str():
                backend = item
                continue
            case Answer():
                store.add(item)
            case Received(response, _, at):
                store.receive(response, at)
        num_records += 1
    if store.backend is None:
        store.begin(backend or path.name)
    return num_records


def read_warc(path: Path) -> Iterator[Item | str]:
    """What an archive holds, in order: what servers sent, answers, and the name of the backend if it is one of ours.

    Raises:
        SnapshotError: It is no WARC file, or is broken.
    """
    try:
        with path.open("rb") as file:
            for record in ArchiveIterator(file):
                if (item := _item(record)) is not None:
                    yield item
    except (ArchiveLoadFailed, EOFError, ValueError) as error:  # a ValueError is one of the fields of its headers
        raise SnapshotError(f"{path} is no WARC file, or broken: {error}") from error
    except OSError as error:
        raise SnapshotError(f"{path} cannot be read: {error.strerror or error}") from error


def _item(record: ArcWarcRecord) -> Item | str | None:
    headers = record.rec_headers
    address = (headers.get_header("WARC-Target-URI") or "").strip("<>")
    at = headers.get_header("WARC-Date") or ""
    match record.rec_type:
        case "warcinfo":
            fields = dict(line.partition(": ")[::2] for line in _text(record.raw_stream).splitlines())
            return fields.get("backend") or None if fields.get("software") == "open-webgpt" else None
        case "resource" if address.startswith(_OURS):
            kind, _, rest = address.removeprefix(_OURS).partition(":")
            renderer, _, asked = rest.partition(":")
            known = next((name for name in _KINDS if name == kind), None)
            body = _body(record)
            if known is None or body is None:
                return None
            return Answer(known, unquote(asked), _page_url(known, unquote(asked), body), at, int(renderer), body)
        case "response" | "resource" if address.startswith(("http:", "https:")):
            body = _body(record)
            return None if body is None else Received(_response(record, address, body), "", at)
        case _:
            return None


def _page_url(kind: Kind, asked: str, body: bytes) -> str:
    """Where an answer's page was found, as the store knows it."""
    page = json.loads(body).get("page")
    if page is not None:
        return str(page["url"])
    return asked if kind == "page" else ""


def _response(record: ArcWarcRecord, address: str, body: bytes) -> Response:
    if record.http_headers is None:
        media_type = record.rec_headers.get_header("Content-Type")
        return Response(address, 200, {"content-type": media_type} if media_type else {}, body)
    sent = {name.lower(): value for name, value in record.http_headers.headers}
    status = int(record.http_headers.get_statuscode())
    return Response(address, status, {name: sent[name] for name in sent if name not in _LEFT_OUT}, body)


def _body(record: ArcWarcRecord) -> bytes | None:
    """What was sent, no longer compressed; None if that is too much."""
    body: bytes = record.content_stream().read(MAX_BYTES + 1)
    return body if len(body) <= MAX_BYTES else None


def _text(stream: IO[bytes]) -> str:
    return stream.read(65_536).decode("utf-8", "replace")


def _response_record(writer: WARCWriter, received: Received) -> ArcWarcRecord:
    response = received.response
    known = {status.value: status.phrase for status in HTTPStatus}
    status_line = f"{response.status} {known.get(response.status, 'Unknown')}"
    fields = [*response.headers.items(), ("content-length", str(len(response.body)))]
    return writer.create_warc_record(
        response.url,
        "response",
        payload=BytesIO(response.body),
        length=len(response.body),
        http_headers=StatusAndHeaders(status_line, fields, protocol="HTTP/1.1"),
        warc_headers_dict={"WARC-Date": received.at},
    )


def _write(
    writer: WARCWriter, address: str, kind: Literal["resource", "conversion"], body: bytes, media_type: str, at: str
) -> None:
    record = writer.create_warc_record(
        address,
        kind,
        payload=BytesIO(body),
        length=len(body),
        warc_content_type=media_type,
        warc_headers_dict={"WARC-Date": at},
    )
    writer.write_record(record)
