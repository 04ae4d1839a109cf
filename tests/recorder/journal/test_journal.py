"""The journal: durability, truncation, seals, and invalid files."""

import json
from pathlib import Path
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, TypeAdapter

from browser_env.errors import RecordError
from browser_env.records.record import record
from recorder.journal.journal import Entry, Journal, Schema, read_journal


@record
class Say:
    event: Literal["say"] = "say"
    text: str


@record
class Count:
    event: Literal["count"] = "count"
    number: int


SCHEMA: Schema[Say | Count] = Schema("test", TypeAdapter(Annotated[Say | Count, Field(discriminator="event")]))
EVENTS = (Say(text="crows"), Count(number=3), Say(text="Thé “end”\n\u2028—"), Say(text=""), Count(number=-1))


def write(path: Path, *events: Say | Count) -> None:
    with Journal(path, SCHEMA) as journal:
        for number, event in enumerate(events):
            journal.append(Entry(event, number / 3))


def test_reading_returns_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "journal.jsonl"
    write(path, *EVENTS)
    write(path, Say(text="more"))
    with Journal(path, SCHEMA) as journal:
        assert [entry.event for entry in journal.entries] == [*EVENTS, Say(text="more")]
        assert [entry.elapsed for entry in journal.entries] == [0, 1 / 3, 2 / 3, 1, 4 / 3, 0]
        assert journal.digest is None


def test_append_returns_after_the_event_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "journal.jsonl"
    synced: list[bytes] = []
    monkeypatch.setattr("recorder.journal.journal.os.fsync", lambda _: synced.append(path.read_bytes()))
    with Journal(path, SCHEMA) as journal:
        for event in EVENTS:
            journal.append(Entry(event, 0.0))
            assert synced[-1] == path.read_bytes()
            assert read_journal(path, SCHEMA).entries[-1].event == event


@pytest.mark.parametrize("is_sealed", [False, True], ids=["going on", "sealed"])
def test_truncation_at_any_byte_loses_only_the_last_event(tmp_path: Path, is_sealed: bool, no_fsync: None) -> None:
    path = tmp_path / "journal.jsonl"
    write(path, *EVENTS)
    if is_sealed:
        with Journal(path, SCHEMA) as journal:
            journal.seal()
    whole = path.read_bytes()
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        num_whole = min(max(0, whole[:cut].count(b"\n") - 1), len(EVENTS))
        with Journal(path, SCHEMA) as journal:
            assert [entry.event for entry in journal.entries] == list(EVENTS[:num_whole])
            assert (journal.digest is not None) == (is_sealed and cut == len(whole))
            if journal.digest is None:
                journal.append(Entry(Say(text="again"), 9.0))
        if not (is_sealed and cut == len(whole)):
            assert [entry.event for entry in read_journal(path, SCHEMA).entries] == [*EVENTS[:num_whole], Say(text="again")]


@pytest.mark.parametrize(
    "tail",
    [b"\0" * 4096, b'{"elapsed": 1', b'\0\0\0\0"}}\n', b"\xff\xfe", b'{"elapsed": 1.0, "event": \0\0\0\n'],
    ids=["zeros", "half", "only its end", "no text", "a hole"],
)
def test_garbage_after_the_last_event_is_dropped(tmp_path: Path, tail: bytes) -> None:
    path = tmp_path / "journal.jsonl"
    write(path, *EVENTS)
    whole = path.read_bytes()
    path.write_bytes(whole + tail)
    write(path, Count(number=7))
    assert path.read_bytes().startswith(whole + b'{"elapsed"')
    assert [entry.event for entry in read_journal(path, SCHEMA).entries] == [*EVENTS, Count(number=7)]


def test_opening_a_journal_does_not_change_it(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    write(path, *EVENTS)
    torn = path.read_bytes() + b"torn"
    path.write_bytes(torn)
    path.chmod(0o400)
    tmp_path.chmod(0o500)
    with Journal(path, SCHEMA) as journal:
        assert len(journal.entries) == len(EVENTS)
    tmp_path.chmod(0o700)
    assert path.read_bytes() == torn
    with Journal(tmp_path / "none.jsonl", SCHEMA) as journal:
        assert journal.entries == ()
    assert not (tmp_path / "none.jsonl").exists()


def test_changes_of_a_sealed_journal_are_detected(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    write(path, *EVENTS)
    with Journal(path, SCHEMA) as journal:
        digest = journal.seal()
        assert journal.seal() == digest
        with pytest.raises(ValueError, match="sealed"):
            journal.append(Entry(EVENTS[0], 0.0))
    whole = path.read_bytes()
    assert read_journal(path, SCHEMA).digest == digest
    for changed in (whole.replace(b"crows", b"crowd"), whole.replace(b"crows", b"crow"), whole + b"x", whole + b"{}\n"):
        path.write_bytes(changed)
        with pytest.raises(RecordError, match=r"journal\.jsonl: was changed after it was sealed"):
            Journal(path, SCHEMA)


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (["hello"], "is not a journal of the recorder"),
        ([{"schema_version": 2, "journal": "test"}], "expected schema version 1, got 2"),
        ([{"schema_version": 1, "journal": "other"}], "expected the journal of a test, got that of a other"),
        ([{"schema_version": 1, "journal": "test"}, "{", "{}"], ":2: is not an event of a test"),
        (
            [{"schema_version": 1, "journal": "test"}, {"elapsed": 0.5, "event": {"event": "sing"}}],
            ":2: is not an event .*sing",
        ),
        (
            [{"schema_version": 1, "journal": "test"}, {"elapsed": 0.5, "event": {"event": "say", "text": "a", "loud": 1}}],
            ":2: is not an event .*loud",
        ),
        ([{"schema_version": 1, "journal": "test"}, {"elapsed": 0.5}], ":2: is not an event"),
    ],
    ids=["another file", "version", "kind", "broken inside", "unknown event", "unknown key", "no event"],
)
def test_invalid_journals_are_rejected_and_not_changed(tmp_path: Path, lines: list[object], problem: str) -> None:
    path = tmp_path / "journal.jsonl"
    text = "".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines)
    path.write_text(text)
    with pytest.raises(RecordError, match=problem):
        Journal(path, SCHEMA)
    assert path.read_text() == text


def test_writing_fails_after_another_program_has_written(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    write(path, *EVENTS)
    with Journal(path, SCHEMA) as first, Journal(path, SCHEMA) as second:
        first.append(Entry(Say(text="first"), 1.0))
        with pytest.raises(RecordError, match="another program has written to this file"):
            second.append(Entry(Say(text="second"), 1.0))
        first.append(Entry(Say(text="first"), 2.0))
    assert [entry.event for entry in read_journal(path, SCHEMA).entries] == [*EVENTS, Say(text="first"), Say(text="first")]


def test_a_failed_write_leaves_the_journal_unchanged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "journal.jsonl"
    write(path, *EVENTS)
    whole = path.read_bytes()
    with Journal(path, SCHEMA) as journal:
        with monkeypatch.context() as broken:
            broken.setattr("recorder.journal.journal.os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left")))
            with pytest.raises(RecordError, match=r"journal\.jsonl: cannot be written: No space left"):
                journal.append(Entry(Say(text="lost"), 1.0))
        assert path.read_bytes() == whole
        journal.append(Entry(Say(text="kept"), 1.0))
    assert [entry.event for entry in read_journal(path, SCHEMA).entries] == [*EVENTS, Say(text="kept")]


@given(st.text(), st.floats(0, 1e9))
def test_as_written_returns_the_event_that_is_read_back(text: str, elapsed: float) -> None:
    entry = SCHEMA.decode(SCHEMA.encode(Say(text=text + "\ud800"), elapsed))
    assert entry == Entry(Say(text=text.replace("\ud800", "\ufffd") + "\ufffd"), elapsed)
    assert SCHEMA.decode(SCHEMA.encode(entry.event, entry.elapsed)) == entry
