"""Export of snapshots as web archives (WARC, ISO 28500), and import of archives.

Responses of servers are records of type *response*. Answers of the backend are records of type *resource* at URIs that
only this project uses, so that an export contains all that a replay needs. A page without a response, such as one of a
collection, is also exported as a *conversion*: its text, for other programs.
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
from browser_env.snapshots.answers import Answer, Kind
from browser_env.snapshots.store import RecordedResponse, SnapshotStore

MAX_BYTES: Final = 20_000_000
"""Maximum bytes of a body; records with larger ones are skipped."""
SUFFIXES: Final = (".warc", ".warc.gz")
"""File name suffixes of web archives."""
_ANSWER_ADDRESS: Final = "urn:open-webgpt:"
"""Prefix of the URIs of answers."""
_KINDS: Final[tuple[Kind, ...]] = ("search", "page")
_JSON: Final = "application/json"
_TRANSFER_HEADERS = frozenset({"content-encoding", "content-length", "transfer-encoding"})
"""Headers that describe the transfer and not the decoded body."""

Item = RecordedResponse | Answer


def export_warc(store: SnapshotStore, path: Path) -> int:
    """Write all snapshots to a file, compressed if its name ends in ``.gz``.

    Returns:
        The number of records.

    Raises:
        OSError: The file cannot be written.
    """
    num_records = 0
    with path.open("wb") as file:
        writer = WARCWriter(file, gzip=path.suffix == ".gz")
        about = {"software": "open-webgpt", "format": "WARC File Format 1.0", "backend": store.backend or ""}
        writer.write_record(writer.create_warcinfo_record(path.name, about))
        urls = set()
        for recorded in store.responses():
            urls.add(recorded.response.url)
            writer.write_record(_response_record(writer, recorded))
            num_records += 1
        for answer in store.answers():
            address = f"{_ANSWER_ADDRESS}{answer.kind}:{answer.renderer}:{quote(answer.request, safe='')}"
            _write(writer, address, "resource", answer.body, _JSON, answer.at)
            num_records += 1
            page = json.loads(answer.body).get("page")
            if page is not None and answer.url not in urls:
                _write(writer, answer.url, "conversion", page["text"].encode(), "text/plain; charset=utf-8", answer.at)
                num_records += 1
    return num_records


def import_warc(path: Path, store: SnapshotStore) -> int:
    """Add the responses and answers of a web archive to a store.

    Returns:
        The number of records that were added.

    Raises:
        SnapshotError: The file cannot be read, is not a WARC file, or is broken.
    """
    num_records = 0
    backend: str | None = None
    for item in read_warc(path):
        match item:
            case str():
                backend = item
                continue
            case Answer():
                store.add_answer(item)
            case RecordedResponse(response, _, at):
                store.add_response(response, at)
        num_records += 1
    if store.backend is None:
        store.begin(backend or path.name)
    return num_records


def read_warc(path: Path) -> Iterator[Item | str]:
    """Read an archive in order: responses, answers, and the name of the backend if this project wrote the archive.

    Raises:
        SnapshotError: The file cannot be read, is not a WARC file, or is broken.
    """
    try:
        with path.open("rb") as file:
            for record in ArchiveIterator(file):
                if (item := _item(record)) is not None:
                    yield item
    except (ArchiveLoadFailed, EOFError, ValueError) as error:  # a ValueError is about a header field
        raise SnapshotError(f"{path} is not a WARC file, or is broken: {error}") from error
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
        case "resource" if address.startswith(_ANSWER_ADDRESS):
            kind, _, rest = address.removeprefix(_ANSWER_ADDRESS).partition(":")
            renderer, _, escaped = rest.partition(":")
            known = next((name for name in _KINDS if name == kind), None)
            body = _body(record)
            if known is None or body is None:
                return None
            request = unquote(escaped)
            return Answer(known, request, _page_url(known, request, body), at, int(renderer), body)
        case "response" | "resource" if address.startswith(("http:", "https:")):
            body = _body(record)
            return None if body is None else RecordedResponse(_response(record, address, body), "", at)
        case _:
            return None


def _page_url(kind: Kind, request: str, body: bytes) -> str:
    """Final URL of an answer's page; see `Answer.url`."""
    page = json.loads(body).get("page")
    if page is not None:
        return str(page["url"])
    return request if kind == "page" else ""


def _response(record: ArcWarcRecord, address: str, body: bytes) -> Response:
    if record.http_headers is None:
        media_type = record.rec_headers.get_header("Content-Type")
        return Response(address, 200, {"content-type": media_type} if media_type else {}, body)
    sent = {name.lower(): value for name, value in record.http_headers.headers}
    status = int(record.http_headers.get_statuscode())
    return Response(address, status, {name: sent[name] for name in sent if name not in _TRANSFER_HEADERS}, body)


def _body(record: ArcWarcRecord) -> bytes | None:
    """The decoded body of a record; None if it is too large."""
    body: bytes = record.content_stream().read(MAX_BYTES + 1)
    return body if len(body) <= MAX_BYTES else None


def _text(stream: IO[bytes]) -> str:
    return stream.read(65_536).decode("utf-8", "replace")


def _response_record(writer: WARCWriter, recorded: RecordedResponse) -> ArcWarcRecord:
    response = recorded.response
    known = {status.value: status.phrase for status in HTTPStatus}
    status_line = f"{response.status} {known.get(response.status, 'Unknown')}"
    fields = [*response.headers.items(), ("content-length", str(len(response.body)))]
    return writer.create_warc_record(
        response.url,
        "response",
        payload=BytesIO(response.body),
        length=len(response.body),
        http_headers=StatusAndHeaders(status_line, fields, protocol="HTTP/1.1"),
        warc_headers_dict={"WARC-Date": recorded.at},
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
