"""Losses and estimators of behavior cloning, reward models and PPO, as pure functions of tensors (§3.2, Appendix E).

Tokens are those of actions; observations have no loss and no advantage. Shape (B, T) is one episode per row, padded at the end;
shape (N,) is tokens in any order. Losses are per token or per group, so that the caller sums them over micro-batches and
processes and divides once, by the number in the optimizer step.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

GAELevel = Literal["action", "token"]

# --------------------------------------------------------------------------------------------------- supervised learning


def weighted_cross_entropy(logits: Tensor, tokens: Tensor, weights: Tensor) -> Tensor:
    """Weighted cross-entropy of each token, in nats, shape (N,).

    Args:
        logits: Shape (N, V).
        tokens: Target tokens, shape (N,).
        weights: Loss weights, shape (N,).
    """
    return F.cross_entropy(logits.float(), tokens, reduction="none") * weights


def comparison_loss(score_a: Tensor, score_b: Tensor, preference: Tensor) -> Tensor:
    """Cross-entropy of human preference under the score difference (§3.2).

    The difference of two scores is the logit of the probability that A is preferred.

    Args:
        score_a: Reward-model scores of answers A, shape (B,).
        score_b: Scores of answers B, shape (B,).
        preference: Probability that A is better: 1, 0, or 0.5 for a tie, shape (B,).

    Returns:
        Mean over the batch, in nats.
    """
    return F.binary_cross_entropy_with_logits(score_a - score_b, preference)


def group_preference_loss(scores: Tensor, levels: Tensor, mask: Tensor) -> Tensor:
    """Mean comparison loss of all pairs in each group (InstructGPT, equation 1, with 0.5 as the target of a tie).

    A group is one element of the batch, so that an answer in K - 1 pairs does not count K - 1 times.

    Args:
        scores: Reward-model scores of the candidates, shape (B, K).
        levels: Preference levels, shape (B, K): the higher is preferred, equal levels are a tie.
        mask: True at candidates, False at padding, shape (B, K); at least two candidates per group.

    Returns:
        Loss of each group in nats, shape (B,).
    """
    difference = scores[:, :, None] - scores[:, None, :]
    target = 0.5 + 0.5 * (levels[:, :, None] - levels[:, None, :]).sign()
    pairs = torch.triu(mask[:, :, None] & mask[:, None, :], diagonal=1)
    losses = F.binary_cross_entropy_with_logits(difference, target.to(difference.dtype), reduction="none")
    return torch.where(pairs, losses, 0.0).sum((1, 2)) / pairs.sum((1, 2))


# ------------------------------------------------------------------------------------------------------------------ PPO


def kl_rewards(logprobs: Tensor, ref_logprobs: Tensor, scores: Tensor, mask: Tensor, coefficient: float) -> Tensor:
    """Rewards of PPO: a KL penalty at every token, and the score at the last token of the episode (§3.2).

    Args:
        logprobs: Log-probabilities of the sampled tokens under the policy that sampled them, shape (B, T).
        ref_logprobs: Log-probabilities under the cloned policy, shape (B, T).
        scores: The score of each episode, shape (B,).
        mask: 1 at tokens, 0 at padding, shape (B, T). Every episode has a token.
        coefficient: The coefficient of the KL penalty (0.02, Table 7).

    Returns:
        Shape (B, T), 0 at padding.
    """
    rewards = -coefficient * kl_k1(logprobs, ref_logprobs) * mask
    last = mask.sum(-1, keepdim=True).long() - 1
    return rewards.scatter_add(-1, last, scores[:, None].to(rewards.dtype))


def action_lambdas(lengths: list[int], max_action_tokens: int, lam: float = 0.95, level: GAELevel = "action") -> list[float]:
    """The λ of each token of an episode, for `advantages`.

    The paper estimates advantages over timesteps, with a baseline for every token. A timestep is a completion of at most 64
    tokens; a longer completion is several. This is λ = 1 inside a timestep, and `lam` at its last token.

    Args:
        lengths: Number of tokens of each action, in order.
        max_action_tokens: The maximum number of tokens of a timestep.
        lam: The λ between timesteps (0.95, Table 7).
        level: *action* for the paper's timesteps; *token* for the same λ at every token, as in InstructGPT.
    """
    if level == "token":
        return [lam] * sum(lengths)
    return [
        lam if place == length or place % max_action_tokens == 0 else 1.0
        for length in lengths
        for place in range(1, length + 1)
    ]


def advantages(rewards: Tensor, values: Tensor, lambdas: Tensor, mask: Tensor, gamma: float = 1.0) -> Tensor:
    """Generalized advantage estimates, with a λ for each token.

    δ_i = r_i + γ V_{i+1} − V_i and A_i = δ_i + γ λ_i A_{i+1}. The token after an action's last is the first of the next action,
    whose value follows the next prompt. V and A are 0 after the end of the episode.

    Args:
        rewards: Rewards of the tokens, shape (B, T).
        values: Values before each token, shape (B, T).
        lambdas: λ of each token (see `action_lambdas`), shape (B, T).
        mask: 1 at tokens, 0 at padding, shape (B, T).
        gamma: The discount (1, Table 7).

    Returns:
        Shape (B, T), 0 at padding. Advantages plus values are the returns, the targets of the value network.
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
    """Scale the unmasked values to variance 1, and shift them to mean 0.

    The variance is the biased one, as in OpenAI's code.

    Args:
        values: The whole batch, gathered from all processes.
        mask: 1 at values, 0 at padding, of the same shape.
        shift_mean: Whether to shift; otherwise the mean stays.
        eps: Added to the variance.

    Returns:
        The same shape, 0 at padding.
    """
    number = mask.sum().clamp(min=1)
    mean = (values * mask).sum() / number
    variance = ((values - mean).square() * mask).sum() / number
    whitened = (values - mean) * torch.rsqrt(variance + eps)
    return (whitened if shift_mean else whitened + mean) * mask


def means_of_others(scores: Sequence[float], groups: Sequence[int]) -> list[float]:
    """Leave-one-out baselines (Kool et al. 2019): the mean of the other scores in a score's group.

    They remove the difficulty of a question from the rewards. They do not depend on the episode itself, so the expected
    gradient does not change. A score that is alone in its group has the mean of all other scores; 0 if there are none.

    Args:
        scores: The score of each episode.
        groups: The group of each episode, such as the number of its question.
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
    """The clipped policy loss of each token."""

    loss: Tensor
    """Loss to minimize, shape (N,)."""
    ratio: Tensor
    """New probability over old probability, shape (N,)."""
    is_clipped: Tensor
    """Whether clipping makes the gradient zero, shape (N,). The paper aims at 1–2 % of tokens."""


def policy_loss(logprobs: Tensor, old_logprobs: Tensor, advantages: Tensor, clip: float = 0.2) -> PolicyLoss:
    """PPO's clipped surrogate loss, with the ratio clipped per token (Appendix E).

    Args:
        logprobs: Log-probabilities under the policy in training, shape (N,).
        old_logprobs: Log-probabilities under the policy before the iteration, shape (N,).
        advantages: Normalized advantages, shape (N,).
        clip: The maximum distance of a ratio from 1 (0.2).
    """
    ratio = (logprobs - old_logprobs).exp()
    unclipped = -advantages * ratio
    clipped = -advantages * ratio.clamp(1 - clip, 1 + clip)
    return PolicyLoss(torch.maximum(unclipped, clipped), ratio, clipped > unclipped)


class ValueLoss(NamedTuple):
    """The clipped value loss of each token."""

    loss: Tensor
    """Loss to minimize, shape (N,)."""
    is_clipped: Tensor
    """Whether clipping makes the gradient zero, shape (N,)."""


def value_loss(values: Tensor, old_values: Tensor, returns: Tensor, clip: float = 0.2) -> ValueLoss:
    """Half the squared error of a value, or of the value clipped to within `clip` of the old one if that is larger.

    There is no coefficient, because the value network is separate and has an optimizer of its own.

    Args:
        values: Values of the network in training, shape (N,).
        old_values: Values before the iteration, shape (N,).
        returns: The targets, shape (N,).
        clip: The maximum distance of a value from the old one (0.2).
    """
    clipped_values = old_values + (values - old_values).clamp(-clip, clip)
    unclipped, clipped = (values - returns).square(), (clipped_values - returns).square()
    return ValueLoss(0.5 * torch.maximum(unclipped, clipped), clipped > unclipped)


def kl_k1(logprobs: Tensor, ref_logprobs: Tensor) -> Tensor:
    """Schulman's estimator k1 of KL(policy, reference) in nats, over tokens that the policy sampled. It is unbiased."""
    return logprobs - ref_logprobs


def kl_k3(logprobs: Tensor, ref_logprobs: Tensor) -> Tensor:
    """Schulman's estimator k3 of KL(policy, reference) in nats. Unbiased, never negative, with less variance than k1 near 0."""
    difference = ref_logprobs - logprobs
    return difference.expm1() - difference


def chosen_logprobs(
    logits: Tensor, tokens: Tensor, *, temperature: float = 1.0, allowed: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Log-probabilities of chosen tokens, and the entropies of the distributions they were chosen from, in nats.

    Args:
        logits: Shape (N, V).
        tokens: The chosen tokens, shape (N,).
        temperature: The divisor of the logits.
        allowed: True at the tokens that constrained decoding allowed, shape (N, V). None: all tokens.

    Returns:
        Log-probabilities with gradient and entropies without, both of shape (N,).
    """
    logits = logits.float() / temperature
    if allowed is not None:
        logits = logits.masked_fill(~allowed, -torch.inf)
    logprobs = F.log_softmax(logits, dim=-1)
    with torch.no_grad():
        entropies = torch.special.entr(logprobs.exp()).sum(-1)
    return logprobs.gather(-1, tokens[:, None])[:, 0], entropies


def explained_variance(values: Tensor, returns: Tensor) -> float:
    """The share of the returns' variance that the values explain: 1 is perfect, 0 is no better than a constant.

    Args:
        values: Shape (N,).
        returns: Shape (N,). The result is 0 if they are all equal.
    """
    variance = returns.var(unbiased=False)
    if variance == 0:
        return 0.0
    return float(1 - (returns - values).var(unbiased=False) / variance)
