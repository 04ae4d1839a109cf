"""Fixtures for tests of collections and of the network: a small collection and a web server."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from browser_env.offline_web.collection import Collection
from browser_env.offline_web.indexing import build
from browser_env.offline_web.sources.python_docs import PythonDocs

MODULES = ("builtins", "collections", "json", "os", "os.path", "shutil", "string", "textwrap")


@pytest.fixture(scope="session")
def python_docs_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A collection with the documentation of a few modules."""
    path = tmp_path_factory.mktemp("collections") / "python.sqlite"
    build(path, PythonDocs(modules=MODULES))
    return path


@pytest.fixture
def python_docs(python_docs_file: Path) -> Iterator[Collection]:
    with Collection.open(python_docs_file) as collection:
        yield collection


@dataclass(frozen=True)
class Answer:
    """A response of the test server."""

    body: bytes = b""
    content_type: str | None = "text/html; charset=utf-8"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    write: Callable[[BaseHTTPRequestHandler], None] | None = None
    """Writes the response to the connection, in place of the fields above."""
    then: "Answer | None" = None
    """The response to the next request. Default: the same one."""


@dataclass
class WebServer:
    """A server on loopback that gives fixed responses and records its requests."""

    url: str
    port: int
    answers: dict[str, Answer]
    """Responses by path with query, or else by path alone."""
    requested: list[str]
    headers: list[Mapping[str, str]]
    bodies: list[bytes]
    """Bodies of the requests."""


@pytest.fixture
def web_server() -> Iterator[WebServer]:
    with serving() as server:
        yield server


@contextmanager
def serving(host: str = "127.0.0.1") -> Iterator[WebServer]:
    """Run a server on an address of this machine."""
    answers: dict[str, Answer] = {}
    requested: list[str] = []
    headers: list[Mapping[str, str]] = []
    bodies: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requested.append(self.path)
            headers.append(dict(self.headers))
            bodies.append(self.rfile.read(int(self.headers.get("Content-Length", 0))))
            path = self.path if self.path in answers else self.path.partition("?")[0]
            answer = answers.get(path, Answer(b"not found", status=404))
            if answer.then is not None:
                answers[path] = answer.then
            if answer.write is not None:
                answer.write(self)
                return
            self.send_response(answer.status)
            if answer.content_type is not None:
                self.send_header("Content-Type", answer.content_type)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)

        do_POST = do_HEAD = do_GET

        def log_message(self, format: str, *args: object) -> None:
            pass

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except ConnectionError:
                self.close_connection = True  # the client has gone away on purpose

    server = ThreadingHTTPServer((host, 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    port = server.server_address[1]
    try:
        yield WebServer(f"http://{host}:{port}", port, answers, requested, headers, bodies)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
