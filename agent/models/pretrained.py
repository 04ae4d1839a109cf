"""Helpers for loading models with transformers: device, precision, and error messages."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from browser_env.errors import UsageError
from browser_env.pages.characters import clean_line

if TYPE_CHECKING:
    import torch


def default_device(device: str | None = None) -> "torch.device":
    """The torch device of a name. Default: CUDA if it is available, otherwise the CPU."""
    import torch

    return torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))


def fast_dtype(device: "torch.device") -> "torch.dtype":
    """bfloat16 if the device has instructions for it (on a CPU, AMX or AVX-512 BF16), otherwise float32."""
    import torch

    if device.type == "cuda":
        is_fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        capabilities: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)() if device.type == "cpu" else {}
        is_fast = any(capabilities.get(name) for name in ("amx_bf16", "avx512_bf16"))
    return torch.bfloat16 if is_fast else torch.float32


@contextmanager
def load_errors(message: str) -> Iterator[None]:
    """Convert errors of transformers about a missing or damaged model to a `UsageError` with a message."""
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise UsageError(f"{message}: {clean_line(str(error))[:300]}") from error
