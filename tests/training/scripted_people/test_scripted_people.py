"""`webgpt demonstrate`, `sample` and `label`: from questions to demonstrations and comparisons without people."""

import re
from pathlib import Path

import pytest

from agent.commands.sample import Sample
from browser_env.command_line.web_options import WebOptions
from browser_env.errors import UsageError
from browser_env.records import Comparison, Episode
from browser_env.records.storage import read_records
from training.base_model.config import SMALL_VIEW
from training.commands.demonstrate import Demonstrate
from training.commands.label import Label


def demonstrate(web: Path, out: Path, **options: object) -> list[Episode]:
    Demonstrate(**{"questions": "pydoc", "out": out, "collection": web, "limit": 8, **options}).run()  # type: ignore[arg-type]
    return list(read_records(out, Episode))


def test_demonstrations_have_the_format_of_the_small_model_and_the_actor_script(small_collection: Path, tmp_path: Path) -> None:
    episodes = demonstrate(small_collection, tmp_path / "d.jsonl")
    assert len(episodes) >= 6
    assert {episode.actor for episode in episodes} == {"script"}
    assert {episode.settings for episode in episodes} == {SMALL_VIEW}


def test_more_demonstrations_are_added_to_the_file(
    small_collection: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "d.jsonl"
    before = demonstrate(small_collection, out)
    out.write_text(out.read_text() + '{"torn')
    after = demonstrate(small_collection, out, num=2)
    assert after[: len(before)] == before
    assert {episode.id for episode in after} == {episode.id for episode in demonstrate(small_collection, out, num=2)}
    assert len(after) == len({episode.id for episode in after}) > len(before)
    assert re.search(r"^\d+ demonstrations of \d questions", capsys.readouterr().err, re.MULTILINE)


def test_answers_are_compared_pair_by_pair(small_collection: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = []
    for policy in ("scripted", "search-only"):
        files.append(tmp_path / f"{policy}.jsonl")
        Sample(questions="pydoc", out=files[-1], policy=policy, limit=8, web=WebOptions(collection=small_collection)).run()
    out = tmp_path / "c.jsonl"
    Label(episodes=tuple(files), out=out).run()
    comparisons = list(read_records(out, Comparison))
    assert {comparison.labeler for comparison in comparisons} == {"script"}
    assert all({answer.actor for answer in comparison.answers} == {"scripted", "search-only"} for comparison in comparisons)
    assert 1 <= len(comparisons) == len({comparison.question.id for comparison in comparisons}) <= 8
    Label(episodes=tuple(files), out=out).run()
    assert list(read_records(out, Comparison)) == comparisons  # the same command adds nothing
    assert f"{len(comparisons)} comparisons of answers to {len(comparisons)} questions" in capsys.readouterr().err
    Label(episodes=tuple(files), out=out, seed=1).run()
    assert len(list(read_records(out, Comparison))) == 2 * len(comparisons)


def test_good_answers_are_compared_with_those_to_other_questions(small_collection: Path, tmp_path: Path) -> None:
    good = demonstrate(small_collection, tmp_path / "good.jsonl")
    files = []
    for policy in ("scripted", "search-only"):
        files.append(tmp_path / f"{policy}.jsonl")
        Sample(questions="pydoc", out=files[-1], policy=policy, limit=8, web=WebOptions(collection=small_collection)).run()
    out = tmp_path / "c.jsonl"
    Label(episodes=tuple(files), others=(tmp_path / "good.jsonl",), error=0, out=out).run()
    others = [
        comparison
        for comparison in read_records(out, Comparison)
        if {answer.actor for answer in comparison.answers} == {"script"}
    ]
    answered: dict[str | None, str] = {episode.id: episode.question.id for episode in good if episode.answer}
    assert len(others) >= len(answered) - 1 >= 4  # one answer may be the only one about its page
    for comparison in others:
        first, second = (answered[answer.episode] for answer in comparison.answers)
        assert first == comparison.question.id != second
        assert comparison.ratings is not None and comparison.ratings.overall > 0


def test_wrong_arguments_are_usage_errors(small_collection: Path, tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    path.write_text('{"id": "1", "text": "Why?"}\n')
    with pytest.raises(UsageError, match="has no questions with gold evidence"):
        demonstrate(small_collection, tmp_path / "d.jsonl", questions=str(path))
    with pytest.raises(UsageError, match="--noise must be between 0 and 1, got 2"):
        demonstrate(small_collection, tmp_path / "d.jsonl", noise=2.0)
    file = tmp_path / "one.jsonl"
    Sample(questions="pydoc", out=file, policy="scripted", limit=2, web=WebOptions(collection=small_collection)).run()
    with pytest.raises(UsageError, match="sample several with webgpt sample --num"):
        Label(episodes=(file,), out=tmp_path / "c.jsonl").run()
    assert not (tmp_path / "c.jsonl").exists()
