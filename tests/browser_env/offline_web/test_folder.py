import os
from pathlib import Path

import pytest

from browser_env.errors import CollectionError
from browser_env.offline_web.collection import Collection
from browser_env.offline_web.indexing import build
from browser_env.offline_web.sources import Expected, Redirect, Skipped
from browser_env.offline_web.sources.folder import MAX_BYTES, Folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "docs"
    (root / "guide" / "deep").mkdir(parents=True)
    (root / ".hidden").mkdir()
    (root / "index.html").write_text(
        '<title>Home</title><p><a href="guide/intro.md">intro</a> <a href="guide/">folder</a> <a href="notes.txt#x">notes</a> '
        '<a href="missing.html">missing</a> <a href="/etc/passwd">system</a> <a href="../secret.html">outside</a> '
        '<a href="https://example.org/">web</a> <a href="mailto:a@b.c">mail</a> <a href="with%20space%20%C3%BC.html">odd</a> '
        '<a href="with space ü.html">odd again</a> <a href="data.bin">data</a>'
    )
    (root / "guide" / "intro.md").write_text("# Introduction\n\nSee [home](../index.html) and [deep](deep/page.htm).\n")
    (root / "guide" / "index.html").write_text("<title>Guide</title><p>guide")
    (root / "guide" / "deep" / "page.htm").write_text("<title>Deep</title><p>deep text")
    (root / "notes.txt").write_text("Plain notes about walruses.\n")
    (root / "with space ü.html").write_text("<title>Odd</title><p>odd name")
    (root / ".hidden" / "page.html").write_text("<title>Hidden</title>")
    (root / ".hidden.html").write_text("<title>Hidden</title>")
    (root / "data.bin").write_bytes(bytes(100))
    (tmp_path / "secret.html").write_text("<title>Secret</title>")
    return root


def built(folder: Path, path: Path, base_url: str | None = None) -> Collection:
    build(path, Folder(folder, base_url))
    return Collection.open(path)


def test_pages_have_file_addresses(folder: Path, tmp_path: Path) -> None:
    with built(folder, tmp_path / "c") as collection:
        assert set(collection.urls()) == {
            (folder / name).as_uri()
            for name in (
                "index.html",
                "guide/intro.md",
                "guide/index.html",
                "guide/deep/page.htm",
                "notes.txt",
                "with space ü.html",
            )
        }
        assert collection.label == "docs"
        assert collection.search("walruses")[0].url == (folder / "notes.txt").as_uri()


def test_links_between_pages_work_and_links_to_other_files_become_text(folder: Path, tmp_path: Path) -> None:
    with built(folder, tmp_path / "c") as collection:
        page = collection.fetch((folder / "index.html").as_uri())
        titles = [collection.fetch(url).title for url in page.link_urls if url.startswith("file:")]
        assert titles[:3] == ["intro.md" if titles[0] == "intro.md" else "Introduction", "Guide", titles[2]]
        assert set(titles[3:]) == {"Odd"}
        assert [url for url in page.link_urls if not url.startswith("file:")] == ["https://example.org/"]
        intro = collection.fetch(page.link_urls[0])
        assert [collection.fetch(url).title for url in intro.link_urls] == ["Home", "Deep"]


def test_the_base_url_replaces_the_path_of_the_folder(folder: Path, tmp_path: Path) -> None:
    with built(folder, tmp_path / "c", "https://docs.example/v1/") as collection:
        assert "https://docs.example/v1/with%20space%20%C3%BC.html" in collection.urls()
        assert collection.fetch("https://docs.example/v1/").title == "Home"
        assert collection.fetch("https://docs.example/v1/guide/").title == "Guide"
        assert not [url for url in collection.fetch("https://docs.example/v1/").link_urls if url.startswith("file:")]
        assert str(folder) not in "".join(collection.fetch(url).text for url in collection.urls())


def test_same_folder_elsewhere_is_the_same_collection_under_a_base_url(folder: Path, tmp_path: Path) -> None:
    with built(folder, tmp_path / "1", "https://docs.example") as first:
        folder.rename(tmp_path / "moved")
        with built(tmp_path / "moved", tmp_path / "2", "https://docs.example") as second:
            assert (first.digest, first.urls()) == (second.digest, second.urls())


def test_links_out_of_the_folder_are_not_followed(folder: Path, tmp_path: Path) -> None:
    (folder / "out.html").symlink_to(tmp_path / "secret.html")
    (folder / "broken.html").symlink_to(folder / "nothing.html")
    (folder / "alias.html").symlink_to(folder / "notes.txt")
    (folder / "up").symlink_to(tmp_path)
    (folder / "loop").symlink_to(folder)
    items = list(Folder(folder))
    assert {Path(item.name).name: item.reason for item in items if isinstance(item, Skipped)} == {
        "out.html": "a link out of the folder",
        "broken.html": "not a regular file",
        "up": "a link to a folder",
        "loop": "a link to a folder",
    }
    with built(folder, tmp_path / "c") as collection:
        assert "Secret" not in {collection.fetch(url).title for url in collection.urls()}
        assert (folder / "alias.html").as_uri() in collection.urls()


def test_bad_files_are_named_and_the_rest_is_indexed(folder: Path, tmp_path: Path) -> None:
    (folder / "binary.html").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 50)
    (folder / "empty.html").write_bytes(b"")
    with (folder / "huge.txt").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    os.mkfifo(folder / "pipe.html")
    (folder / os.fsdecode(b"bad\xff.html")).write_text("<title>Bad name</title>")
    report = build(tmp_path / "c", Folder(folder))
    skipped = {item.name.rpartition("/")[2]: item.reason for item in report.skipped}
    assert skipped["huge.txt"] == "larger than 20 MB"
    assert skipped["pipe.html"] == "not a regular file"
    assert "image/png" in skipped["binary.html"]
    with Collection.open(tmp_path / "c") as collection:
        assert "Bad name" in {collection.fetch(url).title for url in collection.urls()}


def test_file_that_cannot_be_read_is_skipped(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Folder(folder)
    (items, gone) = (iter(source), folder / "notes.txt")
    assert isinstance(next(items), Expected)
    gone.unlink()
    assert Skipped(str(gone), "No such file or directory") in list(items)


def test_expected_number_counts_files_and_skips(folder: Path) -> None:
    first, *others = Folder(folder)
    assert first == Expected(sum(not isinstance(item, Redirect) for item in others))


def test_a_missing_folder_is_named_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(CollectionError, match="is not a folder; pass a folder, a URL or pydoc"):
        build(tmp_path / "c", Folder(tmp_path / "nothing"))


def test_only_changed_files_are_rendered_again(folder: Path, tmp_path: Path) -> None:
    build(tmp_path / "c", Folder(folder))
    (folder / "notes.txt").write_text("Now about seals.\n")
    (folder / "guide" / "intro.md").unlink()
    report = build(tmp_path / "c", Folder(folder))
    assert (report.num_rendered, report.num_removed) == (1, 1)
