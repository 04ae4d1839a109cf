"""`webgpt data export` and `import`: a round trip keeps comparisons, and `datasets` reads what was written."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.cli import main
from browser_env.records import Annotation, Claim, Comparison, Episode, Question, Ratings
from browser_env.records.storage import append_record, read_records
from recorder.comparisons.events import Place, Rate
from recorder.journal.recording import Submit
from tests.recorder.made import ANSWERS, OTHER, PAIR, RANKING, make_comparison, make_demonstration
from training.reward_model.comparisons import pairs_of, preference, preference_group
from training.reward_model.trl_preferences import read_trl_preferences, trl_preferences
from training.reward_model.webgpt_comparisons import import_webgpt_comparisons

QUESTION = Question(id="q", text="What do crows bring?")
RANKED = Comparison(
    id="c",
    question=QUESTION,
    answers=ANSWERS,
    labeler="human:ann",
    ranks=(3, 1, 1, 4),
    annotations=(*(Annotation(),) * 3, Annotation(claims=(Claim(start=0, end=3, support="none"),))),
    shown=(2, 0, 3, 1),
)


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    """Three comparisons, one of them a tie, a ranking of four with one tie, and a demonstration."""
    folder = tmp_path / "recordings"
    for number, score in enumerate((1, 0, -0.5)):
        task = replace(PAIR, id=f"t{number}", question=replace(QUESTION, id=f"q{number}"))
        make_comparison(folder / str(number), task, Rate(of="overall", score=score), Submit())
    places = (Place(answer=answer, place=place) for answer, place in ((0, 0), (1, 1), (2, 2)))
    make_comparison(folder / "ranking", RANKING, *places, Place(answer=3, place=2, is_tied=True), Submit())
    make_demonstration(folder / "demonstration")
    return folder


def export(recordings: Path, format: str, *options: str) -> Path:
    out = recordings.parent / f"{format}{''.join(options)}.jsonl"
    assert main(["data", "export", str(recordings), "--format", format, "--out", str(out), *options]) == 0
    return out


def loaded(path: Path, cache: Path) -> list[dict[str, Any]]:
    datasets = pytest.importorskip("datasets")
    return list(datasets.load_dataset("json", data_files=str(path), split="train", cache_dir=str(cache)))


@pytest.mark.parametrize("shape", ["columns", "records"])
def test_exported_comparisons_can_be_imported(shape: str, recordings: Path, tmp_path: Path) -> None:
    path = export(recordings, "webgpt-comparisons", "--shape", shape)
    back = tmp_path / "back.jsonl"
    assert main(["data", "import", str(path), "--out", str(back)]) == 0
    assert main(["data", "check", str(back)]) == 0
    comparisons = list(read_records(back, Comparison))
    assert len(comparisons) == 3 + 6
    assert [preference(comparison) for comparison in comparisons[:3]] == [0, 0.5, 1]  # they were shown the other way round
    assert [answer.text for answer in comparisons[0].answers] == [answer.text for answer in ANSWERS[:2]]
    assert comparisons[0].answers[0].references[1].full_title == OTHER.full_title
    # Shown as 2, 0, 3, 1 and ranked in that order, the last two tied: answers 1 and 3 of those drawn.
    assert [preference(comparison) for comparison in comparisons[3:]] == [1, 0, 1, 0, 0.5, 1]
    again = tmp_path / "again.jsonl"
    assert main(["data", "export", str(back), "--format", "webgpt-comparisons", "--shape", shape, "--out", str(again)]) == 0
    assert again.read_bytes() == path.read_bytes()
    assert list(import_webgpt_comparisons(again)) == comparisons


def test_datasets_reads_each_format(recordings: Path, tmp_path: Path) -> None:
    rows = loaded(export(recordings, "webgpt-comparisons"), tmp_path / "cache")
    assert [row["score_0"] for row in rows] == pytest.approx([-1, 0, 0.5, 1 / 3, -1 / 3, 1 / 3, -1 / 3, 0, 1 / 3])
    assert rows[0]["quotes_0"]["title"] == ["Crows (birds.org)", "Corvids (corvids.org)"]
    preferences = loaded(export(recordings, "trl-preference"), tmp_path / "cache")
    assert len(preferences) == 2 + 5  # without the ties
    assert preferences[0].keys() == {"prompt", "chosen", "rejected"}
    [episode] = loaded(export(recordings, "episodes"), tmp_path / "cache")
    assert episode["steps"][-1]["completion"] == "A key. [1]"
    assert main(["data", "merge", str(recordings / "0"), str(recordings / "1"), "--out", str(tmp_path / "own.jsonl")]) == 0
    own = loaded(tmp_path / "own.jsonl", tmp_path / "cache")
    assert [row["ratings"]["overall"] for row in own] == [-1, 0]


def test_episodes_are_exported_unchanged(recordings: Path) -> None:
    [episode] = read_records(export(recordings, "episodes"), Episode)
    assert (episode.actor, episode.answer, episode.ending) == ("human:ann", "A key. [1]", "answer")


def test_exported_preferences_are_read_as_the_same_texts_in_the_same_order(recordings: Path, tmp_path: Path) -> None:
    groups = list(read_trl_preferences(export(recordings, "trl-preference")))
    comparisons = tmp_path / "comparisons.jsonl"
    main(["data", "merge", *(str(recordings / name) for name in ("0", "1", "2", "ranking")), "--out", str(comparisons)])
    wanted = set()
    for comparison in read_records(comparisons, Comparison):
        for group in filter(None, map(preference_group, pairs_of(comparison))):
            first, second = (f"{candidate.text}{candidate.answer}" for candidate in group.candidates)
            if not group.is_tie:
                wanted.add((first, second) if group.levels[0] > group.levels[1] else (second, first))
    read = {tuple(f"{candidate.text}{candidate.answer}" for candidate in group.candidates) for group in groups}
    assert read == wanted
    assert len(read) == 2 + 5 - 1  # the ranking and one pair agree on the same two answers


def test_answers_with_the_same_references_share_them_in_the_prompt() -> None:
    answers = (ANSWERS[0], replace(ANSWERS[0], text="Glass. [2]"))
    group = preference_group(replace(RANKED, answers=answers, ranks=(2, 1), annotations=None, shown=None))
    assert group is not None
    [row] = trl_preferences(group)
    assert row["prompt"].startswith("What do crows bring?◼[1] Crows (birds.org)")
    assert (row["chosen"], row["rejected"]) == (answers[1].text, answers[0].text)


def test_a_ranking_is_exported_as_all_its_pairs() -> None:
    pairs = list(pairs_of(RANKED))
    assert [pair.id for pair in pairs] == ["c-0-1", "c-0-2", "c-0-3", "c-1-2", "c-1-3", "c-2-3"]
    assert [preference(pair) for pair in pairs] == [0, 0, 1, 0.5, 1, 1]
    assert [pair.shown for pair in pairs] == [(0, 1), (1, 0), (0, 1), (1, 0), (1, 0), (0, 1)]
    assert [len(pair.annotations[1].claims) for pair in pairs if pair.annotations] == [0, 0, 1, 0, 1, 1]


def test_a_pair_stays_a_pair_and_a_flagged_question_has_none() -> None:
    pair = replace(RANKED, answers=ANSWERS[:2], ranks=None, ratings=Ratings(overall=1), annotations=None, shown=None)
    assert list(pairs_of(pair)) == [pair]
    assert list(pairs_of(replace(pair, flag="nonsense"))) == []


def test_an_export_without_rows_is_a_usage_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "c.jsonl"
    append_record(path, replace(RANKED, ranks=(1, 1, 1, 1)))
    command = ["data", "export", str(path), "--out", str(tmp_path / "out.jsonl"), "--format"]
    assert main([*command, "trl-preference"]) == 2
    assert "none of these comparisons has a preference" in capsys.readouterr().err
    assert main([*command, "episodes"]) == 2
    assert capsys.readouterr().err == f"webgpt: there is no episode in {path}\n"


def test_a_line_that_cannot_be_imported_leaves_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = tmp_path / "c.jsonl", tmp_path / "out.jsonl"
    path.write_text(json.dumps({"question": "x"}) + "\n", "utf-8")
    assert main(["data", "import", str(path), "--out", str(out)]) == 1
    assert capsys.readouterr().err.startswith(f"webgpt: {path}:1: is not a published comparison: ")
    assert not out.exists()
