"""The mathematics of PPO as pure functions of tensors (paper, §3.2 and Appendix E).

Only the tokens of actions enter: what a policy reads is never part of an advantage or a loss. Two shapes: (B, T) holds one
episode a row, padded at the end, where the order of its tokens matters; (N,) holds any tokens, where it doesn't. Losses are
given per token, so that whoever sums them over microbatches and processes divides once, by the tokens of the whole step.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

GAELevel = Literal["action", "token"]


def kl_rewards(logprobs: Tensor, ref_logprobs: Tensor, scores: Tensor, mask: Tensor, coefficient: float) -> Tensor:
    """What PPO receives: the KL penalty at every token and the score at the last token of the episode (§3.2).

    Args:
        logprobs: Of the sampled tokens under the policy that sampled them, shape (B, T).
        ref_logprobs: The same under the cloned policy.
        scores: One for each episode, shape (B,).
        mask: 1 at tokens, 0 at padding, which stands at the end; shape (B, T). Every episode has a token.
        coefficient: Of the KL penalty (0.02, Table 7).

    Returns:
        Shape (B, T), 0 at padding.
    """
    rewards = -coefficient * kl_k1(logprobs, ref_logprobs) * mask
    last = mask.sum(-1, keepdim=True).long() - 1
    return rewards.scatter_add(-1, last, scores[:, None].to(rewards.dtype))


def action_lambdas(lengths: list[int], max_action_tokens: int, lam: float = 0.95, level: GAELevel = "action") -> list[float]:
    """The λ of every token of one episode.

    The paper estimates advantages over timesteps, which are completions of at most 64 tokens (longer ones are cut into
    several), with a baseline for every token. That is λ = 1 inside a timestep and λ at its last token.

    Args:
        lengths: Tokens of each action, in order.
        max_action_tokens: Longest timestep, in tokens.
        lam: λ between timesteps (Table 7).
        level: *token* is the same λ everywhere, as in InstructGPT.
    """
    if level == "token":
        return [lam] * sum(lengths)
    return [
        lam if place == length or place % max_action_tokens == 0 else 1.0
        for length in lengths
        for place in range(1, length + 1)
    ]


def advantages(rewards: Tensor, values: Tensor, lambdas: Tensor, mask: Tensor, gamma: float = 1.0) -> Tensor:
    """Generalised advantage estimates with a λ of its own for every token.

    δ_i = r_i + γ V_{i+1} − V_i and A_i = δ_i + γ λ_i A_{i+1}, where the token after the last of an action is the first of
    the next, whose value is read from the next prompt; after the last of the episode everything is 0.

    Args:
        rewards: Shape (B, T).
        values: What the value network expected before each token, shape (B, T).
        lambdas: Shape (B, T).
        mask: 1 at tokens, 0 at padding, which stands at the end; shape (B, T).
        gamma: Discount (1, Table 7).

    Returns:
        Shape (B, T), 0 at padding. With the values added they are the returns that the values learn.
    """
    rewards, values = rewards * mask, values * mask
    following = torch.cat([values[:, 1:], values.new_zeros(len(values), 1)], dim=-1)
    deltas = rewards + gamma * following - values
    result = torch.zeros_like(deltas)
    carried = deltas.new_zeros(len(deltas))
    for place in reversed(range(deltas.shape[-1])):
        carried = deltas[:, place] + gamma * lambdas[:, place] * carried
        result[:, place] = carried
    return result * mask


def masked_whiten(values: Tensor, mask: Tensor, *, shift_mean: bool = True, eps: float = 1e-8) -> Tensor:
    """Scale to variance 1, and to mean 0 unless told otherwise, over everything that the mask keeps.

    The batch is meant to be the whole one, gathered from all processes; the variance is the biased one, as in OpenAI's code.

    Returns:
        The same shape, 0 where the mask is.
    """
    number = mask.sum().clamp(min=1)
    mean = (values * mask).sum() / number
    variance = ((values - mean).square() * mask).sum() / number
    whitened = (values - mean) * torch.rsqrt(variance + eps)
    return (whitened if shift_mean else whitened + mean) * mask


def means_of_others(scores: Sequence[float], groups: Sequence[int]) -> list[float]:
    """For each score the mean of the others of its group, or of all others where it is alone; 0 where there are none.

    A baseline that takes out how hard a question is (leave-one-out, Kool et al. 2019): it depends on everything but what the
    episode itself did, so expected gradients stay what they were.

    Args:
        scores: One for each episode.
        groups: The group of each.
    """
    number: Counter[int] = Counter(groups)
    total: defaultdict[int, float] = defaultdict(float)
    for score, group in zip(scores, groups, strict=True):
        total[group] += score
    everything, all_others = math.fsum(scores), len(scores) - 1
    return [
        (total[group] - score) / (number[group] - 1) if number[group] > 1 else (everything - score) / max(all_others, 1)
        for score, group in zip(scores, groups, strict=True)
    ]


class PolicyLoss(NamedTuple):
    """The clipped objective, token by token."""

    loss: Tensor
    """To be minimised, shape (N,)."""
    ratio: Tensor
    """New over old probability, shape (N,)."""
    is_clipped: Tensor
    """Whether the clip took the gradient away, shape (N,). The paper aims at 1–2 % of tokens."""


def policy_loss(logprobs: Tensor, old_logprobs: Tensor, advantages: Tensor, clip: float = 0.2) -> PolicyLoss:
    """PPO's objective with the ratio clipped token by token (Appendix E).

    Args:
        logprobs: Under the policy in training, shape (N,).
        old_logprobs: Under the policy before this iteration's first step.
        advantages: Normalised.
        clip: How far from 1 a ratio counts (0.2).
    """
    ratio = (logprobs - old_logprobs).exp()
    plain = -advantages * ratio
    clipped = -advantages * ratio.clamp(1 - clip, 1 + clip)
    return PolicyLoss(torch.maximum(plain, clipped), ratio, clipped > plain)


class ValueLoss(NamedTuple):
    """The value network's loss, token by token."""

    loss: Tensor
    """Shape (N,)."""
    is_clipped: Tensor
    """Whether the clip took the gradient away, shape (N,)."""


def value_loss(values: Tensor, old_values: Tensor, returns: Tensor, clip: float = 0.2) -> ValueLoss:
    """Half the squared error, or that of the value held within `clip` of the old one if it is larger.

    There is no coefficient: the value network is one of its own, with its own optimizer.
    """
    held = old_values + (values - old_values).clamp(-clip, clip)
    plain, clipped = (values - returns).square(), (held - returns).square()
    return ValueLoss(0.5 * torch.maximum(plain, clipped), clipped > plain)


def kl_k1(logprobs: Tensor, ref_logprobs: Tensor) -> Tensor:
    """The plain estimate of KL(policy, reference) from tokens that the policy sampled, in nats. Unbiased; can be negative."""
    return logprobs - ref_logprobs


def kl_k3(logprobs: Tensor, ref_logprobs: Tensor) -> Tensor:
    """Schulman's third estimate of the same: unbiased too, never negative, with less variance near 0."""
    difference = ref_logprobs - logprobs
    return difference.expm1() - difference


def chosen_logprobs(
    logits: Tensor, tokens: Tensor, *, temperature: float = 1.0, allowed: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Log-probabilities of some tokens and the entropies of the distributions that they come from, in nats.

    Args:
        logits: Shape (N, V).
        tokens: Shape (N,).
        temperature: The logits are divided by it.
        allowed: True at the tokens that could be sampled, shape (N, V); None: all could.

    Returns:
        Log-probabilities with their gradient, and entropies without, both of shape (N,).
    """
    logits = logits.float() / temperature
    if allowed is not None:
        logits = logits.masked_fill(~allowed, -torch.inf)
    logprobs = F.log_softmax(logits, dim=-1)
    with torch.no_grad():
        entropies = torch.special.entr(logprobs.exp()).sum(-1)
    return logprobs.gather(-1, tokens[:, None])[:, 0], entropies


def explained_variance(values: Tensor, returns: Tensor) -> float:
    """The share of the returns' variance that the values predict: 1 is all, 0 is what a constant does, below is worse.

    Both of shape (N,). 0 where the returns do not vary.
    """
    variance = returns.var(unbiased=False)
    if variance == 0:
        return 0.0
    return float(1 - (returns - values).var(unbiased=False) / variance)


def comparison_loss(score_a: "Tensor", score_b: "Tensor", preference: "Tensor") -> "Tensor":
    """Cross-entropy of human preference under the score difference (§3.2).

    The difference of two scores is the logit of the probability that A is preferred.

    Args:
        score_a: Reward-model scores of answers A, shape (B,).
        score_b: Scores of answers B, shape (B,).
        preference: Probability that A is better: 1, 0, or 0.5 for a tie, shape (B,).

    Returns:
        Mean over the batch, in nats.
    """
    from torch.nn.functional import binary_cross_entropy_with_logits

    return binary_cross_entropy_with_logits(score_a - score_b, preference)


def group_preference_loss(scores: "Tensor", levels: "Tensor", mask: "Tensor") -> "Tensor":
    """Mean comparison loss of all pairs in a group, for each group (InstructGPT, equation 1, with ties as a soft half).

    All pairs of a group are one element of the batch, so that an answer compared K - 1 times is not K - 1 times as important.

    Args:
        scores: Of the candidates, shape (B, K).
        levels: How good they are, shape (B, K); the higher of two is preferred, equal ones are tied.
        mask: Which candidates there are, shape (B, K); at least two in each group.

    Returns:
        In nats, shape (B,).
    """
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits

    difference = scores[:, :, None] - scores[:, None, :]
    target = 0.5 + 0.5 * (levels[:, :, None] - levels[:, None, :]).sign()
    pairs = torch.triu(mask[:, :, None] & mask[:, None, :], diagonal=1)
    losses = binary_cross_entropy_with_logits(difference, target.to(difference.dtype), reduction="none")
    return torch.where(pairs, losses, 0.0).sum((1, 2)) / pairs.sum((1, 2))
