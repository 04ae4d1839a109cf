"""Loading the models that supervised training starts from."""

from collections.abc import Callable
from typing import Any

from agent.models.shipped import model_path
from browser_env.errors import UsageError
from browser_env.pages.characters import clean_line


def load_language_model(name: str) -> tuple[Any, Any]:
    """Load a causal language model in float32 and its tokenizer, which has a padding token.

    Args:
        name: A model that ships with the package, a folder, or a name on the Hugging Face hub.

    Raises:
        UsageError: The model cannot be loaded.
    """
    import torch
    from transformers import AutoModelForCausalLM

    def load(source: str) -> Any:
        return AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32)

    return _load(name, model_path(name), load)


def load_reward_base(name: str) -> tuple[Any, Any]:
    """Load a policy with a scalar output instead of its unembedding, in float32, and its tokenizer, which has a padding token.

    Args:
        name: A model that ships with the package, a folder, or a name on the Hugging Face hub.

    Raises:
        UsageError: The model cannot be loaded.
    """
    from agent.models.scalar_model import load_scalar_model

    return _load(name, model_path(name), load_scalar_model)


def context_length(model: Any) -> int | None:
    """Number of tokens that a model can read. None: it has no limit."""
    limit: int | None = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    return limit


def _load(name: str, source: str, load: Callable[[str], Any]) -> tuple[Any, Any]:
    from safetensors import SafetensorError
    from transformers import AutoTokenizer

    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(source)
        model = load(source)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise UsageError(f"{name} cannot be loaded as a language model: {clean_line(str(error))[:300]}") from error
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return model, tokenizer
