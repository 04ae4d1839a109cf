"""What each step of the base model's training learns from.

A step is made of its number alone, so that a run that was killed goes on as if it had not been, and so that other processes can
make the steps ahead of the one that learns: a GPU learns faster than one core makes them.
"""

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from agent.question_sets.pydoc.questions import PythonDocsQuestions
from browser_env.errors import UsageError
from browser_env.offline_web.collection import Collection
from training.base_model.pretext_tasks import Pretext, Pretexts
from training.supervised.copying import copying_sequence
from training.supervised.replacement import Replacement
from training.supervised.rows import Row, text_row

if TYPE_CHECKING:
    from training.base_model.config import BaseModelConfig

TRAINED_ON = ("bc", "rm", "rl")
"""Splits whose pages are read. What is left is what everything is measured on."""
PARTS = 3
"""Of a step, one after the other."""
READ_LENGTH = 256
"""Tokens of a stretch that is read."""
AHEAD = 8
"""Steps that each worker makes ahead."""

_Example = tuple[Row, list[float]]
"""A row, and what its tokens count in the loss: 0 is not learned."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows side by side, padded on the right."""

    ids: Tensor
    """Token ids, shape (B, T)."""
    learned: Tensor
    """Places of the learned tokens in the flat ids, shape (learned,)."""
    weights: Tensor
    """What they count in the loss, shape (learned,)."""
    tokens: int
    """Without the padding."""

    @classmethod
    def of(cls, sequences: Sequence[tuple[Sequence[int], Sequence[float]]], pad: int) -> "Batch":
        """Pad some sequences of ids and weights; weight 0 is not learned, and the first token cannot be."""
        width = max(len(ids) for ids, _ in sequences)
        ids = torch.full((len(sequences), width), pad)
        weights = torch.zeros(len(sequences), width)
        for row, (tokens, own) in enumerate(sequences):
            ids[row, : len(tokens)] = torch.tensor(tokens)
            weights[row, 1 : len(own)] = torch.tensor(own[1:], dtype=torch.float32)
        flat = weights.flatten()
        learned = flat.nonzero()[:, 0]
        return cls(ids, learned, flat[learned], sum(len(tokens) for tokens, _ in sequences))

    def to(self, device: torch.device) -> "Batch":
        """The same on a device."""
        ids, learned, weights = (tensor.to(device, non_blocking=True) for tensor in (self.ids, self.learned, self.weights))
        return Batch(ids, learned, weights, self.tokens)

    def pin_memory(self) -> "Batch":
        """The same where a GPU fetches it without waiting; called by the loader."""
        return Batch(self.ids.pin_memory(), self.learned.pin_memory(), self.weights.pin_memory(), self.tokens)


@dataclass(frozen=True, slots=True)
class Lesson:
    """What one step learns."""

    kind: str
    """copy, read or step."""
    parts: tuple[Batch, ...]
    """Learned one after the other, for one step of the optimizer."""

    def pin_memory(self) -> "Lesson":
        """The same where a GPU fetches it without waiting; called by the loader."""
        return Lesson(self.kind, tuple(part.pin_memory() for part in self.parts))


class Pages:
    """What there is to learn from: the pages of the training splits, and steps made of them."""

    def __init__(self, web: Collection, config: "BaseModelConfig") -> None:
        splits = PythonDocsQuestions(web).page_splits()
        read = [url for url, split in splits.items() if split in TRAINED_ON]
        held_out = [url for url, split in splits.items() if split == "validation"]
        if not read:
            raise UsageError(f"{web.name} has no pages that training may read: every module of it is in a split that measures")
        self.web = web
        self.texts = [web.fetch(url).text for url in read]
        self.pretexts = Pretexts(web, read, config.settings)
        self.held_out = Pretexts(web, held_out, config.settings) if held_out else None


class Lessons:
    """Makes them, the same for the same number."""

    def __init__(self, pages: Pages, config: "BaseModelConfig", tokenizer: Any) -> None:
        self._pages, self._config, self._tokenizer = pages, config, tokenizer
        self._replacement = Replacement(pages.texts)
        self._documents = [tokenizer(text, verbose=False)["input_ids"] for text in pages.texts]
        self._document_lengths = list(map(len, self._documents))

    def lesson(self, step: int, copy_length: int | None = None) -> Lesson:
        """What a step learns.

        Args:
            step: Its number.
            copy_length: Tokens of the texts to copy from, while that is still to be mastered; then there is nothing else.
        """
        rng = random.Random(f"{self._config.seed} {step}")
        if copy_length is not None:
            return Lesson("copy", (self._copying(copy_length, rng),))
        if step % self._config.copy_every == 0:
            length = int(math.exp(rng.uniform(math.log(16), math.log(self._config.copy_length))))
            return Lesson("copy", (self._copying(length, rng),))
        if step % self._config.read_every == 0:
            return Lesson("read", (self._reading(rng),))
        return Lesson("step", tuple(self._browsing(rng)))

    def _copying(self, length: int, rng: random.Random) -> Batch:
        number = max(4, min(self._config.batch_tokens // 64, self._config.batch_tokens // (3 * length // 2)))
        words = range(self._tokenizer.pad_token_id + 2, len(self._tokenizer))
        sequences = [copying_sequence(self._documents, words, length, rng) for _ in range(number)]
        return Batch.of(sequences, self._tokenizer.pad_token_id)

    def _reading(self, rng: random.Random) -> Batch:
        stretches: list[tuple[list[int], list[float]]] = []
        while len(stretches) * READ_LENGTH < self._config.batch_tokens:
            document = rng.choices(self._documents, self._document_lengths)[0]
            start = rng.randrange(max(1, len(document) - READ_LENGTH))
            stretch = document[start : start + READ_LENGTH]
            stretches.append((stretch, [1.0] * len(stretch)))
        return Batch.of(stretches, self._tokenizer.pad_token_id)

    def _browsing(self, rng: random.Random) -> Iterator[Batch]:
        config = self._config
        steps = self._pages.pretexts.steps(rng, min(config.shortest_view, config.settings.view_height))
        examples: list[_Example] = []
        room = config.batch_tokens
        while room > 0:
            step = next(steps)
            examples.append(self.example(replaced(step, self._replacement, rng) if rng.random() < config.replaced else step))
            room -= len(examples[-1][0].ids)
        # In parts of about the same length, or half of it would be padding; a step is all of them, so it has every kind.
        examples.sort(key=lambda example: len(example[0].ids))
        size = -(-len(examples) // PARTS)
        for start in range(0, len(examples), size):
            part = examples[start : start + size]
            yield Batch.of([(row.ids, weights) for row, weights in part], self._tokenizer.pad_token_id)

    def example(self, step: Pretext) -> _Example:
        """A step as ids and what they count."""
        weight = self._config.choice_weight
        row = text_row(step.observation, step.completion, step.phase, self._tokenizer, choice_weight=weight)
        return row, [0.0] * len(row.prompt) + list(row.token_weights or [1.0] * len(row.completion))


class _Ahead(Dataset[Lesson]):
    """Lessons by number, in a process of its own, which opens the pages for itself."""

    def __init__(self, file: Path, config: "BaseModelConfig", tokenizer: Any) -> None:
        self._file, self._config, self._tokenizer = file, config, tokenizer
        self._lessons: Lessons | None = None

    def __getitem__(self, step: int) -> Lesson:
        if self._lessons is None:
            self._lessons = Lessons(Pages(Collection.open(self._file), self._config), self._config, self._tokenizer)
        return self._lessons.lesson(step)


def lessons_ahead(
    file: Path, config: "BaseModelConfig", tokenizer: Any, first: int, workers: int, device: torch.device
) -> Iterator[Lesson]:
    """The lessons from a step on, without end, made ahead by other processes.

    Args:
        file: The collection.
        config: Of the training.
        tokenizer: Of the model.
        first: The first step.
        workers: Processes.
        device: That learns.
    """
    loader: DataLoader[Lesson] = DataLoader(
        _Ahead(file, config, tokenizer),
        batch_size=None,
        sampler=range(first, 10**12),
        num_workers=workers,
        prefetch_factor=AHEAD,
        pin_memory=device.type == "cuda",
    )
    return iter(loader)


def replaced(step: Pretext, replacement: Replacement, rng: random.Random) -> Pretext:
    """A step with its words replaced, the same word by the same word in all of it."""
    observation, completion = replacement((step.observation, step.completion), rng, share=rng.uniform(0.3, 1.0))
    return Pretext(observation, completion, step.phase)
