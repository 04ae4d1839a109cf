"""The small base model: what is trained from scratch on the documentation of this machine, before any demonstration.

A hybrid of short convolutions and attention (the LFM2 type of transformers) with a few million parameters. It learns to copy
by a curriculum (`training.supervised.copying`), reads documentation, and learns on pages what the next step is
(`training.base_model.pretext_tasks`), with words replaced in most examples (`training.supervised.replacement`). Pages of the
validation and test splits are never read.
"""

import contextlib
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from browser_env.offline_web.collection import Collection
from browser_env.records.files import replacing
from training.base_model.config import BaseModelConfig
from training.base_model.model import make_model, next_token_loss
from training.base_model.tokenizer import train_tokenizer
from training.runs import begin_run, save_model
from training.supervised.copying import Curriculum

if TYPE_CHECKING:
    from torch import Tensor

    from training.base_model.data import Lesson


RUN = "run"
"""Folder in that of the model: configuration, tokenizer, checkpoint and log."""
SEEN = 1000
"""Steps that the tokenizer is trained on, beside the pages."""
SAVE_EVERY, LOG_EVERY, MEASURE_EVERY = 200, 50, 500
"""Steps from one checkpoint, line of the log and measurement to the next."""


class BaseModelTraining:
    """One training, from nothing or from where it was stopped; on a GPU if there is one, in bfloat16 where that is fast."""

    def __init__(self, config: BaseModelConfig, web: Collection, out: Path, *, workers: int = 0) -> None:
        """Read the pages, and the last checkpoint if there is one.

        Args:
            config: Everything that decides the result.
            web: The pages.
            out: Folder of the model.
            workers: Processes that make the steps ahead; 0: they are made when they are learned.
        """
        import torch

        from agent.models.pretrained import fast_dtype
        from training.base_model.data import Lessons, Pages

        self.config, self.out, self.folder = config, out, out / RUN
        begin_run(self.folder, config)
        self.workers = workers
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.is_half = fast_dtype(self.device) == torch.bfloat16
        self.pages = Pages(web, config)
        self.tokenizer = self._tokenizer()
        self.lessons = Lessons(self.pages, config, self.tokenizer)
        self.model = make_model(config, self.tokenizer).to(self.device)
        matrices = [weight for weight in self.model.parameters() if weight.ndim == 2]
        vectors = [weight for weight in self.model.parameters() if weight.ndim != 2]
        self.optimizer = torch.optim.AdamW(
            [{"params": matrices, "weight_decay": 0.02}, {"params": vectors, "weight_decay": 0.0}],
            lr=0,
            betas=(0.9, 0.98),
            fused=self.device.type == "cuda",
        )
        self.curriculum = Curriculum(config.copy_length)
        self.step = self.tokens = 0
        self.seconds = 0.0
        self._resume()

    def _tokenizer(self) -> Any:
        from transformers import AutoTokenizer

        folder = self.folder / "tokenizer"
        if not folder.is_dir():
            rng = random.Random(self.config.seed)
            steps = self.pages.pretexts.steps(rng)
            seen = [step.observation + step.completion for step, _ in zip(steps, range(SEEN), strict=False)]
            train_tokenizer([*self.pages.texts, *seen], self.config.vocabulary, self.config.context).save_pretrained(folder)
        return AutoTokenizer.from_pretrained(folder)

    def run(self, on_step: Callable[["BaseModelTraining", dict[str, float]], None]) -> Path:
        """Train to the end; the result is the model's folder."""
        import torch

        lessons = self._all_lessons()
        while self.tokens < self.config.tokens:
            began = time.monotonic()
            lesson = next(lessons)
            for group in self.optimizer.param_groups:
                group["lr"] = self._learning_rate()
            loss, accuracy = self._learn(lesson)
            if lesson.kind == "copy":
                self.curriculum.observe(accuracy)
            self.step += 1
            self.tokens += sum(part.tokens for part in lesson.parts)
            self.seconds += time.monotonic() - began
            on_step(self, {f"{lesson.kind} loss": loss, f"{lesson.kind} accuracy": accuracy})
            if self.step % SAVE_EVERY == 0:
                self._save()
        self._save()
        save_model(self.out, self.model, self.tokenizer, self.config.settings, dtype=torch.bfloat16)
        return self.out

    def _all_lessons(self) -> Iterator["Lesson"]:
        """Copying alone until that is mastered, then everything."""
        from training.base_model.data import lessons_ahead

        while not self.curriculum.is_finished:
            yield self.lessons.lesson(self.step, int(self.curriculum.length))
        if self.workers:
            file = self.pages.web.path
            yield from lessons_ahead(file, self.config, self.tokenizer, self.step, self.workers, self.device)
        while True:
            yield self.lessons.lesson(self.step)

    def _learn(self, lesson: "Lesson") -> tuple[float, float]:
        """One step of the optimizer: the loss before it, and the share of the tokens that were predicted."""
        import torch

        whole = sum(float(part.weights.sum()) for part in lesson.parts)
        loss, hits = torch.zeros((), device=self.device), torch.zeros((), device=self.device)
        for part in lesson.parts:
            share = float(part.weights.sum()) / whole
            with self._precision():
                mean, right = next_token_loss(self.model, part.to(self.device))
            (mean * share).backward()  # type: ignore[no-untyped-call]
            loss += mean.detach() * share
            hits += right.sum()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        # Read once for all parts: a GPU that is asked for a number has to finish what it was given.
        mean_loss, number = torch.stack((loss, hits)).tolist()
        return mean_loss, number / sum(len(part.learned) for part in lesson.parts)

    def _precision(self) -> contextlib.AbstractContextManager[None]:
        import torch

        return torch.autocast(self.device.type, torch.bfloat16) if self.is_half else contextlib.nullcontext()

    def measure(self, number: int = 200, seed: int = 1) -> dict[str, float]:
        """Share of held-out steps whose every token is predicted when those before it are right, by kind.

        Nothing if no page is held out.
        """
        import torch

        from training.base_model.data import Batch

        if self.pages.held_out is None:
            return {}

        steps = self.pages.held_out.steps(random.Random(seed))
        rows = [self.lessons.example(step) for step, _ in zip(steps, range(number), strict=False)]
        found: dict[str, list[bool]] = {}
        self.model.eval()
        with torch.inference_mode():
            for first in range(0, number, 20):
                part = rows[first : first + 20]
                batch = Batch.of([(row.ids, weights) for row, weights in part], self.tokenizer.pad_token_id)
                _, right = next_token_loss(self.model, batch.to(self.device))
                parts: Sequence[Tensor] = torch.split(right.cpu(), [len(row.completion) for row, _ in part])
                for (row, _), hits in zip(part, parts, strict=True):
                    name = self.tokenizer.decode(row.completion).split(" ")[0].rstrip(":")
                    name = name if name in ("Search", "Clicked", "Find", "Quote", "End") else "Answer"
                    found.setdefault(name, []).append(bool(hits.all()))
        self.model.train()
        return {name: sum(hits) / len(hits) for name, hits in sorted(found.items())}

    def measured(self) -> str:
        """The same as one line of text."""
        return "  ".join(f"{name} {share:.0%}" for name, share in self.measure().items())

    def _learning_rate(self) -> float:
        left = 1 - self.tokens / self.config.tokens
        falling = min(1.0, max(left, 0.01) / self.config.cooldown) if self.config.cooldown else 1.0
        return self.config.learning_rate * min(1.0, (self.step + 1) / self.config.warmup_steps) * falling

    def _save(self) -> None:
        import torch

        state = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "curriculum": asdict(self.curriculum),
            "counts": (self.step, self.tokens, self.seconds),
        }
        with replacing(self.folder / "checkpoint.pt") as part:
            torch.save(state, part)

    def _resume(self) -> None:
        import torch

        file = self.folder / "checkpoint.pt"
        if file.is_file():
            state = torch.load(file, weights_only=True, map_location=self.device)
            self.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.curriculum = Curriculum(**state["curriculum"])
            self.step, self.tokens, self.seconds = state["counts"]
