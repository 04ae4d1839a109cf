"""Proximal policy optimization over browsing episodes (paper, §3.2 and Appendix E).

An iteration runs episodes with the current policy (`training.ppo.experience`), scores every answer, computes values and the
log-probabilities under the policy and the frozen cloned policy, turns them into advantages over the concatenated actions of
each episode (`training.ppo.batch`), and takes one pass of clipped steps (`training.ppo.learner`). There is no adaptive KL
coefficient, no reward whitening and no entropy bonus. Training ends after a number of iterations, or when the KL divergence
from the cloned policy, summed over an episode, exceeds its budget.

On several processes (``torchrun --nproc_per_node 2``) each runs its share of the episodes. Experience is gathered, so
advantages are normalized over the whole batch and one process or several take the same steps. All randomness is derived from
the seed, the iteration and the number of the episode, so a run that was killed continues from its last checkpoint and ends
with the same weights.
"""

import copy
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch

from agent.models.completion_limits import SamplingOptions
from agent.models.language_model import LanguageModel
from browser_env.errors import PolicyError, UsageError
from browser_env.records import Episode
from training.objectives import kl_k1
from training.ppo.batch import Evaluated, baselines, episode_kl, make_batch
from training.ppo.checkpoints import load_checkpoint, save_checkpoint
from training.ppo.config import PPOConfig
from training.ppo.experience import Experience, Sampler, collect
from training.ppo.learner import Learner
from training.ppo.log import RunLog
from training.ppo.metrics import IterationMetrics, StepSums, measure
from training.ppo.networks import ValueNetwork
from training.ppo.processes import gather, make_accelerator
from training.ppo.world import World, iteration_tasks

if TYPE_CHECKING:
    from accelerate import Accelerator


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of a run."""

    iterations: int
    """Number of finished iterations, those before a restart included."""
    stopped_by: Literal["iterations", "kl_budget"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PPOCallbacks:
    """Functions that a run calls to report its progress."""

    on_begin: "Callable[[PPO], None]" = lambda run: None
    """Called before the first iteration."""
    on_iteration: Callable[[IterationMetrics, Episode], None] = lambda metrics, example: None
    """Called on the main process with the figures of an iteration and one of its episodes, when both are on disk."""
    on_episode: Callable[[Episode], None] = lambda episode: None
    """Called with each browsing episode of this process when it ends."""


class PPO:
    """A run of PPO. It owns its models: the policy is trained in place."""

    def __init__(
        self,
        config: PPOConfig,
        world: World,
        policy: Any,
        tokenizer: Any,
        value: ValueNetwork,
        out: Path,
        *,
        accelerator: "Accelerator | None" = None,
        sampler_of: Callable[[Any], Sampler] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare a run, and restore its last checkpoint if there is one.

        Args:
            config: The settings of the run.
            world: The web, the questions and the reward.
            policy: The cloned policy, a causal language model of transformers in float32. A frozen copy is the reference.
            tokenizer: Tokenizer of the policy and the value network.
            value: The value network.
            out: Folder of checkpoints and figures; created if it does not exist.
            accelerator: The device and the processes. Default: those that accelerate finds.
            sampler_of: Makes a sampler of the model. It must not restrict the distribution (top-k, for example) beyond what its
                `allowed_tokens` reports. Default: a `LanguageModel`.
            clock: A monotonic clock in seconds.
        """
        if not world.questions:
            raise UsageError("there are no questions to train on; choose another question set")
        self.config, self.world, self.tokenizer, self.out = config, world, tokenizer, out
        self.accelerator = accelerator or make_accelerator()
        self._clock = clock
        self.learner = Learner(config, policy, value, self.accelerator)
        dtype = getattr(torch, config.sampling_dtype) if config.sampling_dtype else policy.dtype
        self._sampled_model = policy if dtype == policy.dtype else copy.deepcopy(policy).to(dtype)
        self.sampler = sampler_of(self._sampled_model) if sampler_of else self._language_model()
        out.mkdir(parents=True, exist_ok=True)
        self.progress = load_checkpoint(out, self.accelerator)

    def run(self, callbacks: PPOCallbacks | None = None) -> Result:
        """Train until all iterations are done or the KL budget is used up.

        Raises:
            PolicyError: All episodes of an iteration failed.
        """
        callbacks = callbacks or PPOCallbacks()
        callbacks.on_begin(self)
        with ExitStack() as stack:
            log = None
            if self.accelerator.is_main_process:
                log = RunLog(self.out, self.progress.iteration + self.progress.is_over_budget)
                stack.callback(log.close)
            while self.progress.iteration < self.config.iterations and not self.progress.is_over_budget:
                metrics, example = self._iterate(callbacks.on_episode)
                if log:
                    log.write(metrics, example)
                self._checkpoint()
                if log:
                    callbacks.on_iteration(metrics, example)
        return Result(self.progress.iteration, "kl_budget" if self.progress.is_over_budget else "iterations")

    def _iterate(self, on_episode: Callable[[Episode], None]) -> tuple[IterationMetrics, Episode]:
        """Collect experience and learn from it; returns figures and an episode as an example."""
        iteration, seconds = self.progress.iteration, defaultdict[str, float](float)
        with self._timed(seconds, "browse"):
            experiences = self._browse(iteration, on_episode)
        with self._timed(seconds, "score"):
            answer_scores, golds = self._score(experiences)
        with self._timed(seconds, "evaluate"):
            local = self.learner.evaluate(experiences, answer_scores, golds)
            local_failures = [item.episode.failure for item in experiences if item.episode.failure is not None]
        with self._timed(seconds, "gather"):
            evaluated = sorted(gather(local), key=lambda item: item.experience.index)
            failures = gather(local_failures)
        if not evaluated:
            raise PolicyError(f"all {len(failures)} episodes of an iteration failed; the first: {failures[0]}")
        with self._timed(seconds, "update"):
            scores = self._trajectory_scores(evaluated)
            batch = make_batch(evaluated, self._rewards(evaluated, scores), self.config, overlap=self.learner.overlap)
            is_over_budget = episode_kl(evaluated, kl_k1) > self.config.kl_budget
            sums = StepSums() if is_over_budget else self.learner.learn(batch, iteration)
        self.progress = replace(self.progress, iteration=iteration + (not is_over_budget), is_over_budget=is_over_budget)
        metrics = measure(iteration, evaluated, batch, scores, sums, len(failures), seconds)
        return metrics, evaluated[0].experience.episode

    def _browse(self, iteration: int, on_episode: Callable[[Episode], None]) -> list[Experience]:
        """Run this process's share of an iteration's episodes with the current weights."""
        model = self.learner.policy.model
        if self._sampled_model is not model:
            with torch.no_grad():
                for copied, trained in zip(self._sampled_model.parameters(), model.parameters(), strict=True):
                    copied.copy_(trained)
        tasks = [*enumerate(iteration_tasks(self.world, self.config, iteration))]
        return collect(
            self.sampler,
            self.world.backend,
            dict(tasks[self.accelerator.process_index :: self.accelerator.num_processes]),
            self.tokenizer,
            num_answers=self.config.answers,
            batch_size=self.config.batch_size,
            count_tokens=self.world.count_tokens,
            on_episode=on_episode,
        )

    def _score(self, experiences: Sequence[Experience]) -> tuple[list[tuple[float, ...]], list[float | None]]:
        """The scores of the answers of each experience, and its gold score."""
        scores = iter(self.world.score([answer for experience in experiences for answer in experience.answers]))
        by_experience = [tuple(next(scores) for _ in experience.answers) for experience in experiences]
        if self.world.gold is None:
            return by_experience, [None] * len(experiences)
        return by_experience, list(self.world.gold([experience.episode for experience in experiences]))

    def _trajectory_scores(self, evaluated: Sequence[Evaluated]) -> list[float]:
        """The score of each trajectory, in order; records the lowest so far, which replaces the score of a missing answer."""
        earlier = [] if self.progress.lowest_score is None else [self.progress.lowest_score]
        lowest = min([*(score for item in evaluated for score in item.scores), *earlier], default=None)
        self.progress = replace(self.progress, lowest_score=lowest)
        missing = self.config.no_answer_score
        if missing is None:
            missing = 0.0 if lowest is None else lowest
        return [score for item in evaluated for score in (item.scores or (missing,))]

    def _rewards(self, evaluated: Sequence[Evaluated], scores: Sequence[float]) -> list[float]:
        """The reward at the end of each trajectory: its score beyond a baseline."""
        config = self.config
        if config.group_size > 1:
            shifts = baselines(evaluated, scores, config.group_size)
        else:
            shifts = [config.score_shift] * len(scores)
        return [(score - shift) * config.score_scale for score, shift in zip(scores, shifts, strict=True)]

    def _checkpoint(self) -> None:
        """Write a checkpoint if one is due."""
        is_last = self.progress.is_over_budget or self.progress.iteration == self.config.iterations
        if is_last or self.progress.iteration % self.config.checkpoint_every == 0:
            save_checkpoint(self.out, self.accelerator, self.progress)

    def _language_model(self) -> LanguageModel:
        return LanguageModel(
            self._sampled_model,
            self.tokenizer,
            name="ppo",
            options=SamplingOptions(
                temperature=self.config.temperature,
                max_command_tokens=self.config.max_command_tokens,
                max_answer_tokens=self.config.max_answer_tokens,
                free=self.config.free,
            ),
        )

    @contextmanager
    def _timed(self, seconds: defaultdict[str, float], phase: str) -> Iterator[None]:
        start = self._clock()
        yield
        seconds[phase] += self._clock() - start
