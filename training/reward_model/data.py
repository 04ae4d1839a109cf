"""Data of reward-model training: preferences read from files, split by question, and made into padded batches of token ids."""

import json
import random
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.models.reward_model import RewardModelScore, answer_ids
from browser_env.errors import UsageError
from browser_env.records import Comparison
from browser_env.records.storage import read_records
from training.reward_model.comparisons import preference_group
from training.reward_model.config import RewardModelConfig
from training.reward_model.preferences import PreferenceGroup
from training.reward_model.trl_preferences import read_trl_preferences
from training.reward_model.webgpt_comparisons import import_webgpt_comparisons
from training.supervised.held_out import in_part

if TYPE_CHECKING:
    from training.supervised.batches import Batch

Augment = Callable[[PreferenceGroup, random.Random], PreferenceGroup]
"""Changes a group consistently; applied anew in each epoch."""


@dataclass(frozen=True, slots=True)
class PreferenceData:
    """The training and validation groups of one training."""

    training: "GroupSource"
    validation: "GroupSource"


def make_data(
    config: RewardModelConfig,
    training: Sequence[PreferenceGroup],
    validation: Sequence[PreferenceGroup],
    tokenizer: Any,
    context: int | None,
) -> PreferenceData:
    """Tokenize the training and validation groups of a configuration.

    Raises:
        UsageError: Some answers are longer than `context`, the number of tokens that the model can read (None: no limit).
    """
    make_source = partial(GroupSource, tokenizer=tokenizer, context=context, name=config.policy)
    augment = word_replacement(training, config.replaced) if config.replaced > 0 else None
    return PreferenceData(make_source(training, augment=augment, seed=config.seed), make_source(validation))


# --------------------------------------------------------------------------------------------------------------- groups


def read_preferences(path: Path) -> Iterator[PreferenceGroup]:
    """Yield the groups of a file: this project's comparisons, published ones, or preferences in TRL's format.

    Raises:
        UsageError: The file does not exist.
        RecordError: A line cannot be read.
    """
    if not path.is_file():
        raise UsageError(f"{path} is not a file; pass a file of comparisons")
    with path.open("rb") as lines:
        first = next((line for line in lines if not line.isspace()), b"")
    try:
        row = json.loads(first)
    except ValueError:
        row = None
    if isinstance(row, dict) and "chosen" in row:
        yield from read_trl_preferences(path)
        return
    is_record = isinstance(row, dict) and "schema_version" in row
    comparisons: Iterable[Comparison] = read_records(path, Comparison) if is_record else import_webgpt_comparisons(path)
    for comparison in comparisons:
        if (group := preference_group(comparison)) is not None:
            yield group


def split(groups: Sequence[PreferenceGroup], config: RewardModelConfig) -> tuple[list[PreferenceGroup], list[PreferenceGroup]]:
    """Split groups by question into training and validation ones.

    Raises:
        UsageError: One of the two is empty.
        RecordError: A validation file cannot be read.
    """
    number, parts = parse_part(config.part)
    validation = [group for file in config.validation for group in read_preferences(Path(file))]
    if not validation:
        if not 0 < config.held_out < 1:
            raise UsageError(f"--held-out must be above 0 and below 1, got {config.held_out:g}")
        validation = held_out_of(groups, config)
    held_out = {group.question for group in validation}
    training = [
        group
        for group in groups
        if group.question not in held_out
        and not in_part(group.question, (number - 1) / parts, config.seed, salt="part")
        and in_part(group.question, number / parts, config.seed, salt="part")
    ]
    if not training or not validation:
        purpose = "training" if not training else "validation"
        raise UsageError(f"of {len(groups)} comparisons none is left for {purpose}; pass more, or another --held-out or --part")
    return training, validation


def held_out_of(groups: Iterable[PreferenceGroup], config: RewardModelConfig) -> list[PreferenceGroup]:
    """The groups that a training with this configuration holds out."""
    return [group for group in groups if in_part(group.question, config.held_out, config.seed)]


def parse_part(part: str) -> tuple[int, int]:
    """Parse ``1/2``, the first of two parts."""
    number, _, parts = part.partition("/")
    if not (number.isdecimal() and parts.isdecimal() and 1 <= int(number) <= int(parts)):
        raise UsageError(f"--part must be NUMBER/PARTS, such as 1/2 for the first of two, got {part!r}")
    return int(number), int(parts)


def word_replacement(groups: Sequence[PreferenceGroup], share: float) -> Augment:
    """An augmentation that replaces words, in a random share of the groups, by other words of the comparisons."""
    from training.supervised.replacement import Replacement

    replacement = Replacement(text for group in groups for text in _texts(group))

    def augment(group: PreferenceGroup, draw: random.Random) -> PreferenceGroup:
        if draw.random() >= share:
            return group
        texts = iter(replacement(list(_texts(group)), draw))
        candidates = tuple(replace(candidate, text=next(texts), answer=next(texts)) for candidate in group.candidates)
        return replace(group, candidates=candidates)

    return augment


def _texts(group: PreferenceGroup) -> Iterator[str]:
    for candidate in group.candidates:
        yield candidate.text
        yield candidate.answer


# -------------------------------------------------------------------------------------------------------------- batches


class GroupSource:
    """Groups of compared answers as token ids, augmented anew in each epoch."""

    def __init__(
        self,
        groups: Sequence[PreferenceGroup],
        tokenizer: Any,
        *,
        context: int | None,
        name: str,
        augment: Augment | None = None,
        seed: int = 0,
    ) -> None:
        """Tokenize every answer.

        Args:
            groups: The groups.
            tokenizer: The model's tokenizer.
            context: Context length of the model in tokens. None: no limit.
            name: The model's name, for the error message.
            augment: Changes the groups. Default: no augmentation.
            seed: The seed of the augmentation.

        Raises:
            UsageError: Some answers are longer than `context`.
        """
        self.groups = groups
        self._tokenizer, self._context, self._name, self._augment, self._seed = tokenizer, context, name, augment, seed
        self._ids = [self._tokenize(group) for group in groups]
        sizes = [len(ids) for group_ids in self._ids for ids in group_ids]
        if context is not None and (number := sum(size > context for size in sizes)):
            raise UsageError(
                f"{number:,} of {len(sizes):,} answers are longer than the {context:,} tokens that {name} can read, question "
                f"and references included (the longest has {max(sizes):,}): train a model with a longer context, or leave them "
                "out"
            )
        self.lengths = [max(map(len, group_ids)) for group_ids in self._ids]
        self.tokens = sum(sizes)

    def part(self, share: float, *, seed: int, salt: str) -> "GroupSource":
        """The groups of a random share of the questions."""
        groups = [group for group in self.groups if in_part(group.question, share, seed, salt=salt)]
        return GroupSource(
            groups, self._tokenizer, context=self._context, name=self._name, augment=self._augment, seed=self._seed
        )

    def batch(self, indices: Sequence[int], epoch: int) -> "Batch":
        """Groups as tensors, padded on the right."""
        from training.supervised.batches import padded_groups

        levels = [self.groups[index].levels for index in indices]
        return padded_groups([self._ids_in(epoch, index) for index in indices], levels, self._tokenizer.pad_token_id)

    def _ids_in(self, epoch: int, index: int) -> "list[array[int]]":
        """Token ids in an epoch. If an augmented answer is longer than the context, the original group is taken."""
        if self._augment is not None:
            draw = random.Random(f"{self._seed} {epoch} {index}")
            ids = self._tokenize(self._augment(self.groups[index], draw))
            if self._context is None or max(map(len, ids)) <= self._context:
                return ids
        return self._ids[index]

    def _tokenize(self, group: PreferenceGroup) -> "list[array[int]]":
        return [array("i", answer_ids(self._tokenizer, candidate.text, candidate.answer)) for candidate in group.candidates]

    def scores(self, score: RewardModelScore) -> list[list[float]]:
        """The model's output for each candidate of each group, before normalization."""
        outputs = iter(score.outputs([ids for group_ids in self._ids for ids in group_ids]))
        return [[next(outputs) for _ in group_ids] for group_ids in self._ids]
