"""One training process or several that ``torchrun`` started, through accelerate."""

from typing import TYPE_CHECKING, TypeVar

import torch

if TYPE_CHECKING:
    from accelerate import Accelerator

Item = TypeVar("Item")


def make_accelerator(*, bfloat16: bool = False) -> "Accelerator":
    """The accelerator of this process, alone or among the processes that ``torchrun`` started.

    Args:
        bfloat16: Use mixed precision: bfloat16 where it is safe.
    """
    from accelerate import Accelerator, DistributedDataParallelKwargs
    from accelerate.state import AcceleratorState

    # An earlier training in this process has left its precision, and accelerate refuses another one; the trainers of
    # transformers reset it too.
    AcceleratorState._reset_state()
    # Buffers do not change in training, and processes may have shares of different sizes.
    exchange = DistributedDataParallelKwargs(broadcast_buffers=False)
    # Without `cpu`, on a machine without GPUs, accelerate takes each of several processes for the only one.
    only_cpu = not torch.accelerator.is_available()
    return Accelerator(cpu=only_cpu, mixed_precision="bf16" if bfloat16 else "no", kwargs_handlers=[exchange])


def gather(items: list[Item]) -> list[Item]:
    """The items of all processes, on each process."""
    from accelerate.utils import gather_object

    gathered: list[Item] = gather_object(items)
    return gathered
