import math
import random

import pytest

from training.reward_model.measures import figures, labeler_agreement
from training.reward_model.preferences import Candidate, PreferenceGroup


def group(*levels: float, question: str = "q", labeler: str = "") -> PreferenceGroup:
    return PreferenceGroup(
        question, tuple(Candidate(f"{question}◼", f"answer {n}") for n in range(len(levels))), levels, labeler
    )


def test_figures_by_hand() -> None:
    groups = [group(1, 0, question="a"), group(0, 1, question="b"), group(1, 1, question="c"), group(1, 0, question="d")]
    result = figures(groups, [[2.0, 0.0], [0.5, 0.0], [1.0, 0.0], [1.0, 1.0]])
    assert (result.groups, result.pairs, result.ties) == (4, 4, 1)
    assert result.accuracy is not None and result.accuracy.n == 3
    assert result.accuracy.mean == pytest.approx((1 + 0 + 0.5) / 3)  # right, wrong, no difference
    sigmoid = [1 / (1 + math.exp(-x)) for x in (2, 0.5, 1, 0)]
    expected = [
        -math.log(sigmoid[0]),
        -math.log(1 - sigmoid[1]),
        -(math.log(sigmoid[2]) + math.log(1 - sigmoid[2])) / 2,
        math.log(2),
    ]
    assert result.log_loss == pytest.approx(sum(expected) / 4)
    assert [(part.n, part.accuracy) for part in result.bins] == [(1, 0.5), (1, 0.0), (1, 0.5), (1, 1.0)]
    assert [part.confidence for part in result.bins] == pytest.approx([sigmoid[index] for index in (3, 1, 2, 0)])
    assert result.calibration_error == pytest.approx((0 + sigmoid[1] + sigmoid[2] - 0.5 + 1 - sigmoid[0]) / 4)


def test_true_logits_are_calibrated() -> None:
    draw = random.Random(0)
    groups, scores = [], []
    for number in range(2000):
        difference = draw.gauss(0, 1.5)
        is_preferred = draw.random() < 1 / (1 + math.exp(-difference))
        groups.append(group(float(is_preferred), float(not is_preferred), question=str(number)))
        scores.append([difference, 0.0])
    result = figures(groups, scores, resamples=10)
    assert result.calibration_error < 0.04
    assert figures(groups, [[4 * a, b] for a, b in scores], resamples=10).calibration_error > 0.1


def test_large_differences_have_a_finite_loss() -> None:
    assert figures([group(0, 1)], [[1000.0, -1000.0]]).log_loss == pytest.approx(2000)


def test_labeler_agreement_by_hand() -> None:
    swapped = PreferenceGroup("q", group(1, 0).candidates[::-1], (0, 1))
    assert labeler_agreement([group(1, 0), swapped]) == (1.0, 1)
    share, number = labeler_agreement([group(1, 0), group(0, 1), swapped])
    assert (share, number) == (1 / 3, 3)
    assert labeler_agreement([group(1, 0), group(1, 1)]) == (None, 0)  # ties are left out
    assert labeler_agreement([group(2, 1, 0), group(2, 0, 1)]) == (2 / 3, 3)
