"""The scripted labeler: the paper's priorities in their order, and errors of a given size."""

import random
from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from browser_env.records import ComparedAnswer, Episode, Evidence, Question, Reference, Settings, Step
from training.reward_model.comparisons import preference
from training.scripted_people.comparisons import compared_answer, draw_others
from training.scripted_people.gold_score import assess, gold_score, gold_score_of
from training.scripted_people.labeler import EQUAL, ERROR, Labeler, agreement, error_for, five_points

PAGE, OTHER = "http://a.org/shutil", "http://a.org/os"
TEXT = "Recursively copy a directory tree. Symbolic links are followed unless told otherwise. Returns the destination."
GOLD = "Recursively copy a directory tree."
WRONG = "Delete an entire directory tree for ever."


def reference(extract: str, url: str = PAGE, start: int = 0) -> Reference:
    return Reference(title="t", url=url, extract=extract, page=url, start=start, end=start + len(extract))


def answer(text: str, *references: Reference) -> ComparedAnswer:
    return ComparedAnswer(text=text, references=references or (reference(TEXT),))


DESCRIBE = Question(
    id="q1",
    text="What does shutil.copytree do?",
    kind="describe",
    answers=(GOLD,),
    evidence=(Evidence(url=PAGE, sentences=(GOLD,)),),
)
WHICH = replace(DESCRIBE, id="q2", kind="which", text="Which function copies a tree?", answers=("copytree", "shutil.copytree"))
NOTHING = Question(id="q3", text="What does shutil.fly do?", kind="unanswerable")

RIGHT = answer(f"{GOLD} [1]", reference(GOLD))


def gold(question: Question, given: ComparedAnswer) -> float:
    return gold_score(question, given.references, given.text)


ORDER: dict[str, tuple[Question, list[ComparedAnswer]]] = {
    "more help is better": (DESCRIBE, [answer(f"{GOLD} [1] Symbolic links are followed unless told otherwise. [1]"), RIGHT]),
    "a citation of a missing reference is worse": (DESCRIBE, [RIGHT, answer(f"{GOLD} [1][4]", reference(GOLD))]),
    "an irrelevant cited sentence is worse": (
        DESCRIBE,
        [RIGHT, answer(f"{GOLD} [1] {WRONG} [2]", reference(GOLD), reference(WRONG, OTHER))],
    ),
    "unsupported additions are worse than irrelevant ones": (
        DESCRIBE,
        [
            answer(f"{GOLD} [1] {WRONG} [2]", reference(GOLD), reference(WRONG, OTHER)),
            answer(f"{GOLD} [1] {WRONG} [1]", reference(GOLD)),
        ],
    ),
    "half of the sentence is worse than all of it": (
        DESCRIBE,
        [RIGHT, answer("Recursively copy. [1]", reference("Recursively copy"))],
    ),
    "the wrong sentence is worse than half the right one": (
        DESCRIBE,
        [
            answer("Recursively copy a tree. [1]", reference("Recursively copy a tree.")),
            answer(f"{WRONG} [1]", reference(WRONG)),
        ],
    ),
    "no answer is worse than a wrong one": (DESCRIBE, [answer(f"{WRONG} [1]", reference(WRONG)), answer("")]),
    "an answer without citations is worse": (DESCRIBE, [RIGHT, answer(GOLD, reference(GOLD))]),
    "a name is better than none": (
        WHICH,
        [
            answer(f"copytree: {GOLD} [1]", reference(f"copytree(src)\n    {GOLD}")),
            answer(f"{GOLD} [1]", reference(GOLD)),
            answer(f"rmtree: {WRONG} [1]", reference(f"rmtree(path)\n    {WRONG}")),
        ],
    ),
    "an unanswerable question is best left unanswered": (
        NOTHING,
        [answer(""), answer(f"{GOLD} [1]", reference(GOLD)), answer("It flies. [1]", reference(GOLD))],
    ),
    "the same sentence on another page is worse": (DESCRIBE, [RIGHT, answer(f"{GOLD} [1]", reference(GOLD, OTHER))]),
}


@pytest.mark.parametrize("name", ORDER)
def test_better_answers_score_higher(name: str) -> None:
    question, answers = ORDER[name]
    scores = [gold(question, given) for given in answers]
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) == len(scores)


def test_each_priority_is_assessed_separately() -> None:
    assessment = assess(DESCRIBE, [reference(GOLD), reference(WRONG, OTHER)], f"{GOLD} [1] {WRONG} [2] It costs nothing. [7]")
    assert assessment.supported == pytest.approx(0.75, abs=0.15)
    assert assessment.cited == pytest.approx(2 / 3)
    assert (assessment.core, assessment.helpful) == (1, 0)
    assert assessment.relevant < 0.7


@given(
    st.text(max_size=60), st.lists(st.text(min_size=1, max_size=40), max_size=3), st.sampled_from([DESCRIBE, WHICH, NOTHING])
)
def test_scores_are_deterministic_and_from_0_to_1(text: str, extracts: list[str], question: Question) -> None:
    references = [reference(extract) for extract in extracts]
    score = gold_score(question, references, text)
    assert 0 <= score <= 1
    assert gold_score(question, references, text) == score


def test_scores_grow_with_the_share_of_the_gold_sentence() -> None:
    parts = GOLD.rstrip(".").split()
    scores = [
        gold(DESCRIBE, answer(f"{' '.join(parts[:size])}. [1]", reference(" ".join(parts[:size])))) for size in range(1, 6)
    ]
    assert scores == sorted(scores)
    assert len(set(scores)) >= 4


def test_questions_without_evidence_are_scored_by_their_answers() -> None:
    truth = Question(id="t", text="?", answers=("Nothing happens",), incorrect_answers=("You die at once",))
    plain = Question(id="p", text="Who wrote it?", answers=("Jane Austen",))
    assert gold_score(truth, [], "Nothing happens") > gold_score(truth, [], "You die at once")
    assert gold_score(plain, [], "Jane Austen") > gold_score(plain, [], "Emily")


def test_a_failed_episode_has_no_answer() -> None:
    said = Step(phase="answering", observation="", completion=f"{GOLD} [1]")
    episode = Episode(
        id="e", question=DESCRIBE, settings=Settings(), actor="a", backend="b", steps=(said,), references=RIGHT.references
    )
    assert gold_score_of(episode) == gold(DESCRIBE, RIGHT)
    assert gold_score_of(replace(episode, failure="broken")) == 0
    assert compared_answer(episode) == replace(RIGHT, actor="a", episode="e")
    assert compared_answer(replace(episode, failure="broken")) == ComparedAnswer(text="", actor="a", episode="e")


@pytest.mark.parametrize(
    ("difference", "points"), [(0.9, 1), (0.2, 0.5), (EQUAL / 2, 0), (0, 0), (-EQUAL / 2, 0), (-0.2, -0.5), (-0.9, -1)]
)
def test_differences_are_rated_in_five_points(difference: float, points: float) -> None:
    assert five_points(difference) == points


# -------------------------------------------------------------------------------------------------------------- labeler


def damaged(number: int) -> list[tuple[Question, ComparedAnswer, ComparedAnswer]]:
    """Pairs of right, wrong and incomplete answers."""
    rng = random.Random(0)
    pairs = []
    for index in range(number):
        question = replace(DESCRIBE, id=f"q{index}")
        answers = [
            RIGHT,
            answer(f"{WRONG} [1]", reference(WRONG)),
            answer(f"{' '.join(word for word in TEXT.split() if rng.random() < 0.7)} [1]"),
            answer(f"{' '.join(word for word in GOLD.split() if rng.random() < 0.5)}. [1]"),
        ]
        pairs += [(question, *pair) for pair in combinations(answers, 2)]
    return pairs


PAIRS = damaged(60)


def test_a_labeler_without_error_rates_by_the_gold_score() -> None:
    for question, first, second in PAIRS:
        rating = Labeler(error=0).rate(question, first, second)
        assert rating == five_points(gold(question, first) - gold(question, second))


def test_ratings_are_antisymmetric_and_deterministic() -> None:
    labeler = Labeler(seed=3)
    for question, first, second in PAIRS:
        assert labeler.rate(question, first, second) == -labeler.rate(question, second, first)
        assert labeler.rate(question, first, second) == Labeler(seed=3).rate(question, first, second)


def test_agreement_falls_with_the_error_and_is_like_people_by_default() -> None:
    agreements = []
    for error in (0.05, ERROR, 2.0):
        ratings = [[Labeler(seed, error).rate(*pair) for pair in PAIRS] for seed in (1, 2)]
        agreements.append(agreement(*ratings) or 0)
    assert agreements == sorted(agreements, reverse=True)
    assert agreements[0] > 0.9
    assert 0.6 < agreements[1] < 0.85
    assert agreements[2] < 0.6


def test_error_for_reaches_the_target_agreement() -> None:
    error = error_for(0.75, PAIRS)
    ratings = [[Labeler(seed, error).rate(*pair) for pair in PAIRS] for seed in (1, 2)]
    assert agreement(*ratings) == pytest.approx(0.75, abs=0.04)


@pytest.mark.parametrize(
    ("first", "second", "share"),
    [([1, 0.5], [0.5, 1], 1), ([1, 0.5], [-1, 0.5], 0.5), ([1, 0], [0, -1], None), ([1, 0], [1, 1], 1)],
)
def test_agreement_leaves_ties_out(first: list[float], second: list[float], share: float | None) -> None:
    assert agreement(first, second) == share


def test_two_answers_are_rated_and_more_are_ranked() -> None:
    wrong, nothing = answer(f"{WRONG} [1]", reference(WRONG)), answer("")
    pair = Labeler(error=0).compare(DESCRIBE, [RIGHT, wrong])
    assert pair.labeler == "script"
    assert pair.ratings is not None
    assert pair.ratings.overall == 1
    assert preference(pair) == 1
    ranking = Labeler(error=0).compare(DESCRIBE, [nothing, RIGHT, wrong, RIGHT])
    assert ranking.ranks == (4, 1, 3, 1)
    assert ranking.ratings is None


def test_the_seed_decides_the_recorded_order_of_the_answers() -> None:
    shown = {Labeler().compare(DESCRIBE, [RIGHT, answer("")], seed=seed).shown for seed in range(20)}
    assert shown == {(0, 1), (1, 0)}


@given(st.lists(st.sampled_from([RIGHT, answer(""), answer("Copy. [1]"), answer(f"{WRONG} [1]")]), min_size=2, max_size=6))
def test_equal_answers_have_equal_ranks(answers: list[ComparedAnswer]) -> None:
    ranks = Labeler(seed=1).rank(DESCRIBE, answers)
    assert min(ranks) == 1
    assert all(ranks[i] == ranks[j] for i in range(len(ranks)) for j in range(len(ranks)) if answers[i] == answers[j])


def answered(number: int, url: str, text: str = "It copies. [1]", start: int = 0) -> Episode:
    question = replace(DESCRIBE, id=f"q{number}")
    step = Step(phase="answering", observation="", completion=text)
    references = (replace(reference("It copies.", url), start=start),) if text else ()
    return Episode(
        id=f"e{number}", question=question, settings=Settings(), actor="a", backend="b", steps=(step,), references=references
    )


def test_other_answers_are_about_the_same_page_if_possible() -> None:
    episodes = [answered(0, PAGE), answered(1, PAGE), answered(2, PAGE), answered(3, OTHER), answered(4, "http://a.org/x")]
    pairs = list(draw_others([*episodes, answered(5, PAGE, "")], seed=0))
    assert sorted(own.id for own, _ in pairs) == [episode.id for episode in episodes]
    assert all(own.question != other.question for own, other in pairs)
    own_pages = {episode.id: episode.references[0].url for episode in episodes}
    assert [own.id for own, other in pairs if own_pages[own.id] != own_pages[other.id]] == ["e3", "e4"]
    assert pairs == list(draw_others(episodes, seed=0))
    assert list(draw_others(episodes[:1], seed=0)) == []


def test_other_answers_quote_neighboring_text() -> None:
    episodes = [answered(number, PAGE, start=1000 * number) for number in (4, 2, 0, 3, 1, 5)]
    again = [replace(episode, id=f"{episode.id} again") for episode in episodes]
    pairs = list(draw_others([*episodes, *again], seed=0))
    assert len(pairs) == 6
    distances = {(other.references[0].start - own.references[0].start) % 6000 for own, other in pairs}
    assert distances == {1000, 5000}
