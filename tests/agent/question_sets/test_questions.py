"""Question sets from files: each published format, each rule of cleaning, and the errors of wrong files."""

import csv
import gzip
import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.question_sets.published.eli5 import QUESTION_WORDS, question_text
from agent.question_sets.registry import load_questions
from agent.question_sets.splits import SHARES, SPLITS, split_of
from browser_env.errors import RecordError, UsageError
from browser_env.records import Evidence, Question

TRUTHFULQA = Path(__file__).parents[4] / "shared" / "data" / "TruthfulQA.csv"
"""The published file, beside the checkout where there is one; it is never copied into the project."""
COLUMNS = ("Type", "Category", "Question", "Best Answer", "Correct Answers", "Incorrect Answers", "Source")
BEANS = ("Adversarial", "Myths", "Do beans, if planted, sing?", "No", "No; Beans are silent; ", "Yes; They hum", "https://x")
SAND = ("Non-Adversarial", "Sand", "What is\nsand?", "Small stones", "Small stones;Grains of rock", "Sugar", "https://y")


def write_jsonl(path: Path, *rows: object) -> Path:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")
    return path


def write_csv(path: Path, *rows: Sequence[str]) -> Path:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def load(spec: object) -> list[Question]:
    return list(load_questions(str(spec)))


# ---------------------------------------------------------------------------------------------------------------- splits


def test_shares_sum_to_100_percent() -> None:
    assert sum(SHARES.values()) == 100
    assert tuple(SHARES) == SPLITS


def test_splits_have_their_shares() -> None:
    found = Counter(split_of(f"question {number}") for number in range(20_000))
    assert {split: round(found[split] / 200) for split in SPLITS} == pytest.approx(SHARES, abs=1)


@pytest.mark.parametrize(
    ("key", "split"), [("a", "rm"), ("b", "rl"), ("truthfulqa-76a0794264bc", "test"), ("zz", "bc"), ("\ud800", "rm")]
)
def test_split_of_a_key_never_changes(key: str, split: str) -> None:
    assert split_of(key) == split


@given(st.lists(st.text(min_size=1, alphabet=st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp", "Zs"))), unique=True))
def test_splits_of_a_file_are_disjoint_and_leave_nothing_out(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    path = tmp_path_factory.mktemp("set") / "questions.txt"
    path.write_text("\n".join(texts), "utf-8")
    parts = [question.id for split in SPLITS for question in load(f"{path}:{split}")]
    assert sorted(parts) == sorted(question.id for question in load(path))
    assert len(parts) == len(set(parts))


# ------------------------------------------------------------------------------------------------------------------ own


def test_records_are_read_unchanged(tmp_path: Path) -> None:
    questions = [
        Question(id="1", text="Why?"),
        Question(
            id="2", text="Où?", kind="which", answers=("a", "b"), evidence=(Evidence(url="http://x/", sentences=("A.", "B.")),)
        ),
    ]
    assert load(write_jsonl(tmp_path / "own.jsonl", *map(asdict, questions))) == questions


def test_plain_text_is_a_question_a_line(tmp_path: Path) -> None:
    path = tmp_path / "own.txt"
    path.write_bytes("\ufeffWhy do crows bring gifts?\r\n\r\n  How?  \n".encode())
    questions = load(path)
    assert [question.text for question in questions] == ["Why do crows bring gifts?", "How?"]
    assert len({question.id for question in questions}) == 2


def test_two_records_with_one_id_are_refused(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "own.jsonl", {"id": "1", "text": "a"}, {"id": "1", "text": "b"})
    questions = load_questions(str(path))
    assert next(questions).text == "a"
    with pytest.raises(RecordError, match="two questions have the id '1'"):
        next(questions)


def test_a_file_whose_name_ends_like_a_split_is_that_file(tmp_path: Path) -> None:
    path = tmp_path / "mine:test"
    path.write_text("Why?\n")
    assert [question.text for question in load(path)] == ["Why?"]


# ----------------------------------------------------------------------------------------------------------- TruthfulQA


def test_truthfulqa_row_is_a_question_with_right_and_wrong_answers(tmp_path: Path) -> None:
    first, second = load(f"truthfulqa:{write_csv(tmp_path / 'q.csv', COLUMNS, BEANS, SAND)}")
    assert first.text == "Do beans, if planted, sing?"
    assert (first.dataset, first.kind, first.reference_answer) == ("truthfulqa", "Myths", "No")
    assert first.answers == ("No", "Beans are silent")
    assert first.incorrect_answers == ("Yes", "They hum")
    assert second.text == "What is\nsand?"
    assert second.answers == ("Small stones", "Grains of rock")


def test_truthfulqa_loads_whole(tmp_path: Path) -> None:
    """Uses the published file if it is beside the checkout, or else a file of the same format and size."""
    path = TRUTHFULQA
    if not path.is_file():
        made = (("Adversarial", "Kind", f"Is it {n}?", "Yes", "Yes; Sure", "No", "") for n in range(817))
        path = write_csv(tmp_path / "q.csv", COLUMNS, *made)
    questions = load(f"truthfulqa:{path}")
    assert len(questions) == 817 == len({question.id for question in questions})
    assert all(question.kind and question.answers and question.incorrect_answers for question in questions)


def test_a_repeated_question_gets_a_numbered_id(tmp_path: Path) -> None:
    first, second = load(f"truthfulqa:{write_csv(tmp_path / 'q.csv', COLUMNS, BEANS, BEANS)}")
    assert second.id == f"{first.id}-2"


# ----------------------------------------------------------------------------------------------------------------- ELI5

POSTS = {
    "question mark": ("Magnets?", "", "Magnets?"),
    "question word": ("How magnets work", "", "How magnets work"),
    "question word in capitals": ("ELI5 magnets", "", "ELI5 magnets"),
    "question word at the end": ("Magnets and why", "", "Magnets and why"),
    "question word in the text below": ("Magnets", "tell me what they do", "Magnets\n\ntell me what they do"),
    "without apostrophe": ("Magnets dont stick", "", "Magnets dont stick"),
    "with apostrophe": ("Magnets aren't sticky", "", "Magnets aren't sticky"),
    "statement": ("Gravity", "", "Explain: Gravity"),
    "word inside a longer one": ("Whichever magnet", "", "Explain: Whichever magnet"),
    "another word inside a longer one": ("Island washing cannery", "", "Explain: Island washing cannery"),
    "word that is not in the list": ("Tell me of magnets", "", "Explain: Tell me of magnets"),
    "text joined by an empty line": ("Why?", "I wonder.", "Why?\n\nI wonder."),
    "statement with text": ("Gravity", "And mass.", "Explain: Gravity\n\nAnd mass."),
    "text deleted": ("Why?", "[deleted]", "Why?"),
    "text removed": ("Why?", "[removed]", "Why?"),
    "text is white space": ("Why?", " \n", "Why?"),
    "title deleted": ("[deleted by user]", "Why?", None),
    "title empty": (" ", "Why?", None),
}


@pytest.mark.parametrize("name", POSTS)
def test_post_becomes_a_question(name: str) -> None:
    title, selftext, expected = POSTS[name]
    assert question_text(title, selftext) == expected


@pytest.mark.parametrize("word", QUESTION_WORDS.split())
def test_every_question_word_makes_a_question(word: str) -> None:
    assert question_text(f"Gravity {word.upper()} mass", "") == f"Gravity {word.upper()} mass"
    assert question_text(f"Gravity x{word} mass", "") == f"Explain: Gravity x{word} mass"


def test_list_of_question_words_is_the_papers() -> None:
    words = QUESTION_WORDS.split()
    assert (len(words), len(set(words))) == (65, 65)


@pytest.mark.parametrize("as_table", [False, True], ids=["list", "table"])
def test_eli5_line_has_its_addresses_in_full_and_its_best_answer_first(tmp_path: Path, as_table: bool) -> None:
    def urls(*addresses: str) -> object:
        return {"url": list(addresses)} if as_table else list(addresses)

    row = {
        "q_id": "5abc", "title": "Is _URL_0_ right?", "selftext": "It says _URL_1_ and _URL_0_", "subreddit": "explainlikeimfive",
        "title_urls": urls("https://t.example/"), "selftext_urls": urls("https://a.example/?q=1", "https://b.example/"),
        "answers": {"a_id": ["x", "y"], "text": ["No.", "Yes: _URL_0_"], "score": [2, 30]}, "answers_urls": urls("https://c.example/"),
    }  # fmt: skip
    (question,) = load(f"eli5:{write_jsonl(tmp_path / 'eli5.jsonl', row)}")
    assert question.text == "Is https://t.example/ right?\n\nIt says https://b.example/ and https://a.example/?q=1"
    assert (question.id, question.dataset) == ("eli5-5abc", "eli5")
    assert question.answers == ("Yes: https://c.example/", "No.")
    assert question.reference_answer == question.answers[0]


def test_deleted_posts_are_left_out(tmp_path: Path) -> None:
    rows = ({"q_id": "1", "title": "[deleted by user]"}, {"q_id": "2", "title": "Why?", "selftext": "[removed]"})
    assert [question.text for question in load(f"eli5:{write_jsonl(tmp_path / 'eli5.jsonl', *rows)}")] == ["Why?"]


# -------------------------------------------------------------------------------------------------- short factual answers


def test_triviaqa_entry_has_its_aliases(tmp_path: Path) -> None:
    answer = {
        "Aliases": ["Ted", "T. Koppel"],
        "NormalizedAliases": ["ted", "t koppel"],
        "Value": "Ted Koppel",
        "Type": "Person",
    }
    path = tmp_path / "dev.json"
    path.write_text(json.dumps({"Data": [{"Question": "Who? ", "QuestionId": "tc_1", "Answer": answer}], "Version": 1.0}))
    (question,) = load(f"triviaqa:{path}")
    assert (question.id, question.text, question.reference_answer) == ("triviaqa-tc_1", "Who?", "Ted Koppel")
    assert question.answers == ("Ted Koppel", "Ted", "T. Koppel", "ted", "t koppel")


def test_nq_open_line_has_its_answers(tmp_path: Path) -> None:
    rows = ({"question": "where is it", "answer": ["here", "there", "here"]}, {"question": "when", "answer": ["now"]})
    first, second = load(f"nq:{write_jsonl(tmp_path / 'nq.jsonl', *rows)}")
    assert (first.text, first.dataset, first.answers) == ("where is it", "nq", ("here", "there"))
    assert first.id != second.id


def test_simplified_nq_line_has_its_short_answers_without_tags_and_yes_or_no(tmp_path: Path) -> None:
    row = {
        "question_text": "who was it", "example_id": -42, "document_url": "https://x", "document_text": "<P> It was <B> Ada </B> L . </P>",
        "annotations": [
            {"yes_no_answer": "NONE", "short_answers": [{"start_token": 3, "end_token": 7}], "long_answer": {}, "annotation_id": 1},
            {"yes_no_answer": "YES", "short_answers": []},
        ],
    }  # fmt: skip
    path = tmp_path / "nq.jsonl.gz"
    path.write_bytes(gzip.compress(f"{json.dumps(row)}\n".encode()))
    (question,) = load(f"nq:{path}")
    assert (question.id, question.answers) == ("nq--42", ("Ada L", "yes"))


def test_squad_questions_have_answers_or_are_unanswerable(tmp_path: Path) -> None:
    asked = [
        {"id": "a", "question": "Who?", "answers": [{"text": "Ada", "answer_start": 0}, {"text": "Ada", "answer_start": 9}]},
        {
            "id": "b",
            "question": "Why?",
            "answers": [],
            "plausible_answers": [{"text": "x", "answer_start": 0}],
            "is_impossible": True,
        },
    ]
    path = tmp_path / "squad.json"
    path.write_text(json.dumps({"version": "v2.0", "data": [{"title": "T", "paragraphs": [{"context": "Ada", "qas": asked}]}]}))
    first, second = load(f"squad:{path}")
    assert (first.id, first.kind, first.answers) == ("squad-a", None, ("Ada",))
    assert (second.id, second.kind, second.answers) == ("squad-b", "unanswerable", ())


@pytest.mark.parametrize("labels", ["ABC", "123"])
def test_arc_is_worded_as_in_the_paper(tmp_path: Path, labels: str) -> None:
    choices = [{"text": text, "label": label} for text, label in zip(("dry", "wet", "hot"), labels, strict=True)]
    row = {"id": "Mercury_1", "question": {"stem": "Water is", "choices": choices}, "answerKey": labels[1]}
    (question,) = load(f"arc:{write_jsonl(tmp_path / 'arc.jsonl', row)}")
    assert question.text == "Water is\nA. dry\nB. wet\nC. hot"
    assert question.answers == ("B. wet", "wet", "B")
    assert question.incorrect_answers == ("dry", "hot")


# -------------------------------------------------------------------------------------------------------------- datasets


def test_hugging_face_without_datasets_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(UsageError, match="pip install datasets"):
        load("hf:squad")


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> list[Mapping[str, Any]]:
    """Rows in the format of `datasets`, which need not be installed."""
    rows: list[Mapping[str, Any]] = []
    package = ModuleType("datasets")

    def load_dataset(name: str, config: str | None, *, split: str) -> list[Mapping[str, Any]]:
        if name != "some/set":
            raise ValueError(f"no {name}")
        assert (config, split) == ("main", "validation")
        return rows

    package.load_dataset = load_dataset  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "datasets", package)
    return rows


def test_hugging_face_columns_become_fields(rows: list[Mapping[str, Any]]) -> None:
    rows += [{"q": " Who? ", "no": 7, "a": {"text": ["Ada", "Ada L."]}, "bad": None, "topic": "people"}]
    (question,) = load("hf:some/set?config=main&split=validation&text=q&id=no&answers=a.text&incorrect_answers=bad&kind=topic")
    assert question == Question(id="7", text="Who?", dataset="some/set", kind="people", answers=("Ada", "Ada L."))


def test_hugging_face_lists_of_tables_are_read_through(rows: list[Mapping[str, Any]]) -> None:
    rows += [{"question": "Who?", "a": [{"text": "Ada"}, {"text": "Bea"}]}]
    (question,) = load("hf:some/set?config=main&split=validation&answers=a.text")
    assert question.answers == ("Ada", "Bea")


@pytest.mark.parametrize(
    ("name", "spec", "message"),
    [
        ("column", "hf:some/set?config=main&split=validation&answers=nope", r"hf:some/set\[1\]: has no column 'nope'"),
        ("field", "hf:some/set?txt=question", "'txt' is not a field"),
        ("name", "hf:other", "hf:other cannot be loaded: no other"),
    ],
    ids=lambda value: value if value.isalpha() else "",
)
def test_the_error_of_a_wrong_mapping_names_the_field_or_column(
    rows: list[Mapping[str, Any]], name: str, spec: str, message: str
) -> None:
    rows += [{"question": "Who?", "nope": "x"}, {"question": "Why?"}]
    with pytest.raises((UsageError, RecordError), match=message):
        load(spec)


# ---------------------------------------------------------------------------------------------------------------- errors

GOOD_ARC = '{"id": "1", "question": {"stem": "?", "choices": [{"text": "a", "label": "A"}, {"text": "b", "label": "B"}]}, "answerKey": "A"}'
WRONG = {
    "own": ("own", "q.jsonl", '{"id": "1", "text": "Why?"}\n{"id": "2"}\n', "q.jsonl:2: is not a valid Question: text: Field required", 1),
    "own key": ("own", "q.jsonl", '{"id": "1", "text": "a"}\n{"id": "2", "text": "b", "x": 1}\n', "q.jsonl:2: is not a valid Question: x: ", 1),
    "truthfulqa": ("truthfulqa", "q.csv", "Category,Question,Best Answer\nk,q,a\n", "q.csv:2: Correct Answers: Field required", 0),
    "truthfulqa short row": (
        "truthfulqa", "q.csv", "Category,Question,Best Answer,Correct Answers,Incorrect Answers\nk,q,a,b,c\nk,q,a\n",
        "q.csv:3: Correct Answers: Field required", 1,
    ),
    "truthfulqa quote": (
        "truthfulqa", "q.csv", 'Category,Question,Best Answer,Correct Answers,Incorrect Answers\nk,q,a,b,c\n"k,q\n', "q.csv:3: is not CSV", 1,
    ),
    "eli5": ("eli5", "q.jsonl", '{"q_id": "1", "title": "Why?"}\n{"q_id": "2"}\n', "q.jsonl:2: title: Field required", 1),
    "eli5 address": ("eli5", "q.jsonl", '{"q_id": "1", "title": "_URL_1_?", "title_urls": ["x"]}', "q.jsonl:1: title_urls has no URL", 0),
    "triviaqa": ("triviaqa", "q.json", '{"Data": [{"Question": "Who?"}]}', "q.json: Data[0]: QuestionId: Field required", 0),
    "triviaqa list": ("triviaqa", "q.json", "[]", "q.json:1: has no list 'Data'", 0),
    "triviaqa cut": ("triviaqa", "q.json", '{"Data": [\n\n', "q.json:2: is not JSON", 0),
    "nq": ("nq", "q.jsonl", '{"question": "a", "answer": ["b"]}\n{"question": "a"}\n', "q.jsonl:2: OpenRow.answer: Field required", 1),
    "nq cut": ("nq", "q.jsonl", '{"question": "a", "answer": ["b"]}\n{"quest', "q.jsonl:2: is not JSON", 1),
    "squad": ("squad", "q.json", '{"data": [{"paragraphs": [{}]}]}', "q.json: data[0]: paragraphs.0.qas: Field required", 0),
    "arc": ("arc", "q.jsonl", f'{GOOD_ARC}\n{{"id": "2"}}\n', "q.jsonl:2: question: Field required", 1),
    "arc key": ("arc", "q.jsonl", GOOD_ARC.replace('"answerKey": "A"', '"answerKey": "E"'), "q.jsonl:1: answerKey: 'E' is not", 0),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_the_error_of_a_wrong_line_is_one_line_and_earlier_questions_are_read(tmp_path: Path, name: str) -> None:
    kind, file, text, message, num_good = WRONG[name]
    path = tmp_path / file
    path.write_text(text, "utf-8")
    questions = load_questions(str(path) if kind == "own" else f"{kind}:{path}")
    for _ in range(num_good):
        assert next(questions).text
    with pytest.raises(RecordError) as raised:
        next(questions)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_text_in_another_encoding_names_its_line(tmp_path: Path) -> None:
    path = tmp_path / "q.txt"
    path.write_bytes(b"Why?\n" * 3 + "Où?".encode("latin-1"))
    with pytest.raises(RecordError, match=r"q\.txt:\d+: is not UTF-8"):
        load(path)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("no-such-file", "there is no question set 'no-such-file'"),
        ("truthfulqa", "truthfulqa:PATH"),
        ("truthfulqa:", "truthfulqa:PATH"),
        ("arc:nope.jsonl", "no such file"),
        ("pydoc:nope", "no such file"),
        ("hf:", "no such file"),
        ("", "no such file"),
    ],
)
def test_unknown_set_is_a_usage_error_at_once(spec: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load_questions(spec)
