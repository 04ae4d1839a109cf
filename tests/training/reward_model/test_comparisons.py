from dataclasses import replace

import pytest

from browser_env.records import ComparedAnswer, Comparison, Question, Ratings, Reference
from training.reward_model.comparisons import levels, preference, preference_group
from training.reward_model.webgpt_comparisons import webgpt_comparison

ANSWERS = (ComparedAnswer(text="Yes. [1]"), ComparedAnswer(text="No."))
PAIR = Comparison(
    id="c1", question=Question(id="q", text="Why?"), answers=ANSWERS, labeler="human:ann", ratings=Ratings(overall=0.5)
)


@pytest.mark.parametrize(("overall", "preferred"), [(1, 1), (0.5, 1), (0, 0.5), (-0.5, 0), (-1, 0)])
def test_much_better_and_better_are_the_same_preference(overall: float, preferred: float) -> None:
    comparison = replace(PAIR, ratings=Ratings(overall=overall))
    assert preference(comparison) == preferred
    assert preference(comparison, 1, 0) == 1 - preferred


def test_a_ranking_has_a_preference_for_each_pair() -> None:
    ranking = replace(PAIR, answers=(*ANSWERS, *ANSWERS), ratings=None, ranks=(2, 1, 4, 2))
    assert levels(ranking) == (-2, -1, -4, -2)
    assert [preference(ranking, 0, other) for other in (1, 2, 3)] == [0, 1, 0.5]


def test_a_flagged_question_has_no_preference() -> None:
    flagged = replace(PAIR, ratings=None, flag="nonsense")
    assert (levels(flagged), preference(flagged), preference_group(flagged)) == (None, None, None)
    with pytest.raises(ValueError, match="is not a rated pair"):
        webgpt_comparison(flagged)


def test_candidates_have_the_observation_before_the_answer() -> None:
    reference = Reference(title="T", url="http://a.org/x", extract="So.", page="0", start=0, end=3)
    group = preference_group(replace(PAIR, answers=(replace(ANSWERS[0], references=(reference,)), ANSWERS[1])))
    assert group is not None
    assert group.question == "q"
    assert group.labeler == "human:ann"
    assert group.levels[0] > group.levels[1]
    assert [(candidate.text, candidate.answer) for candidate in group.candidates] == [
        ("Why?◼[1] T (a.org)\n\nSo.◼", "Yes. [1]"),
        ("Why?◼", "No."),
    ]
