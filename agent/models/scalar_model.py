"""Language models with a scalar head in place of the unembedding: reward models and value networks.

transformers has such a class (``...ForSequenceClassification``) for most architectures, but not for LFM2. A missing class is
made from the same two base classes that transformers uses, and registered. Every architecture is then loaded and saved by the
same calls, in the format of transformers. The output at a position is ``score(hidden state)``; the output of a text is that at
its last token.
"""

import threading
from logging import ERROR
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

_LOCK = threading.Lock()


def load_scalar_model(source: str, *, dtype: "torch.dtype | None" = None) -> Any:
    """A model with one output, ``model.score`` (a linear layer without bias), on the trunk ``model.base_model``.

    From a language model, the trunk is loaded and the head is random; from a reward model, both are loaded.

    Args:
        source: Folder or hub id.
        dtype: Precision of the weights. Default: float32.

    Raises:
        OSError: The model does not exist.
        ValueError: The model is not a language model.
    """
    import torch
    from transformers import AutoConfig, AutoModelForSequenceClassification
    from transformers.utils import logging

    config = AutoConfig.from_pretrained(source)
    register_scalar_model(config)
    verbosity = logging.get_verbosity()
    logging.set_verbosity(ERROR)  # otherwise transformers warns of the missing head, which is expected
    try:
        model: Any = AutoModelForSequenceClassification.from_pretrained(source, num_labels=1, dtype=dtype or torch.float32)
    finally:
        logging.set_verbosity(verbosity)
    if not hasattr(model, "score"):
        raise ValueError(f"{type(model).__name__} has no output named score")
    return model


def register_scalar_model(config: Any) -> None:
    """Register a scalar-head class for the architecture of a configuration, if transformers has none.

    Raises:
        ValueError: The architecture has no causal language model.
    """
    from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING, PreTrainedModel
    from transformers import AutoModelForSequenceClassification as Auto
    from transformers.modeling_layers import GenericForSequenceClassification

    config_class = type(config)
    with _LOCK:
        if config_class in MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING:
            return
        if config_class not in MODEL_FOR_CAUSAL_LM_MAPPING:
            raise ValueError(f"{config_class.__name__} is not the configuration of a causal language model")
        causal: Any = MODEL_FOR_CAUSAL_LM_MAPPING[config_class]
        base = next(parent for parent in causal.__mro__[1:] if issubclass(parent, PreTrainedModel))
        name = f"{causal.__name__.removesuffix('ForCausalLM')}ForSequenceClassification"
        members = {"__module__": __name__, "base_model_prefix": causal.base_model_prefix}
        scalar_class: Any = type(name, (GenericForSequenceClassification, base), members)
        Auto.register(config_class, scalar_class, exist_ok=True)  # exist_ok: required for transformers' own configurations
