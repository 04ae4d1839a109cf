"""TRL's two trainers with the losses of this project.

Both take their rows from a `Source`, which makes a batch when it is needed from indices, so that rows can differ from epoch to
epoch; the data set that TRL sees is the list of indices. TRL and transformers keep the loop, the optimizer, the schedule,
devices and checkpoints. This is the one module that imports TRL.
"""

import os
import random
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from datasets import Dataset  # type: ignore[import-untyped]
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.utils.data import Sampler
from transformers import PrinterCallback, ProgressCallback, TrainerCallback
from trl import RewardConfig, RewardTrainer, SFTConfig, SFTTrainer  # type: ignore[attr-defined]

from agent.models.pretrained import fast_dtype
from training.objectives import group_preference_loss
from training.supervised.averaging import Averaging, last_checkpoint
from training.supervised.rows import Row

IGNORED = -100
"""Label of what is not learned."""
MEGABATCH = 50
"""Batches that are sorted by length together: large enough for little padding, small enough for different mixtures."""

LOSS_STEPS = 10
"""Steps whose mean loss is reported."""
_CHECKPOINTING = "activation_checkpointing"
if _CHECKPOINTING not in SFTConfig.__dataclass_fields__:
    _CHECKPOINTING = "gradient_checkpointing"  # before transformers 5.23

Batch = dict[str, Tensor]
ExtraRows = Callable[[random.Random], Row | None]
"""Draws one row of another task, or none."""


class Source(Protocol):
    """The examples of a training."""

    @property
    def lengths(self) -> Sequence[int]:
        """Tokens of each example, about."""
        ...

    def batch(self, indices: Sequence[int], epoch: int) -> Batch:
        """Some examples as tensors; the same for the same arguments."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimization:
    """How any of the trainings is optimized."""

    epochs: float
    batch_size: int
    micro_batch_size: int | None
    """Examples in memory at once; None: all of the batch."""
    learning_rate: float
    warmup: float
    """Share of the steps in which the learning rate rises; then it falls to 0 in a line."""
    weight_decay: float
    max_grad_norm: float
    max_steps: int | None
    """None: as many as the epochs have."""
    save_every: int
    """Steps between checkpoints."""
    gradient_checkpointing: bool
    seed: int


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a training is."""

    step: int
    max_steps: int
    loss: float | None
    """Of the step; None: nothing was done yet."""


class _Buckets(Sampler[int]):
    """Every index once, in an order that depends on seed and epoch alone, so a resumed training sees the same.

    Batches are of similar length and come in any order.
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int) -> None:
        self._lengths = lengths
        self._batch_size = batch_size
        self._seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by accelerate before an epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self._lengths)

    def __iter__(self) -> Iterator[int]:
        draw = random.Random(f"{self._seed} {self.epoch}")
        order = draw.sample(range(len(self._lengths)), len(self._lengths))
        size = self._batch_size
        rest = order[len(order) - len(order) % size :]  # the last batch of the epoch is the small one
        batches: list[list[int]] = []
        whole = order[: len(order) - len(rest)]
        for start in range(0, len(whole), MEGABATCH * size):
            mega = sorted(whole[start : start + MEGABATCH * size], key=lambda index: self._lengths[index])
            batches += [mega[at : at + size] for at in range(0, len(mega), size)]
        draw.shuffle(batches)
        return iter([index for batch in [*batches, rest] for index in batch])


class _FromSource:
    """What both trainers do differently from TRL's: where rows come from, and what is not written."""

    source: Source
    args: Any
    accelerator: Any

    def _prepare_dataset(self, dataset: Any, *args: Any, **kwargs: Any) -> Any:
        return dataset

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:
        size = self.args.train_batch_size * self.args.gradient_accumulation_steps * max(1, self.args.world_size)
        self._buckets = _Buckets(self.source.lengths, size, self.args.seed)
        return self._buckets

    def _collate(self, examples: Sequence[dict[str, int]]) -> Batch:
        return self.source.batch([example["index"] for example in examples], self._buckets.epoch)

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """None: the card of what ships is written by hand."""


class CloningTrainer(_FromSource, SFTTrainer):
    """`SFTTrainer` whose loss looks at labelled positions before the vocabulary product, and weighs rows."""

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        source: Source,
        folder: Path,
        optimization: Optimization,
        *,
        extra_rows: ExtraRows | None = None,
        extra_every: int = 6,
        callbacks: Sequence[TrainerCallback] = (),
        peft_config: Any = None,
    ) -> None:
        self.source = source
        self._extra_rows = extra_rows
        self._extra_every = extra_every
        self._extra_random = (-1, random.Random())
        super().__init__(
            model=model,
            args=arguments(SFTConfig, folder, optimization),
            train_dataset=_indices(source),
            processing_class=tokenizer,
            data_collator=self._collate,
            callbacks=list(callbacks),
            peft_config=peft_config,
        )

    def compute_loss(self, model: Any, inputs: Batch, return_outputs: bool = False, num_items_in_batch: Any = None) -> Any:
        """Mean over the labelled tokens of the optimizer step; the extra rows' mean is added to it in their steps."""
        loss = token_losses(model, inputs, self.accelerator.unwrap_model(model)).sum()
        if num_items_in_batch is None:
            loss = loss / labelled(inputs["labels"]).sum().clamp(min=1)
        else:
            loss = loss / num_items_in_batch
            if self.args.average_tokens_across_devices:
                loss = loss * self.accelerator.num_processes
        extra = self._extra(len(inputs["input_ids"]))
        if extra is not None:
            moved = {name: value.to(loss.device) for name, value in extra.items()}
            losses = token_losses(model, moved, self.accelerator.unwrap_model(model))
            steps = 1 if num_items_in_batch is None else self.current_gradient_accumulation_steps
            loss = loss + losses.mean() / steps
        return (loss, None) if return_outputs else loss

    def _extra(self, number: int) -> Batch | None:
        step = self.state.global_step
        if self._extra_rows is None or (step + 1) % self._extra_every:
            return None
        if self._extra_random[0] != step:
            self._extra_random = (step, random.Random(f"{self.args.seed} {step} {self.args.process_index}"))
        drawn = [self._extra_rows(self._extra_random[1]) for _ in range(number)]
        rows = [row for row in drawn if row is not None]
        return padded_rows(rows) if rows else None


class GroupRewardTrainer(_FromSource, RewardTrainer):
    """`RewardTrainer` over groups of any size with ties; a group is one element of the batch."""

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        source: Source,
        folder: Path,
        optimization: Optimization,
        *,
        callbacks: Sequence[TrainerCallback] = (),
    ) -> None:
        self.source = source
        super().__init__(
            model=model,
            args=arguments(RewardConfig, folder, optimization),
            train_dataset=_indices(source),
            processing_class=tokenizer,
            data_collator=self._collate,
            callbacks=list(callbacks),
        )

    def compute_loss(self, model: Any, inputs: Batch, return_outputs: bool = False, num_items_in_batch: Any = None) -> Any:
        """Mean over the groups of the batch."""
        outputs = model(input_ids=inputs["input_ids"], use_cache=False)
        scores = outputs.logits[:, 0].float()[inputs["members"]]
        loss = group_preference_loss(scores, inputs["levels"], inputs["mask"]).mean()
        return (loss, outputs) if return_outputs else loss


# --------------------------------------------------------------------------------------------------------------- losses


def labelled(labels: Tensor) -> Tensor:
    """Which positions predict a token that is learned: True at t if label t + 1 counts, shape (B, T - 1)."""
    return labels[:, 1:] != IGNORED


def token_losses(model: Any, batch: Batch, inner: Any = None) -> Tensor:
    """Weighted cross-entropy of each labelled token, in nats, flat, row by row.

    The hidden states of the labelled positions are taken out right before the unembedding, by a hook, so that whatever the
    model does after it (scaling, capping) is done, and the product with the vocabulary is made for actions only. Rows are
    padded on the right and the model is causal, so it needs no mask.

    Args:
        model: A causal language model, wrapped or not.
        batch: ``input_ids``, ``labels`` and ``weights``, shape (B, T).
        inner: The model without its wrapper; None: it has none.
    """
    kept = labelled(batch["labels"])
    head = (inner or model).get_output_embeddings()

    def keep(module: Any, arguments: tuple[Tensor, ...]) -> tuple[Tensor]:
        return (arguments[0][:, :-1][kept],)

    hook = head.register_forward_pre_hook(keep)
    try:
        logits = model(input_ids=batch["input_ids"], use_cache=False).logits
    finally:
        hook.remove()
    losses = cross_entropy(logits.float(), batch["labels"][:, 1:][kept], reduction="none")
    return losses * batch["weights"][:, 1:][kept]


def padded_rows(rows: Sequence[Row]) -> Batch:
    """Rows as the tensors of `token_losses`, padded on the right."""
    width = max(len(row.prompt) + len(row.completion) for row in rows)
    input_ids = torch.zeros(len(rows), width, dtype=torch.long)
    labels = torch.full((len(rows), width), IGNORED)
    weights = torch.zeros(len(rows), width)
    for index, row in enumerate(rows):
        start, end = len(row.prompt), len(row.prompt) + len(row.completion)
        input_ids[index, :end] = torch.tensor(row.ids)
        labels[index, start:end] = torch.tensor(row.completion)
        weights[index, start:end] = row.weight * torch.tensor(row.token_weights or 1.0)
    return {"input_ids": input_ids, "labels": labels, "weights": weights}


def padded_groups(groups: Sequence[Sequence[Sequence[int]]], levels: Sequence[Sequence[float]], pad: int) -> Batch:
    """Groups of texts (token ids) as the tensors of `GroupRewardTrainer`: all texts flat, padded on the right.

    ``members`` holds for each group the rows of its texts, shape (B, K), where ``mask`` is True.
    """
    texts = [text for group in groups for text in group]
    input_ids = torch.full((len(texts), max(map(len, texts))), pad)
    for index, text in enumerate(texts):
        input_ids[index, : len(text)] = torch.tensor(text)
    size = max(map(len, groups))
    members = torch.zeros(len(groups), size, dtype=torch.long)
    mask = torch.zeros(len(groups), size, dtype=torch.bool)
    level = torch.zeros(len(groups), size)
    first = 0
    for index, group in enumerate(groups):
        members[index, : len(group)] = torch.arange(first, first + len(group))
        mask[index, : len(group)] = True
        level[index, : len(group)] = torch.tensor(levels[index])
        first += len(group)
    return {"input_ids": input_ids, "members": members, "mask": mask, "levels": level}


# -------------------------------------------------------------------------------------------------------------- running


def arguments(kind: type[Any], folder: Path, optimization: Optimization) -> Any:
    """The arguments of a trainer of TRL: nothing is cut, packed, uploaded or printed; bfloat16 where it is fast."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    is_launched = int(os.environ.get("WORLD_SIZE", "1")) > 1  # by torchrun; naming a backend alone asks for it
    size = optimization.micro_batch_size or optimization.batch_size
    if optimization.batch_size % size:
        raise ValueError(f"the batch size {optimization.batch_size} is no multiple of the micro batch size {size}")
    return kind(
        output_dir=str(folder),
        use_cpu=device.type == "cpu",
        bf16=fast_dtype(device) == torch.bfloat16,
        **{_CHECKPOINTING: optimization.gradient_checkpointing},
        per_device_train_batch_size=size,
        gradient_accumulation_steps=optimization.batch_size // size,
        num_train_epochs=optimization.epochs,
        max_steps=optimization.max_steps or -1,
        learning_rate=optimization.learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=optimization.warmup,
        weight_decay=optimization.weight_decay,
        max_grad_norm=optimization.max_grad_norm,
        seed=optimization.seed,
        save_strategy="steps",
        save_steps=optimization.save_every,
        save_total_limit=2,  # the newest may lack its averages when the process is killed
        logging_steps=1,  # windows of several steps would be cut where a training was stopped
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=device.type == "cuda",
        ddp_backend="gloo" if device.type == "cpu" and is_launched else None,
        max_length=None,
    )


def run(
    trainer: Any, averaging: Averaging, folder: Path, *, on_progress: Callable[[Progress], None] | None = None
) -> list[tuple[int, float]]:
    """Train from the newest checkpoint, or from the start, and give the model its averaged weights.

    Args:
        trainer: One of the two above, with the averaging among its callbacks.
        averaging: Keeps the weights.
        folder: Of the checkpoints.
        on_progress: Told of every step.

    Returns:
        Steps, and the mean training loss of the (up to ten) steps that end there.
    """
    checkpoint = last_checkpoint(folder)
    if checkpoint is not None:
        averaging.load(checkpoint)
    for path in folder.glob("checkpoint-*"):
        if checkpoint is None or int(path.name.rpartition("-")[2]) > int(checkpoint.name.rpartition("-")[2]):
            shutil.rmtree(path)  # it was never finished
    for printing in (PrinterCallback, ProgressCallback):
        trainer.remove_callback(printing)
    if on_progress is not None:
        trainer.add_callback(_Telling(on_progress))
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    averaging.apply(trainer.accelerator.unwrap_model(trainer.model))
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    windows = [losses[start : start + LOSS_STEPS] for start in range(0, len(losses), LOSS_STEPS)]
    return [(index * LOSS_STEPS + len(window), sum(window) / len(window)) for index, window in enumerate(windows)]


class _Telling(TrainerCallback):
    def __init__(self, tell: Callable[[Progress], None]) -> None:
        self._tell = tell

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._tell(Progress(state.global_step, state.max_steps, None))

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        if logs and "loss" in logs:
            self._tell(Progress(state.global_step, state.max_steps, float(logs["loss"])))


def _indices(source: Source) -> Dataset:
    return Dataset.from_dict({"index": list(range(len(source.lengths)))})
