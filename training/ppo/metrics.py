"""The figures of an iteration of PPO: learning, distance from the cloned policy, and signs of collapse."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import accumulate
from typing import Self

import torch

from training.objectives import explained_variance, kl_k1, kl_k3
from training.ppo.batch import Batch, Evaluated, episode_kl


@dataclass(frozen=True, slots=True, kw_only=True)
class IterationMetrics:
    """The figures of one iteration. Those of the policy describe it as it sampled, before the iteration's steps."""

    iteration: int
    """Number of the iteration, from 0."""
    score: float
    """Mean score of browsing episodes, those without an answer included."""
    answer_score: float | None
    """Mean score of all answers. None: there were no answers."""
    gold_score: float | None
    """Mean score of browsing episodes by the gold judge. None: there is no gold judge."""
    kl: float
    """KL divergence from the cloned policy summed over an episode, in nats; mean over browsing episodes."""
    kl_k3: float
    """The same divergence by Schulman's k3 estimator, which is never negative."""
    entropy: float
    """Mean entropy at a token, in nats."""
    explained_variance: float
    """Share of the variance of returns that the values explain, at most 1."""
    clip_fraction: float
    """Share of tokens whose gradient was clipped to zero. The paper aims at 1–2 %."""
    value_clip_fraction: float
    """Share of tokens whose value gradient was clipped to zero."""
    update_kl: float
    """KL divergence from the policy that sampled to the policy in training, in nats; mean over the tokens of all steps."""
    policy_loss: float
    """Mean clipped objective per token."""
    value_loss: float
    """Mean value loss per token."""
    policy_grad_norm: float
    """Mean norm of the policy's gradient over steps, before clipping."""
    value_grad_norm: float
    """Mean norm of the value network's gradient over steps, before clipping."""
    first_ratio_error: float
    """Largest distance of a probability ratio from 1 in the first step, where only rounding can cause one."""
    sampler_gap: float
    """Mean absolute difference between the sampler's and the trainer's log-probability of a token, in nats."""
    num_episodes: int
    """Number of browsing episodes that did not fail."""
    num_failed: int
    """Number of browsing episodes that failed."""
    num_answers: int
    """Number of episodes of both kinds that ended in an answer."""
    num_tokens: int
    """Number of action tokens."""
    commands: float
    """Mean number of commands in a browsing episode."""
    command_tokens: float
    """Mean length of a command, in tokens."""
    answer_tokens: float | None
    """Mean length of an answer, in tokens. None: there were no answers."""
    invalid_commands: float
    """Share of commands that were invalid."""
    answered: float
    """Share of browsing episodes that ended in an answer."""
    endings: dict[str, int]
    """Number of browsing episodes by the reason why browsing ended."""
    seconds: dict[str, float]
    """Wall-clock seconds by phase."""

    def line(self) -> str:
        """The main figures on one line."""
        gold = "" if self.gold_score is None else f"  gold {self.gold_score:+.3f}"
        return (
            f"iteration {self.iteration + 1:3}  score {self.score:+.3f}{gold}  KL {self.kl:.2f}"
            f"  clipped {self.clip_fraction:.1%}  entropy {self.entropy:.2f}"
            f"  explained {self.explained_variance:+.2f}  answered {self.answered:.0%}"
            f"  commands {self.commands:.1f}  invalid {self.invalid_commands:.0%}  {sum(self.seconds.values()):.0f} s"
        )


def scalars(metrics: IterationMetrics) -> dict[str, float]:
    """All figures by name; those of a dictionary as ``field/key``."""
    result: dict[str, float] = {}
    for name, value in asdict(metrics).items():
        if isinstance(value, dict):
            result |= {f"{name}/{key}": float(number) for key, number in value.items()}
        elif value is not None and name != "iteration":
            result[name] = float(value)
    return result


@dataclass(slots=True)
class StepSums:
    """Sums over the optimizer steps of an iteration."""

    totals: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    first_ratio_error: float | None = None
    """As in `IterationMetrics`. None: the policy has not taken a step."""

    @classmethod
    def merged(cls, parts: Iterable["StepSums"]) -> Self:
        """The sums over several processes."""
        merged = cls()
        for part in parts:
            merged.add(**part.totals)
            merged.first_ratio_error = max(merged.first_ratio_error or 0.0, part.first_ratio_error or 0.0)
        return merged

    def add(self, **values: float) -> None:
        """Add values to the totals of the same names."""
        for name, value in values.items():
            self.totals[name] += value

    def figures(self) -> dict[str, float]:
        """The figures of `IterationMetrics` that describe the steps."""
        return {
            "clip_fraction": self._mean("clipped", "policy_tokens"),
            "value_clip_fraction": self._mean("value_clipped", "value_tokens"),
            "update_kl": self._mean("update_kl", "policy_tokens"),
            "policy_loss": self._mean("policy_loss", "policy_tokens"),
            "value_loss": self._mean("value_loss", "value_tokens"),
            "policy_grad_norm": self._mean("policy_grad_norm", "policy_steps"),
            "value_grad_norm": self._mean("value_grad_norm", "value_steps"),
            "first_ratio_error": self.first_ratio_error or 0.0,
        }

    def _mean(self, name: str, per: str) -> float:
        return self.totals[name] / self.totals[per] if self.totals[per] else 0.0


def measure(
    iteration: int,
    evaluated: Sequence[Evaluated],
    batch: Batch,
    scores: Sequence[float],
    sums: StepSums,
    num_failed: int,
    seconds: Mapping[str, float],
) -> IterationMetrics:
    """Compute the figures of an iteration.

    `batch` is made of `evaluated`, `scores` has one score for each trajectory, and `sums` is over all processes.
    """
    episodes = [item.experience.episode for item in evaluated]
    commands = [turn for item in evaluated for turn in item.experience.browsing]
    answers = [turn for item in evaluated for turn in item.experience.answering]
    sampled = torch.tensor([logprob for item in evaluated for turn in item.experience.turns for logprob in turn.logprobs])
    steps = [step for episode in episodes for step in episode.steps if step.phase == "browsing"]
    golds = [item.gold for item in evaluated if item.gold is not None]
    # The first trajectory of each experience is the browsing episode.
    firsts = accumulate((len(item.experience.trajectories) for item in evaluated[:-1]), initial=0)
    return IterationMetrics(
        iteration=iteration,
        score=_mean([scores[first] for first in firsts]),
        answer_score=_mean([score for item in evaluated for score in item.scores]) if answers else None,
        gold_score=_mean(golds) if golds else None,
        kl=episode_kl(evaluated, kl_k1),
        kl_k3=episode_kl(evaluated, kl_k3),
        entropy=float(torch.cat([item.entropies for item in evaluated]).mean()),
        explained_variance=explained_variance(batch.old_values, batch.returns),
        sampler_gap=float((sampled - batch.old_logprobs).abs().mean()),
        num_episodes=len(evaluated),
        num_failed=num_failed,
        num_answers=len(answers),
        num_tokens=len(batch.returns),
        commands=len(commands) / len(evaluated),
        command_tokens=_mean([len(turn.tokens) for turn in commands]),
        answer_tokens=_mean([len(turn.tokens) for turn in answers]) if answers else None,
        invalid_commands=_mean([step.problem is not None for step in steps]),
        answered=_mean([bool(item.scores) for item in evaluated]),
        endings=dict(sorted(Counter(episode.ending or "none" for episode in episodes).items())),
        seconds={name: round(value, 3) for name, value in seconds.items()},
        **sums.figures(),
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
