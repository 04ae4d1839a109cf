"""Batches of the base model's training: copying, reading and pretext examples.

A batch depends on the number of its step and the configuration alone. A run that was killed therefore continues with the same
batches, and other processes can make batches in advance: a GPU trains faster than one core makes them.
"""

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from agent.question_sets.pydoc.questions import PythonDocsQuestions
from browser_env.errors import UsageError
from browser_env.offline_web.collection import Collection
from training.base_model.config import BaseModelConfig
from training.base_model.pretext_tasks import PretextTasks, TrainingExample
from training.supervised.copying import copying_sequence
from training.supervised.replacement import Replacement
from training.supervised.rows import Row, text_row

TRAINING_SPLITS: Final = ("bc", "rm", "rl")
"""Splits whose pages are training data; every measurement is on the other splits."""
MICRO_BATCHES: Final = 3
"""Number of micro-batches in a batch of pretext examples."""
READ_LENGTH: Final = 256
"""Length in tokens of a piece of documentation."""
PREFETCH: Final = 8
"""Number of batches that each worker makes in advance."""

WeightedRow = tuple[Row, list[float]]
"""A row and the loss weight of each of its tokens; tokens of weight 0 are not learned."""


@dataclass(frozen=True, slots=True)
class MicroBatch:
    """Token sequences side by side, padded on the right."""

    ids: Tensor
    """Token ids, shape (B, T)."""
    learned: Tensor
    """Indices of the learned tokens in the flattened ids, shape (learned,)."""
    weights: Tensor
    """Loss weights of the learned tokens, shape (learned,)."""
    tokens: int
    """Number of tokens without padding."""

    @classmethod
    def of(cls, sequences: Sequence[tuple[Sequence[int], Sequence[float]]], pad: int) -> "MicroBatch":
        """Pad sequences of token ids with their loss weights. The first token of a sequence is never learned."""
        width = max(len(ids) for ids, _ in sequences)
        ids = torch.full((len(sequences), width), pad)
        weights = torch.zeros(len(sequences), width)
        for row, (tokens, token_weights) in enumerate(sequences):
            ids[row, : len(tokens)] = torch.tensor(tokens)
            weights[row, 1 : len(token_weights)] = torch.tensor(token_weights[1:], dtype=torch.float32)
        flat = weights.flatten()
        learned = flat.nonzero()[:, 0]
        return cls(ids, learned, flat[learned], sum(len(tokens) for tokens, _ in sequences))

    @property
    def weight(self) -> float:
        """Sum of the loss weights."""
        return float(self.weights.sum())

    def to(self, device: torch.device) -> "MicroBatch":
        """The micro-batch on a device."""
        ids, learned, weights = (tensor.to(device, non_blocking=True) for tensor in (self.ids, self.learned, self.weights))
        return MicroBatch(ids, learned, weights, self.tokens)

    def pin_memory(self) -> "MicroBatch":
        """The micro-batch in pinned memory, from which a GPU copies without waiting; called by the data loader."""
        return MicroBatch(self.ids.pin_memory(), self.learned.pin_memory(), self.weights.pin_memory(), self.tokens)


@dataclass(frozen=True, slots=True)
class Batch:
    """Training data of one optimizer step."""

    kind: Literal["copy", "read", "step"]
    """Copying task, plain documentation, or pretext examples of browsing steps."""
    micro_batches: tuple[MicroBatch, ...]
    """Computed one after the other, with accumulated gradients."""

    @property
    def tokens(self) -> int:
        """Number of tokens without padding."""
        return sum(part.tokens for part in self.micro_batches)

    @property
    def weight(self) -> float:
        """Sum of the loss weights."""
        return sum(part.weight for part in self.micro_batches)

    def pin_memory(self) -> "Batch":
        """The batch in pinned memory; called by the data loader."""
        return Batch(self.kind, tuple(part.pin_memory() for part in self.micro_batches))


class Corpus:
    """Pages of the training splits, and pretext tasks made from them and from the validation split."""

    def __init__(self, web: Collection, config: BaseModelConfig) -> None:
        """Read the pages.

        Raises:
            UsageError: The web has no pages of the training splits.
        """
        splits = PythonDocsQuestions(web).page_splits()
        training = [url for url, split in splits.items() if split in TRAINING_SPLITS]
        validation = [url for url, split in splits.items() if split == "validation"]
        if not training:
            raise UsageError(f"{web.name} has no pages of the splits {', '.join(TRAINING_SPLITS)}; pass one with more modules")
        self.path = web.path
        self.texts = [web.fetch(url).text for url in training]
        self.pretext_tasks = PretextTasks(web, training, config.settings)
        self.held_out = PretextTasks(web, validation, config.settings) if validation else None


class Batches:
    """Makes the batch of each step."""

    def __init__(self, corpus: Corpus, config: BaseModelConfig, tokenizer: Any) -> None:
        self._corpus, self._config, self._tokenizer = corpus, config, tokenizer
        self._replacement = Replacement(corpus.texts)
        self._documents = [tokenizer(text, verbose=False)["input_ids"] for text in corpus.texts]
        self._document_lengths = list(map(len, self._documents))

    def batch(self, step: int, copy_length: int | None = None) -> Batch:
        """Make the batch of a step; the same arguments make the same batch.

        Args:
            step: Number of the step.
            copy_length: Length in tokens of the texts to copy, during the copying curriculum. Default: the curriculum is over,
                and the number of the step decides the kind of the batch.
        """
        config, rng = self._config, random.Random(f"{self._config.seed} {step}")
        if copy_length is not None:
            return Batch("copy", (self._copying(copy_length, rng),))
        if step % config.copy_every == 0:
            length = int(math.exp(rng.uniform(math.log(16), math.log(config.copy_length))))
            return Batch("copy", (self._copying(length, rng),))
        if step % config.read_every == 0:
            return Batch("read", (self._reading(rng),))
        return Batch("step", tuple(self._browsing(rng)))

    def _copying(self, length: int, rng: random.Random) -> MicroBatch:
        number = max(4, min(self._config.batch_tokens // 64, self._config.batch_tokens // (3 * length // 2)))
        vocabulary = range(self._tokenizer.pad_token_id + 2, len(self._tokenizer))
        sequences = [copying_sequence(self._documents, vocabulary, length, rng) for _ in range(number)]
        return MicroBatch.of(sequences, self._tokenizer.pad_token_id)

    def _reading(self, rng: random.Random) -> MicroBatch:
        sequences: list[tuple[list[int], list[float]]] = []
        while len(sequences) * READ_LENGTH < self._config.batch_tokens:
            document = rng.choices(self._documents, self._document_lengths)[0]
            start = rng.randrange(max(1, len(document) - READ_LENGTH))
            ids = document[start : start + READ_LENGTH]
            sequences.append((ids, [1.0] * len(ids)))
        return MicroBatch.of(sequences, self._tokenizer.pad_token_id)

    def _browsing(self, rng: random.Random) -> Iterator[MicroBatch]:
        config = self._config
        examples = self._corpus.pretext_tasks.examples(rng, min(config.shortest_view, config.settings.view_height))
        rows: list[WeightedRow] = []
        room = config.batch_tokens
        while room > 0:
            example = next(examples)
            if rng.random() < config.replaced:
                example = replace_words(example, self._replacement, rng)
            rows.append(self.row(example))
            room -= len(rows[-1][0].ids)
        # Sorted by length, because half of a micro-batch would be padding otherwise. A batch still has every kind of example.
        rows.sort(key=lambda row: len(row[0].ids))
        size = -(-len(rows) // MICRO_BATCHES)
        for start in range(0, len(rows), size):
            yield self.micro_batch(rows[start : start + size])

    def row(self, example: TrainingExample) -> WeightedRow:
        """Tokens and loss weights of an example; only the completion is learned."""
        weight = self._config.choice_weight
        row = text_row(example.observation, example.completion, example.phase, self._tokenizer, choice_weight=weight)
        return row, [0.0] * len(row.prompt) + list(row.token_weights or [1.0] * len(row.completion))

    def micro_batch(self, rows: Sequence[WeightedRow]) -> MicroBatch:
        """Make a micro-batch of rows."""
        return MicroBatch.of([(row.ids, weights) for row, weights in rows], self._tokenizer.pad_token_id)


class _WorkerBatches(Dataset[Batch]):
    """Batches by step number, for a worker process that opens the web itself."""

    def __init__(self, path: Path, config: BaseModelConfig, tokenizer: Any) -> None:
        self._path, self._config, self._tokenizer = path, config, tokenizer
        self._batches: Batches | None = None

    def __getitem__(self, step: int) -> Batch:
        if self._batches is None:
            corpus = Corpus(Collection.open(self._path), self._config)
            self._batches = Batches(corpus, self._config, self._tokenizer)
        return self._batches.batch(step)


def prefetched_batches(
    path: Path, config: BaseModelConfig, tokenizer: Any, first: int, workers: int, device: torch.device
) -> Iterator[Batch]:
    """Batches without end, made in advance by other processes.

    Args:
        path: File of the collection.
        config: Configuration of the training.
        tokenizer: Tokenizer of the model.
        first: Number of the first step.
        workers: Number of processes.
        device: Device of the model; for a GPU the batches are in pinned memory.
    """
    loader: DataLoader[Batch] = DataLoader(
        _WorkerBatches(path, config, tokenizer),
        batch_size=None,
        sampler=range(first, 10**12),
        num_workers=workers,
        prefetch_factor=PREFETCH,
        pin_memory=device.type == "cuda",
    )
    return iter(loader)


def replace_words(example: TrainingExample, replacement: Replacement, rng: random.Random) -> TrainingExample:
    """Replace a random share of an example's words, each by the same word wherever it occurs."""
    observation, completion = replacement((example.observation, example.completion), rng, share=rng.uniform(0.3, 1.0))
    return TrainingExample(observation, completion, example.phase)
