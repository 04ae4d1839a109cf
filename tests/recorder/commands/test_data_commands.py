"""`webgpt data check`, `stats`, `merge` and `agreement`, on recordings and on damaged files."""

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from agent.cli import main
from browser_env.records import Annotation, Claim, Comparison, Episode, Question, Ratings, Settings, Step
from browser_env.records.storage import append_record, read_records, record_line
from recorder.comparisons.events import Place, Rate
from recorder.journal.recording import Submit
from tests.recorder.made import ANSWERS, PAIR, RANKING, SOURCE, make_comparison, make_demonstration

pytestmark = pytest.mark.usefixtures("no_fsync")

QUESTION = Question(id="q", text="What do crows bring?")
COMPARISON = Comparison(id="c", question=QUESTION, answers=ANSWERS[:2], labeler="human:ann", ratings=Ratings(overall=1))
EPISODE = Episode(id="e", question=QUESTION, settings=Settings(), actor="model", backend="fake", references=(SOURCE,))


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    """A folder with two comparisons, a demonstration, and an unfinished one of each."""
    folder = tmp_path / "recordings"
    make_comparison(folder / "pair", PAIR, Rate(of="overall", score=0.5), Submit())
    places = (Place(answer=answer, place=place) for answer, place in ((0, 0), (1, 1), (2, 2)))
    make_comparison(folder / "ranking", RANKING, *places, Place(answer=3, place=2, is_tied=True), Submit())
    make_comparison(folder / "begun", replace(PAIR, id="u"), Rate(of="overall", score=0.5))
    make_demonstration(folder / "shown")
    make_demonstration(folder / "half", "Why?", is_finished=False)
    return folder


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, list[str], str]:
    """Run `webgpt data` and return the exit code, the lines of stdout, and stderr."""
    code = main(["data", *map(str, arguments)])
    captured = capsys.readouterr()
    return code, captured.out.splitlines(), captured.err


def test_valid_recordings_have_no_problems(recordings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, problems, stderr = run(capsys, "check", recordings)
    assert (code, problems) == (0, [])
    assert stderr == "1 episode, 2 comparisons, 2 unfinished recordings; no problems\n"


def sealed_again(path: Path, change: Callable[[str], str]) -> None:
    """Change a journal and seal it with a valid digest."""
    import hashlib

    lines = change(path.read_text("utf-8")).encode().splitlines(keepends=True)[:-1]
    path.write_bytes(b"".join(lines) + b'{"sealed": "%s"}\n' % hashlib.sha256(b"".join(lines)).hexdigest().encode())


def test_a_changed_journal_is_reported(recordings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = recordings / "pair" / "comparison.jsonl"
    path.write_text(path.read_text("utf-8").replace('"score": 0.5', '"score": 1.0'), "utf-8")
    code, problems, _ = run(capsys, "check", recordings)
    assert (code, problems) == (1, [f"{path}: was changed after it was sealed; restore it from a backup"])


def test_a_changed_page_is_reported(recordings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = next(path for path in (recordings / "shown" / "pages").iterdir() if "Crow number 3" in path.read_text("utf-8"))
    page.write_text(page.read_text("utf-8").replace("Crow number 3", "Crow number 4"), "utf-8")
    code, problems, _ = run(capsys, "check", recordings)
    assert (code, problems) == (1, [f"{page}: was changed; restore this page of the recording from a backup"])


def test_an_impossible_event_is_reported_despite_a_valid_digest(recordings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = recordings / "shown" / "demonstration.jsonl"
    sealed_again(path, lambda text: text.replace("Crow number 0 brought me a key.", "Crow number 0 brought me gold."))
    code, [problem], _ = run(capsys, "check", recordings)
    assert code == 1
    assert problem.startswith(f"{path}: contains an event that is not possible: ")


STEP = Step(phase="browsing", observation="o", completion="Search x")
BROKEN: dict[str, tuple[Episode | Comparison | Question | str, str]] = {
    "torn": ('{"schema_version": 1, "id": "e"', "is not JSON; delete this line to read the rest"),
    "something else": ('{"prompt": "x"}', "is not an episode, comparison or question"),
    "published": ('[{"question": {}}, {}]', "is a published comparison; convert it with webgpt data import"),
    "an unknown key": (
        record_line(EPISODE).replace('"seed"', '"sead"'),
        "is not a valid Episode: sead: Unexpected keyword argument",
    ),
    "an extract with another length": (
        replace(EPISODE, references=(replace(SOURCE, end=17),)),
        "reference [1] has 18 characters, but its span is from 0 to 17",
    ),
    "too many actions": (
        replace(EPISODE, settings=Settings(max_actions=1), steps=(STEP, STEP)),
        "has 2 actions; the limit of its settings is 1",
    ),
    "steps after the answer": (
        replace(EPISODE, steps=(replace(STEP, phase="answering"), STEP)),
        "step 1 is an answer, but is not the last step",
    ),
    "other log-probabilities than tokens": (
        replace(EPISODE, steps=(replace(STEP, token_ids=(1, 2), logprobs=(0.0,)),)),
        "step 1 has 2 tokens and 1 log-probabilities",
    ),
    "an answer to nonsense": (
        replace(EPISODE, ending="nonsense", steps=(replace(STEP, phase="answering"),)),
        "has an answer, but its ending is nonsense",
    ),
    "a claim outside": (
        replace(COMPARISON, annotations=(Annotation(), Annotation(claims=(Claim(start=2, end=99, support="weak"),)))),
        "answer B: claim 1 (2 to 99) is outside the text or overlaps the one before",
    ),
    "trust in a source that is not there": (
        replace(COMPARISON, annotations=(Annotation(trust=("neutral",)), Annotation())),
        "answer A: has 2 sources, but trust in 1",
    ),
    "no time": (replace(COMPARISON, seconds=-1.0), "took -1.0 seconds"),
    "an empty question": (replace(QUESTION, text=" "), "the question is empty"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_an_invalid_line_is_reported_with_its_number(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad, problem = BROKEN[name]
    path = tmp_path / "records.jsonl"
    good = replace(EPISODE, id="first"), replace(EPISODE, id="last")
    lines = [record_line(good[0]), bad if isinstance(bad, str) else record_line(bad), record_line(good[1])]
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    code, problems, stderr = run(capsys, "check", path)
    assert (code, problems) == (1, [f"{path}:2: {problem}"])
    assert stderr.endswith("; problems: 1\n")


def test_all_problems_are_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "records.jsonl"
    path.write_text("x\n\n{}\n" + record_line(replace(QUESTION, text="")) + "\n", "utf-8")
    _, problems, _ = run(capsys, "check", path)
    assert [problem.split(": ")[0] for problem in problems] == [f"{path}:1", f"{path}:3", f"{path}:4"]


def test_duplicate_ids_are_reported_with_both_locations(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    append_record(first, EPISODE)
    append_record(second, EPISODE)
    append_record(second, replace(EPISODE, actor="other"))
    append_record(second, replace(COMPARISON, id=EPISODE.id))
    code, problems, _ = run(capsys, "check", first, second)
    assert code == 1
    assert problems == [
        f"{second}:1: duplicate of the episode 'e' in {first}:1; webgpt data merge removes duplicates",
        f"{second}:2: differs from the episode 'e' in {first}:1; ids must be unique",
    ]


def test_missing_sources_are_usage_errors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "check", tmp_path / "none") == (2, [], f"webgpt: {tmp_path / 'none'}: no such file or folder\n")
    assert run(capsys, "check", tmp_path) == (2, [], f"webgpt: {tmp_path}: contains no recordings\n")


def test_merging_removes_duplicates_and_keeps_the_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_comparison(tmp_path / "folder" / "pair", PAIR, Rate(of="overall", score=1), Submit())
    append_record(tmp_path / "a.jsonl", COMPARISON)
    append_record(tmp_path / "b.jsonl", replace(COMPARISON, id="d"))
    append_record(tmp_path / "b.jsonl", COMPARISON)
    out = tmp_path / "all.jsonl"
    sources = [tmp_path / name for name in ("a.jsonl", "b.jsonl", "folder")]
    code, stdout, stderr = run(capsys, "merge", *sources, "--out", out)
    assert (code, stdout, stderr) == (0, [str(out)], "comparisons: 3; duplicates removed: 1\n")
    first, second, third = read_records(out, Comparison)
    assert (first, second) == (COMPARISON, replace(COMPARISON, id="d"))
    assert third.ratings == Ratings(overall=-1)  # it was shown the other way round
    assert run(capsys, "check", out)[0] == 0


def test_merging_rejects_conflicting_records_and_mixed_kinds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second, out = tmp_path / "a.jsonl", tmp_path / "b.jsonl", tmp_path / "all.jsonl"
    append_record(first, COMPARISON)
    append_record(second, replace(COMPARISON, notes="mine"))
    code, _, stderr = run(capsys, "merge", first, second, "--out", out)
    assert (code, out.exists()) == (1, False)
    assert stderr == f"webgpt: {second}:1: differs from the comparison 'c' in {first}:1; delete one of them and merge again\n"
    second.write_text(record_line(EPISODE), "utf-8")
    assert run(capsys, "merge", first, second, "--out", out)[2].startswith("webgpt: these are comparisons and episodes; ")
    assert run(capsys, "merge", first, "--out", second)[2] == f"webgpt: {second} exists already; choose another --out\n"
    second.write_text("x\n", "utf-8")
    assert run(capsys, "merge", first, second, "--out", out)[2].startswith(f"webgpt: {second}:1: is not an episode, comparison")


def test_stats_of_recordings(recordings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    append_record(recordings / "questions.jsonl", QUESTION)
    code, lines, _ = run(capsys, "stats", recordings)
    rows = [line.split() for line in lines]
    assert code == 0
    assert ["human:ann", "1", "1", "0", "5", "1", "3", "0:00", "0:00"] in rows  # the demonstration
    assert ["human:ann", "1", "0", "0", "0", "0", "0"] in rows  # its ending
    assert ["Scrolled", "down", "1", "1.00", "20.0"] in rows
    assert ["human:ann", "2", "1", "1", "0", "0.0", "0", "0", "0:00", "0:00"] in rows  # the comparisons
    assert ["overall", "0", "1", "0", "0", "0"] in rows  # the first shown is better
    assert ["own", "1", "0", "0"] in rows
    assert lines[-1] == "unfinished recordings: 2"


def test_stats_report_invalid_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "records.jsonl"
    path.write_text(f"{json.dumps(asdict(COMPARISON))}\nx\n", "utf-8")
    code, lines, _ = run(capsys, "stats", path)
    assert (code, lines[-1]) == (1, "problems: 1, not counted above (webgpt data check lists them)")


def test_agreement_is_printed_for_all_and_each_pair(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "comparisons.jsonl"
    for annotator, scores in (("ann", (1, 1, 0, -1)), ("bob", (0.5, 1, 1, 1))):
        for number, score in enumerate(scores):
            question = replace(QUESTION, id=str(number))
            comparison = replace(COMPARISON, id=f"{annotator}{number}", labeler=f"human:{annotator}", question=question)
            append_record(path, replace(comparison, ratings=Ratings(overall=score)))
    code, lines, _ = run(capsys, "agreement", path)
    assert code == 0
    assert lines[0].split() == ["annotators", "pairs", "questions", "figure", "95", "%", "interval"]
    assert lines[1].split()[:6] == ["all", "4", "4", "agreement,", "%", "62.5"]  # two agree, one is half, one against
    assert lines[5].split()[:8] == ["ann", "/", "bob", "4", "4", "agreement,", "%", "62.5"]
    assert [line.split()[1] for line in lines[6:]] == ["nominal", "ordinal", "interval"]
    assert max(map(len, lines)) <= 80


def test_agreement_of_one_annotator_is_a_usage_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    append_record(tmp_path / "c.jsonl", COMPARISON)
    code, _, stderr = run(capsys, "agreement", tmp_path / "c.jsonl")
    assert code == 2
    assert "no two annotators have compared the same answers" in stderr
    append_record(tmp_path / "e.jsonl", EPISODE)
    assert run(capsys, "agreement", tmp_path / "e.jsonl")[2].startswith("webgpt: there is no comparison in ")
