"""The figures of an iteration of PPO: whether it learns, how far it has gone, and whether it is falling apart."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

import torch

from training.objectives import explained_variance, kl_k1, kl_k3
from training.ppo.batch import Evaluated, Lot, per_episode


@dataclass(frozen=True, slots=True, kw_only=True)
class IterationMetrics:
    """The figures of one iteration. Those of the policy are of the one that browsed, before this iteration's steps."""

    iteration: int
    """From 0."""
    score: float
    """Mean over browsing episodes, those without an answer included."""
    answer_score: float | None
    """Mean over all answers; None: there were none."""
    gold_score: float | None
    """Mean over browsing episodes by the other judge; None: there is none."""
    kl: float
    """From the cloned policy, in nats, summed over an episode, mean over browsing episodes."""
    kl_k3: float
    """The same with the estimate that is never negative."""
    entropy: float
    """Mean over tokens, in nats."""
    explained_variance: float
    """Of the returns by the values."""
    clip_fraction: float
    """Share of tokens whose gradient the clip took away; the paper aims at 1–2 %."""
    value_clip_fraction: float
    update_kl: float
    """From the policy that browsed to the one in training, mean over tokens as the steps met them, in nats."""
    policy_loss: float
    value_loss: float
    policy_grad_norm: float
    """Mean over steps, before clipping."""
    value_grad_norm: float
    first_ratio_error: float
    """Largest distance of a ratio from 1 before the first step; rounding and nothing else."""
    sampler_gap: float
    """Mean distance of a log-probability as it was sampled from the same as it is trained, in nats."""
    num_episodes: int
    """Browsing episodes that did not fail."""
    num_failed: int
    num_answers: int
    """Episodes of both kinds that ended in an answer."""
    num_tokens: int
    """Of actions."""
    commands: float
    """Mean number in a browsing episode."""
    command_tokens: float
    """Mean length of a command."""
    answer_tokens: float | None
    """Mean length of an answer."""
    invalid_commands: float
    """Share of commands."""
    answered: float
    """Share of browsing episodes."""
    endings: dict[str, int]
    """Why browsing ended, and how often."""
    seconds: dict[str, float]
    """By phase."""

    def line(self) -> str:
        """For people."""
        gold = "" if self.gold_score is None else f"  gold {self.gold_score:+.3f}"
        return (
            f"iteration {self.iteration + 1:3}  score {self.score:+.3f}{gold}  KL {self.kl:.2f}"
            f"  clipped {self.clip_fraction:.1%}  entropy {self.entropy:.2f}"
            f"  explained {self.explained_variance:+.2f}  answered {self.answered:.0%}"
            f"  commands {self.commands:.1f}  invalid {self.invalid_commands:.0%}  {sum(self.seconds.values()):.0f} s"
        )


def scalars(metrics: IterationMetrics) -> dict[str, float]:
    """Every figure by name; those that stand in groups as ``group/name``."""
    found: dict[str, float] = {}
    for name, value in asdict(metrics).items():
        if isinstance(value, dict):
            found |= {f"{name}/{key}": float(each) for key, each in value.items()}
        elif value is not None and name != "iteration":
            found[name] = float(value)
    return found


@dataclass(slots=True)
class StepSums:
    """What is added up over the steps of an iteration."""

    totals: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    first_ratio_error: float | None = None
    """Of the first step; None: there was none yet."""

    def add(self, **values: float) -> None:
        """Add some values to those of their names."""
        for name, value in values.items():
            self.totals[name] += value

    def mean(self, name: str, per: str) -> float:
        """A total for each of another; 0 without any."""
        return self.totals[name] / self.totals[per] if self.totals[per] else 0.0


def measure(
    iteration: int,
    evaluated: Sequence[Evaluated],
    lot: Lot,
    scores: Sequence[float],
    sums: StepSums,
    num_failed: int,
    seconds: Mapping[str, float],
) -> IterationMetrics:
    """The figures of an iteration.

    Args:
        iteration: From 0.
        evaluated: Everything that was browsed.
        lot: Made of it.
        scores: Of each trajectory, in order.
        sums: Of the steps, over all processes.
        num_failed: Episodes that could not be finished.
        seconds: By phase.
    """
    browsing = [turn for one in evaluated for turn in one.experience.browsing]
    answers = [turn for one in evaluated for turn in one.experience.answering]
    sampled = torch.tensor([logprob for one in evaluated for turn in one.experience.turns for logprob in turn.logprobs])
    steps = [step for one in evaluated for step in one.experience.episode.steps if step.phase == "browsing"]
    own_scores, place = [], 0
    for one in evaluated:  # the trajectories of an experience stand together, the browsing episode first
        own_scores.append(scores[place])
        place += len(one.experience.trajectories)
    golds = [one.gold for one in evaluated if one.gold is not None]
    endings = Counter(one.experience.episode.ending or "none" for one in evaluated)
    return IterationMetrics(
        iteration=iteration,
        score=_mean(own_scores),
        answer_score=_mean([score for one in evaluated for score in one.scores]) if answers else None,
        gold_score=_mean(golds) if golds else None,
        kl=per_episode(evaluated, kl_k1),
        kl_k3=per_episode(evaluated, kl_k3),
        entropy=float(torch.cat([one.entropies for one in evaluated]).mean()),
        explained_variance=explained_variance(lot.old_values, lot.returns),
        clip_fraction=sums.mean("clipped", "policy_tokens"),
        value_clip_fraction=sums.mean("value_clipped", "value_tokens"),
        update_kl=sums.mean("update_kl", "policy_tokens"),
        policy_loss=sums.mean("policy_loss", "policy_tokens"),
        value_loss=sums.mean("value_loss", "value_tokens"),
        policy_grad_norm=sums.mean("policy_grad_norm", "policy_steps"),
        value_grad_norm=sums.mean("value_grad_norm", "value_steps"),
        first_ratio_error=sums.first_ratio_error or 0.0,
        sampler_gap=float((sampled - lot.old_logprobs).abs().mean()),
        num_episodes=len(evaluated),
        num_failed=num_failed,
        num_answers=len(answers),
        num_tokens=len(lot.returns),
        commands=len(browsing) / len(evaluated),
        command_tokens=_mean([len(turn.tokens) for turn in browsing]),
        answer_tokens=_mean([len(turn.tokens) for turn in answers]) if answers else None,
        invalid_commands=_mean([step.problem is not None for step in steps]),
        answered=_mean([bool(one.scores) for one in evaluated]),
        endings=dict(sorted(endings.items())),
        seconds={name: round(value, 3) for name, value in seconds.items()},
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
