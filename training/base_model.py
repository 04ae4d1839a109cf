"""The small base model: what is trained from scratch on the documentation of this machine, before any demonstration.

A hybrid of short convolutions and attention (the LFM2 type of transformers) with a few million parameters. It learns to copy
by a curriculum (`training.copying`), reads documentation, and learns on pages what the next step is (`training.pretexts`),
with words replaced in most examples (`training.replacement`). Pages of the validation and test splits are never read.
"""

import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.question_sets.python_docs import PythonDocsQuestions
from browser_env.collection import Collection
from browser_env.errors import UsageError
from browser_env.records import Settings
from training.copying import Curriculum, copying_sequence
from training.pretexts import Pretext, Pretexts
from training.replacement import Replacement
from training.rows import Row, text_row
from training.runs import begin_run, save_model
from training.tokenizer import train_tokenizer

if TYPE_CHECKING:
    from torch import Tensor

TRAINED_ON = ("bc", "rm", "rl")
"""Splits whose pages are read. What is left is what everything is measured on."""
SMALL_VIEW = Settings(view_width=80, view_height=12, max_actions=30)
"""What the small model sees: 12 lines are about 200 tokens."""


_Example = tuple[Row, list[float]]
"""A row, and what its tokens count in the loss: 0 is not learned."""

PARTS = 3
"""Of a step, one after the other."""
RUN = "run"
"""Folder in that of the model: configuration, tokenizer, checkpoint and log."""
SEEN = 1000
"""Steps that the tokenizer is trained on, beside the pages."""
SAVE_EVERY, LOG_EVERY, MEASURE_EVERY = 200, 50, 500
"""Steps from one checkpoint, line of the log and measurement to the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseModelConfig:
    """How the small base model is made."""

    hidden_size: int = 192
    layers: str = "cacaca"
    """One letter a layer: c for a short convolution, a for attention."""
    heads: int = 4
    intermediate_size: int = 320
    vocabulary: int = 6144
    """Tokens of the tokenizer."""
    context: int = 2048
    """Tokens that the model reads at most."""
    tokens: int = 40_000_000
    """Read before training ends, padding not counted."""
    batch_tokens: int = 4096
    learning_rate: float = 2e-3
    warmup_steps: int = 100
    cooldown: float = 0.25
    """Last share of the tokens, over which the learning rate falls to nothing."""
    copy_length: int = 400
    """Tokens at which texts to copy from stop growing."""
    copy_every: int = 6
    """Steps from one copying step to the next, when copying is mastered."""
    read_every: int = 9
    """Steps from one step of plain reading to the next."""
    replaced: float = 0.6
    """Share of the examples in which words are replaced."""
    shortest_view: int = 3
    """Lines of the shortest views that are learned on, the settings' being the longest: what is to be found stands among less,
    and an example costs less."""
    choice_weight: float = 5.0
    """What the tokens that choose count, where those that are copied behind them count 1."""
    seed: int = 0
    settings: Settings = field(default_factory=lambda: SMALL_VIEW)
    """Format of the observations; it goes with the model."""


def make_model(config: BaseModelConfig, tokenizer: Any) -> Any:
    """An untrained model that transformers knows."""
    import torch
    from transformers import Lfm2Config, Lfm2ForCausalLM

    kinds = {"c": "conv", "a": "full_attention"}
    if not config.layers or not set(config.layers) <= set(kinds):
        raise UsageError(f"--layers is one letter a layer, c or a, got {config.layers!r}")
    torch.manual_seed(config.seed)
    return Lfm2ForCausalLM(
        Lfm2Config(
            vocab_size=len(tokenizer),
            hidden_size=config.hidden_size,
            intermediate_size=config.intermediate_size,
            block_auto_adjust_ff_dim=False,
            num_hidden_layers=len(config.layers),
            num_attention_heads=config.heads,
            num_key_value_heads=config.heads,
            layer_types=[kinds[letter] for letter in config.layers],
            max_position_embeddings=config.context,
            tie_word_embeddings=True,
            pad_token_id=tokenizer.pad_token_id,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
        )
    )


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows side by side, padded on the right."""

    ids: "Tensor"
    """Token ids, shape (B, T)."""
    weights: "Tensor"
    """What they count in the loss, 0 if they are not learned, shape (B, T)."""

    @classmethod
    def of(cls, sequences: Sequence[tuple[Sequence[int], Sequence[float]]], pad: int) -> "Batch":
        """Pad some sequences of ids and weights."""
        import torch

        width = max(len(ids) for ids, _ in sequences)
        ids = torch.full((len(sequences), width), pad)
        weights = torch.zeros(len(sequences), width)
        for row, (tokens, own) in enumerate(sequences):
            ids[row, : len(tokens)] = torch.tensor(tokens)
            weights[row, : len(own)] = torch.tensor(own, dtype=torch.float32)
        return cls(ids, weights)


def next_token_loss(model: Any, batch: Batch) -> tuple["Tensor", "Tensor"]:
    """Weighted mean loss over the learned tokens in nats, and which of them were predicted, shape (learned,).

    The product with the vocabulary is made for learned tokens only, which are one in ten. Padding stands on the right, where
    nothing that is learned looks, so no mask is needed.
    """
    import torch

    hidden = model.model(input_ids=batch.ids, use_cache=False).last_hidden_state[:, :-1]
    weights = batch.weights[:, 1:]
    chosen = weights > 0
    logits = model.lm_head(hidden[chosen])
    wanted = batch.ids[:, 1:][chosen]
    losses = torch.nn.functional.cross_entropy(logits.float(), wanted, reduction="none")
    return (losses * weights[chosen]).sum() / weights.sum(), logits.argmax(-1) == wanted


class BaseModelTraining:
    """One training, from nothing or from where it was stopped."""

    def __init__(self, config: BaseModelConfig, web: Collection, out: Path) -> None:
        """Read the pages, and the last checkpoint if there is one."""
        import torch

        self.config, self.out, self.folder = config, out, out / RUN
        begin_run(self.folder, config)
        docs = PythonDocsQuestions(web)
        splits = docs.page_splits()
        read = [url for url, split in splits.items() if split in TRAINED_ON]
        held_out = [url for url, split in splits.items() if split == "validation"]
        if not read:
            raise UsageError(f"{web.name} has no pages that training may read: every module of it is in a split that measures")
        self.texts = [web.fetch(url).text for url in read]
        self.pretexts = Pretexts(web, read, config.settings)
        self.held_out = Pretexts(web, held_out, config.settings) if held_out else None
        self.replacement = Replacement(self.texts)
        self.tokenizer = self._tokenizer()
        self.documents = [self.tokenizer(text, verbose=False)["input_ids"] for text in self.texts]
        self.model = make_model(config, self.tokenizer)
        matrices = [weight for weight in self.model.parameters() if weight.ndim == 2]
        vectors = [weight for weight in self.model.parameters() if weight.ndim != 2]
        self.optimizer = torch.optim.AdamW(
            [{"params": matrices, "weight_decay": 0.02}, {"params": vectors, "weight_decay": 0.0}], lr=0, betas=(0.9, 0.98)
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
            steps = self.pretexts.steps(rng)
            seen = [step.observation + step.completion for step, _ in zip(steps, range(SEEN), strict=False)]
            train_tokenizer([*self.texts, *seen], self.config.vocabulary, self.config.context).save_pretrained(folder)
        return AutoTokenizer.from_pretrained(folder)

    def run(self, on_step: Callable[["BaseModelTraining", dict[str, float]], None]) -> Path:
        """Train to the end; the result is the model's folder."""
        import torch

        while self.tokens < self.config.tokens:
            began = time.monotonic()
            # Of the step alone, so that a run that was killed goes on as if it had not been.
            kind, parts = self._batch(random.Random(f"{self.config.seed} {self.step}"))
            for group in self.optimizer.param_groups:
                group["lr"] = self._learning_rate()
            whole = sum(float(part.weights[:, 1:].sum()) for part in parts)
            loss = hits = learned = 0.0
            for part in parts:
                mean, right = next_token_loss(self.model, part)
                share = float(part.weights[:, 1:].sum()) / whole
                (mean * share).backward()  # type: ignore[no-untyped-call]
                loss += mean.item() * share
                hits += int(right.sum())
                learned += len(right)
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self.optimizer.step()
            self.optimizer.zero_grad()
            accuracy = hits / learned
            if kind == "copy":
                self.curriculum.observe(accuracy)
            self.step += 1
            self.tokens += sum(int((part.ids != self.tokenizer.pad_token_id).sum()) for part in parts)
            self.seconds += time.monotonic() - began
            on_step(self, {f"{kind} loss": loss, f"{kind} accuracy": accuracy})
            if self.step % SAVE_EVERY == 0:
                self._save()
        self._save()
        save_model(self.out, self.model, self.tokenizer, self.config.settings, dtype=torch.bfloat16)
        return self.out

    def measure(self, number: int = 200, seed: int = 1) -> dict[str, float]:
        """Share of held-out steps whose every token is predicted when those before it are right, by kind.

        Nothing if no page is held out.
        """
        import torch

        if self.held_out is None:
            return {}

        steps = self.held_out.steps(random.Random(seed))
        rows = [self._sequence(step) for step, _ in zip(steps, range(number), strict=False)]
        found: dict[str, list[bool]] = {}
        self.model.eval()
        with torch.inference_mode():
            for first in range(0, number, 20):
                part = rows[first : first + 20]
                batch = Batch.of([(row.ids, weights) for row, weights in part], self.tokenizer.pad_token_id)
                _, right = next_token_loss(self.model, batch)
                parts: Sequence[Tensor] = torch.split(right, [len(row.completion) for row, _ in part])
                for (row, _), hits in zip(part, parts, strict=True):
                    name = self.tokenizer.decode(row.completion).split(" ")[0].rstrip(":")
                    name = name if name in ("Search", "Clicked", "Find", "Quote", "End") else "Answer"
                    found.setdefault(name, []).append(bool(hits.all()))
        self.model.train()
        return {name: sum(hits) / len(hits) for name, hits in sorted(found.items())}

    def measured(self) -> str:
        """The same as one line of text."""
        return "  ".join(f"{name} {share:.0%}" for name, share in self.measure().items())

    def _batch(self, rng: random.Random) -> tuple[str, list[Batch]]:
        """What one step learns: its kind, and its rows in parts."""
        room, pad = self.config.batch_tokens, self.tokenizer.pad_token_id
        if not self.curriculum.is_finished or self.step % self.config.copy_every == 0:
            length = int(self.curriculum.length)
            if self.curriculum.is_finished:
                length = int(math.exp(rng.uniform(math.log(16), math.log(length))))
            number = max(4, min(64, room // (3 * length // 2)))
            words = range(pad + 2, len(self.tokenizer))
            return "copy", [Batch.of([copying_sequence(self.documents, words, length, rng) for _ in range(number)], pad)]
        if self.step % self.config.read_every == 0:
            length = 256
            stretches: list[tuple[list[int], list[float]]] = []
            while len(stretches) * length < room:
                document = rng.choices(self.documents, list(map(len, self.documents)))[0]
                start = rng.randrange(max(1, len(document) - length))
                stretch = document[start : start + length]
                stretches.append((stretch, [1.0] * len(stretch)))
            return "read", [Batch.of(stretches, pad)]
        steps = self.pretexts.steps(rng, min(self.config.shortest_view, self.config.settings.view_height))
        examples: list[_Example] = []
        while sum(len(row.ids) for row, _ in examples) < room:
            step = next(steps)
            examples.append(
                self._sequence(replaced(step, self.replacement, rng) if rng.random() < self.config.replaced else step)
            )
        # In parts of about the same length, or half of it would be padding; a step is all of them, so it has every kind.
        examples.sort(key=lambda example: len(example[0].ids))
        size = -(-len(examples) // PARTS)
        parts = [examples[start : start + size] for start in range(0, len(examples), size)]
        return "step", [Batch.of([(row.ids, weights) for row, weights in part], pad) for part in parts]

    def _sequence(self, step: Pretext) -> _Example:
        weight = self.config.choice_weight
        row = text_row(step.observation, step.completion, step.phase, self.tokenizer, choice_weight=weight)
        return row, [0.0] * len(row.prompt) + list(row.token_weights or [1.0] * len(row.completion))

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
        torch.save(state, self.folder / "checkpoint.part")
        (self.folder / "checkpoint.part").replace(self.folder / "checkpoint.pt")

    def _resume(self) -> None:
        import torch

        file = self.folder / "checkpoint.pt"
        if file.is_file():
            state = torch.load(file, weights_only=True)
            self.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.curriculum = Curriculum(**state["curriculum"])
            self.step, self.tokens, self.seconds = state["counts"]


def replaced(step: Pretext, replacement: Replacement, rng: random.Random) -> Pretext:
    """A step with its words replaced, the same word by the same word in all of it."""
    observation, completion = replacement((step.observation, step.completion), rng, share=rng.uniform(0.3, 1.0))
    return Pretext(observation, completion, step.phase)
