"""A language model whose unembedding is replaced by one number: what reward models and value networks are.

transformers has such a class (``...ForSequenceClassification``) for most architectures and not for all: LFM2 has none. Where
it is missing it is made here from the same two parts that transformers makes its own of, and registered, so every architecture
is loaded and saved by the same calls, and its folder is what transformers would write. The number at a position is
``score(hidden state)``; a text's is the one at its last token.
"""

import threading
from logging import ERROR
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

_LOCK = threading.Lock()


def load_scalar_model(source: str, *, dtype: "torch.dtype | None" = None) -> Any:
    """The model of a folder or hub name with one output, ``model.score`` (hidden size to 1, no bias).

    From the folder of a language model the trunk is taken and the new output is random; from one of a reward model everything
    is. The trunk is ``model.base_model``.

    Args:
        source: Folder or hub name.
        dtype: Of the weights; None: float32.

    Raises:
        OSError: There is no such model.
        ValueError: It is no language model.
    """
    import torch
    from transformers import AutoConfig, AutoModelForSequenceClassification
    from transformers.utils import logging

    config = AutoConfig.from_pretrained(source)
    register_scalar_model(config)
    verbosity = logging.get_verbosity()
    logging.set_verbosity(ERROR)  # or it reports the missing output, which is meant to be missing
    try:
        model: Any = AutoModelForSequenceClassification.from_pretrained(source, num_labels=1, dtype=dtype or torch.float32)
    finally:
        logging.set_verbosity(verbosity)
    if not hasattr(model, "score"):
        raise ValueError(f"{type(model).__name__} has no output named score")
    return model


def register_scalar_model(config: Any) -> None:
    """Make transformers know a class with one output for the architecture of a configuration, if it knows none.

    Raises:
        ValueError: There is no language model of this architecture.
    """
    from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING, PreTrainedModel
    from transformers import AutoModelForSequenceClassification as Auto
    from transformers.modeling_layers import GenericForSequenceClassification

    kind = type(config)
    with _LOCK:
        if kind in MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING:
            return
        if kind not in MODEL_FOR_CAUSAL_LM_MAPPING:
            raise ValueError(f"{kind.__name__} is no configuration of a language model")
        causal: Any = MODEL_FOR_CAUSAL_LM_MAPPING[kind]
        base = next(one for one in causal.__mro__[1:] if issubclass(one, PreTrainedModel))
        name = f"{causal.__name__.removesuffix('ForCausalLM')}ForSequenceClassification"
        members = {"__module__": __name__, "base_model_prefix": causal.base_model_prefix}
        made: Any = type(name, (GenericForSequenceClassification, base), members)
        Auto.register(kind, made, exist_ok=True)  # without it, configurations of transformers itself are passed over
