import json
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from browser_env.errors import RecordError
from browser_env.records import Episode, Question, Reference, Settings, Step
from browser_env.records.storage import append_record, read_records, storable

EPISODE = Episode(
    id="e1",
    question=Question(id="q1", text="Why?"),
    settings=Settings(),
    actor="scripted",
    backend="fake",
    seed=3,
    steps=(
        Step(
            phase="browsing", observation="♦Question\nWhy?", completion="Quote: x\ny", token_ids=(1, 2), logprobs=(-0.5, -1e-9)
        ),
        Step(phase="answering", observation="Why?◼", completion="Because [1].", seconds=0.25),
    ),
    references=(Reference(title="T", url="http://a.org/", extract="x", page="0" * 16, start=0, end=1),),
    ending="answer",
)


def written(path: Path, *records: Episode) -> Path:
    for record in records:
        append_record(path, record)
    return path


def read_until_error(path: Path) -> tuple[list[str], str]:
    read: list[str] = []
    with pytest.raises(RecordError) as caught:
        for episode in read_records(path, Episode):
            read.append(episode.id)
    return read, str(caught.value)


def test_reading_returns_the_written_episodes(tmp_path: Path) -> None:
    second = replace(EPISODE, id="e2", failure="PolicyError: no", ending=None, steps=())
    path = written(tmp_path / "e.jsonl", EPISODE, second)
    assert list(read_records(path, Episode)) == [EPISODE, second]


texts = st.text(alphabet=st.characters(codec="utf-8"), max_size=30)  # lone surrogates: STORABLE
numbers = st.floats(allow_nan=False, allow_infinity=False)


@given(texts, texts, texts, st.lists(numbers), st.none() | texts)
def test_reading_undoes_writing(
    tmp_path_factory: pytest.TempPathFactory, name: str, shown: str, reply: str, logprobs: list[float], failure: str | None
) -> None:
    step = Step(phase="browsing", observation=shown, completion=reply, logprobs=tuple(logprobs))
    episode = replace(EPISODE, question=Question(id=name, text=reply), steps=(step, step), failure=failure)
    path = written(tmp_path_factory.mktemp("records") / "e.jsonl", episode, episode)
    assert list(read_records(path, Episode)) == [episode, episode]


STORABLE = [
    ("plain", "crows", "crows"),
    ("line-separators-stay", "a\u2028b\x85c\r\n", "a\u2028b\x85c\r\n"),
    ("lone-surrogate", "a\ud800b", "a\ufffdb"),
    ("two-halves-of-a-character", "\ud83d\ude00", "😀"),
    ("lone-surrogate-before-emoji", "\udc00😀", "\ufffd😀"),
]


@pytest.mark.parametrize(("text", "stored"), [case[1:] for case in STORABLE], ids=[case[0] for case in STORABLE])
def test_every_text_can_be_stored(tmp_path: Path, text: str, stored: str) -> None:
    assert storable(text) == stored
    append_record(tmp_path / "q.jsonl", Question(id="q", text=text))
    assert [question.text for question in read_records(tmp_path / "q.jsonl", Question)] == [stored]


def test_a_number_that_is_not_finite_is_rejected_before_anything_is_written(tmp_path: Path) -> None:
    step = replace(EPISODE.steps[0], logprobs=(float("-inf"),))
    with pytest.raises(ValueError, match="JSON"):
        append_record(tmp_path / "e.jsonl", replace(EPISODE, steps=(step,)))
    assert not (tmp_path / "e.jsonl").exists()


def changed(**changes: Any) -> bytes:
    record = json.loads(json.dumps(EPISODE_JSON))
    for key, value in changes.items():
        target = record
        *parents, last = key.split("__")
        for parent in parents:
            target = target[int(parent)] if isinstance(target, list) else target[parent]
        target[last] = value
    return json.dumps(record).encode() + b"\n"


EPISODE_JSON = {
    "schema_version": 1,
    "id": "e1",
    "question": {"id": "q1", "text": "Why?"},
    "settings": {},
    "actor": "a",
    "backend": "b",
    "steps": [{"phase": "browsing", "observation": "o", "completion": "c"}],
}

BAD_LINES = [
    ("another-version", changed(schema_version=2), "schema version 2 is not supported"),
    ("another-version-with-new-keys", changed(schema_version=2, novelty=1), "schema version 2 is not supported"),
    ("unknown-key", changed(novelty=1), "novelty: Unexpected keyword argument"),
    ("unknown-key-inside", changed(question__novelty=1), "question.novelty: Unexpected keyword argument"),
    ("number-as-text", changed(seed="3"), "seed: "),
    ("wrong-type-in-a-step", changed(steps__0__completion=1), "steps.0.completion: "),
    ("impossible-setting", changed(settings__view_width=1), "view_width must be at least 20, got 1"),
    ("missing-key", b'{"schema_version": 1, "id": "x"}\n', "question: "),
    ("no-object", b"[]\n", "is not a valid Episode"),
    ("no-json", b"id,question\n", "is not JSON; delete this line"),
    ("no-utf8", b"\xff\xfe\n", "is not JSON"),
    ("torn", changed()[:40], "is not JSON (it is incomplete"),
    ("torn-inside-a-character", '{"id": "東'.encode()[:-1], "is not JSON (it is incomplete"),
]


@pytest.mark.parametrize(("line", "problem"), [case[1:] for case in BAD_LINES], ids=[case[0] for case in BAD_LINES])
def test_a_bad_line_is_named_after_all_lines_before_it_were_read(tmp_path: Path, line: bytes, problem: str) -> None:
    path = written(tmp_path / "e.jsonl", EPISODE, replace(EPISODE, id="e2"))
    with path.open("ab") as file:
        file.write(b"\n" + line)
    read, message = read_until_error(path)
    assert read == ["e1", "e2"]
    assert message.startswith(f"{path}:4: ")
    assert problem in message
    assert "\n" not in message


def test_a_last_record_without_a_line_feed_is_read(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl"
    path.write_bytes(changed().rstrip())
    assert [episode.id for episode in read_records(path, Episode)] == ["e1"]


def test_appending_after_an_incomplete_line_keeps_both(tmp_path: Path) -> None:
    path = written(tmp_path / "e.jsonl", EPISODE)
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:50])
    append_record(path, replace(EPISODE, id="e3"))
    assert read_until_error(path)[0] == ["e1"]
    first, torn, third = path.read_bytes().splitlines(keepends=True)
    assert torn == whole[:50] + b"\n"
    path.write_bytes(first + third)
    assert [episode.id for episode in read_records(path, Episode)] == ["e1", "e3"]


@pytest.mark.parametrize("name", ["missing.jsonl", "."])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(RecordError, match="cannot be read"):
        list(read_records(tmp_path / name, Episode))


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="cannot be written"):
        append_record(tmp_path / "no-such-folder" / "e.jsonl", EPISODE)


def test_an_incomplete_line_on_a_full_disk_is_removed(tmp_path: Path) -> None:
    path = written(tmp_path / "e.jsonl", EPISODE)
    before = path.read_bytes()
    program = (
        "import resource, sys; from pathlib import Path; from browser_env.records import *; from browser_env.records.storage import *;"
        "path = Path(sys.argv[1]); record = next(read_records(path, Episode));"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 10,) * 2);"
        "append_record(path, record, fsync=True)"
    )
    run = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=False)
    assert f"RecordError: {path}: cannot be written: the disk is full" in run.stderr
    assert path.read_bytes() == before


def test_columns_are_plain_json(tmp_path: Path) -> None:
    path = written(tmp_path / "e.jsonl", EPISODE)
    record = json.loads(path.read_text("utf-8"))
    assert record["question"] == {**asdict(EPISODE.question), "answers": [], "incorrect_answers": [], "evidence": []}
    assert record["steps"][0]["token_ids"] == [1, 2]
