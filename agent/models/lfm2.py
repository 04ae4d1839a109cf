"""The architecture of the small models (LFM2: short convolutions and attention in turn) in NumPy.

It computes what transformers computes, to rounding, and starts in a tenth of a second where torch and transformers take many
and are gigabytes to install. For asking only: there are no gradients, and sequences are read one at a time.

Source: LFM2 as transformers has it (``Lfm2ForCausalLM``).
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
    """What a model keeps of the tokens that it has read."""

    length: int = 0
    keys: "dict[int, Array]" = field(default_factory=dict)
    """By layer, shape (heads, length, head size), rotated."""
    values: "dict[int, Array]" = field(default_factory=dict)
    """The same."""
    inputs: "dict[int, Array]" = field(default_factory=dict)
    """Of the convolutions, by layer: the last ones, shape (kernel − 1, hidden size)."""


class Lfm2:
    """A causal language model, or one with a number in place of the unembedding."""

    def __init__(self, config: Mapping[str, Any], weights: "Mapping[str, Array]") -> None:
        """Take a model apart.

        Args:
            config: As ``config.json`` holds it.
            weights: As ``model.safetensors`` holds them, in float32.

        Raises:
            UsageError: It is a model of another kind.
        """
        rope = config.get("rope_parameters") or {}
        if config.get("model_type") != "lfm2" or config.get("conv_bias") or rope.get("rope_type", "default") != "default":
            raise UsageError(f"a model of the kind {config.get('model_type')!r} needs torch and transformers: ask with hf:DIR")
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
        """Tokens that it reads at most."""

    @classmethod
    def load(cls, folder: Path) -> "Lfm2":
        """Read the folder that transformers wrote.

        Raises:
            UsageError: It holds no such model.
        """
        try:
            config = json.loads((folder / "config.json").read_bytes())
            return cls(config, read_safetensors(folder / "model.safetensors"))
        except (OSError, ValueError, KeyError, struct.error) as error:
            raise UsageError(f"{folder} holds no model that can be read: {error}") from error

    @property
    def vocab_size(self) -> int:
        """Tokens that it has logits for."""
        return len(self._unembedding)

    def logits(self, token_ids: Sequence[int], cache: Cache) -> "Array":
        """Read some tokens behind those of the cache, and add them to it.

        Returns:
            Logits of the next token, shape (vocabulary,).
        """
        logits: Array = self._unembedding @ self._read(token_ids, cache)
        return logits

    def output(self, token_ids: Sequence[int]) -> float:
        """Scalar output at the last token of a text, for a model with a scalar head (`agent.models.scalar_model`)."""
        return float(self._weights["score.weight"][0] @ self._read(token_ids, Cache()))

    def _read(self, token_ids: Sequence[int], cache: Cache) -> "Array":
        """The hidden state of the last token, shape (hidden size,)."""
        positions = np.arange(cache.length, cache.length + len(token_ids), dtype=np.float32)
        angles = positions[:, None] * self._frequencies
        turn = np.cos(angles), np.sin(angles)
        x = self._embedding[np.asarray(token_ids)]
        for number, kind in enumerate(self._layers):
            name = f"model.layers.{number}"
            inner = self._norm(x, f"{name}.operator_norm")
            mix = self._convolve if kind == "conv" else self._attend
            x = x + mix(inner, name, number, cache, turn)
            x = x + self._feed_forward(self._norm(x, f"{name}.ffn_norm"), f"{name}.feed_forward")
        cache.length += len(token_ids)
        return self._norm(x[-1], "model.embedding_norm")

    def _norm(self, x: "Array", name: str) -> "Array":
        """Scaled to a root mean square of 1, then by weights."""
        scale = 1.0 / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + np.float32(self._epsilon))
        scaled: Array = x * scale * self._weights[f"{name}.weight"]
        return scaled

    def _product(self, x: "Array", name: str) -> "Array":
        product: Array = x @ self._weights[f"{name}.weight"].T
        return product

    def _feed_forward(self, x: "Array", name: str) -> "Array":
        gate = self._product(x, f"{name}.w1")
        opened: Array = np.exp(-gate)
        return self._product(gate / (opened + np.float32(1)) * self._product(x, f"{name}.w3"), f"{name}.w2")

    def _convolve(self, x: "Array", name: str, number: int, cache: Cache, turn: object) -> "Array":
        """A gated convolution over the last few tokens."""
        before, behind, value = np.split(self._product(x, f"{name}.conv.in_proj"), 3, axis=-1)
        kernel = self._weights[f"{name}.conv.conv.weight"][:, 0]  # (hidden size, kernel)
        size = kernel.shape[1]
        past = cache.inputs.get(number)
        if past is None:
            past = np.zeros((size - 1, x.shape[1]), np.float32)
        inputs = np.concatenate([past, before * value])
        cache.inputs[number] = inputs[len(inputs) - size + 1 :]
        mixed = sum(kernel[:, place] * inputs[place : place + len(x)] for place in range(size))
        return self._product(behind * mixed, f"{name}.conv.out_proj")

    def _attend(self, x: "Array", name: str, number: int, cache: Cache, turn: "tuple[Array, Array]") -> "Array":
        """Attention to everything before, and to itself."""
        name = f"{name}.self_attn"
        queries = self._rotated(self._norm(self._split(x, f"{name}.q_proj", self._heads), f"{name}.q_layernorm"), turn)
        keys = self._rotated(self._norm(self._split(x, f"{name}.k_proj", self._key_heads), f"{name}.k_layernorm"), turn)
        values = self._split(x, f"{name}.v_proj", self._key_heads)
        if number in cache.keys:
            keys = np.concatenate([cache.keys[number], keys], axis=1)
            values = np.concatenate([cache.values[number], values], axis=1)
        cache.keys[number], cache.values[number] = keys, values
        shared = self._heads // self._key_heads
        if shared > 1:
            keys, values = np.repeat(keys, shared, axis=0), np.repeat(values, shared, axis=0)
        scores = queries @ keys.transpose(0, 2, 1) * np.float32(queries.shape[-1] ** -0.5)
        if len(x) > 1:
            later = np.triu(np.ones(scores.shape[1:], bool), keys.shape[1] - len(x) + 1)
            scores = np.where(later, np.float32(-np.inf), scores)
        shares = np.exp(scores - scores.max(-1, keepdims=True))
        shares /= shares.sum(-1, keepdims=True)
        told = (shares @ values).transpose(1, 0, 2).reshape(len(x), -1)
        return self._product(told, f"{name}.out_proj")

    def _split(self, x: "Array", name: str, heads: int) -> "Array":
        """A product by heads, shape (heads, tokens, head size)."""
        return self._product(x, name).reshape(len(x), heads, -1).transpose(1, 0, 2)

    def _rotated(self, x: "Array", turn: "tuple[Array, Array]") -> "Array":
        """Rotary position embedding: the first half of a head turned against the second."""
        first, second = np.split(x, 2, axis=-1)
        cosine, sine = turn
        return np.concatenate([first * cosine - second * sine, second * cosine + first * sine], axis=-1)


def read_safetensors(file: Path) -> "dict[str, Array]":
    """The tensors of a file, in float32.

    The library reads no bfloat16 without torch; the format is eight bytes of length, that much JSON, and the numbers.

    Raises:
        ValueError: It is no such file, or holds numbers of another type.
    """
    data = file.read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    header: dict[str, Any] = json.loads(data[8 : 8 + length])
    tensors: dict[str, Array] = {}
    for name, told in header.items():
        if name == "__metadata__":
            continue
        start, end = told["data_offsets"]
        numbers = data[8 + length + start : 8 + length + end]
        if told["dtype"] == _BFLOAT16:  # the upper half of a float32
            flat = (np.frombuffer(numbers, "<u2").astype(np.uint32) << 16).view(np.float32)
        elif told["dtype"] in _DTYPES:
            flat = np.frombuffer(numbers, _DTYPES[told["dtype"]]).astype(np.float32)
        else:
            raise ValueError(f"{name} has numbers of the type {told['dtype']}")
        tensors[name] = flat.reshape(told["shape"])
    return tensors
