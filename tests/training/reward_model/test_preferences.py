import json
import math
import random
from itertools import combinations
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import logsigmoid

from browser_env.errors import RecordError
from training.objectives import comparison_loss, group_preference_loss
from training.reward_model.measures import figures, labeler_agreement
from training.reward_model.preferences import Candidate, PreferenceGroup, preference
from training.reward_model.trl_preferences import read_trl_preferences
from training.supervised.held_out import in_part


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> None:
    torch.set_num_threads(1)  # more are slower on tensors this small


SCORES = st.lists(st.floats(-20, 20), min_size=2, max_size=6)


def group(*levels: float, question: str = "q", labeler: str = "") -> PreferenceGroup:
    return PreferenceGroup(
        question, tuple(Candidate(f"{question}◼", f"answer {n}") for n in range(len(levels))), levels, labeler
    )


def loss(scores: list[float], levels: list[float]) -> float:
    mask = torch.ones(1, len(scores), dtype=torch.bool)
    return group_preference_loss(torch.tensor([scores], dtype=torch.float64), torch.tensor([levels]), mask).item()


def test_the_comparison_loss_by_hand() -> None:
    a, b = torch.tensor([1.0, 0.0, 3.0]), torch.tensor([0.0, 2.0, 3.0])
    expected = [math.log(1 + math.exp(-1)), math.log(1 + math.exp(-2)), math.log(2)]
    given = comparison_loss(a, b, torch.tensor([1.0, 0.0, 0.5]))
    assert given.item() == pytest.approx(sum(expected) / 3)
    assert comparison_loss(b, a, torch.tensor([0.0, 1.0, 0.5])).item() == pytest.approx(given.item())


@settings(max_examples=30)
@given(st.floats(-20, 20), st.floats(-20, 20))
def test_a_group_of_two_is_the_pairwise_loss_of_trl(chosen: float, rejected: float) -> None:
    trl = -logsigmoid(torch.tensor(chosen, dtype=torch.float64) - rejected).item()  # its compute_loss, without margin
    assert loss([chosen, rejected], [1, 0]) == pytest.approx(trl, abs=1e-9)
    assert loss([rejected, chosen], [0, 1]) == pytest.approx(trl, abs=1e-9)


@settings(max_examples=30)
@given(SCORES, st.data())
def test_a_group_is_the_mean_of_its_pairs_in_any_order(scores: list[float], data: st.DataObject) -> None:
    levels = [float(data.draw(st.integers(0, 2))) for _ in scores]
    pairs = [
        comparison_loss(
            torch.tensor(scores[i], dtype=torch.float64),
            torch.tensor(scores[j], dtype=torch.float64),
            torch.tensor(preference(levels[i], levels[j]), dtype=torch.float64),
        ).item()
        for i, j in combinations(range(len(scores)), 2)
    ]
    assert loss(scores, levels) == pytest.approx(math.fsum(pairs) / len(pairs), abs=1e-9)
    order = data.draw(st.permutations(range(len(scores))))
    assert loss([scores[i] for i in order], [levels[i] for i in order]) == pytest.approx(loss(scores, levels), abs=1e-9)
    # only the order of the levels means something, and a shift of the scores nothing
    assert loss([score + 3 for score in scores], [10 * level - 7 for level in levels]) == pytest.approx(
        loss(scores, levels), abs=1e-6
    )


def test_what_is_masked_does_not_count() -> None:
    scores = torch.tensor([[1.0, 0.0, 9.0], [0.3, 0.1, -2.0]], requires_grad=True)
    mask = torch.tensor([[True, True, False], [True, True, True]])
    losses = group_preference_loss(scores, torch.tensor([[1.0, 0.0, 5.0], [2.0, 1.0, 0.0]]), mask)
    assert losses[0].item() == pytest.approx(loss([1, 0], [1, 0]), abs=1e-6)
    assert losses[1].item() == pytest.approx(loss([0.3, 0.1, -2.0], [2, 1, 0]), abs=1e-6)
    losses.sum().backward()
    assert scores.grad is not None and scores.grad[0, 2] == 0 and scores.grad.isfinite().all()


def test_ties_alone_drive_the_differences_to_nothing() -> None:
    scores = torch.tensor([[2.0, -1.0, 0.5]], requires_grad=True)
    optimizer = torch.optim.SGD([scores], lr=1.0)
    for _ in range(200):
        optimizer.zero_grad()
        group_preference_loss(scores, torch.ones(1, 3), torch.ones(1, 3, dtype=torch.bool)).sum().backward()
        optimizer.step()
    assert scores.detach().std() < 1e-4
    assert scores.detach().mean().item() == pytest.approx(0.5, abs=1e-5)  # where it was: the loss knows differences only


def test_figures_by_hand() -> None:
    groups = [group(1, 0, question="a"), group(0, 1, question="b"), group(1, 1, question="c"), group(1, 0, question="d")]
    found = figures(groups, [[2.0, 0.0], [0.5, 0.0], [1.0, 0.0], [1.0, 1.0]])
    assert (found.groups, found.pairs, found.ties) == (4, 4, 1)
    assert found.accuracy is not None and found.accuracy.n == 3
    assert found.accuracy.mean == pytest.approx((1 + 0 + 0.5) / 3)  # right, wrong, no difference
    sigmoid = [1 / (1 + math.exp(-x)) for x in (2, 0.5, 1, 0)]
    expected = [
        -math.log(sigmoid[0]),
        -math.log(1 - sigmoid[1]),
        -(math.log(sigmoid[2]) + math.log(1 - sigmoid[2])) / 2,
        math.log(2),
    ]
    assert found.log_loss == pytest.approx(sum(expected) / 4)
    assert [(one.n, pytest.approx(one.confidence), one.accuracy) for one in found.bins] == [
        (1, sigmoid[3], 0.5),
        (1, sigmoid[1], 0.0),
        (1, sigmoid[2], 0.5),
        (1, sigmoid[0], 1.0),
    ]
    assert found.calibration_error == pytest.approx((0 + sigmoid[1] + sigmoid[2] - 0.5 + 1 - sigmoid[0]) / 4)


def test_scores_that_are_the_true_logits_are_calibrated() -> None:
    draw = random.Random(0)
    groups, scores = [], []
    for number in range(2000):
        difference = draw.gauss(0, 1.5)
        is_preferred = draw.random() < 1 / (1 + math.exp(-difference))
        groups.append(group(float(is_preferred), float(not is_preferred), question=str(number)))
        scores.append([difference, 0.0])
    found = figures(groups, scores, resamples=10)
    assert found.calibration_error < 0.04
    assert figures(groups, [[4 * a, b] for a, b in scores], resamples=10).calibration_error > 0.1


def test_large_differences_have_a_finite_loss() -> None:
    assert figures([group(0, 1)], [[1000.0, -1000.0]]).log_loss == pytest.approx(2000)


def test_two_labelers_of_the_same_pair_agree_or_not() -> None:
    swapped = PreferenceGroup("q", group(1, 0).candidates[::-1], (0, 1))
    assert labeler_agreement([group(1, 0), swapped]) == (1.0, 1)
    assert labeler_agreement([group(1, 0), group(0, 1), swapped]) == (pytest.approx(1 / 3), 3)
    assert labeler_agreement([group(1, 0), group(1, 1)]) == (None, 0)  # a tie says neither
    assert labeler_agreement([group(2, 1, 0), group(2, 0, 1)]) == (pytest.approx(2 / 3), 3)


def test_shares_of_the_questions_are_nested() -> None:
    parts = [{str(n) for n in range(1000) if in_part(str(n), share)} for share in (0.1, 0.3, 1.0)]
    assert parts[0] < parts[1] < parts[2] == {str(n) for n in range(1000)}
    assert 250 < len(parts[1]) < 350


@pytest.mark.parametrize(
    ("row", "text", "answers"),
    [
        ({"prompt": "Why?", "chosen": "So.", "rejected": "No."}, "Why?◼", ["So.", "No."]),
        (
            {"prompt": "Why?◼[1] A (b.c)\n\nText◼", "chosen": "So [1].◼", "rejected": ""},
            "Why?◼[1] A (b.c)\n\nText◼",
            ["So [1].", ""],
        ),
        (
            {
                "prompt": [{"role": "user", "content": "Why?"}],
                "chosen": [{"role": "assistant", "content": "So."}],
                "rejected": [{"role": "assistant", "content": "No."}],
            },
            "Why?◼",
            ["So.", "No."],
        ),
        (
            {
                "chosen": [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So."}],
                "rejected": [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "No."}],
            },
            "Why?◼",
            ["So.", "No."],
        ),
    ],
    ids=["texts", "ours", "messages", "messages without a prompt"],
)
def test_preferences_of_trl_are_read(row: dict[str, object], text: str, answers: list[str], tmp_path: Path) -> None:
    file = tmp_path / "preferences.jsonl"
    file.write_text(f"{json.dumps(row)}\n\n")
    (found,) = read_trl_preferences(file)
    assert [one.text for one in found.candidates] == [text, text]
    assert [one.answer for one in found.candidates] == answers
    assert (found.question, found.levels) == ("Why?", (1.0, 0.0))


@pytest.mark.parametrize(
    "line", ["{", "[]", '{"chosen": "a"}', '{"chosen": "a", "rejected": "b"}', '{"prompt": "p", "chosen": 1, "rejected": "b"}']
)
def test_what_is_no_preference_of_trl_is_told_with_its_line(line: str, tmp_path: Path) -> None:
    file = tmp_path / "preferences.jsonl"
    file.write_text(f'{{"prompt": "p", "chosen": "a", "rejected": "b"}}\n{line}\n')
    with pytest.raises(RecordError, match=r"preferences\.jsonl:2: is not a preference in TRL's format"):
        list(read_trl_preferences(file))


def test_a_group_needs_two_candidates_with_levels() -> None:
    with pytest.raises(ValueError, match="two or more"):
        group(1)
