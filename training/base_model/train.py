"""Training of the small base model from scratch on documentation, before any demonstration.

The model is a hybrid of short convolutions and attention (the LFM2 type of transformers) with a few million parameters. It
learns to copy by a curriculum (`training.supervised.copying`), reads documentation, and learns the next step of browsing
from pretext tasks (`training.base_model.pretext_tasks`), with words replaced in most examples
(`training.supervised.replacement`). Pages of the validation and test splits are never training data.
"""

import contextlib
import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any, Final

import torch
from transformers import AutoTokenizer

from agent.models.pretrained import fast_dtype
from browser_env.offline_web.collection import Collection
from browser_env.records.files import replacing
from training.base_model.config import BaseModelConfig
from training.base_model.data import Batch, Batches, Corpus, prefetched_batches
from training.base_model.evaluation import completion_accuracy
from training.base_model.model import make_model, next_token_loss
from training.base_model.tokenizer import train_tokenizer
from training.runs import RUN, begin_run, save_model
from training.supervised.copying import Curriculum

TOKENIZER_EXAMPLES: Final = 1000
"""Number of pretext examples that the tokenizer is trained on, in addition to the pages."""
SAVE_EVERY, LOG_EVERY, MEASURE_EVERY = 200, 50, 500
"""Number of steps from one checkpoint, log entry and measurement to the next."""
WEIGHT_DECAY: Final = 0.02
"""AdamW weight decay of the matrices; vectors have none."""
MAX_GRAD_NORM: Final = 1.0
"""Gradient-norm clipping threshold."""

OnStep = Callable[["BaseModelTraining", Mapping[str, float]], None]
"""Called after each step with the training and the loss and accuracy of the step."""


class BaseModelTraining:
    """A training run, started or resumed from its last checkpoint.

    It uses a GPU if there is one, and bfloat16 where that is fast.
    """

    def __init__(self, config: BaseModelConfig, web: Collection, out: Path, *, workers: int = 0) -> None:
        """Read the pages and the last checkpoint, if there is one.

        Args:
            config: Everything that decides the result.
            web: The documentation.
            out: Output folder of the model.
            workers: Number of processes that make batches in advance; 0 makes each batch when it is needed.

        Raises:
            UsageError: The folder contains a run with another configuration, or the web has no pages of the training splits.
        """
        self.config, self.out, self.folder, self.workers = config, out, out / RUN, workers
        begin_run(self.folder, config)
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.is_half = fast_dtype(self.device) == torch.bfloat16
        self.corpus = Corpus(web, config)
        self.tokenizer = self._load_tokenizer()
        self.batches = Batches(self.corpus, config, self.tokenizer)
        self.model = make_model(config, self.tokenizer).to(self.device)
        self.optimizer = _optimizer(self.model, fused=self.device.type == "cuda")
        self.curriculum = Curriculum(config.copy_length)
        self.step = self.tokens = 0
        self.seconds = 0.0
        self._resume()

    def run(self, on_step: OnStep) -> Path:
        """Train to the end, save the model and return its folder."""
        batches = self._all_batches()
        while self.tokens < self.config.tokens:
            began = time.monotonic()
            batch = next(batches)
            for group in self.optimizer.param_groups:
                group["lr"] = self._learning_rate()
            loss, accuracy = self._update(batch)
            if batch.kind == "copy":
                self.curriculum.observe(accuracy)
            self.step += 1
            self.tokens += batch.tokens
            self.seconds += time.monotonic() - began
            on_step(self, {f"{batch.kind} loss": loss, f"{batch.kind} accuracy": accuracy})
            if self.step % SAVE_EVERY == 0:
                self._save()
        self._save()
        save_model(self.out, self.model, self.tokenizer, self.config.settings, dtype=torch.bfloat16)
        return self.out

    def measure(self) -> dict[str, float]:
        """Accuracy on held-out pretext examples by kind of command; empty if the web has no pages of the validation split."""
        if self.corpus.held_out is None:
            return {}
        return completion_accuracy(self.model, self.tokenizer, self.corpus.held_out, self.batches, self.device)

    # -------------------------------------------------------------------------------------------------------------- steps

    def _all_batches(self) -> Iterator[Batch]:
        """Batches from the current step on: the copying curriculum until it is finished, then all kinds."""
        while not self.curriculum.is_finished:
            yield self.batches.batch(self.step, int(self.curriculum.length))
        if self.workers:
            yield from prefetched_batches(self.corpus.path, self.config, self.tokenizer, self.step, self.workers, self.device)
        while True:
            yield self.batches.batch(self.step)

    def _update(self, batch: Batch) -> tuple[float, float]:
        """Take one optimizer step; returns the loss before it, and the share of the learned tokens that were predicted."""
        loss, hits = torch.zeros((), device=self.device), torch.zeros((), device=self.device)
        for part in batch.micro_batches:
            share = part.weight / batch.weight
            with self._precision():
                mean, right = next_token_loss(self.model, part.to(self.device))
            (mean * share).backward()  # type: ignore[no-untyped-call]
            loss += mean.detach() * share
            hits += right.sum()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), MAX_GRAD_NORM)
        self.optimizer.step()
        self.optimizer.zero_grad()
        # Both are read at once, after all micro-batches, because reading a number waits for the GPU.
        loss_value, num_hits = torch.stack((loss, hits)).tolist()
        return loss_value, num_hits / sum(len(part.learned) for part in batch.micro_batches)

    def _precision(self) -> contextlib.AbstractContextManager[None]:
        return torch.autocast(self.device.type, torch.bfloat16) if self.is_half else contextlib.nullcontext()

    def _learning_rate(self) -> float:
        """Linear warm-up, then constant, then a linear cool-down over the last share of the tokens."""
        remaining = 1 - self.tokens / self.config.tokens
        cooldown = min(1.0, max(remaining, 0.01) / self.config.cooldown) if self.config.cooldown else 1.0
        return self.config.learning_rate * min(1.0, (self.step + 1) / self.config.warmup_steps) * cooldown

    # ---------------------------------------------------------------------------------------------------------------- files

    def _load_tokenizer(self) -> Any:
        """Load the tokenizer of the run; the first time, train it on the pages and on pretext examples."""
        folder = self.folder / "tokenizer"
        if not folder.is_dir():
            examples = islice(self.corpus.pretext_tasks.examples(random.Random(self.config.seed)), TOKENIZER_EXAMPLES)
            texts = [*self.corpus.texts, *(example.observation + example.completion for example in examples)]
            train_tokenizer(texts, self.config.vocabulary, self.config.context).save_pretrained(folder)
        return AutoTokenizer.from_pretrained(folder)

    @property
    def _checkpoint(self) -> Path:
        return self.folder / "checkpoint.pt"

    def _save(self) -> None:
        state = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "curriculum": asdict(self.curriculum),
            "counts": (self.step, self.tokens, self.seconds),
        }
        with replacing(self._checkpoint) as path:
            torch.save(state, path)

    def _resume(self) -> None:
        if self._checkpoint.is_file():
            state = torch.load(self._checkpoint, weights_only=True, map_location=self.device)
            self.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.curriculum = Curriculum(**state["curriculum"])
            self.step, self.tokens, self.seconds = state["counts"]


def _optimizer(model: Any, *, fused: bool) -> torch.optim.AdamW:
    matrices = [weight for weight in model.parameters() if weight.ndim == 2]
    vectors = [weight for weight in model.parameters() if weight.ndim != 2]
    return torch.optim.AdamW(
        [{"params": matrices, "weight_decay": WEIGHT_DECAY}, {"params": vectors, "weight_decay": 0.0}],
        lr=0,
        betas=(0.9, 0.98),
        fused=fused,
    )
