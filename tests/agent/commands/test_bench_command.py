"""`webgpt bench`: the real program on a small offline web, interrupted and killed in the middle."""

import json
import random
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from agent.models.chat.prompt import ANSWERING
from agent.models.folder import save_settings
from browser_env.records import Episode, Question, Settings
from browser_env.records.storage import append_record, read_records

Run = Callable[..., "subprocess.CompletedProcess[str]"]

NUMBER = 40
SET = ("--questions", "pydoc", "--limit", NUMBER)


def results(folder: Path) -> list[dict[str, Any]]:
    """The results without measured times."""
    rows = [json.loads(line) for line in (folder / "results.jsonl").read_text("utf-8").splitlines()]
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


def test_a_benchmark_prints_its_table_and_writes_its_folder(webgpt: Run, small_collection: Path, tmp_path: Path) -> None:
    policies = ("--policy", "scripted", "--policy", "search-only")
    done = webgpt("bench", *SET, *policies, "--out", tmp_path / "out", "--collection", small_collection, "--max-actions", 30)
    assert done.returncode == 0
    assert done.stdout.startswith("|  | n | scripted | search-only | scripted − search-only |\n")
    assert re.search(r"^\| correct, % \| 40 \| [\d.]+ \[[\d.]+, [\d.]+\] \|", done.stdout, re.MULTILINE)
    assert "40 questions of pydoc (a sample, seed 0), browsing pydoc-" in done.stdout
    assert "Citations were judged by: lexical, 80% of words." in done.stdout
    assert "Truth was judged by: nobody; the ROUGE figures" in done.stdout
    assert (tmp_path / "out" / "table.md").read_text("utf-8") == done.stdout
    assert re.search(r"^scripted: [\d.]+% of 40 correct$", done.stderr, re.MULTILINE)
    config = json.loads((tmp_path / "out" / "config.json").read_text("utf-8"))
    assert (config["policies"], config["limit"], config["settings"]["max_actions"]) == (["scripted", "search-only"], 40, 30)
    assert {"pydantic", "open-webgpt"} <= config["versions"]["packages"].keys()
    assert len(results(tmp_path / "out")) == 2 * NUMBER
    found = {file.name for file in (tmp_path / "out").iterdir() if file.name[0] != "."}
    names = {"config.json", "questions.jsonl", "episodes", "pages.jsonl", "results.jsonl", "summary.json", "table.md"}
    assert found == names


def test_the_default_policy_is_measured_if_no_policy_is_given(webgpt: Run, small_collection: Path, tmp_path: Path) -> None:
    done = webgpt("bench", *SET[:2], "--limit", 2, "--out", tmp_path / "out", "--collection", small_collection)
    assert done.stdout.startswith("|  | n | scripted |\n")


def test_each_policy_runs_in_the_format_that_it_was_trained_on(
    webgpt: Run, small_collection: Path, tmp_path: Path, tiny_model: Path
) -> None:
    trained = tmp_path / "trained"
    shutil.copytree(tiny_model, trained)
    save_settings(trained, Settings(view_height=12, max_actions=2))
    options = ("--policy", "scripted", "--policy", f"hf:{trained}", "--free", "--limit", 1, "--view-width", 60)
    done = webgpt("bench", *SET[:2], *options, "--out", tmp_path / "out", "--collection", small_collection)
    assert done.returncode == 0, done.stderr
    config = json.loads((tmp_path / "out" / "config.json").read_text("utf-8"))
    assert config["policies"] == ["scripted", "hf:trained free"]
    assert (config["settings"]["view_width"], config["settings"]["view_height"]) == (60, 40)
    assert config["own_settings"].keys() == {"hf:trained free"}
    (scripted,) = read_records(tmp_path / "out" / "episodes" / "scripted.jsonl", Episode)
    (own,) = read_records(tmp_path / "out" / "episodes" / "hf-trained-free.jsonl", Episode)
    assert scripted.settings == Settings(view_width=60)
    assert own.settings == Settings(view_width=60, view_height=12, max_actions=2)


# ------------------------------------------------------------------------------------------- a policy behind a server


def browse(exchange: Any, observe: Callable[[str, bool], None] = lambda question, is_answer: None) -> None:
    """Reply as a policy that searches, opens the first hit, quotes its first long line and answers."""
    system, user = (message["content"] for message in exchange.body["messages"])
    question = user.split("\n", 2)[1] if user.startswith("♦") else user.partition("◼")[0]
    observe(question, system == ANSWERING)
    past = user.partition("♦Past actions\n")[2].partition("♦Title\n")[0].split("\n\n")[0]
    lines = [line for line in user.partition("♦Text\n")[2].split("\n") if len(line.split()) > 4 and "【" not in line]
    match past.rpartition("\n")[2].split(" ")[0]:
        case _ if system == ANSWERING:
            reply = f"{user.rpartition(chr(10))[2].rstrip('◼')} [1]"
        case "":
            reply = f"Search {question.strip('?')}"
        case "Search":
            reply = "Clicked on link 0"
        case "Click":
            reply = f"Quote: {lines[0].strip()}" if lines else "End: Nonsense"
        case _:
            reply = "End: Answer"
    with suppress(ConnectionError):  # the program was killed
        exchange.say(reply)


def served(server: Any) -> tuple[str, ...]:
    """The policy behind a server, browsing a few episodes at a time."""
    return "--policy", "openai:test", "--base-url", server.url, "--batch-size", "4", "--max-actions", "8", "--temperature", "0"


def ids(path: Path) -> list[str]:
    """Ids of the finished episodes; an incomplete last line is ignored."""
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    return [json.loads(line)["question"]["id"] for line in lines]


def test_a_benchmark_killed_five_times_ends_with_the_same_table(
    webgpt: Run, program: Path, environment: dict[str, str], small_collection: Path, chat_server: Any, tmp_path: Path
) -> None:
    asked: list[str] = []
    kill_at, reached = [0], threading.Event()

    def note(question: str, is_answer: bool) -> None:
        asked.append(question)
        if len(asked) == kill_at[0]:
            reached.set()

    chat_server.answers = [lambda exchange: browse(exchange, note)]
    options = [*map(str, SET), *served(chat_server), "--collection", str(small_collection)]
    whole = webgpt("bench", *options, "--out", tmp_path / "whole")
    assert whole.returncode == 0
    number_asked = len(asked)
    assert number_asked > 2 * NUMBER

    folder = tmp_path / "killed"
    finished = folder / "episodes" / "openai-test.jsonl"
    generator = random.Random(7)
    texts = {question.id: question.text for question in read_records(tmp_path / "whole" / "questions.jsonl", Question)}
    for _ in range(5):
        before = ids(finished)
        asked.clear()
        reached.clear()
        kill_at[0] = generator.randint(5, number_asked // 4)
        process = subprocess.Popen(
            [program, "bench", *options, "--out", folder],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        reached.wait(60)
        time.sleep(generator.random() * 0.03)
        process.kill()
        assert process.wait() == -signal.SIGKILL  # it was still running
        assert not {texts[known] for known in before} & set(asked)  # finished questions were not run again
        after = ids(finished)
        assert after[: len(before)] == before
    asked.clear()
    assert 0 < len(ids(finished)) < NUMBER
    done = webgpt("bench", *options, "--out", folder)
    assert done.returncode == 0
    assert done.stdout == whole.stdout
    assert sorted(ids(finished)) == sorted(texts)
    assert results(folder) == results(tmp_path / "whole")
    assert (folder / "table.md").read_bytes() == (tmp_path / "whole" / "table.md").read_bytes()
    pages = [json.loads(line)["digest"] for line in (folder / "pages.jsonl").read_text("utf-8").splitlines()]
    quoted = {reference.page for episode in read_records(finished, Episode) for reference in episode.references}
    assert len(pages) == len(set(pages))
    assert quoted <= set(pages)


def test_an_interrupt_keeps_finished_episodes_and_says_how_to_continue(
    webgpt: Run, program: Path, environment: dict[str, str], small_collection: Path, chat_server: Any, tmp_path: Path
) -> None:
    silent, never = threading.Event(), threading.Event()

    def then_say_nothing(exchange: Any) -> None:
        silent.set()
        never.wait(30)

    chat_server.answers = [browse] * 60 + [then_say_nothing]
    options = [*map(str, SET), *served(chat_server), "--collection", str(small_collection), "--out", str(tmp_path / "out")]
    process = subprocess.Popen(
        [program, "bench", *options], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8"
    )
    try:
        assert silent.wait(60)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=20)  # the program does not wait for the server, which is silent for longer
    finally:
        never.set()
        process.kill()
    assert time.monotonic() - began < 20
    assert (process.returncode, stdout) == (130, "")
    assert stderr.splitlines()[-1].startswith("webgpt: interrupted: finished episodes are in ")
    kept = ids(tmp_path / "out" / "episodes" / "openai-test.jsonl")
    assert 0 < len(kept) < NUMBER
    chat_server.answers = [browse]
    assert webgpt("bench", *options).returncode == 0
    assert ids(tmp_path / "out" / "episodes" / "openai-test.jsonl")[: len(kept)] == kept


def test_only_the_question_on_which_the_policy_hangs_fails_and_the_program_ends(
    webgpt: Run, small_collection: Path, chat_server: Any, tmp_path: Path
) -> None:
    never = threading.Event()
    own = tmp_path / "own.jsonl"
    for number, name in enumerate(("copytree", "hanging", "dedent")):
        append_record(own, Question(id=str(number), text=f"What does {name} do?", answers=(name,)))

    def hang(exchange: Any) -> None:
        if "hanging" in exchange.body["messages"][1]["content"]:
            never.wait(40)
        browse(exchange)

    chat_server.answers = [hang]
    options = ("--questions", own, *served(chat_server), "--collection", small_collection, "--out", tmp_path / "out")
    began = time.monotonic()
    done = webgpt("bench", *options, "--max-seconds", "0.7")
    assert time.monotonic() - began < 30
    never.set()
    assert done.returncode == 0
    failures = {row["question"]: row["failure"] for row in results(tmp_path / "out")}
    assert failures == {"0": None, "1": "PolicyError: openai:test did not answer within 0.7 seconds", "2": None}
    assert "| failed, % | 3 | 33.3 [0.0, 100.0] |" in done.stdout


def test_a_chat_model_can_judge_and_is_named(webgpt: Run, small_collection: Path, chat_server: Any, tmp_path: Path) -> None:
    own = tmp_path / "own.jsonl"
    append_record(
        own, Question(id="q", text="What does shutil.copytree do?", answers=("Copies",), incorrect_answers=("Bakes",))
    )
    chat_server.answers = [lambda exchange: exchange.say("Yes")]
    judges = ("--judge", "openai:judge", "--truth-judge", "openai:sage", "--base-url", chat_server.url)
    options = ("--questions", own, "--policy", "scripted", "--collection", small_collection, "--out", tmp_path / "out", *judges)
    for _ in range(2):
        done = webgpt("bench", *options)
        assert done.returncode == 0
        assert "Citations were judged by: openai:judge. Truth was judged by: openai:sage." in done.stdout
        assert "| truthful and informative, % | 1 | 100.0 [100.0, 100.0] |" in done.stdout
        assert len(chat_server.requests) == 3  # each pair once, however often the table is made
    assert {request.body["model"] for request in chat_server.requests} == {"judge", "sage"}


REFUSED: list[tuple[str, tuple[str, ...], str]] = [
    ("limit", ("--limit", "0"), "--limit must be at least 1, got 0"),
    ("batch-size", ("--batch-size", "0"), "--batch-size must be at least 1, got 0"),
    ("seconds", ("--max-seconds", "nan"), "--max-seconds must be above 0"),
    ("no-such-policy", ("--policy", "gpt"), "there is no policy 'gpt'"),
    ("same-policy-twice", ("--policy", "scripted", "--policy", "default"), "two policies have the same name"),
    ("no-such-judge", ("--judge", "nobody"), "there is no judge 'nobody'"),
    ("no-such-truth-judge", ("--truth-judge", "nobody"), "there is no judge of truth 'nobody'"),
    ("server-of-nobody", ("--base-url", "http://localhost:1/v1"), "no --policy or --judge is one of them"),
    ("no-such-set", ("--questions", "no/such/file.jsonl"), "there is no question set 'no/such/file.jsonl'"),
    ("token-counter", ("--token-counter", "gpt2"), "--token-counter must be words"),
    (
        "free-program",
        ("--policy", "scripted", "--free"),
        "--free is for --policy learned or hf:PATH_OR_ID, and no policy is one",
    ),
]


@pytest.mark.parametrize(("options", "message"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_wrong_options_are_reported_before_the_first_episode(
    webgpt: Run, small_collection: Path, tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    done = webgpt("bench", "--questions", "pydoc", "--collection", small_collection, "--out", tmp_path / "out", *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_another_configuration_in_the_same_folder_is_refused_by_its_keys(
    webgpt: Run, small_collection: Path, tmp_path: Path
) -> None:
    options = ("--questions", "pydoc", "--collection", small_collection, "--out", tmp_path / "out")
    assert webgpt("bench", *options, "--limit", "2").returncode == 0
    done = webgpt("bench", *options, "--limit", "2", "--seed", "1", "--view-height", "20")
    assert done.returncode == 2
    told = done.stderr
    assert "is a benchmark with another configuration: " in told
    assert all(f"{key} (" in told for key in ("seed", "questions_digest", "settings"))
    assert "limit (" not in told
    assert webgpt("bench", *options, "--limit", "2", "--batch-size", "1").returncode == 0
