"""The training batch of an iteration: packed rows with per-token log-probabilities, values, advantages and returns.

Tokens are stored in one sequence, episode by episode and turn by turn; rows and trajectories are slices of it.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from training.objectives import action_lambdas, advantages, kl_rewards, masked_whiten, means_of_others
from training.ppo.config import PPOConfig
from training.ppo.experience import Experience, Turn
from training.ppo.packing import Row


@dataclass(frozen=True, slots=True)
class Evaluated:
    """An experience with the scores of its answers and the outputs of the networks for its N tokens, each of shape (N,)."""

    experience: Experience
    scores: tuple[float, ...]
    """Scores of the answers of the experience."""
    gold: float | None
    """Score of the episode by the gold judge. None: there is no gold judge."""
    logprobs: Tensor
    """Log-probabilities under the policy that sampled, in nats."""
    ref_logprobs: Tensor
    """Log-probabilities under the cloned policy, in nats."""
    values: Tensor
    """Values before each token, in units of the score."""
    entropies: Tensor
    """Entropies of the policy's distribution at each token, in nats."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows and the learning targets of their N tokens, each of shape (N,)."""

    rows: tuple[Row, ...]
    starts: tuple[int, ...]
    """Index of the first token of each row."""
    old_logprobs: Tensor
    """Log-probabilities under the policy that sampled, in nats."""
    old_values: Tensor
    """Values before the update."""
    advantages: Tensor
    """Advantages, normalized to mean 0 and variance 1 over the batch."""
    returns: Tensor
    """Advantages before normalization plus old values; the targets of the value network."""

    def tokens(self, chosen: Sequence[int]) -> Tensor:
        """Indices of the tokens of the chosen rows, row by row."""
        return token_indices(self.rows, self.starts, chosen)


def make_batch(evaluated: Sequence[Evaluated], rewards: Sequence[float], config: PPOConfig, *, overlap: int | None) -> Batch:
    """Compute the advantages and returns of all tokens.

    Args:
        evaluated: All experiences, in the same order on every process.
        rewards: Final reward of each trajectory, in order.
        config: Coefficients of the objective.
        overlap: See `rows_of`.
    """
    trajectories = [trajectory for item in evaluated for trajectory in item.experience.trajectories]
    lengths = [[len(turn.tokens) for turn in trajectory] for trajectory in trajectories]
    sizes = [sum(turn_lengths) for turn_lengths in lengths]
    mask = pad_sequence([torch.ones(size) for size in sizes], batch_first=True)

    def padded(tensors: Sequence[Tensor]) -> Tensor:
        return pad_sequence([*torch.split(torch.cat([*tensors]), sizes)], batch_first=True)

    logprobs = padded([item.logprobs for item in evaluated])
    ref_logprobs = padded([item.ref_logprobs for item in evaluated])
    values = padded([item.values for item in evaluated])
    lambdas = [action_lambdas(turn_lengths, config.max_action_tokens, config.lam, config.gae_level) for turn_lengths in lengths]
    received = kl_rewards(logprobs, ref_logprobs, torch.tensor(rewards), mask, config.kl_coefficient)
    estimates = advantages(received, values, pad_sequence([*map(torch.tensor, lambdas)], batch_first=True), mask, config.gamma)
    is_token = mask.bool()
    rows = [row for item in evaluated for row in rows_of(item.experience, overlap)]
    return Batch(
        tuple(rows),
        tuple(starts_of(rows)),
        old_logprobs=logprobs[is_token],
        old_values=values[is_token],
        advantages=masked_whiten(estimates, mask)[is_token],
        returns=(estimates + values)[is_token],
    )


def baselines(evaluated: Sequence[Evaluated], scores: Sequence[float], group_size: int) -> list[float]:
    """The baseline of each trajectory when several episodes share a question.

    It is the mean score of the question's other episodes, where an episode's score is the mean over its answers. All
    trajectories of an experience have the same baseline.

    Args:
        evaluated: All experiences; the episodes of a question have consecutive numbers.
        scores: Score of each trajectory, in order.
        group_size: Number of episodes of each question.
    """
    numbers = [len(item.experience.trajectories) for item in evaluated]
    remaining = iter(scores)
    means = [math.fsum(islice(remaining, number)) / number for number in numbers]
    others = means_of_others(means, [item.experience.index // group_size for item in evaluated])
    return [mean for mean, number in zip(others, numbers, strict=True) for _ in range(number)]


def rows_of(experience: Experience, overlap: int | None) -> list[Row]:
    """The rows of an experience, whose completion tokens are those of its turns in order.

    Args:
        experience: An experience that did not fail.
        overlap: Overlap that packed answers need (`training.ppo.packing`). None: each answer has a row of its own.
    """
    rows = [_row([turn]) for turn in experience.browsing]
    if overlap is not None and experience.answering and len(experience.answering[0].prompt) >= overlap:
        return [*rows, _row(experience.answering)]
    return [*rows, *(_row([turn]) for turn in experience.answering)]


def _row(turns: Sequence[Turn]) -> Row:
    """The row of some turns with the same prompt."""
    return Row(turns[0].prompt, [turn.tokens for turn in turns], [turn.allowed for turn in turns])


def starts_of(rows: Sequence[Row]) -> list[int]:
    """The index of the first completion token of each row, counted over all rows."""
    return [*accumulate((row.num_tokens for row in rows), initial=0)][:-1]


def token_indices(rows: Sequence[Row], starts: Sequence[int], chosen: Sequence[int]) -> Tensor:
    """The indices of the completion tokens of the chosen rows, row by row."""
    return torch.cat([torch.arange(starts[row], starts[row] + rows[row].num_tokens) for row in chosen])


def episode_kl(evaluated: Sequence[Evaluated], estimate: Callable[[Tensor, Tensor], Tensor]) -> float:
    """KL divergence from the cloned policy in nats, summed over a browsing episode with its own answer; the mean over episodes.

    Args:
        evaluated: All experiences.
        estimate: `kl_k1` or `kl_k3`.
    """
    sums = []
    for item in evaluated:
        number = sum(len(turn.tokens) for turn in item.experience.trajectories[0])  # the episode's tokens come first
        sums.append(float(estimate(item.logprobs[:number], item.ref_logprobs[:number]).sum()))
    return sum(sums) / len(sums)
