"""What an iteration of PPO learns from: rows to compute, and a number of each kind for every token of every action.

The tokens stand one after the other, episode by episode and turn by turn, and everything else is a view of that: the rows are
its groups of turns, the trajectories its episodes.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from training.objectives import GAELevel, action_lambdas, advantages, kl_rewards, masked_whiten, means_of_others
from training.ppo.experience import Experience, Turn
from training.ppo.packing import Group


@dataclass(frozen=True, slots=True)
class Evaluated:
    """An experience with what is said of it: of its answers by the score, of its tokens by the networks, each of shape (N,)."""

    experience: Experience
    scores: tuple[float, ...]
    """Of its answers."""
    gold: float | None
    """Of its episode, by the other judge."""
    logprobs: Tensor
    ref_logprobs: Tensor
    values: Tensor
    entropies: Tensor


@dataclass(frozen=True, slots=True)
class Lot:
    """Rows, and the numbers of their N tokens."""

    groups: tuple[Group, ...]
    starts: tuple[int, ...]
    """Where each group's tokens begin among the N."""
    old_logprobs: Tensor
    old_values: Tensor
    advantages: Tensor
    """Normalised."""
    returns: Tensor

    def tokens(self, groups: Sequence[int]) -> Tensor:
        """Indices of the tokens of some groups, one group after the other."""
        return token_indices(self.groups, self.starts, groups)


def make_lot(
    evaluated: Sequence[Evaluated],
    rewards: Sequence[float],
    *,
    run_up: int | None,
    kl_coefficient: float,
    max_action_tokens: int,
    lam: float,
    gae_level: GAELevel,
    gamma: float,
) -> Lot:
    """Rewards, advantages and returns of everything.

    Args:
        evaluated: Everything, in an order that all processes agree on.
        rewards: What each trajectory ends with, in order.
        run_up: See `groups_of`.
        kl_coefficient: See `kl_rewards`.
        max_action_tokens: See `action_lambdas`, like the next two.
        lam: See there.
        gae_level: See there.
        gamma: See `advantages`.
    """
    trajectories = [trajectory for one in evaluated for trajectory in one.experience.trajectories]
    lengths = [[len(turn.tokens) for turn in trajectory] for trajectory in trajectories]
    sizes = [sum(each) for each in lengths]
    padded = {
        name: pad_sequence([*torch.split(torch.cat([getattr(one, name) for one in evaluated]), sizes)], batch_first=True)
        for name in ("logprobs", "ref_logprobs", "values")
    }
    lambdas = [torch.tensor(action_lambdas(each, max_action_tokens, lam, gae_level)) for each in lengths]
    mask = pad_sequence([torch.ones(size) for size in sizes], batch_first=True)
    received = kl_rewards(padded["logprobs"], padded["ref_logprobs"], torch.tensor(rewards), mask, kl_coefficient)
    estimates = advantages(received, padded["values"], pad_sequence(lambdas, batch_first=True), mask, gamma)
    kept = mask.bool()
    groups = [group for one in evaluated for group in groups_of(one.experience, run_up)]
    return Lot(
        tuple(groups),
        tuple(starts_of(groups)),
        old_logprobs=padded["logprobs"][kept],
        old_values=padded["values"][kept],
        advantages=masked_whiten(estimates, mask)[kept],
        returns=(estimates + padded["values"])[kept],
    )


def baselines(evaluated: Sequence[Evaluated], scores: Sequence[float], group_size: int) -> list[float]:
    """What is taken from the score of each trajectory where several episodes have the same question.

    It is the mean score of the other episodes, each with all its answers; the same for an episode and for its other answers.

    Args:
        evaluated: Everything; the episodes of a question have numbers one after the other.
        scores: Of the trajectories, in order.
        group_size: Episodes of each question.
    """
    numbers = [len(one.experience.trajectories) for one in evaluated]
    waiting = iter(scores)
    means = [math.fsum(islice(waiting, number)) / number for number in numbers]
    others = means_of_others(means, [one.experience.index // group_size for one in evaluated])
    return [mean for mean, number in zip(others, numbers, strict=True) for _ in range(number)]


def groups_of(experience: Experience, run_up: int | None) -> list[Group]:
    """The rows of an experience, whose tokens one after the other are those of its turns.

    Args:
        experience: That did not fail.
        run_up: That the answers need to share a row (`training.ppo.packing`); None: they are rows of their own.
    """
    groups = [_group([turn]) for turn in experience.browsing]
    if run_up is not None and experience.answering and len(experience.answering[0].prompt) >= run_up:
        return [*groups, _group(experience.answering)]
    return [*groups, *(_group([turn]) for turn in experience.answering)]


def _group(turns: Sequence[Turn]) -> Group:
    """The turns of one prompt as a row."""
    return Group(turns[0].prompt, [turn.tokens for turn in turns], [turn.allowed for turn in turns])


def starts_of(groups: Sequence[Group]) -> list[int]:
    """Where the tokens of each group begin, if they stand one after the other."""
    starts, start = [], 0
    for group in groups:
        starts.append(start)
        start += group.num_tokens
    return starts


def token_indices(groups: Sequence[Group], starts: Sequence[int], chosen: Sequence[int]) -> Tensor:
    """Where the tokens of some of the groups stand, one group after the other."""
    return torch.cat([torch.arange(starts[one], starts[one] + groups[one].num_tokens) for one in chosen])


def per_episode(evaluated: Sequence[Evaluated], estimate: Callable[[Tensor, Tensor], Tensor]) -> float:
    """A divergence from the cloned policy, summed over a browsing episode with its own answer; the mean over episodes."""
    sums = []
    for one in evaluated:
        number = sum(len(turn.tokens) for turn in one.experience.trajectories[0])  # stands first among its tokens
        sums.append(float(estimate(one.logprobs[:number], one.ref_logprobs[:number]).sum()))
    return sum(sums) / len(sums)
