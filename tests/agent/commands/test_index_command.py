import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from browser_env.offline_web.collection import Collection

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "docs"
    root.mkdir()
    (root / "index.html").write_text('<title>Home</title><p>Home of <a href="walrus.html">walruses</a>')
    (root / "walrus.html").write_text("<title>Walrus</title><p>The walrus is large.")
    (root / "broken.html").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    return root


@pytest.fixture
def server(folder: Path) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    server.server_close()
    thread.join()


def test_folder_becomes_a_file_that_can_be_searched(webgpt: Run, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "made" / "c.sqlite"
    done = webgpt("index", folder, "--out", out)
    assert (done.returncode, done.stdout) == (0, f"{out}\n")
    assert f"skipped {folder.as_uri()}/broken.html: " in done.stderr
    assert "2 pages: 2 new or changed, 0 removed, 1 skipped, in " in done.stderr
    with Collection.open(out) as collection:
        assert collection.search("walrus")[0].url == (folder / "walrus.html").as_uri()


def test_second_run_renders_only_what_has_changed(webgpt: Run, folder: Path, tmp_path: Path) -> None:
    webgpt("index", folder, "--out", tmp_path / "c")
    (folder / "walrus.html").write_text("<title>Walrus</title><p>The walrus is very large.")
    assert "2 pages: 1 new or changed, 0 removed" in webgpt("index", folder, "--out", tmp_path / "c").stderr


def test_label_and_base_url_set_the_name_and_the_addresses(webgpt: Run, folder: Path, tmp_path: Path) -> None:
    webgpt("index", folder, "--out", tmp_path / "c", "--label", "animals", "--base-url", "https://animals.example/")
    with Collection.open(tmp_path / "c") as collection:
        assert collection.name.startswith("animals-")
        assert collection.urls() == ("https://animals.example/index.html", "https://animals.example/walrus.html")


def test_the_default_file_is_in_the_cache_folder(webgpt: Run, folder: Path, tmp_path: Path) -> None:
    done = webgpt("index", folder, XDG_CACHE_HOME=str(tmp_path / "cache"), HOME=str(tmp_path))
    path = Path(done.stdout.strip())
    assert path.is_relative_to(tmp_path)
    assert path.name.startswith("docs-")
    assert webgpt("index", folder, XDG_CACHE_HOME=str(tmp_path / "cache"), HOME=str(tmp_path)).stdout == done.stdout


def test_stats_describe_the_file_without_building_it(webgpt: Run, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "c"
    assert webgpt("index", folder, "--out", out, "--stats").returncode == 1
    webgpt("index", folder, "--out", out)
    before = out.stat()
    done = webgpt("index", folder, "--out", out, "--stats")
    assert dict(line.split(maxsplit=1) for line in done.stdout.splitlines())["pages"] == "2"
    assert out.stat().st_mtime_ns == before.st_mtime_ns


def test_a_site_on_this_machine_is_indexed_only_if_allowed(webgpt: Run, server: str, tmp_path: Path) -> None:
    options = ("--out", tmp_path / "c", "--seconds-between", 0)
    refused = webgpt("index", server, *options)
    assert refused.returncode == 1
    assert "127.0.0.1 is not on the public internet" in refused.stderr
    done = webgpt("index", server, *options, "--allow-loopback")
    assert done.returncode == 0, done.stderr
    with Collection.open(tmp_path / "c") as collection:
        assert collection.urls() == (server, f"{server}walrus.html")
        assert collection.fetch(server).link_urls == (f"{server}walrus.html",)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["nowhere"], "'nowhere' is not a folder; pass pydoc, a folder, the URL of a site, or a web archive"),
        ([""], "'' is not a folder"),
        (["ftp://example.org/"], "'ftp://example.org/' is not an http or https URL"),
        (["http://user:secret@example.org/"], "is not a valid URL"),
        (["http://example.org/", "--max-pages", "0"], "--max-pages must be at least 1"),
        (["http://example.org/", "--seconds-between", "nan"], "--seconds-between at least 0"),
        ([".", "--base-url", "example.org"], "--base-url must be an http or https URL"),
    ],
)
def test_a_usage_error_of_index_is_one_line_and_exits_2(webgpt: Run, arguments: list[str], expected: str) -> None:
    done = webgpt("index", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert expected in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_file_that_is_not_a_collection_is_not_overwritten(webgpt: Run, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "letter.txt"
    out.write_text("Dear reader")
    done = webgpt("index", folder, "--out", out)
    assert done.returncode == 1
    assert "exists and is not a collection; choose another file" in done.stderr
    assert out.read_text() == "Dear reader"


def test_an_interrupt_leaves_no_files_behind(program: Path, environment: dict[str, str], tmp_path: Path) -> None:
    out = tmp_path / "c"
    child = subprocess.Popen(
        [program, "index", "pydoc", "--out", out], env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    building = tmp_path / ".c.building"
    while not building.exists() and child.poll() is None:
        pass
    os.kill(child.pid, signal.SIGINT)
    assert child.wait(timeout=30) == 130
    assert child.stderr is not None
    assert child.stderr.read() == "webgpt: interrupted\n"
    child.stderr.close()
    assert {path.name for path in tmp_path.iterdir()} == {".c.lock"}
