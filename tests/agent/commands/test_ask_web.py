"""`webgpt ask --web` and similar commands, end to end, on a local web site about a fictional country."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.cli import main
from agent.commands.bench import Bench
from agent.commands.sample import Sample
from browser_env.command_line.web_options import WebOptions
from tests.browser_env.conftest import Answer, serving
from tests.conftest import Run
from tests.tools.towns import TownServer, serving_towns


@pytest.fixture(scope="module")
def towns() -> Iterator[TownServer]:
    with serving_towns() as server:
        yield server


@pytest.fixture
def online(towns: TownServer) -> tuple[str, ...]:
    """Flags that make a command browse the local web site."""
    return ("--web", "--search-url", towns.url, "--loopback-port", str(towns.port))


def test_answer_cites_the_live_pages(webgpt: Run, towns: TownServer, online: tuple[str, ...], tmp_path: Path) -> None:
    town = towns.country.towns[0]
    saved = tmp_path / "episodes.jsonl"
    done = webgpt("ask", *online, "--json", "--save", saved, "--policy", "scripted", "--", town.question)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert town.founder in result["answer"]
    assert result["supported"]
    assert {reference["url"] for reference in result["episode"]["references"]} == {towns.url + town.path}
    assert "browses web:searxng" in done.stderr
    assert json.loads(saved.read_text())["backend"] == "web:searxng"
    assert len(towns.country.pages) >= 400


def test_provider_comes_from_the_environment(webgpt: Run, towns: TownServer) -> None:
    town = towns.country.towns[1]
    flags = ("--web", "--policy", "scripted", "--loopback-port", towns.port)
    done = webgpt("ask", *flags, town.question, SEARCH_PROVIDER="searxng", SEARXNG_URL=towns.url)
    assert done.returncode == 0, done.stderr
    assert town.founder in done.stdout
    assert f"{towns.url}{town.path}" in done.stdout


def test_browsing_at_a_prompt(webgpt: Run, towns: TownServer, online: tuple[str, ...]) -> None:
    town = towns.country.towns[2]
    commands = f"Search {town.name} founded\nClicked on link 0\nQuote: {town.paragraphs[1]}\nEnd: Answer\nIt was founded. [1]\n"
    done = webgpt("browse", *online, "Who?", stdin=commands)
    assert done.returncode == 0, done.stderr
    assert f"♦Title\n{town.name} (127.0.0.1)" in done.stdout
    assert f"[1] {town.name} (127.0.0.1)" in done.stdout


@pytest.fixture
def asked(towns: TownServer, tmp_path: Path) -> Path:
    """A question file about the country."""
    file = tmp_path / "questions.jsonl"
    chosen = [town for town in towns.country.towns if not town.is_drawn][:4]
    file.write_text("".join(json.dumps({"id": town.name, "text": town.question}) + "\n" for town in chosen))
    return file


def test_rollouts_on_the_live_web(towns: TownServer, asked: Path, tmp_path: Path) -> None:
    options = WebOptions(web=True, search_url=towns.url, loopback_port=towns.port)
    out = tmp_path / "samples.jsonl"
    assert Sample(questions=str(asked), out=out, policy="scripted", web=options).run() == 0
    episodes = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(episodes) == 4
    assert all(episode["references"] and episode["backend"] == "web:searxng" for episode in episodes)


def test_benchmark_on_the_live_web(towns: TownServer, asked: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = WebOptions(web=True, search_url=towns.url, loopback_port=towns.port)
    assert Bench(questions=str(asked), out=tmp_path / "results", policy=("scripted",), web=options).run() == 0
    assert "browsing web:searxng" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "variables", "expected"),
    [
        (("--provider", "brave"), {}, "--provider needs --web"),
        (("--web", "--collection", "x"), {}, "--collection is an offline web and --web the live web"),
        (("--web", "--provider", "bing"), {}, "'bing' is not a search provider"),
        (("--web", "--provider", "brave"), {}, "brave needs a key: set BRAVE_API_KEY"),
        (("--web",), {"SEARCH_PROVIDER": "exa"}, "exa needs a key: set EXA_API_KEY"),
        (("--web", "--search-url", "nowhere"), {}, "is not the URL of a server"),
        (("--browser", "never"), {}, "--browser needs --web"),
        (("--web", "--browser", "always"), {"PATH": "/nowhere"}, "no Chromium or Chrome is installed"),
        (
            ("--web", "--replay", "x"),
            {},
            "--replay cannot be combined with --web, --collection or --record",
        ),
    ],
)
def test_a_usage_error_is_one_line_and_exits_2(
    arguments: tuple[str, ...],
    variables: dict[str, str],
    expected: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("SEARCH_PROVIDER", "BRAVE_API_KEY", "EXA_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert main(["ask", *arguments, "anything"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert expected in err
    assert err.count("\n") == 1


def test_a_refused_key_ends_the_run_and_is_never_shown(webgpt: Run, tmp_path: Path) -> None:
    with serving() as server:
        server.answers["/res/v1/web/search"] = Answer(b'{"error": "bad key secret-key-7f3a9"}', "application/json", 401)
        saved = tmp_path / "episodes.jsonl"
        arguments = ("--web", "--provider", "brave", "--search-url", server.url, "--save", saved, "--policy", "scripted")
        done = webgpt("ask", *arguments, "anything", BRAVE_API_KEY="secret-key-7f3a9")
    assert done.returncode == 2
    assert "brave refuses to search (HTTP 401): set BRAVE_API_KEY to a valid key" in done.stderr
    assert server.headers[0]["X-Subscription-Token"] == "secret-key-7f3a9"
    assert "secret-key-7f3a9" not in done.stdout + done.stderr + saved.read_text()


def test_a_recording_is_replayed_without_the_server(webgpt: Run, chromium_path: Path, tmp_path: Path) -> None:
    with serving_towns() as server:
        flags = ("--web", "--search-url", server.url, "--loopback-port", server.port)
        drawn = next(town for town in server.country.towns if town.is_drawn)
        asking = ("ask", "--json", "--policy", "scripted", "--", drawn.question)
        recorded = webgpt(*asking[:1], *flags, "--record", tmp_path / "web", "--save", tmp_path / "1.jsonl", *asking[1:])
        assert recorded.returncode == 0, recorded.stderr
        assert {reference["url"] for reference in json.loads(recorded.stdout)["episode"]["references"]} == {
            server.url + drawn.path
        }
        assert drawn.founder in json.loads(recorded.stdout)["answer"]
    replayed = webgpt(*asking[:1], "--replay", tmp_path / "web", "--save", tmp_path / "2.jsonl", *asking[1:])
    assert (replayed.returncode, replayed.stdout) == (0, recorded.stdout)
    assert (tmp_path / "2.jsonl").read_bytes() == (tmp_path / "1.jsonl").read_bytes()
    missed = webgpt("ask", "--replay", tmp_path / "web", "--policy", "scripted", "--", "Who founded nothing of the kind?")
    assert missed.returncode == 1
    assert "is not among the snapshots" in missed.stderr


def test_a_collection_is_recorded_and_replayed(webgpt: Run, small_collection: Path, tmp_path: Path) -> None:
    asking = ("--json", "--policy", "scripted", "--", "What does shutil.copytree do?")
    recorded = webgpt("ask", "--collection", small_collection, "--record", tmp_path / "web", *asking)
    replayed = webgpt("ask", "--replay", tmp_path / "web", *asking)
    assert recorded.returncode == 0, recorded.stderr
    assert (replayed.returncode, replayed.stdout) == (0, recorded.stdout)
    archive = tmp_path / "web.warc.gz"
    assert webgpt("snapshots", tmp_path / "web", "--export-warc", archive).returncode == 0
    copied = webgpt("snapshots", tmp_path / "copy", "--import-warc", archive)
    assert (copied.returncode, copied.stdout.splitlines()[-1]) == (0, str(tmp_path / "copy"))
    assert webgpt("ask", "--replay", tmp_path / "copy", *asking).stdout == recorded.stdout
