"""The learner: policy, reference and value network with their optimizers, and the clipped steps on a batch.

On several processes each computes its share of every step, and losses are divided by the tokens of the whole step, so one
process or several take the same steps.
"""

import copy
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from agent.models.reward_model import length_batches
from browser_env.records.digests import stable_hash
from training.objectives import kl_k3, policy_loss, value_loss
from training.ppo.batch import Batch, Evaluated, rows_of, starts_of, token_indices
from training.ppo.config import PPOConfig
from training.ppo.experience import Experience
from training.ppo.metrics import StepSums
from training.ppo.networks import PolicyNetwork, ValueNetwork
from training.ppo.packing import MicroBatch, Row, collate, packing_overlap
from training.ppo.processes import gather

if TYPE_CHECKING:
    from accelerate import Accelerator


class Learner:
    """The networks of a run, trained in place."""

    def __init__(self, config: PPOConfig, policy: Any, value: ValueNetwork, accelerator: "Accelerator") -> None:
        """Take the networks to the accelerator's device.

        Args:
            config: The settings of the run.
            policy: The cloned policy, a causal language model of transformers in float32. A frozen copy is the reference.
            value: The value network.
            accelerator: The device, the precision and the number of processes.
        """
        self.config, self.accelerator = config, accelerator
        self.policy = PolicyNetwork(policy.to(accelerator.device), temperature=config.temperature)
        self.value = value.to(accelerator.device)
        self.reference = PolicyNetwork(copy.deepcopy(policy).requires_grad_(False), temperature=config.temperature)
        trunks = policy.base_model, value.model.base_model
        self.overlap = None if config.separate_answers else _packing_overlap(*trunks)
        """Overlap of packed answers. None: each answer has a row of its own."""
        # The wrapped networks exchange gradients between processes; the bare ones serve what needs no gradient.
        self._trained_policy, self._trained_value, self._policy_optimizer, self._value_optimizer = accelerator.prepare(
            self.policy,
            self.value,
            _adamw(self.policy, config.learning_rate, config.adam_eps),
            _adamw(self.value, config.value_learning_rate, config.adam_eps),
        )

    @torch.no_grad()
    def evaluate(
        self, experiences: Sequence[Experience], scores: Sequence[tuple[float, ...]], golds: Sequence[float | None]
    ) -> list[Evaluated]:
        """The outputs of the three networks for this process's experiences, without those that failed.

        Args:
            experiences: Experiences of this process.
            scores: Scores of the answers of each experience.
            golds: Gold score of each experience.
        """
        finished = [number for number, item in enumerate(experiences) if item.episode.failure is None]
        rows_by_episode = [rows_of(experiences[number], self.overlap) for number in finished]
        rows = [row for episode_rows in rows_by_episode for row in episode_rows]
        outputs = torch.zeros(4, sum(row.num_tokens for row in rows))
        starts = starts_of(rows)
        for chosen in length_batches([row.length for row in rows], self.config.batch_tokens):
            batch = self._collate([rows[row] for row in chosen])
            with self.accelerator.autocast():
                logprobs, entropies = self.policy(batch)
                tensors = (logprobs, self.reference(batch)[0], self.value(batch), entropies)
            outputs[:, token_indices(rows, starts, chosen)] = torch.stack([tensor.float() for tensor in tensors]).cpu()
        parts = torch.split(outputs, [sum(row.num_tokens for row in episode_rows) for episode_rows in rows_by_episode], dim=-1)
        return [
            Evaluated(experiences[number], scores[number], golds[number], *part.clone())
            for number, part in zip(finished, parts, strict=True)
        ]

    def learn(self, batch: Batch, iteration: int) -> StepSums:
        """Train on a batch: each epoch shuffles the rows, splits them into minibatches and takes a step on each."""
        sums = StepSums()
        for epoch in range(self.config.epochs):
            seed = int(stable_hash(self.config.seed, "minibatches", iteration, epoch)[:15], 16)
            order = torch.randperm(len(batch.rows), generator=torch.Generator().manual_seed(seed))
            for minibatch in order.tensor_split(min(self.config.minibatches, len(order))):
                self._step(batch, minibatch.tolist(), sums, trains_policy=iteration >= self.config.value_only_iterations)
        return StepSums.merged(gather([sums]))

    def _step(self, batch: Batch, minibatch: Sequence[int], sums: StepSums, *, trains_policy: bool) -> None:
        """Take one step of both networks on some rows; each process computes its share in micro-batches of similar length."""
        processes = self.accelerator.num_processes
        by_length = sorted(minibatch, key=lambda row: (-batch.rows[row].length, row))
        share = by_length[self.accelerator.process_index :: processes]
        # A process without a share computes a row with weight 0, because the others wait for its gradients.
        weight = 1.0 if share else 0.0
        share = share or by_length[:1]
        # Gradients are averaged over processes.
        scale = weight * processes / sum(batch.rows[row].num_tokens for row in minibatch)
        micro_batches = length_batches([batch.rows[row].length for row in share], self.config.batch_tokens)
        is_first = sums.first_ratio_error is None
        for number, places in enumerate(micro_batches):
            rows = [share[place] for place in places]
            inputs, tokens = self._collate([batch.rows[row] for row in rows]), batch.tokens(rows)
            with self._exchange_gradients(number == len(micro_batches) - 1):
                if trains_policy:
                    error = self._backward_policy(batch, inputs, tokens, weight, scale, sums)
                    if is_first:
                        sums.first_ratio_error = max(error, sums.first_ratio_error or 0.0)
                self._backward_value(batch, inputs, tokens, weight, scale, sums)
        if trains_policy:
            sums.add(policy_grad_norm=self._update(self._trained_policy, self._policy_optimizer), policy_steps=1)
        sums.add(value_grad_norm=self._update(self._trained_value, self._value_optimizer), value_steps=1)

    def _backward_policy(
        self, batch: Batch, inputs: MicroBatch, tokens: Tensor, weight: float, scale: float, sums: StepSums
    ) -> float:
        """Accumulate gradients of the policy's loss; returns the largest distance of a probability ratio from 1."""
        old_logprobs, advantages = self._on_device(batch.old_logprobs[tokens], batch.advantages[tokens])
        logprobs, _ = self._trained_policy(inputs)
        objective = policy_loss(logprobs, old_logprobs, advantages, self.config.clip)
        self.accelerator.backward(objective.loss.sum() * scale)
        sums.add(
            policy_tokens=weight * len(tokens),
            policy_loss=weight * float(objective.loss.detach().sum()),
            clipped=weight * float(objective.is_clipped.sum()),
            update_kl=weight * float(kl_k3(old_logprobs, logprobs.detach()).sum()),
        )
        return float((objective.ratio.detach() - 1).abs().max())

    def _backward_value(
        self, batch: Batch, inputs: MicroBatch, tokens: Tensor, weight: float, scale: float, sums: StepSums
    ) -> None:
        """Accumulate gradients of the value network's loss."""
        old_values, returns = self._on_device(batch.old_values[tokens], batch.returns[tokens])
        objective = value_loss(self._trained_value(inputs), old_values, returns, self.config.value_clip)
        self.accelerator.backward(objective.loss.sum() * scale)
        sums.add(
            value_tokens=weight * len(tokens),
            value_loss=weight * float(objective.loss.detach().sum()),
            value_clipped=weight * float(objective.is_clipped.sum()),
        )

    def _update(self, network: Any, optimizer: Any) -> float:
        """Take an optimizer step; returns the gradient norm before clipping."""
        norm = self.accelerator.clip_grad_norm_(network.parameters(), self.config.max_grad_norm)
        optimizer.step()
        optimizer.zero_grad()
        return float(norm)

    @contextmanager
    def _exchange_gradients(self, is_last: bool) -> Iterator[None]:
        """Let processes exchange gradients with the last micro-batch of a step alone."""
        with ExitStack() as stack:
            if not is_last:
                stack.enter_context(self.accelerator.no_sync(self._trained_policy))
                stack.enter_context(self.accelerator.no_sync(self._trained_value))
            yield

    def _collate(self, rows: Sequence[Row]) -> MicroBatch:
        return collate(rows, self.accelerator.device, overlap=self.overlap or 0)

    def _on_device(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        return tuple(tensor.to(self.accelerator.device) for tensor in tensors)


def _packing_overlap(*trunks: Any) -> int | None:
    """The overlap that is enough for all trunks; None if one of them cannot be packed."""
    overlaps = [packing_overlap(trunk) for trunk in trunks]
    return None if None in overlaps else max(overlap for overlap in overlaps if overlap is not None)


def _adamw(network: torch.nn.Module, learning_rate: float, eps: float) -> torch.optim.AdamW:
    return torch.optim.AdamW(network.parameters(), lr=learning_rate, eps=eps, weight_decay=0.0)
