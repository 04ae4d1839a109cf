"""The published format of comparisons, read and written."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from browser_env.errors import RecordError
from browser_env.records import ComparedAnswer, Comparison, Question, Ratings, Reference
from training.reward_model.comparisons import preference
from training.reward_model.webgpt_comparisons import Shape, import_webgpt_comparisons, webgpt_comparison

PAIR = Comparison(
    id="c1",
    question=Question(id="q", text="Why?"),
    answers=(ComparedAnswer(text="Yes. [1]"), ComparedAnswer(text="No.")),
    labeler="human:ann",
    ratings=Ratings(overall=0.5),
)

QUESTION = {"dataset": "eli5_test", "id": "abc", "full_text": "Why do crows bring gifts?"}
TOKENS = {"prefix": [1, 2], "completion": [3]}
QUOTES = {"title": ["Crows (a.org)", "Ravens"], "extract": ["They like\n\nus.", "Puzzles."]}
EMPTY: dict[str, list[str]] = {"title": [], "extract": []}
COLUMNS = {
    "question": QUESTION,
    "quotes_0": QUOTES,
    "answer_0": "Gratitude. [1]",
    "tokens_0": TOKENS,
    "score_0": 0.3333333432674408,
    "quotes_1": EMPTY,
    "answer_1": "",
    "tokens_1": TOKENS,
    "score_1": -0.3333333432674408,
}
RECORDS = [
    {"question": QUESTION, "quotes": QUOTES, "answer": "Gratitude. [1]", "tokens": TOKENS, "score": 0.3333333432674408},
    {"question": QUESTION, "quotes": EMPTY, "answer": "", "tokens": TOKENS, "score": -0.3333333432674408},
]
LISTS = [
    {**RECORDS[0], "quotes": [{"title": t, "extract": e} for t, e in zip(*QUOTES.values(), strict=True)]},
    {**RECORDS[1], "quotes": []},
]
SHAPES: dict[str, Any] = {"columns": COLUMNS, "records": RECORDS, "records with lists of quotes": LISTS}


def file(path: Path, *rows: object) -> Path:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")
    return path


@pytest.mark.parametrize("shape", SHAPES)
def test_both_published_shapes_are_read(shape: str, tmp_path: Path) -> None:
    [comparison] = import_webgpt_comparisons(file(tmp_path / "c.jsonl", SHAPES[shape]))
    assert comparison.question == Question(id="abc", text="Why do crows bring gifts?", dataset="eli5_test")
    assert comparison.ratings == Ratings(overall=0.3333333432674408)
    assert [answer.text for answer in comparison.answers] == ["Gratitude. [1]", ""]
    assert [(reference.full_title, reference.extract) for reference in comparison.answers[0].references] == [
        ("Crows (a.org)", "They like\n\nus."),
        ("Ravens", "Puzzles."),
    ]
    assert preference(comparison) == 1


@pytest.mark.parametrize(("shape", "row"), [("columns", COLUMNS), ("records", RECORDS)])
def test_an_export_of_imported_comparisons_differs_only_in_token_ids(shape: Shape, row: Any, tmp_path: Path) -> None:
    [comparison] = import_webgpt_comparisons(file(tmp_path / "c.jsonl", row))
    text = json.dumps(row).replace(json.dumps(TOKENS), json.dumps({"prefix": [], "completion": []}))
    assert json.loads(webgpt_comparison(comparison, shape)) == json.loads(text)


texts = st.text(max_size=30)
quoted = st.lists(st.tuples(texts, texts), max_size=3)


def side(text: str, quotes: list[tuple[str, str]]) -> ComparedAnswer:
    references = (Reference(title=t, url="", extract=e, page="", start=0, end=len(e)) for t, e in quotes)
    return ComparedAnswer(text=text, references=tuple(references))


@given(texts, texts, quoted, texts, quoted, st.floats(-1, 1), st.sampled_from(["columns", "records"]))
def test_importing_undoes_exporting(
    tmp_path_factory: pytest.TempPathFactory,
    question: str,
    first: str,
    first_quotes: list[tuple[str, str]],
    second: str,
    second_quotes: list[tuple[str, str]],
    overall: float,
    shape: Shape,
) -> None:
    comparison = Comparison(
        id="webgpt_comparisons-1",
        question=Question(id="q", text=question, dataset="d"),
        answers=(side(first, first_quotes), side(second, second_quotes)),
        labeler="human:webgpt_comparisons",
        ratings=Ratings(overall=overall),
    )
    path = tmp_path_factory.mktemp("round") / "c.jsonl"
    path.write_text(f"{webgpt_comparison(comparison, shape)}\n", "utf-8")
    assert list(import_webgpt_comparisons(path)) == [comparison]


def test_a_ranked_pair_has_a_third_as_score() -> None:
    ranked = replace(PAIR, ratings=None, ranks=(2, 1))
    assert json.loads(webgpt_comparison(ranked))["score_0"] == pytest.approx(-1 / 3)
    swapped = replace(PAIR, ratings=None, ranks=(1, 2))
    assert json.loads(webgpt_comparison(swapped))["score_0"] == pytest.approx(1 / 3)


def test_datasets_reads_the_published_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    path = tmp_path / "c.jsonl"
    path.write_text(f"{webgpt_comparison(PAIR)}\n", "utf-8")
    row = datasets.Dataset.from_json(str(path), cache_dir=str(tmp_path / "cache"))[0]
    assert set(row) == set(COLUMNS)
    assert (row["score_0"], row["score_1"]) == (0.5, -0.5)


BROKEN: dict[str, tuple[Any, str]] = {
    "no score": ([{k: v for k, v in side.items() if k != "score"} for side in RECORDS], "score"),
    "scores that do not sum to 0": ({**COLUMNS, "score_1": 0.5}, "do not sum to 0"),
    "a score out of range": ({**COLUMNS, "score_0": 3}, "less than or equal to 1"),
    "two questions": ([RECORDS[0], {**RECORDS[1], "question": {**QUESTION, "id": "x"}}], "two questions"),
    "more titles than extracts": ({**COLUMNS, "quotes_0": {"title": ["a"], "extract": []}}, "1 titles for 0 extracts"),
    "one record": ([RECORDS[0]], "is not a published comparison"),
    "something else": ("hello", "is not a published comparison"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_the_error_of_a_malformed_line_names_the_line(name: str, tmp_path: Path) -> None:
    row, problem = BROKEN[name]
    path = file(tmp_path / "c.jsonl", COLUMNS, row)
    read = []
    with pytest.raises(RecordError) as caught:
        for comparison in import_webgpt_comparisons(path):
            read.append(comparison)
    assert len(read) == 1
    assert f"{path}:2: " in str(caught.value)
    assert problem in str(caught.value)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="cannot be read"):
        list(import_webgpt_comparisons(tmp_path / "none.jsonl"))
