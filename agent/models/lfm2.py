"""LFM2, the architecture of the shipped models (short convolutions and attention layers), in NumPy.

Results equal those of transformers (``Lfm2ForCausalLM``) except for rounding. NumPy starts in a tenth of a second, while torch
and transformers take many seconds and need gigabytes of disk space. The module is for inference only: it has no gradients, and
it computes one sequence at a time.
"""

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from browser_env.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float32]

_DTYPES = {"F32": "<f4", "F16": "<f2"}
_BFLOAT16 = "BF16"


@dataclass(slots=True)
class Cache:
    """Keys, values and convolution inputs of the tokens that have been read."""

    length: int = 0
    keys: "dict[int, Array]" = field(default_factory=dict)
    """Keys of each attention layer after rotation, shape (heads, length, head size)."""
    values: "dict[int, Array]" = field(default_factory=dict)
    """Values of each attention layer, shape (heads, length, head size)."""
    inputs: "dict[int, Array]" = field(default_factory=dict)
    """The last inputs of each convolution, shape (kernel - 1, hidden size)."""


class Lfm2:
    """A causal language model, or a model with a scalar head."""

    def __init__(self, config: Mapping[str, Any], weights: "Mapping[str, Array]") -> None:
        """Make a model.

        Args:
            config: Content of ``config.json``.
            weights: Tensors of ``model.safetensors``, in float32.

        Raises:
            UsageError: The model has another architecture.
        """
        rope = config.get("rope_parameters") or {}
        if config.get("model_type") != "lfm2" or config.get("conv_bias") or rope.get("rope_type", "default") != "default":
            raise UsageError(
                f"a model of type {config.get('model_type')!r} needs torch and transformers: pass it as --policy hf:DIR"
            )
        self._weights = weights
        self._layers: Sequence[str] = config["layer_types"]
        self._epsilon: float = config["norm_eps"]
        self._heads: int = config["num_attention_heads"]
        self._key_heads: int = config["num_key_value_heads"]
        self._embedding = weights["model.embed_tokens.weight"]
        self._unembedding = weights.get("lm_head.weight", self._embedding)
        size = config["hidden_size"] // self._heads
        theta = rope.get("rope_theta") or config.get("rope_theta") or 1e6
        self._frequencies = (1.0 / theta ** (np.arange(0, size, 2, dtype=np.float32) / size)).astype(np.float32)
        self.context: int = config["max_position_embeddings"]
        """Maximum number of tokens of a sequence."""

    @classmethod
    def load(cls, folder: Path) -> "Lfm2":
        """Load a model from a folder in the format of transformers.

        Raises:
            UsageError: The folder does not contain an LFM2 model.
        """
        try:
            config = json.loads((folder / "config.json").read_bytes())
            return cls(config, read_safetensors(folder / "model.safetensors"))
        except (OSError, ValueError, KeyError, struct.error) as error:
            raise UsageError(f"{folder} does not contain a model that can be read: {error}") from error

    @property
    def vocab_size(self) -> int:
        """Number of tokens in the vocabulary."""
        return len(self._unembedding)

    def logits(self, token_ids: Sequence[int], cache: Cache) -> "Array":
        """Logits of the next token after `token_ids`, which follow the tokens in the cache and are added to it.

        Returns:
            Shape (V,).
        """
        logits: Array = self._unembedding @ self._read(token_ids, cache)
        return logits

    def output(self, token_ids: Sequence[int]) -> float:
        """Scalar output at the last token of a text, for a model with a scalar head (`agent.models.scalar_model`)."""
        return float(self._weights["score.weight"][0] @ self._read(token_ids, Cache()))

    def _read(self, token_ids: Sequence[int], cache: Cache) -> "Array":
        """The last token's hidden state after the final norm, shape (hidden size,)."""
        positions = np.arange(cache.length, cache.length + len(token_ids), dtype=np.float32)
        angles = positions[:, None] * self._frequencies
        rotation = np.cos(angles), np.sin(angles)
        x = self._embedding[np.asarray(token_ids)]
        for layer, kind in enumerate(self._layers):
            name = f"model.layers.{layer}"
            normed = self._norm(x, f"{name}.operator_norm")
            mix = self._convolve if kind == "conv" else self._attend
            x = x + mix(normed, name, layer, cache, rotation)
            x = x + self._feed_forward(self._norm(x, f"{name}.ffn_norm"), f"{name}.feed_forward")
        cache.length += len(token_ids)
        return self._norm(x[-1], "model.embedding_norm")

    def _norm(self, x: "Array", name: str) -> "Array":
        """RMS normalization."""
        scale = 1.0 / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + np.float32(self._epsilon))
        scaled: Array = x * scale * self._weights[f"{name}.weight"]
        return scaled

    def _product(self, x: "Array", name: str) -> "Array":
        product: Array = x @ self._weights[f"{name}.weight"].T
        return product

    def _feed_forward(self, x: "Array", name: str) -> "Array":
        gate = self._product(x, f"{name}.w1")
        exponential: Array = np.exp(-gate)
        return self._product(gate / (exponential + np.float32(1)) * self._product(x, f"{name}.w3"), f"{name}.w2")

    def _convolve(self, x: "Array", name: str, layer: int, cache: Cache, rotation: object) -> "Array":
        """Gated short convolution."""
        input_gate, output_gate, value = np.split(self._product(x, f"{name}.conv.in_proj"), 3, axis=-1)
        kernel = self._weights[f"{name}.conv.conv.weight"][:, 0]  # (hidden size, kernel)
        size = kernel.shape[1]
        past = cache.inputs.get(layer)
        if past is None:
            past = np.zeros((size - 1, x.shape[1]), np.float32)
        inputs = np.concatenate([past, input_gate * value])
        cache.inputs[layer] = inputs[len(inputs) - size + 1 :]
        mixed = sum(kernel[:, offset] * inputs[offset : offset + len(x)] for offset in range(size))
        return self._product(output_gate * mixed, f"{name}.conv.out_proj")

    def _attend(self, x: "Array", name: str, layer: int, cache: Cache, rotation: "tuple[Array, Array]") -> "Array":
        """Grouped-query causal attention."""
        name = f"{name}.self_attn"
        queries = self._rotated(self._norm(self._split(x, f"{name}.q_proj", self._heads), f"{name}.q_layernorm"), rotation)
        keys = self._rotated(self._norm(self._split(x, f"{name}.k_proj", self._key_heads), f"{name}.k_layernorm"), rotation)
        values = self._split(x, f"{name}.v_proj", self._key_heads)
        if layer in cache.keys:
            keys = np.concatenate([cache.keys[layer], keys], axis=1)
            values = np.concatenate([cache.values[layer], values], axis=1)
        cache.keys[layer], cache.values[layer] = keys, values
        group_size = self._heads // self._key_heads
        if group_size > 1:
            keys, values = np.repeat(keys, group_size, axis=0), np.repeat(values, group_size, axis=0)
        scores = queries @ keys.transpose(0, 2, 1) * np.float32(queries.shape[-1] ** -0.5)
        if len(x) > 1:
            is_later = np.triu(np.ones(scores.shape[1:], bool), keys.shape[1] - len(x) + 1)
            scores = np.where(is_later, np.float32(-np.inf), scores)
        attention = np.exp(scores - scores.max(-1, keepdims=True))
        attention /= attention.sum(-1, keepdims=True)
        mixed = (attention @ values).transpose(1, 0, 2).reshape(len(x), -1)
        return self._product(mixed, f"{name}.out_proj")

    def _split(self, x: "Array", name: str, heads: int) -> "Array":
        """A projection split into heads, shape (heads, T, head size)."""
        return self._product(x, name).reshape(len(x), heads, -1).transpose(1, 0, 2)

    def _rotated(self, x: "Array", rotation: "tuple[Array, Array]") -> "Array":
        """Rotary position embedding of the two halves of each head."""
        first, second = np.split(x, 2, axis=-1)
        cosine, sine = rotation
        return np.concatenate([first * cosine - second * sine, second * cosine + first * sine], axis=-1)


def read_safetensors(file: Path) -> "dict[str, Array]":
    """The tensors of a safetensors file, converted to float32.

    The safetensors library cannot read bfloat16 without torch. A file consists of the header's length (eight bytes), a header
    in JSON, and the numbers.

    Raises:
        ValueError: The file is malformed, or a tensor has an unsupported type.
    """
    data = file.read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    header: dict[str, Any] = json.loads(data[8 : 8 + length])
    tensors: dict[str, Array] = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        start, end = entry["data_offsets"]
        numbers = data[8 + length + start : 8 + length + end]
        if entry["dtype"] == _BFLOAT16:  # the upper half of a float32
            flat = (np.frombuffer(numbers, "<u2").astype(np.uint32) << 16).view(np.float32)
        elif entry["dtype"] in _DTYPES:
            flat = np.frombuffer(numbers, _DTYPES[entry["dtype"]]).astype(np.float32)
        else:
            raise ValueError(f"{name} has the unsupported type {entry['dtype']}")
        tensors[name] = flat.reshape(entry["shape"])
    return tensors
