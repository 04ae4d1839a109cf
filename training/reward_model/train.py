"""The reward model: the cloned policy with one number for an output learns which answer people prefer (§3.2, Appendix E).

TRL's RewardTrainer carries it, with one loss for pairs, ties and rankings. It reads the question, the references and the
answer, never the browsing.
"""

import json
import math
import random
import shutil
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from tyro.conf import UseAppendAction, arg

from agent.models.folder import load_settings
from agent.models.reward_model import Normalization, RewardModelScore, answer_ids, save_normalization
from browser_env.errors import RecordError, UsageError
from browser_env.pages.characters import clean_line
from browser_env.records import Settings
from training.reward_model.measures import PreferenceFigures, figures
from training.reward_model.preferences import PreferenceGroup, read_trl_preferences
from training.runs import REPORT, RUN, begin_run, save_model
from training.supervised.held_out import in_part

if TYPE_CHECKING:
    from torch import Tensor

    from training.supervised.trainers import Progress

Augment = Callable[[PreferenceGroup, random.Random], PreferenceGroup]
"""Changes a group of answers, all of it consistently."""

SHARES = (1 / 8, 1 / 4, 1 / 2)
"""Of the training questions: the points of the learning curve before the whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardModelConfig:
    """How a reward model is trained. The defaults are for a model of some million parameters on two cores."""

    policy: Annotated[str, arg(metavar="PATH_OR_ID")]
    """The cloned policy that it begins as: a folder (`webgpt train bc`), or a name on the Hugging Face hub."""
    comparisons: Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="FILE", help_behavior_hint="(repeatable)")]
    """Files of comparisons, published comparisons or preferences in TRL's format."""
    validation: Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="FILE", help_behavior_hint="(repeatable)")] = ()
    """The same to measure on; none: a share of the questions is held out."""
    held_out: float = 0.2
    """Share of the questions that are not learned but measured on (the paper: a quarter of 21,500 comparisons)."""
    epochs: float = 1.0
    """Passes over the comparisons (the paper: 6 at most, 1 used)."""
    batch_size: int = 32
    """Groups of answers in one step of the optimizer (the paper: 64 pairs, Table 6)."""
    micro_batch_size: Annotated[int | None, arg(metavar="N")] = None
    """Of them in memory at once; None: all."""
    learning_rate: float = 5e-4
    """Of Adam at its highest: half of cloning's, as in the paper (0.05 and 0.1 of pre-training's, Tables 5 and 6)."""
    warmup: float = 0.05
    """Share of the training in which the learning rate rises to it; then it falls to 0 in a line."""
    weight_decay: float = 0.01
    """Of AdamW."""
    max_grad_norm: float = 1.0
    """Longer gradients are shortened to this."""
    ema_decay: float = 0.99
    """Of the average of the weights, per step; the average is the result (Table 6)."""
    eval_every: int = 0
    """Steps between measurements of accuracy, of which the best is kept; 0: the last average is the result."""
    patience: Annotated[int | None, arg(metavar="N")] = None
    """Measurements without a better one after which training stops; None: it never does."""
    save_every: int = 100
    """Steps between checkpoints, from which a training that was stopped goes on."""
    replaced: float = 0.0
    """Share of the comparisons in which words are replaced by others, consistently and anew in every epoch, so that no answer
    is learned by heart and what is left is how it goes with its question."""
    learning_curve: bool = False
    """Train on an eighth, a quarter and a half of the questions as well, and say how good each is."""
    normalization: Literal["none", "shift", "shift and scale"] = "shift"
    """What becomes of the output: shifted so that the answers learned from have mean 0, and scaled so that they vary by 1."""
    part: str = "1/1"
    """Which part of the training questions is learned: 1/2 and 2/2 give a reward model and one to validate it with."""
    gradient_checkpointing: bool = False
    """Compute twice what does not fit in memory."""
    weights: Literal["bfloat16", "float32"] = "bfloat16"
    """Of the model on disk."""
    max_steps: Annotated[int | None, arg(metavar="N")] = None
    """Stop after so many steps; None: when the epochs are over."""
    seed: int = 0


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """A reward model of less data."""

    share: float
    """Of the training questions."""
    groups: int
    figures: PreferenceFigures
    """On the same held-out comparisons."""


@dataclass(frozen=True, slots=True)
class RewardModelReport:
    """What came of a training."""

    groups: int
    """Comparisons that were learned."""
    ties: int
    """Of them those without any preference."""
    tokens: int
    """Of all their answers, with what was shown, in one epoch."""
    steps: int
    """Of the optimizer."""
    normalization: Normalization
    figures: PreferenceFigures
    """On the held-out comparisons."""
    training_figures: PreferenceFigures
    """On those that were learned."""
    curve: tuple[CurvePoint, ...]
    """The learning curve with the whole at its end; empty: it was not asked for."""
    losses: tuple[tuple[int, float], ...]
    """Training loss by step."""


def train_reward_model(
    config: RewardModelConfig,
    out: Path,
    *,
    groups: Sequence[PreferenceGroup] | None = None,
    on_progress: "Callable[[str, Progress], None] | None" = None,
) -> RewardModelReport:
    """Train a reward model, or go on where that was stopped, and save it.

    Args:
        config: Everything that decides the result.
        out: Folder of the model; ``OUT/run`` holds how it was made. What is done already is not done again.
        groups: What is learned and measured on, in place of the files.
        on_progress: Told of every step, with what is being trained.

    Raises:
        UsageError: There is no such policy, or nothing to learn, or an answer that the model cannot read whole.
        RecordError: A file cannot be read.
    """
    folder = out / RUN
    begin_run(folder, config)
    if (folder / REPORT).is_file():
        return load_report(folder / REPORT)
    found = [group for file in config.comparisons for group in read_preferences(Path(file))] if groups is None else groups
    learned, held_out = split(found, config)
    model, tokenizer = load_policy(config.policy)
    settings = _settings(config.policy)
    context = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    augment = word_replacement(learned, config.replaced) if config.replaced > 0 else None
    make_source = partial(GroupSource, tokenizer=tokenizer, context=context, name=config.policy)
    source = make_source(learned, augment=augment, seed=config.seed)
    validation = make_source(held_out)
    del model
    curve = []
    for share in SHARES if config.learning_curve else ():
        part = [group for group in learned if in_part(group.question, share, config.seed, salt="learning curve")]
        if len(part) < 2:
            continue
        own = folder / f"curve-{share:g}"
        if not (own / REPORT).is_file():
            smaller = make_source(part, augment=augment, seed=config.seed)
            _, _, _, score = _train(config, smaller, validation, own, _named(on_progress, f"{share:.3g} of the data"))
            point = CurvePoint(share, len(part), figures(held_out, validation.scores(score)))
            own.mkdir(exist_ok=True)
            (own / REPORT).write_text(json.dumps(asdict(point), indent=2) + "\n")
            shutil.rmtree(own / "checkpoints", ignore_errors=True)
        curve.append(_read(own / REPORT, CurvePoint))
    trained, steps, losses, score = _train(config, source, validation, folder, _named(on_progress, "reward model"))
    raw = source.scores(score)
    normalization = _normalization([value for values in raw for value in values], config.normalization)
    # What is measured is the model's own logits: a scale makes them no longer those of the preference.
    on_held_out = figures(held_out, validation.scores(score))
    if curve:
        curve.append(CurvePoint(1.0, len(learned), on_held_out))
    report = RewardModelReport(
        groups=len(learned),
        ties=sum(group.is_tie for group in learned),
        tokens=source.tokens,
        steps=steps,
        normalization=normalization,
        figures=on_held_out,
        training_figures=figures(learned, raw),
        curve=tuple(curve),
        losses=tuple(losses),
    )
    import torch

    save_model(out, trained, tokenizer, settings, dtype=getattr(torch, config.weights))
    save_normalization(out, normalization)
    (folder / REPORT).write_text(json.dumps(asdict(report), indent=2) + "\n")
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    return report


def _train(
    config: RewardModelConfig,
    source: "GroupSource",
    validation: "GroupSource",
    folder: Path,
    on_progress: "Callable[[Progress], None] | None",
) -> tuple[Any, int, list[tuple[int, float]], RewardModelScore]:
    """The trained model, its steps, its losses, and its raw score."""
    from training.supervised.averaging import Averaging
    from training.supervised.trainers import GroupRewardTrainer, Optimization, run

    model, tokenizer = load_policy(config.policy)
    reset_score(model, config.seed)

    def accuracy(model: Any) -> float:
        raw = RewardModelScore(model, tokenizer, name="reward model")
        found = figures(validation.groups, validation.scores(raw), resamples=1)
        return found.accuracy.mean if found.accuracy else -found.log_loss

    averaging = Averaging(
        config.ema_decay,
        evaluate=accuracy if config.eval_every else None,
        every=config.eval_every or 1,
        patience=config.patience,
    )
    optimization = Optimization(
        epochs=config.epochs,
        batch_size=config.batch_size,
        micro_batch_size=config.micro_batch_size,
        learning_rate=config.learning_rate,
        warmup=config.warmup,
        weight_decay=config.weight_decay,
        max_grad_norm=config.max_grad_norm,
        max_steps=config.max_steps,
        save_every=config.save_every,
        gradient_checkpointing=config.gradient_checkpointing,
        seed=config.seed,
    )
    checkpoints = folder / "checkpoints"
    trainer = GroupRewardTrainer(model, tokenizer, source, checkpoints, optimization, callbacks=[averaging])
    losses = run(trainer, averaging, checkpoints, on_progress=on_progress)
    trained = trainer.accelerator.unwrap_model(trainer.model)
    score = RewardModelScore(trained, tokenizer, name="reward model")
    return trained, trainer.state.global_step, losses, score


# ----------------------------------------------------------------------------------------------------------------- data


def read_preferences(path: Path) -> Iterator[PreferenceGroup]:
    """The groups of a file, whatever it holds: comparisons of this project, published ones, or preferences in TRL's format.

    Raises:
        UsageError: There is no such file.
        RecordError: A line cannot be read.
    """
    from browser_env.records import Comparison
    from browser_env.records.storage import read_records
    from training.reward_model.comparisons import import_webgpt_comparisons, preference_group

    if not path.is_file():
        raise UsageError(f"there is no file of comparisons {path}")
    with path.open("rb") as lines:
        first = next((line for line in lines if not line.isspace()), b"")
    try:
        row = json.loads(first)
    except ValueError:
        row = None
    if isinstance(row, dict) and "chosen" in row:
        yield from read_trl_preferences(path)
        return
    is_own = isinstance(row, dict) and "schema_version" in row
    comparisons: Iterable[Comparison] = read_records(path, Comparison) if is_own else import_webgpt_comparisons(path)
    for comparison in comparisons:
        if (group := preference_group(comparison)) is not None:
            yield group


def split(groups: Sequence[PreferenceGroup], config: RewardModelConfig) -> tuple[list[PreferenceGroup], list[PreferenceGroup]]:
    """What is learned and what is measured on, by question.

    Raises:
        UsageError: One of them is empty.
    """
    number, number_of = parse_part(config.part)
    validation = [group for file in config.validation for group in read_preferences(Path(file))]
    measured = {group.question for group in validation}
    if not validation:
        if not 0 < config.held_out < 1:
            raise UsageError(f"--held-out must be above 0 and below 1, got {config.held_out:g}")
        validation = held_out_of(groups, config)
        measured = {group.question for group in validation}
    learned = [
        group
        for group in groups
        if group.question not in measured
        and not in_part(group.question, (number - 1) / number_of, config.seed, salt="part")
        and in_part(group.question, number / number_of, config.seed, salt="part")
    ]
    if not learned or not validation:
        what = "to learn" if not learned else "to measure on"
        raise UsageError(
            f"of {len(groups)} comparisons none are left {what}: give more of them, or another --held-out or --part"
        )
    return learned, validation


def held_out_of(groups: Iterable[PreferenceGroup], config: RewardModelConfig) -> list[PreferenceGroup]:
    """Those whose questions a training with that configuration does not learn."""
    return [group for group in groups if in_part(group.question, config.held_out, config.seed)]


def parse_part(part: str) -> tuple[int, int]:
    """``1/2`` is the first of two parts."""
    number, _, number_of = part.partition("/")
    if not (number.isdecimal() and number_of.isdecimal() and 1 <= int(number) <= int(number_of)):
        raise UsageError(f"--part is such as 1/2, the first of two, not {part!r}")
    return int(number), int(number_of)


class GroupSource:
    """Groups of answers as token ids."""

    def __init__(
        self,
        groups: Sequence[PreferenceGroup],
        tokenizer: Any,
        *,
        context: int | None,
        name: str,
        augment: "Augment | None" = None,
        seed: int = 0,
    ) -> None:
        """Make the ids of every answer.

        Args:
            groups: What was compared.
            tokenizer: Of the model.
            context: Tokens that the model reads; None: any number.
            name: Of the model, for the message.
            augment: Changes groups that are learned.
            seed: Of the changes.

        Raises:
            UsageError: Some are longer than the model reads.
        """
        self.groups = groups
        self._tokenizer, self._context, self._augment, self._seed = tokenizer, context, augment, seed
        self._pad: int = tokenizer.pad_token_id
        self._texts = [self._ids(group) for group in groups]
        sizes = [len(text) for texts in self._texts for text in texts]
        if context is not None and (long := sum(size > context for size in sizes)):
            raise UsageError(
                f"{long:,} of {len(sizes):,} answers are longer than the {context:,} tokens that {name} reads, question and "
                f"references included (the longest has {max(sizes):,}): take a model that reads more, or leave them out"
            )
        self.lengths = [max(map(len, texts)) for texts in self._texts]
        self.tokens = sum(sizes)

    def batch(self, indices: Sequence[int], epoch: int) -> "dict[str, Tensor]":
        """Groups as tensors, as they are in an epoch."""
        from training.supervised.trainers import padded_groups

        levels = [self.groups[index].levels for index in indices]
        return padded_groups([self._in_epoch(index, epoch) for index in indices], levels, self._pad)

    def _in_epoch(self, index: int, epoch: int) -> "list[array[int]]":
        if self._augment is not None:
            changed = self._ids(self._augment(self.groups[index], random.Random(f"{self._seed} {epoch} {index}")))
            if self._context is None or max(map(len, changed)) <= self._context:
                return changed
        return self._texts[index]

    def _ids(self, group: PreferenceGroup) -> "list[array[int]]":
        return [array("i", answer_ids(self._tokenizer, one.text, one.answer)) for one in group.candidates]

    def scores(self, score: RewardModelScore) -> list[list[float]]:
        """The model's outputs for each candidate of each group, as they are."""
        flat = iter(score.outputs([text for texts in self._texts for text in texts]))
        return [[next(flat) for _ in texts] for texts in self._texts]


def word_replacement(groups: Sequence[PreferenceGroup], share: float) -> Augment:
    """Replaces the words of a random share of the groups by other words of the comparisons."""
    from training.supervised.replacement import Replacement

    replacement = Replacement(text for group in groups for one in group.candidates for text in (one.text, one.answer))

    def augment(group: PreferenceGroup, draw: random.Random) -> PreferenceGroup:
        if draw.random() >= share:
            return group
        texts = iter(replacement([text for one in group.candidates for text in (one.text, one.answer)], draw))
        candidates = tuple(replace(one, text=next(texts), answer=next(texts)) for one in group.candidates)
        return replace(group, candidates=candidates)

    return augment


# ---------------------------------------------------------------------------------------------------------------- model


def load_policy(name: str) -> tuple[Any, Any]:
    """A policy with one number for an output, in float32, to be trained, and its tokenizer with something that pads.

    Raises:
        UsageError: There is no such model.
    """
    from safetensors import SafetensorError
    from transformers import AutoTokenizer

    from agent.models.scalar_model import load_scalar_model

    folder = Path(name).expanduser()
    source = str(folder) if folder.is_dir() else name
    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(source)
        model = load_scalar_model(source)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise UsageError(f"{name} is no policy that a reward model can begin as: {clean_line(str(error))[:300]}") from error
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token  # an answer ends with its own mark, never with this
    return model, tokenizer


def reset_score(model: Any, seed: int) -> None:
    """Draw the output's weights with variance 1 / (hidden size + 1), as Stiennon et al. do, so that outputs begin about 1."""
    import torch

    weight = model.score.weight
    drawn = torch.randn(weight.shape, generator=torch.Generator().manual_seed(seed)) / math.sqrt(weight.shape[1] + 1)
    with torch.no_grad():
        weight.copy_(drawn)


def _normalization(outputs: Sequence[float], kind: str) -> Normalization:
    """By the outputs for the answers that were learned from."""
    if kind == "none":
        return Normalization()
    mean = math.fsum(outputs) / len(outputs)
    deviation = math.sqrt(math.fsum((output - mean) ** 2 for output in outputs) / len(outputs))
    return Normalization(mean, deviation if kind == "shift and scale" and deviation > 0 else 1.0)


def _settings(policy: str) -> Settings:
    folder = Path(policy).expanduser()
    return (load_settings(folder) if folder.is_dir() else None) or Settings()


def _named(on_progress: "Callable[[str, Progress], None] | None", label: str) -> "Callable[[Progress], None] | None":
    return None if on_progress is None else partial(on_progress, label)


def load_report(file: Path) -> RewardModelReport:
    """The figures of a training that is done.

    Raises:
        RecordError: The file holds none.
    """
    report: RewardModelReport = _read(file, RewardModelReport)
    return report


def _read(file: Path, kind: type[Any]) -> Any:
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(kind).validate_json(file.read_bytes())
    except ValidationError as error:
        raise RecordError(f"{file} is no report of a reward model: delete it to train again") from error
