"""Proximal policy optimisation over browsing episodes (paper, §3.2 and Appendix E).

An iteration browses with the policy as it is (`training.ppo.experience`), scores every answer, computes log-probabilities
under the policy and under the frozen cloned one and values, turns them into advantages over the flattened actions of each
episode (`training.objectives`), and takes one pass of clipped steps. There is no adaptive KL coefficient, no reward whitening
and no entropy bonus. Training ends after so many iterations, or when the KL divergence from the cloned policy, summed over an
episode, has used up its budget.

On several processes (``torchrun --nproc_per_node 2``) each browses its share of the episodes and computes its share of every
step; what was browsed is gathered, so advantages are normalised over the whole batch, and losses are divided by the tokens of
the whole step. One process or several therefore take the same steps. All randomness is drawn from the seed, the iteration and
the number of the episode, so a run that was killed goes on from its last checkpoint as if nothing had happened.
"""

import copy
import json
import random
import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch

from agent.models.completion_limits import SamplingOptions
from agent.models.language_model import LanguageModel
from agent.models.reward_model import length_batches
from agent.score import Score
from browser_env.backends import Backend
from browser_env.errors import PolicyError, UsageError
from browser_env.records import Episode, Question, Settings
from browser_env.records.digests import stable_hash
from browser_env.state import TokenCounter, count_words
from training.objectives import kl_k1, kl_k3, policy_loss, value_loss
from training.ppo.batch import Evaluated, Lot, baselines, groups_of, make_lot, per_episode, starts_of, token_indices
from training.ppo.config import PPOConfig
from training.ppo.experience import Experience, OnProgress, Sampler, Task, collect
from training.ppo.log import RunLog
from training.ppo.metrics import IterationMetrics, StepSums, measure
from training.ppo.networks import PolicyNetwork, ValueNetwork
from training.ppo.packing import Batch, Group, collate, packing_run_up

if TYPE_CHECKING:
    from accelerate import Accelerator

Gold = Callable[[Sequence[Episode]], Sequence[float]]
"""Judges whole episodes by what the policy is not trained on; read, and never learned from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Where PPO acts, and what it is rewarded with."""

    backend: Backend
    """The web."""
    questions: Sequence[Question]
    """What is asked: each once, in an order of its own for each pass."""
    settings: Settings
    """Format of the episodes; their action budgets are drawn."""
    score: Score
    """The reward."""
    gold: Gold | None = None
    """A judge for the log."""
    count_tokens: TokenCounter = count_words
    """Counts the tokens of references."""


@dataclass(frozen=True, slots=True)
class Result:
    """How a run ended."""

    iterations: int
    """That are done, those of earlier starts included."""
    stopped_by: Literal["iterations", "kl_budget"]


@dataclass(frozen=True, slots=True)
class _Progress:
    """What a checkpoint holds beside weights and optimizers."""

    iteration: int = 0
    """The next one."""
    lowest_score: float | None = None
    is_over_budget: bool = False


class PPO:
    """A run of PPO. It owns the models that it is given: the policy is trained in place."""

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
        """Prepare a run, and go on from its last checkpoint if there is one.

        Args:
            config: Of the loop.
            world: Of the episodes.
            policy: The cloned policy, a causal language model of transformers in float32. A frozen copy is the reference.
            tokenizer: Its tokenizer, and the value network's.
            value: The value network.
            out: Folder of checkpoints and figures; made if there is none.
            accelerator: Where and on how many processes; None: what `accelerate` finds.
            sampler_of: Makes the policy that browses out of the model, without top-k or any other cut of its distribution that
                it does not tell of. None: a `LanguageModel`.
            clock: Seconds that only grow.
        """
        if not world.questions:
            raise UsageError("there are no questions to train on")
        self.config, self.world, self.tokenizer, self.out = config, world, tokenizer, out
        self.accelerator = accelerator or make_accelerator()
        self._clock = clock
        device = self.accelerator.device
        self.policy = PolicyNetwork(policy.to(device), temperature=config.temperature)
        self.value = value.to(device)
        self._reference = PolicyNetwork(copy.deepcopy(policy).requires_grad_(False), temperature=config.temperature)
        self._run_up = None if config.separate_answers else _run_up(policy.base_model, value.model.base_model)
        dtype = getattr(torch, config.sampling_dtype) if config.sampling_dtype else None
        self._sampled = policy if dtype in (None, policy.dtype) else copy.deepcopy(policy).to(dtype)
        self._sampler = sampler_of(self._sampled) if sampler_of else self._plain_sampler()
        self._policy_optimizer = _adamw(self.policy, config.learning_rate, config.adam_eps)
        self._value_optimizer = _adamw(self.value, config.value_learning_rate, config.adam_eps)
        # The networks themselves stay at hand for what needs no gradient; the wrapped ones exchange theirs between processes.
        self._trained_policy, self._trained_value, self._policy_optimizer, self._value_optimizer = self.accelerator.prepare(
            self.policy, self.value, self._policy_optimizer, self._value_optimizer
        )
        self.progress = self._resume()

    def run(
        self,
        on_iteration: Callable[[IterationMetrics, Episode], None] | None = None,
        on_progress: OnProgress | None = None,
    ) -> Result:
        """Train to the end.

        Args:
            on_iteration: Told on the main process of each iteration when it is on disk, with an episode to look at.
            on_progress: Told how many of an iteration's episodes have finished browsing on this process since the last call.

        Raises:
            PolicyError: No episode of an iteration could be finished.
        """
        with ExitStack() as stack:
            log = None
            if self.accelerator.is_main_process:
                log = RunLog(self.out, self.progress.iteration + self.progress.is_over_budget)
                stack.callback(log.close)
            while self.progress.iteration < self.config.iterations and not self.progress.is_over_budget:
                metrics, example = self._iterate(on_progress)
                if log:
                    log.write(metrics, example)
                self._checkpoint()
                if log and on_iteration:
                    on_iteration(metrics, example)
        return Result(self.progress.iteration, "kl_budget" if self.progress.is_over_budget else "iterations")

    def tasks(self, iteration: int) -> list[Task]:
        """The episodes of an iteration, over all processes: questions in the order of their pass, drawn budgets (App. E)."""
        config, questions = self.config, self.world.questions
        tasks = []
        for index in range(config.episodes):
            asked = iteration * config.episodes + index
            turn, place = divmod(asked // config.group_size, len(questions))
            order = list(range(len(questions)))
            random.Random(stable_hash(config.seed, "order", turn)).shuffle(order)
            drawn = random.Random(stable_hash(config.seed, "episode", iteration, index))
            settings = replace(self.world.settings, max_actions=drawn.randint(config.min_actions, config.max_actions))
            tasks.append(Task(index, questions[order[place]], settings, drawn.getrandbits(31)))
        return tasks

    # ------------------------------------------------------------------------------------------------------- an iteration

    def _iterate(self, on_progress: OnProgress | None) -> tuple[IterationMetrics, Episode]:
        iteration, seconds = self.progress.iteration, defaultdict[str, float](float)
        with self._timed(seconds, "browse"):
            experiences = self._browse(self.tasks(iteration), on_progress)
        with self._timed(seconds, "score"):
            answer_scores, golds = self._score(experiences)
        with self._timed(seconds, "evaluate"):
            mine = self._evaluate(experiences, answer_scores, golds)
            failures = [one.episode.failure for one in experiences if one.episode.failure is not None]
        with self._timed(seconds, "gather"):
            evaluated = sorted(self._gathered(mine), key=lambda one: one.experience.index)
            failures = self._gathered(failures)
        if not evaluated:
            raise PolicyError(
                f"none of the {len(failures)} episodes of an iteration could be finished; the first: {failures[0]}"
            )
        with self._timed(seconds, "update"):
            config, scores = self.config, self._scores_of_trajectories(evaluated)
            if config.group_size > 1:
                taken = baselines(evaluated, scores, config.group_size)
            else:
                taken = [config.score_shift] * len(scores)
            lot = make_lot(
                evaluated,
                [(score - baseline) * config.score_scale for score, baseline in zip(scores, taken, strict=True)],
                run_up=self._run_up,
                kl_coefficient=config.kl_coefficient,
                max_action_tokens=config.max_action_tokens,
                lam=config.lam,
                gae_level=config.gae_level,
                gamma=config.gamma,
            )
            is_over_budget = per_episode(evaluated, kl_k1) > config.kl_budget
            sums = StepSums() if is_over_budget else self._learn(lot, iteration)
        self.progress = replace(self.progress, iteration=iteration + (not is_over_budget), is_over_budget=is_over_budget)
        metrics = measure(iteration, evaluated, lot, scores, sums, len(failures), seconds)
        return metrics, evaluated[0].experience.episode

    def _browse(self, tasks: Sequence[Task], on_progress: OnProgress | None) -> list[Experience]:
        if self._sampled is not self.policy.model:
            with torch.no_grad():
                for copied, trained in zip(self._sampled.parameters(), self.policy.model.parameters(), strict=True):
                    copied.copy_(trained)
        return collect(
            self._sampler,
            self.world.backend,
            tasks[self.accelerator.process_index :: self.accelerator.num_processes],
            self.tokenizer,
            num_answers=self.config.answers,
            batch_size=self.config.batch_size,
            count_tokens=self.world.count_tokens,
            on_progress=on_progress,
        )

    def _score(self, experiences: Sequence[Experience]) -> tuple[list[tuple[float, ...]], list[float | None]]:
        scores = iter(self.world.score([answer for experience in experiences for answer in experience.answers]))
        by_experience = [tuple(next(scores) for _ in experience.answers) for experience in experiences]
        if self.world.gold is None:
            return by_experience, [None] * len(experiences)
        return by_experience, list(self.world.gold([experience.episode for experience in experiences]))

    @torch.no_grad()
    def _evaluate(
        self, experiences: Sequence[Experience], scores: Sequence[tuple[float, ...]], golds: Sequence[float | None]
    ) -> list[Evaluated]:
        """What the three networks say of this process's experiences, those that failed left out."""
        kept = [number for number, one in enumerate(experiences) if one.episode.failure is None]
        groups = [groups_of(experiences[number], self._run_up) for number in kept]
        rows = [group for own in groups for group in own]
        found = torch.zeros(4, sum(group.num_tokens for group in rows))
        starts = starts_of(rows)
        for chosen in length_batches([group.length for group in rows], self.config.batch_tokens):
            batch = self._batch([rows[one] for one in chosen])
            with self.accelerator.autocast():
                logprobs, entropies = self.policy(batch)
                results = (logprobs, self._reference(batch)[0], self.value(batch), entropies)
            found[:, token_indices(rows, starts, chosen)] = torch.stack([result.float() for result in results]).cpu()
        parts = torch.split(found, [sum(group.num_tokens for group in own) for own in groups], dim=-1)
        return [
            Evaluated(experiences[number], scores[number], golds[number], *part.clone())
            for number, part in zip(kept, parts, strict=True)
        ]

    def _scores_of_trajectories(self, evaluated: Sequence[Evaluated]) -> list[float]:
        """The score of each trajectory, in order; notes the lowest that was seen."""
        seen = [score for one in evaluated for score in one.scores]
        lowest = min([*seen, *([] if self.progress.lowest_score is None else [self.progress.lowest_score])], default=None)
        self.progress = replace(self.progress, lowest_score=lowest)
        missing = self.config.no_answer_score
        if missing is None:
            missing = 0.0 if lowest is None else lowest
        return [score for one in evaluated for score in (one.scores or (missing,))]

    def _batch(self, groups: Sequence[Group]) -> Batch:
        return collate(groups, self.accelerator.device, run_up=self._run_up or 0)

    # ----------------------------------------------------------------------------------------------------------- learning

    def _learn(self, lot: Lot, iteration: int) -> StepSums:
        """Each epoch shuffles the rows, cuts them into minibatches and takes a step on each."""
        sums = StepSums()
        for epoch in range(self.config.epochs):
            generator = torch.Generator().manual_seed(
                int(stable_hash(self.config.seed, "minibatches", iteration, epoch)[:15], 16)
            )
            order = torch.randperm(len(lot.groups), generator=generator)
            for minibatch in order.tensor_split(min(self.config.minibatches, len(order))):
                self._step(lot, minibatch.tolist(), sums, trains_policy=iteration >= self.config.value_only_iterations)
        whole = StepSums()
        for one in self._gathered([sums]):
            whole.add(**one.totals)
            whole.first_ratio_error = max(whole.first_ratio_error or 0.0, one.first_ratio_error or 0.0)
        return whole

    def _step(self, lot: Lot, minibatch: Sequence[int], sums: StepSums, *, trains_policy: bool) -> None:
        """One step of both networks on some groups, of which every process computes a share, in batches of similar length."""
        accelerator, config = self.accelerator, self.config
        ordered = sorted(minibatch, key=lambda one: (-lot.groups[one].length, one))
        mine = ordered[accelerator.process_index :: accelerator.num_processes]
        # A process without a share computes something that counts for nothing, because the others wait for its gradients.
        weight = 1.0 if mine else 0.0
        mine = mine or ordered[:1]
        num_tokens = sum(lot.groups[one].num_tokens for one in minibatch)
        scale = weight * accelerator.num_processes / num_tokens  # gradients are averaged over processes
        batches = length_batches([lot.groups[one].length for one in mine], config.batch_tokens)
        is_first = sums.first_ratio_error is None
        for number, places in enumerate(batches):
            chosen = [mine[place] for place in places]
            batch, tokens = self._batch([lot.groups[one] for one in chosen]), lot.tokens(chosen)
            old_logprobs, advantage, old_values, returns = (
                each[tokens].to(accelerator.device) for each in (lot.old_logprobs, lot.advantages, lot.old_values, lot.returns)
            )
            with self._exchanging(number == len(batches) - 1):
                if trains_policy:
                    logprobs, _ = self._trained_policy(batch)
                    objective = policy_loss(logprobs, old_logprobs, advantage, config.clip)
                    accelerator.backward(objective.loss.sum() * scale)
                values = self._trained_value(batch)
                regression = value_loss(values, old_values, returns, config.value_clip)
                accelerator.backward(regression.loss.sum() * scale)
            if trains_policy:
                if is_first:
                    error = float((objective.ratio.detach() - 1).abs().max())
                    sums.first_ratio_error = max(error, sums.first_ratio_error or 0.0)
                sums.add(
                    policy_tokens=weight * len(tokens),
                    policy_loss=weight * float(objective.loss.detach().sum()),
                    clipped=weight * float(objective.is_clipped.sum()),
                    update_kl=weight * float(kl_k3(old_logprobs, logprobs.detach()).sum()),
                )
            sums.add(
                value_tokens=weight * len(tokens),
                value_loss=weight * float(regression.loss.detach().sum()),
                value_clipped=weight * float(regression.is_clipped.sum()),
            )
        if trains_policy:
            norm = self._stepped(self._trained_policy, self._policy_optimizer)
            sums.add(policy_grad_norm=norm, policy_steps=1)
        sums.add(value_grad_norm=self._stepped(self._trained_value, self._value_optimizer), value_steps=1)

    def _stepped(self, network: Any, optimizer: Any) -> float:
        """Take a step; the norm of the gradient before it was clipped."""
        norm = self.accelerator.clip_grad_norm_(network.parameters(), self.config.max_grad_norm)
        optimizer.step()
        optimizer.zero_grad()
        return float(norm)

    @contextmanager
    def _exchanging(self, is_last: bool) -> Iterator[None]:
        """Processes exchange gradients once a step, with its last batch."""
        with ExitStack() as stack:
            if not is_last:
                stack.enter_context(self.accelerator.no_sync(self._trained_policy))
                stack.enter_context(self.accelerator.no_sync(self._trained_value))
            yield

    # -------------------------------------------------------------------------------------------------------- bookkeeping

    def _gathered(self, mine: list[Any]) -> list[Any]:
        """The items of all processes, on each of them."""
        from accelerate.utils import gather_object

        everything: list[Any] = gather_object(mine)
        return everything

    @contextmanager
    def _timed(self, seconds: defaultdict[str, float], phase: str) -> Iterator[None]:
        before = self._clock()
        yield
        seconds[phase] += self._clock() - before

    def _plain_sampler(self) -> LanguageModel:
        return LanguageModel(
            self._sampled,
            self.tokenizer,
            name="ppo",
            options=SamplingOptions(
                temperature=self.config.temperature,
                max_command_tokens=self.config.max_command_tokens,
                max_answer_tokens=self.config.max_answer_tokens,
                free=self.config.free,
            ),
        )

    # -------------------------------------------------------------------------------------------------------- checkpoints

    def _checkpoint(self) -> None:
        """Write everything beside the last checkpoint and give it its name when it is whole; then the last one goes."""
        progress = self.progress
        is_last = progress.is_over_budget or progress.iteration == self.config.iterations
        if progress.iteration % self.config.checkpoint_every and not is_last:
            return
        name = f"checkpoint-{progress.iteration + progress.is_over_budget:05}"
        unfinished, finished = self.out / f"{name}.unfinished", self.out / name
        if self.accelerator.is_main_process:
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir(parents=True)
        self.accelerator.wait_for_everyone()
        self.accelerator.save_state(str(unfinished), safe_serialization=False)  # which knows nothing of weights that are tied
        self.accelerator.wait_for_everyone()
        if self.accelerator.is_main_process:
            (unfinished / "progress.json").write_text(json.dumps(asdict(progress)) + "\n")
            unfinished.replace(finished)
            for old in self.out.glob("checkpoint-*"):
                if old != finished:
                    shutil.rmtree(old)
        self.accelerator.wait_for_everyone()

    def _resume(self) -> _Progress:
        self.out.mkdir(parents=True, exist_ok=True)
        whole = sorted(folder for folder in self.out.glob("checkpoint-*") if (folder / "progress.json").is_file())
        whole = [folder for folder in whole if folder.suffix != ".unfinished"]
        if not whole:
            return _Progress()
        self.accelerator.load_state(str(whole[-1]))
        return _Progress(**json.loads((whole[-1] / "progress.json").read_text()))


def make_accelerator(*, bfloat16: bool = False) -> "Accelerator":
    """This process among those that train together: one, or as many as ``torchrun`` started.

    Args:
        bfloat16: Compute in it where that is safe, on hardware that is faster so.
    """
    from accelerate import Accelerator, DistributedDataParallelKwargs
    from accelerate.state import AcceleratorState

    # A training before this one in the process has left its precision, and another one would be refused; the trainers of
    # transformers do the same.
    AcceleratorState._reset_state()
    # Nothing that is no weight changes in training; and processes may have shares of different sizes.
    exchange = DistributedDataParallelKwargs(broadcast_buffers=False)
    # Unless it is told that there is nothing but a CPU, it takes each of several processes for the only one.
    only_cpu = not torch.accelerator.is_available()
    return Accelerator(cpu=only_cpu, mixed_precision="bf16" if bfloat16 else "no", kwargs_handlers=[exchange])


def _run_up(*trunks: Any) -> int | None:
    """The run-up that is enough for all of them; None: there is none."""
    needed = [packing_run_up(trunk) for trunk in trunks]
    return None if None in needed else max(number for number in needed if number is not None)


def _adamw(network: torch.nn.Module, learning_rate: float, eps: float) -> torch.optim.AdamW:
    return torch.optim.AdamW(network.parameters(), lr=learning_rate, eps=eps, weight_decay=0.0)
