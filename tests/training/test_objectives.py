import math
from itertools import combinations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import logsigmoid

from agent.intervals import preference
from training.objectives import (
    action_lambdas,
    advantages,
    chosen_logprobs,
    comparison_loss,
    explained_variance,
    group_preference_loss,
    kl_k1,
    kl_k3,
    kl_rewards,
    masked_whiten,
    means_of_others,
    policy_loss,
    value_loss,
    weighted_cross_entropy,
)

# Advantages by TRL 1.12's PPOTrainer (gamma 1, lambda 0.95, values 0 after the end):
#   for t in reversed(range(gen_length)):
#       nextvalues = values[:, t + 1] if t < gen_length - 1 else 0.0
#       delta = rewards[:, t] + gamma * nextvalues - values[:, t]
#       lastgaelam = delta + gamma * lam * lastgaelam
TRL_REWARDS = [[0.0, -0.01, 0.02, 1.0], [0.3, -0.2, 0.05, -1.5]]
TRL_VALUES = [[0.1, 0.2, 0.3, 0.4], [-0.5, 0.25, 0.0, -0.75]]
TRL_ADVANTAGES = [[0.808225, 0.7455, 0.69, 0.6], [-0.65228116, -1.7918749, -1.4125, -0.75]]


def row(values: list[float]) -> Tensor:
    return torch.tensor([values], dtype=torch.float64)


def by_definition(rewards: list[float], values: list[float], lambdas: list[float], gamma: float) -> list[float]:
    """Generalized advantage estimates as a sum instead of a recursion."""
    deltas = [
        reward + gamma * (values[place + 1] if place + 1 < len(values) else 0.0) - values[place]
        for place, reward in enumerate(rewards)
    ]
    return [
        sum(
            deltas[later] * math.prod(gamma * lambdas[between] for between in range(place, later))
            for later in range(place, len(deltas))
        )
        for place in range(len(deltas))
    ]


numbers = st.floats(-3, 3, width=32)
episodes = st.lists(st.tuples(numbers, numbers, st.floats(0, 1, width=32)), min_size=1, max_size=12)


@given(episodes, st.sampled_from([1.0, 0.9]))
def test_advantages_equal_the_definition(episode: list[tuple[float, float, float]], gamma: float) -> None:
    rewards, values, lambdas = (list(column) for column in zip(*episode, strict=True))
    got = advantages(row(rewards), row(values), row(lambdas), torch.ones(1, len(rewards)), gamma)
    torch.testing.assert_close(got, row(by_definition(rewards, values, lambdas, gamma)), atol=1e-9, rtol=1e-9)


def test_advantages_with_a_constant_lambda_equal_those_of_trl() -> None:
    got = advantages(torch.tensor(TRL_REWARDS), torch.tensor(TRL_VALUES), torch.full((2, 4), 0.95), torch.ones(2, 4))
    torch.testing.assert_close(got, torch.tensor(TRL_ADVANTAGES), atol=1e-6, rtol=0)


def test_advantages_by_hand() -> None:
    # Two actions of two tokens and one: λ is 1, 0.5, 0.5.
    got = advantages(row([0.0, 0.0, 1.0]), row([0.5, 0.25, 0.5]), row([1.0, 0.5, 0.5]), torch.ones(1, 3))
    torch.testing.assert_close(got, row([0.25, 0.5, 0.5]))  # 0.5; 0.25 + 0.5·0.5; −0.25 + 1·0.5


def test_advantages_with_lambda_one_are_returns_minus_values() -> None:
    rewards, values = row([0.1, -0.2, 0.3, 1.0]), row([0.5, 0.1, -0.4, 0.2])
    got = advantages(rewards, values, torch.ones(1, 4), torch.ones(1, 4))
    torch.testing.assert_close(got, rewards.flip(-1).cumsum(-1).flip(-1) - values)


def test_padding_has_no_advantage_and_no_effect() -> None:
    rewards, values, lambdas = row([0.1, 1.0]), row([0.3, 0.4]), row([0.95, 0.95])
    alone = advantages(rewards, values, lambdas, torch.ones(1, 2))
    padding = row([7.0, -9.0])
    mask = torch.tensor([[1.0, 1.0, 0.0, 0.0]])
    padded_rewards, padded_values, padded_lambdas = (torch.cat([part, padding], -1) for part in (rewards, values, lambdas))
    padded = advantages(padded_rewards, padded_values, padded_lambdas, mask)
    torch.testing.assert_close(padded, torch.cat([alone, row([0.0, 0.0])], -1))


LAMBDAS = [
    ("action", [3, 1, 2], 64, "action", [1, 1, 0.95, 0.95, 1, 0.95]),
    ("chunks", [5], 2, "action", [1, 0.95, 1, 0.95, 0.95]),
    ("chunk-of-full-length", [4], 4, "action", [1, 1, 1, 0.95]),
    ("token", [2, 1], 64, "token", [0.95, 0.95, 0.95]),
]


@pytest.mark.parametrize(
    ("lengths", "most", "level", "expected"), [case[1:] for case in LAMBDAS], ids=[case[0] for case in LAMBDAS]
)
def test_lambda_is_below_one_at_the_end_of_each_timestep(
    lengths: list[int], most: int, level: str, expected: list[float]
) -> None:
    assert action_lambdas(lengths, most, 0.95, level) == expected  # type: ignore[arg-type]


def test_action_level_advantages_are_generalized_advantages_over_actions() -> None:
    """With rewards and λ at the ends of actions only, the first token of an action has the advantage of the action."""
    values, rewards, lengths = [0.3, 0.7, -0.2], [0.1, 0.0, 1.0], [2, 3, 1]
    token_rewards = row([0.0, 0.1, 0.0, 0.0, 0.0, 1.0])
    token_values = row([0.3, 9.0, 0.7, -5.0, 4.0, -0.2])  # values inside an action cancel out
    got = advantages(token_rewards, token_values, row(action_lambdas(lengths, 64)), torch.ones(1, 6))
    expected = by_definition(rewards, values, [0.95] * 3, 1.0)
    torch.testing.assert_close(got[0, [0, 2, 5]], torch.tensor(expected, dtype=torch.float64))


def test_rewards_by_hand() -> None:
    logprobs, ref_logprobs = (
        torch.tensor([[-1.0, -2.0, -3.0], [-1.0, -1.0, 0.0]]),
        torch.tensor([[-1.5, -2.0, -2.0], [0.0, -3.0, 0.0]]),
    )
    mask = torch.tensor([[1.0, 1.0, 1.0], [1.0, 1.0, 0.0]])
    got = kl_rewards(logprobs, ref_logprobs, torch.tensor([2.0, -1.0]), mask, 0.1)
    torch.testing.assert_close(got, torch.tensor([[-0.05, 0.0, 2.1], [0.1, -1.2, 0.0]]))


def test_rewards_without_divergence_are_the_score_at_the_last_token() -> None:
    logprobs = torch.randn(2, 5, generator=torch.Generator().manual_seed(0))
    got = kl_rewards(logprobs, logprobs, torch.tensor([3.0, 4.0]), torch.ones(2, 5), 0.02)
    assert got.tolist() == [[0, 0, 0, 0, 3], [0, 0, 0, 0, 4]]


@pytest.mark.parametrize(
    ("scores", "groups", "expected"),
    [
        ([1.0, 2.0, 6.0, 10.0, 20.0], [0, 0, 0, 1, 1], [4.0, 3.5, 1.5, 20.0, 10.0]),
        ([1.0, 2.0, 6.0], [0, 0, 1], [2.0, 1.0, 1.5]),
        ([3.0], [5], [0.0]),
        ([], [], []),
    ],
    ids=["groups", "one-alone-has-the-mean-of-all-others", "only-one", "none"],
)
def test_means_of_others(scores: list[float], groups: list[int], expected: list[float]) -> None:
    assert means_of_others(scores, groups) == expected


def test_whitening_by_hand() -> None:
    values, mask = torch.tensor([[1.0, 3.0], [5.0, 99.0]]), torch.tensor([[1.0, 1.0], [1.0, 0.0]])
    deviation = math.sqrt(8 / 3)
    torch.testing.assert_close(masked_whiten(values, mask), torch.tensor([[-2 / deviation, 0.0], [2 / deviation, 0.0]]))
    kept = masked_whiten(values, mask, shift_mean=False)
    torch.testing.assert_close(kept, torch.tensor([[3 - 2 / deviation, 3.0], [3 + 2 / deviation, 0.0]]))


@given(st.lists(numbers, min_size=2, max_size=20), st.floats(0.5, 5), st.floats(-5, 5))
def test_whitening_is_invariant_to_scale_and_shift(values: list[float], scale: float, shift: float) -> None:
    first = torch.tensor([values], dtype=torch.float64)
    if first.std() < 1e-2:
        return
    mask = torch.ones_like(first)
    torch.testing.assert_close(masked_whiten(first, mask), masked_whiten(first * scale + shift, mask), atol=1e-3, rtol=1e-3)
    assert float(masked_whiten(first, mask).var(unbiased=False)) == pytest.approx(1, abs=1e-3)


def test_whitening_equal_values_gives_zeros() -> None:
    assert masked_whiten(torch.ones(1, 3), torch.ones(1, 3)).tolist() == [[0, 0, 0]]


POLICY = [  # ratio, advantage, loss, whether clipped
    ("same", 1.0, 2.0, -2.0, False),
    ("good-and-much-likelier", 1.5, 1.0, -1.2, True),
    ("good-and-less-likely", 0.5, 1.0, -0.5, False),
    ("bad-and-much-less-likely", 0.5, -1.0, 0.8, True),
    ("bad-and-likelier", 1.5, -1.0, 1.5, False),
    ("within", 1.1, 1.0, -1.1, False),
]


@pytest.mark.parametrize(
    ("ratio", "advantage", "loss", "clipped"), [case[1:] for case in POLICY], ids=[case[0] for case in POLICY]
)
def test_the_policy_loss(ratio: float, advantage: float, loss: float, clipped: bool) -> None:
    logprobs = torch.tensor([math.log(ratio) - 1.0], requires_grad=True)
    got = policy_loss(logprobs, torch.tensor([-1.0]), torch.tensor([advantage]), 0.2)
    assert got.loss.item() == pytest.approx(loss)
    assert got.ratio.item() == pytest.approx(ratio)
    assert got.is_clipped.item() is clipped
    torch.autograd.backward(got.loss.sum())
    assert logprobs.grad is not None
    assert logprobs.grad.item() == pytest.approx(0.0 if clipped else -advantage * ratio)


VALUE = [  # value, old value, return, loss, whether clipped
    ("same", 1.0, 1.0, 1.0, 0.0, False),
    ("near", 1.1, 1.0, 2.0, 0.405, False),
    ("far-and-right", 2.0, 1.0, 2.0, 0.32, True),
    ("far-and-wrong", 0.0, 1.0, 2.0, 2.0, False),
]


@pytest.mark.parametrize(
    ("value", "old", "target", "loss", "clipped"), [case[1:] for case in VALUE], ids=[case[0] for case in VALUE]
)
def test_the_value_loss(value: float, old: float, target: float, loss: float, clipped: bool) -> None:
    values = torch.tensor([value], requires_grad=True)
    got = value_loss(values, torch.tensor([old]), torch.tensor([target]), 0.2)
    assert got.loss.item() == pytest.approx(loss)
    assert got.is_clipped.item() is clipped
    torch.autograd.backward(got.loss.sum())
    assert values.grad is not None
    assert values.grad.item() == pytest.approx(0.0 if clipped else value - target)


@given(st.lists(st.tuples(st.floats(-5, 0), st.floats(-5, 0)), min_size=1, max_size=8))
def test_k3_is_never_negative_and_zero_without_divergence(pairs: list[tuple[float, float]]) -> None:
    logprobs, ref_logprobs = (torch.tensor(column, dtype=torch.float64) for column in zip(*pairs, strict=True))
    assert (kl_k3(logprobs, ref_logprobs) >= 0).all()
    assert (kl_k3(logprobs, logprobs) == 0).all()
    assert (kl_k1(logprobs, ref_logprobs) == -kl_k1(ref_logprobs, logprobs)).all()


def test_both_kl_estimators_are_unbiased() -> None:
    policy, reference = torch.tensor([0.7, 0.2, 0.1]), torch.tensor([0.3, 0.3, 0.4])
    true = float((policy * (policy / reference).log()).sum())
    for estimate in (kl_k1, kl_k3):
        assert float((policy * estimate(policy.log(), reference.log())).sum()) == pytest.approx(true, abs=1e-6)


def test_chosen_logprobs_by_hand() -> None:
    logits = torch.tensor([[0.0, math.log(3.0), 5.0], [0.0, math.log(3.0), 5.0]])
    allowed = torch.tensor([[True, True, False], [True, True, False]])
    logprobs, entropies = chosen_logprobs(logits, torch.tensor([0, 1]), allowed=allowed)
    torch.testing.assert_close(logprobs, torch.tensor([0.25, 0.75]).log())
    expected = -(0.25 * math.log(0.25) + 0.75 * math.log(0.75))
    torch.testing.assert_close(entropies, torch.tensor([expected, expected]))


def test_chosen_logprobs_with_temperature_and_mask_have_finite_gradients() -> None:
    logits = torch.randn(4, 7, generator=torch.Generator().manual_seed(0)).requires_grad_()
    tokens = torch.tensor([0, 1, 2, 3])
    allowed = torch.ones(4, 7, dtype=torch.bool)
    allowed[:, 5] = False
    logprobs, entropies = chosen_logprobs(logits, tokens, temperature=2.0, allowed=allowed)
    kept = [0, 1, 2, 3, 4, 6]
    torch.testing.assert_close(logprobs, (logits[:, kept] / 2).log_softmax(-1).diagonal())
    torch.autograd.backward(logprobs.sum())
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    assert (logits.grad[:, 5] == 0).all()
    assert not entropies.requires_grad


EXPLAINED = [
    ("all", [1.0, 2.0, 3.0], [1.0, 2.0, 3.0], 1.0),
    ("all-but-a-constant", [2.0, 3.0, 4.0], [1.0, 2.0, 3.0], 1.0),
    ("nothing", [5.0, 5.0, 5.0], [1.0, 2.0, 3.0], 0.0),
    ("worse", [3.0, 2.0, 1.0], [1.0, 2.0, 3.0], -3.0),
    ("nothing-to-explain", [1.0, 2.0, 3.0], [4.0, 4.0, 4.0], 0.0),
]


@pytest.mark.parametrize(
    ("values", "returns", "expected"), [case[1:] for case in EXPLAINED], ids=[case[0] for case in EXPLAINED]
)
def test_explained_variance(values: list[float], returns: list[float], expected: float) -> None:
    assert explained_variance(torch.tensor(values), torch.tensor(returns)) == pytest.approx(expected)


# --------------------------------------------------------------------------------------------------- supervised learning

SCORES = st.lists(st.floats(-20, 20), min_size=2, max_size=6)


def test_weighted_cross_entropy_by_hand() -> None:
    logits = torch.tensor([[0.0, math.log(3.0)], [0.0, math.log(3.0)]])
    losses = weighted_cross_entropy(logits, torch.tensor([0, 1]), torch.tensor([1.0, 2.0]))
    torch.testing.assert_close(losses, torch.tensor([math.log(4), 2 * math.log(4 / 3)]))


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> None:
    torch.set_num_threads(1)  # more threads are slower on tensors this small


def loss(scores: list[float], levels: list[float]) -> float:
    mask = torch.ones(1, len(scores), dtype=torch.bool)
    return group_preference_loss(torch.tensor([scores], dtype=torch.float64), torch.tensor([levels]), mask).item()


def test_the_comparison_loss_by_hand() -> None:
    a, b = torch.tensor([1.0, 0.0, 3.0]), torch.tensor([0.0, 2.0, 3.0])
    expected = [math.log(1 + math.exp(-1)), math.log(1 + math.exp(-2)), math.log(2)]
    forward = comparison_loss(a, b, torch.tensor([1.0, 0.0, 0.5]))
    assert forward.item() == pytest.approx(sum(expected) / 3)
    assert comparison_loss(b, a, torch.tensor([0.0, 1.0, 0.5])).item() == pytest.approx(forward.item())


@settings(max_examples=30)
@given(st.floats(-20, 20), st.floats(-20, 20))
def test_the_loss_of_a_group_of_two_is_the_pairwise_loss_of_trl(chosen: float, rejected: float) -> None:
    trl = -logsigmoid(torch.tensor(chosen, dtype=torch.float64) - rejected).item()  # RewardTrainer.compute_loss without margin
    assert loss([chosen, rejected], [1, 0]) == pytest.approx(trl, abs=1e-9)
    assert loss([rejected, chosen], [0, 1]) == pytest.approx(trl, abs=1e-9)


@settings(max_examples=30)
@given(SCORES, st.data())
def test_the_loss_of_a_group_is_the_mean_of_its_pairs_in_any_order(scores: list[float], data: st.DataObject) -> None:
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
    # only the order of the levels matters, and a shift of the scores does not
    assert loss([score + 3 for score in scores], [10 * level - 7 for level in levels]) == pytest.approx(
        loss(scores, levels), abs=1e-6
    )


def test_masked_candidates_have_no_loss_and_no_gradient() -> None:
    scores = torch.tensor([[1.0, 0.0, 9.0], [0.3, 0.1, -2.0]], requires_grad=True)
    mask = torch.tensor([[True, True, False], [True, True, True]])
    losses = group_preference_loss(scores, torch.tensor([[1.0, 0.0, 5.0], [2.0, 1.0, 0.0]]), mask)
    assert losses[0].item() == pytest.approx(loss([1, 0], [1, 0]), abs=1e-6)
    assert losses[1].item() == pytest.approx(loss([0.3, 0.1, -2.0], [2, 1, 0]), abs=1e-6)
    torch.autograd.backward(losses.sum())
    assert scores.grad is not None and scores.grad[0, 2] == 0 and scores.grad.isfinite().all()


def test_minimizing_the_loss_of_ties_makes_scores_equal() -> None:
    scores = torch.tensor([[2.0, -1.0, 0.5]], requires_grad=True)
    optimizer = torch.optim.SGD([scores], lr=1.0)
    for _ in range(200):
        optimizer.zero_grad()
        torch.autograd.backward(group_preference_loss(scores, torch.ones(1, 3), torch.ones(1, 3, dtype=torch.bool)).sum())
        optimizer.step()
    assert scores.detach().std() < 1e-4
    assert scores.detach().mean().item() == pytest.approx(0.5, abs=1e-5)  # unchanged: the loss depends on differences only
