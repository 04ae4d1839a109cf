"""TRL's two trainers with the losses of this project.

Both take batches from a `Source`, so that examples can differ from epoch to epoch; the data set that TRL sees is a list of
indices. TRL and transformers run the loop, the optimizer, the schedule, devices and checkpoints.
"""

import os
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from datasets import Dataset
from torch import Tensor
from torch.utils.data import Sampler
from transformers import TrainerCallback
from trl import RewardConfig, RewardTrainer, SFTConfig, SFTTrainer  # type: ignore[attr-defined]

from agent.models.pretrained import fast_dtype
from training.objectives import group_preference_loss
from training.supervised.batches import Batch, LengthBuckets, Source, padded_rows
from training.supervised.optimization import Optimization
from training.supervised.rows import Row
from training.supervised.token_losses import predicts_label, token_losses

_CHECKPOINTING = "activation_checkpointing"
if _CHECKPOINTING not in SFTConfig.__dataclass_fields__:
    _CHECKPOINTING = "gradient_checkpointing"  # before transformers 5.23


class AuxiliaryTask(NamedTuple):
    """Another task to learn in some of the optimizer steps."""

    draw_row: Callable[[random.Random], Row]
    every: int
    """Number of optimizer steps from one step with the task to the next."""


class _SourceTrainer:
    """Overrides of TRL's trainers that take examples from a `Source`."""

    source: Source
    args: Any
    accelerator: Any

    def _prepare_dataset(self, dataset: Any, *args: Any, **kwargs: Any) -> Any:
        return dataset

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:
        size = self.args.train_batch_size * self.args.gradient_accumulation_steps * max(1, self.args.world_size)
        self._buckets = LengthBuckets(self.source.lengths, size, self.args.seed)
        return self._buckets

    def _collate(self, examples: Sequence[dict[str, int]]) -> Batch:
        return self.source.batch([example["index"] for example in examples], self._buckets.epoch)

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """Write no model card."""


class CloningTrainer(_SourceTrainer, SFTTrainer):
    """`SFTTrainer` with weighted rows, logits of labeled tokens only, and an optional auxiliary task."""

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        source: Source,
        folder: Path,
        optimization: Optimization,
        *,
        seed: int,
        auxiliary: AuxiliaryTask | None = None,
        callbacks: Sequence[TrainerCallback] = (),
        peft_config: Any = None,
    ) -> None:
        self.source = source
        self._auxiliary = auxiliary
        self._auxiliary_random = (-1, random.Random())
        super().__init__(
            model=model,
            args=training_arguments(SFTConfig, folder, optimization, seed),
            train_dataset=_indices(source),
            processing_class=tokenizer,
            data_collator=self._collate,
            callbacks=list(callbacks),
            peft_config=peft_config,
        )

    def compute_loss(self, model: Any, inputs: Batch, return_outputs: bool = False, num_items_in_batch: Any = None) -> Any:
        """Mean over the labeled tokens of the optimizer step, plus the mean of the auxiliary rows where there are any."""
        loss = self._token_losses(model, inputs).sum()
        if num_items_in_batch is None:
            loss = loss / predicts_label(inputs["labels"]).sum().clamp(min=1)
        else:
            loss = loss / num_items_in_batch
            if self.args.average_tokens_across_devices:
                loss = loss * self.accelerator.num_processes
        auxiliary = self._auxiliary_batch(len(inputs["input_ids"]))
        if auxiliary is not None:
            on_device = {name: value.to(loss.device) for name, value in auxiliary.items()}
            micro_batches = 1 if num_items_in_batch is None else self.current_gradient_accumulation_steps
            loss = loss + self._token_losses(model, on_device).mean() / micro_batches
        return (loss, None) if return_outputs else loss

    def _token_losses(self, model: Any, batch: Batch) -> Tensor:
        return token_losses(model, batch, self.accelerator.unwrap_model(model))

    def _auxiliary_batch(self, size: int) -> Batch | None:
        """Rows of the auxiliary task, drawn anew for each micro-batch; the draws depend on seed, step and process alone."""
        step = self.state.global_step
        if self._auxiliary is None or (step + 1) % self._auxiliary.every:
            return None
        if self._auxiliary_random[0] != step:
            self._auxiliary_random = (step, random.Random(f"{self.args.seed} {step} {self.args.process_index}"))
        return padded_rows([self._auxiliary.draw_row(self._auxiliary_random[1]) for _ in range(size)])


class GroupRewardTrainer(_SourceTrainer, RewardTrainer):
    """`RewardTrainer` over groups of two or more answers, ties included; a group is one example."""

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        source: Source,
        folder: Path,
        optimization: Optimization,
        *,
        seed: int,
        callbacks: Sequence[TrainerCallback] = (),
    ) -> None:
        self.source = source
        super().__init__(
            model=model,
            args=training_arguments(RewardConfig, folder, optimization, seed),
            train_dataset=_indices(source),
            processing_class=tokenizer,
            data_collator=self._collate,
            callbacks=list(callbacks),
        )

    def compute_loss(self, model: Any, inputs: Batch, return_outputs: bool = False, num_items_in_batch: Any = None) -> Any:
        """Mean loss of the batch's groups."""
        outputs = model(input_ids=inputs["input_ids"], use_cache=False)
        scores = outputs.logits[:, 0].float()[inputs["members"]]
        loss = group_preference_loss(scores, inputs["levels"], inputs["mask"]).mean()
        return (loss, outputs) if return_outputs else loss


def training_arguments(kind: type[Any], folder: Path, optimization: Optimization, seed: int) -> Any:
    """Arguments of one of TRL's trainers: no truncation, packing, upload or output; bfloat16 where it is fast."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    is_distributed = int(os.environ.get("WORLD_SIZE", "1")) > 1  # set by torchrun; naming a backend alone would ask for it
    size = optimization.micro_batch_size or optimization.batch_size
    if optimization.batch_size % size:
        raise ValueError(f"the batch size {optimization.batch_size} is not a multiple of the micro-batch size {size}")
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
        seed=seed,
        save_strategy="steps",
        save_steps=optimization.save_every,
        save_total_limit=2,  # the newest may lack its averages if the process is killed
        logging_steps=1,  # the mean over several steps would be wrong where a training was interrupted
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=device.type == "cuda",
        ddp_backend="gloo" if device.type == "cpu" and is_distributed else None,
        max_length=None,
    )


def _indices(source: Source) -> Dataset:
    return Dataset.from_dict({"index": list(range(len(source.lengths)))})
