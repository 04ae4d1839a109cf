from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.evaluation.answers import (
    contains_answer,
    exact_match,
    f1,
    rouge_1,
    rouge_difference,
    rouge_l,
    squad_normal_form,
)
from agent.evaluation.citations import citation_score
from agent.evaluation.evidence import evidence_share
from agent.evaluation.judges import Lexical, Pair, Truth
from agent.evaluation.metrics import METRICS, Row, is_correct, measure
from browser_env.records import Episode, Evidence, Question, Reference, Settings, Step

PAGE, OTHER = "https://a.org/crows", "https://b.org/ravens"


def reference(extract: str, url: str = PAGE, title: str = "Crows") -> Reference:
    return Reference(title=title, url=url, extract=extract, page="0" * 16, start=0, end=len(extract))


NORMAL = [
    ("case", "Crows", "crows"),
    ("articles", "The crow and a raven or an owl", "crow and raven or owl"),
    ("articles-inside-words-stay", "Theatre another bath", "theatre another bath"),
    ("punctuation-goes-without-a-space", "shutil.disk_usage(path)!", "shutildiskusagepath"),
    ("white-space", "  two \n\t words ", "two words"),
    ("nothing", "The, a; an.", ""),
]


@pytest.mark.parametrize(("text", "expected"), [case[1:] for case in NORMAL], ids=[case[0] for case in NORMAL])
def test_the_normal_form_is_that_of_squad(text: str, expected: str) -> None:
    assert squad_normal_form(text) == expected


EXACT: list[tuple[str, str, list[str], bool]] = [
    ("same", "1889", ["1889"], True),
    ("alias", "the Eiffel Tower.", ["La Tour", "Eiffel tower"], True),
    ("citation-is-no-part", "Eiffel Tower [1].", ["Eiffel Tower"], True),
    ("more-is-not-exact", "the tall Eiffel Tower", ["Eiffel Tower"], False),
    ("no-answer", "", ["x"], False),
    ("no-answer-is-no-empty-alias", "", ["the"], False),
    ("nothing-accepted", "x", [], False),
]


@pytest.mark.parametrize(("answer", "accepted", "expected"), [case[1:] for case in EXACT], ids=[case[0] for case in EXACT])
def test_an_exact_match_is_one_with_any_accepted_answer(answer: str, accepted: list[str], expected: bool) -> None:
    assert exact_match(answer, accepted) is expected


F1: list[tuple[str, str, list[str], float]] = [
    ("same", "Eiffel Tower", ["the Eiffel tower"], 1.0),
    # 2 words in common of 4 given and 3 wanted: 2 * 2 / 7
    ("by-hand", "crows are black birds", ["black birds fly"], 4 / 7),
    # "crows" is wanted once, so it counts once: 2 * 1 / (2 + 2)
    ("repetition-counts-once", "crows crows", ["crows fly"], 0.5),
    ("best-alias", "black birds", ["white cats", "black birds fly", "black"], 0.8),
    ("citations-are-no-words", "black birds fly [1] [2]", ["black birds fly"], 1.0),
    ("nothing-in-common", "crows", ["ravens"], 0.0),
    ("no-answer", "", ["ravens"], 0.0),
    ("nothing-accepted", "crows", [], 0.0),
]


@pytest.mark.parametrize(("answer", "accepted", "expected"), [case[1:] for case in F1], ids=[case[0] for case in F1])
def test_f1_is_that_of_squad(answer: str, accepted: list[str], expected: float) -> None:
    assert f1(answer, accepted) == pytest.approx(expected)


CONTAINS: list[tuple[str, str, list[str], bool]] = [
    ("one-word", "It is a crow.", ["Crow"], True),
    ("inside-another-word", "It is a scarecrow.", ["crow"], False),
    ("words-in-a-row", "It was, in Paris, France, built.", ["Paris France"], True),
    ("words-apart", "Paris is not in north France.", ["Paris France"], False),
    ("words-in-another-order", "France Paris", ["Paris France"], False),
    ("at-the-end", "built in Paris, France", ["Paris France"], True),
    ("any-alias", "the tower", ["a wall", "the tower"], True),
    ("name-in-a-call", "Use shutil.disk_usage(path) [1].", ["disk_usage"], True),
    ("name-in-backquotes", "`disk_usage` tells", ["disk_usage"], True),
    ("name-is-not-its-words", "Return disk usage statistics.", ["disk_usage"], False),
    ("dotted-name", "shutil.copy copies", ["shutil.copy"], True),
    ("point-of-a-name-is-a-point", "shutilxcopy copies", ["shutil.copy"], False),
    ("beginning-of-a-name", "copytree copies", ["copy"], False),
    ("part-of-a-name", "shutil.copy_tree copies", ["copy"], False),
    ("citation-between", "Paris [1] France", ["Paris France"], True),
    ("number-of-a-citation", "Crows [7].", ["7"], False),
    ("no-words", "anything", ["...", ""], False),
    ("no-answer", "", ["crow"], False),
]


@pytest.mark.parametrize(
    ("answer", "accepted", "expected"), [case[1:] for case in CONTAINS], ids=[case[0] for case in CONTAINS]
)
def test_an_answer_contains_an_accepted_one(answer: str, accepted: list[str], expected: bool) -> None:
    assert contains_answer(answer, accepted) is expected


GOLD = Evidence(url=PAGE, sentences=("Crows bring gifts.", "They like “peanuts”!"))
EVIDENCE: list[tuple[str, Sequence[Evidence], list[Reference], float]] = [
    ("both", [GOLD], [reference("Crows bring gifts. They like “peanuts”!")], 1.0),
    ("in-two-references", [GOLD], [reference("Crows bring gifts."), reference("They like “peanuts”!")], 1.0),
    ("one-of-two", [GOLD], [reference("So crows bring gifts, we hear.")], 0.5),
    ("wrapped-and-straight-quotes", [GOLD], [reference('CROWS bring\ngifts. They like "peanuts"!')], 1.0),
    ("last-point-is-missing", [GOLD], [reference("crows bring gifts"), reference("they like “peanuts”")], 1.0),
    ("last-word-is-missing", [GOLD], [reference("Crows bring"), reference("They like")], 0.0),
    ("fragment-of-the-page", [GOLD], [reference("Crows bring gifts. They like “peanuts”!", f"{PAGE}#food")], 1.0),
    ("other-page", [GOLD], [reference("Crows bring gifts. They like “peanuts”!", OTHER)], 0.0),
    ("nothing-cited", [GOLD], [], 0.0),
    (
        "one-page-of-a-pair",
        [Evidence(url=PAGE, sentences=("Crows fly.",)), Evidence(url=OTHER, sentences=("Ravens fly.",))],
        [reference("Crows fly. Ravens fly.")],
        0.5,
    ),
    (
        "both-pages-of-a-pair",
        [Evidence(url=PAGE, sentences=("Crows fly.",)), Evidence(url=OTHER, sentences=("Ravens fly.",))],
        [reference("Crows fly."), reference("Ravens fly.", OTHER)],
        1.0,
    ),
]


@pytest.mark.parametrize(("evidence", "cited", "expected"), [case[1:] for case in EVIDENCE], ids=[case[0] for case in EVIDENCE])
def test_gold_sentences_are_matched_as_quotes_are(evidence: list[Evidence], cited: list[Reference], expected: float) -> None:
    assert evidence_share(evidence, cited) == expected


def question(**what: Any) -> Question:
    return Question(id="q", text="What do crows bring?", **what)


FACT = Evidence(url=PAGE, sentences=("Crows bring gifts.",))
OTHER_FACT = Evidence(url=OTHER, sentences=("Ravens bring luck.",))
CITED = [reference("Crows bring gifts."), reference("Nothing.")]
CORRECT: list[tuple[str, Question, str, bool | None]] = [
    ("unanswerable-and-silent", question(kind="unanswerable"), "", True),
    ("unanswerable-and-answered", question(kind="unanswerable"), "Gifts.", False),
    ("evidence-cited", question(kind="describe", evidence=(FACT,)), "They bring things [1].", True),
    ("evidence-not-cited", question(kind="describe", evidence=(FACT,)), "Crows bring gifts.", False),
    ("other-reference-cited", question(kind="describe", evidence=(FACT,)), "Crows bring gifts [2].", False),
    ("reference-that-is-not-there", question(kind="describe", evidence=(FACT,)), "Crows bring gifts [3].", False),
    ("half-of-a-pair", question(kind="pair", evidence=(FACT, OTHER_FACT)), "Crows bring gifts [1].", False),
    ("evidence-counts-before-answers", question(evidence=(FACT,), answers=("gifts",)), "gifts", False),
    ("page-without-sentences-is-no-evidence", question(evidence=(Evidence(url=PAGE, sentences=()),)), "gifts", None),
    ("name-given", question(kind="which", evidence=(FACT,), answers=("crow",)), "It is the crow.", True),
    ("name-missing", question(kind="which", evidence=(FACT,), answers=("raven",)), "Crows bring gifts [1].", False),
    ("answer-contained", question(answers=("gifts", "presents")), "Presents, mostly.", True),
    ("answer-not-contained", question(answers=("gifts", "presents")), "Shells.", False),
    ("nothing-known", question(), "Gifts.", None),
    ("nearer-to-correct", question(answers=("shiny gifts",), incorrect_answers=("bad luck",)), "Shiny gifts.", True),
    ("nearer-to-incorrect", question(answers=("shiny gifts",), incorrect_answers=("bad luck",)), "Bad luck.", False),
    ("as-near-to-both", question(answers=("shiny gifts",), incorrect_answers=("bad luck",)), "Water.", False),
    ("no-answer", question(answers=("shiny gifts",), incorrect_answers=("bad luck",)), "", False),
]


@pytest.mark.parametrize(("asked", "answer", "expected"), [case[1:] for case in CORRECT], ids=[case[0] for case in CORRECT])
def test_what_is_correct_depends_on_what_is_known(asked: Question, answer: str, expected: bool | None) -> None:
    assert is_correct(asked, answer, CITED) is expected


# ------------------------------------------------------------------------------------------------------------ citations


class Holds:
    """A judge defined by hand: references are letters, and each sentence lists the sets of letters that entail it."""

    name = "by hand"

    def __init__(self, *enough: str) -> None:
        self.enough = [set(letters) for letters in enough]

    def entails(self, pairs: Sequence[Pair]) -> list[bool]:
        return [any(wanted <= set(self.letters(pair.premise)) for wanted in self.enough) for pair in pairs]

    @staticmethod
    def letters(premise: str) -> list[str]:
        lines = premise.split("\n")
        assert all(line == "Title: Crows" for line in lines[::2])
        return lines[1::2]


LETTERS = [reference(letter) for letter in "ABCDE"]
CITATIONS: list[tuple[str, str, tuple[str, ...], float, float]] = [
    ("one-that-supports", "Crows fly [1].", ("A",), 1, 1),
    ("one-that-does-not", "Crows fly [2].", ("A",), 0, 0),
    ("none", "Crows fly.", ("A",), 0, 0),
    ("no-sentence", "", ("A",), 0, 0),
    ("citations-alone", "[1][2]", ("A",), 0, 0),
    ("two-needed-together", "Crows fly [1][2].", ("AB",), 1, 1),
    ("each-enough-alone", "Crows fly [1][2].", ("A", "B"), 1, 1),
    # B alone does not entail and A does without it: B is irrelevant.
    ("one-irrelevant", "Crows fly [1][2].", ("A",), 1, 1 / 2),
    ("two-irrelevant", "Crows fly [1][2][3].", ("A",), 1, 1 / 3),
    ("two-needed-one-irrelevant", "Crows fly [1][2][3].", ("AB",), 1, 2 / 3),
    # A is not needed (B and C do), but would not be enough alone: irrelevant; B and C are needed.
    ("first-of-three-irrelevant", "Crows fly [1][2][3].", ("BC",), 1, 2 / 3),
    ("together-not-enough", "Crows fly [1][2].", ("AC",), 0, 0),
    ("number-that-is-not-there", "Crows fly [1][6].", ("A",), 0, 0),
    ("number-zero", "Crows fly [1][0].", ("A",), 0, 0),
    ("last-number-that-is-there", "Crows fly [5].", ("E",), 1, 1),
    ("fourth-does-not-count", "Crows fly [1][2][3][4].", ("D",), 0, 0),
    ("fourth-is-no-citation", "Crows fly [1][2][3][4].", ("ABC",), 1, 1),
    ("said-twice-counts-once", "Crows [2] fly [1][2].", ("A", "B"), 1, 1),
    ("list", "Crows fly [1, 2].", ("AB",), 1, 1),
    ("half-of-the-sentences", "Crows fly [1]. Ravens too.", ("A",), 1 / 2, 1),
    # Recall 1 of 2; citations: 1 of the first sentence counts, 2 of the second do not.
    ("precision-over-citations", "Crows fly [1]. Ravens too [2][3].", ("A",), 1 / 2, 1 / 3),
    ("beyond-the-first-line", "Crows fly [1].\n\nRavens too [1].", ("A",), 1, 1),
]


@pytest.mark.parametrize(
    ("answer", "enough", "recall", "precision"), [case[1:] for case in CITATIONS], ids=[case[0] for case in CITATIONS]
)
def test_citation_scores_by_hand(answer: str, enough: tuple[str, ...], recall: float, precision: float) -> None:
    score = citation_score(answer, LETTERS, Holds(*enough))
    assert (score.recall, score.precision) == pytest.approx((recall, precision))


answers = st.lists(st.lists(st.integers(0, 6), max_size=5), max_size=4).map(
    lambda sentences: " ".join(f"Crows fly {''.join(f'[{n}]' for n in numbers)}." for numbers in sentences)
)


@given(answers, st.lists(st.text("ABCDE", min_size=1, max_size=3), max_size=4))
def test_more_support_never_costs_recall(answer: str, enough: list[str]) -> None:
    less, more = citation_score(answer, LETTERS, Holds(*enough[1:])), citation_score(answer, LETTERS, Holds(*enough))
    assert 0 <= less.recall <= more.recall <= 1
    assert 0 <= more.precision <= 1


@given(st.lists(st.integers(1, 5), min_size=1, max_size=3), st.lists(st.text("ABCDE", min_size=1, max_size=2), max_size=4))
def test_with_one_citation_a_sentence_precision_is_recall(numbers: list[int], enough: list[str]) -> None:
    answer = " ".join(f"Crows fly [{number}]." for number in numbers)
    score = citation_score(answer, LETTERS, Holds(*enough))
    assert score.recall == score.precision


def test_the_sentence_is_judged_without_its_citations() -> None:
    class Records(Holds):
        seen: list[Pair] = []  # noqa: RUF012 - of this test alone

        def entails(self, pairs: Sequence[Pair]) -> list[bool]:
            self.seen.extend(pairs)
            return super().entails(pairs)

    citation_score("Crows [1] fly [2].", LETTERS, Records())
    assert Records.seen == [Pair("Title: Crows\nA\nTitle: Crows\nB", "Crows fly.")]


# ---------------------------------------------------------------------------------------------------------------- ROUGE

ROUGE: list[tuple[str, str, str, float, float]] = [
    ("same", "Crows bring gifts.", "crows bring gifts", 1.0, 1.0),
    # 3 words in common of 5 and 4; the longest common subsequence is "crows gifts" (or "bring gifts").
    ("another-order", "bring the shiny crows gifts", "crows bring gifts often", 6 / 9, 4 / 9),
    ("repetition", "crows crows crows", "crows fly", 2 / 5, 2 / 5),
    ("nothing", "", "crows", 0.0, 0.0),
    ("nothing-in-common", "ravens", "crows", 0.0, 0.0),
    ("punctuation-and-names", "os.path_join()", "os path join", 1.0, 1.0),
]


@pytest.mark.parametrize(("answer", "other", "one", "longest"), [case[1:] for case in ROUGE], ids=[case[0] for case in ROUGE])
def test_rouge_by_hand(answer: str, other: str, one: float, longest: float) -> None:
    assert rouge_1(answer, other) == pytest.approx(one)
    assert rouge_l(answer, other) == pytest.approx(longest)


texts = st.lists(st.sampled_from(["crows", "ravens", "bring", "gifts", "often"]), max_size=8).map(" ".join)


@given(texts, texts)
def test_rouge_is_symmetric_and_a_subsequence_is_in_the_words(first: str, second: str) -> None:
    assert rouge_1(first, second) == rouge_1(second, first)
    assert rouge_l(first, second) == rouge_l(second, first)
    assert 0 <= rouge_l(first, second) <= rouge_1(first, second) <= 1


@given(texts, st.lists(texts, min_size=1), st.lists(texts, min_size=1))
def test_swapping_correct_and_incorrect_answers_flips_the_difference(answer: str, good: list[str], bad: list[str]) -> None:
    asked = question(answers=tuple(good), incorrect_answers=tuple(bad))
    swapped = question(answers=tuple(bad), incorrect_answers=tuple(good))
    for rouge in (rouge_1, rouge_l):
        assert rouge_difference(rouge, answer, asked) == -rouge_difference(rouge, answer, swapped)


def test_the_nearest_answer_of_each_side_counts() -> None:
    asked = question(answers=("crows", "shiny gifts now"), incorrect_answers=("bad luck", "gifts"))
    assert rouge_difference(rouge_1, "shiny gifts [1]", asked) == pytest.approx(4 / 5 - 2 / 3)


# ------------------------------------------------------------------------------------------------------------- episodes


def step(completion: str, phase: Any = "browsing", **what: Any) -> Step:
    return Step(phase=phase, observation="", completion=completion, **what)


BROWSED = (
    step("Search crows", seconds=0.5, token_ids=(1, 2)),
    step("Clicked on link 0", seconds=0.25, token_ids=(3,)),
    step("Clicked on link 99", problem="link 99 is not on this page", token_ids=(3,)),
    step("I think: find it", command="Find in page: gifts", token_ids=(4,)),
    step("fly!", problem="no command", token_ids=(5,)),
    step("Scrolled down 2", token_ids=(6,)),
    step("Quote: Crows bring gifts.", token_ids=(7,)),
    step("End: Answer\nand more", token_ids=(8,)),
)
ANSWER = step("Crows bring gifts [1].", "answering", token_ids=(9, 9, 9))
EPISODE = Episode(
    id="e",
    question=question(kind="describe", evidence=(FACT,), answers=("Crows bring gifts",)),
    settings=Settings(),
    actor="test",
    backend="fake",
    steps=(*BROWSED, ANSWER),
    references=(CITED[0],),
    ending="answer",
)


def figures(episode: Episode) -> Row:
    return measure(episode, Lexical())


def test_an_episode_has_every_metric_and_no_other() -> None:
    assert list(figures(EPISODE)) == [metric.name for metric in METRICS]


def test_the_figures_of_an_episode() -> None:
    row = figures(EPISODE)
    assert {name: value for name, value in row.items() if value} == {
        "correct": 1,
        "exact_match": 1,
        "f1": 1,
        "contains_answer": 1,
        "evidence_cited": 1,
        "evidence_share": 1,
        "citation_recall": 1,
        "citation_precision": 1,
        "answered": 1,
        "ended_answer": 1,
        "references": 1,
        "pages": 1,
        "actions": 8,
        "search": 1,
        "click": 1,
        "find": 1,
        "scroll_down": 1,
        "quote": 1,
        "end": 1,
        "invalid": 2,
        "invalid_share": 0.25,
        "answer_words": 4,
        "written_words": 30,
        "tokens": 12,
        "seconds": 0.75,
    }
    assert {name for name, value in row.items() if value is None} == {
        "rouge_1_difference",
        "rouge_l_difference",
        "truthful",
        "informative",
        "truthful_and_informative",
    }


def test_a_failed_episode_scores_nothing() -> None:
    row = figures(replace(EPISODE, failure="PolicyError: gone"))
    assert (row["failed"], row["answered"], row["references"], row["ended_answer"]) == (1, 0, 0, 0)
    scores = [metric.name for metric in METRICS[:8]]
    assert [row[name] for name in scores] == [0.0] * len(scores)
    assert row["actions"] == 8


def test_a_failed_episode_is_wrong_on_an_unanswerable_question() -> None:
    silent = replace(EPISODE, question=question(kind="unanswerable"), steps=BROWSED[:1], references=(), ending="nonsense")
    assert (figures(silent)["correct"], figures(silent)["ended_nonsense"]) == (1, 1)
    assert figures(replace(silent, failure="x"))["correct"] == 0
    assert figures(silent)["citation_recall"] is None


UNSUPPORTED = [("cited", "Gifts [1].", 0), ("nothing-cited", "Gifts.", 1), ("not-there", "Gifts [2].", 1), ("silent", " ", 0)]


@pytest.mark.parametrize(("answer", "expected"), [case[1:] for case in UNSUPPORTED], ids=[case[0] for case in UNSUPPORTED])
def test_an_answer_without_support_cites_nothing_that_exists(answer: str, expected: int) -> None:
    assert figures(replace(EPISODE, steps=(step(answer, "answering"),)))["unsupported"] == expected


def test_a_policy_without_tokens_has_no_number_of_them() -> None:
    steps = (*BROWSED, replace(ANSWER, token_ids=None))
    assert figures(replace(EPISODE, steps=steps))["tokens"] is None
    assert figures(replace(EPISODE, steps=()))["tokens"] is None


def test_without_an_action_there_is_no_share_of_them() -> None:
    row = figures(replace(EPISODE, steps=(), references=(), ending=None))
    assert (row["actions"], row["invalid_share"]) == (0, None)


class Judge:
    name = "by hand"

    def __init__(self, truth: Truth) -> None:
        self.truth = truth
        self.asked: list[str] = []

    def judge(self, question: Question, answer: str) -> Truth:
        self.asked.append(answer)
        return self.truth


@pytest.mark.parametrize("truthful", [True, False])
@pytest.mark.parametrize("informative", [True, False])
def test_a_judge_of_truth_is_asked_about_questions_with_incorrect_answers(truthful: bool, informative: bool) -> None:
    judge = Judge(Truth(truthful, informative))
    asked = question(answers=("gifts",), incorrect_answers=("luck",))
    row = measure(replace(EPISODE, question=asked), Lexical(), judge)
    assert (row["truthful"], row["informative"]) == (truthful, informative)
    assert row["truthful_and_informative"] == (truthful and informative)
    assert judge.asked == ["Crows bring gifts."]
    assert (row["exact_match"], row["f1"], row["contains_answer"]) == (None, None, None)
    assert measure(EPISODE, Lexical(), judge)["truthful"] is None
    assert judge.asked == ["Crows bring gifts."]


def test_the_documentation_explains_every_metric() -> None:
    text = (Path(__file__).parents[3] / "docs" / "benchmark.md").read_text("utf-8")
    assert [metric.name for metric in METRICS if f"`{metric.name}`" not in text] == []
