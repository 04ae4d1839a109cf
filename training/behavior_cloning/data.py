"""Data of behavior cloning: episodes read from files, split by question, and made into rows and padded batches."""

import math
import random
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.evaluation.metrics import is_correct
from browser_env.errors import UsageError
from browser_env.pages.characters import clean_line
from browser_env.records import Episode, Question, Settings, Step
from browser_env.records.digests import stable_hash
from browser_env.records.storage import read_records
from training.behavior_cloning.augmentation import Augment, word_replacement
from training.behavior_cloning.config import CloningConfig
from training.behavior_cloning.mistakes import mistakes
from training.supervised.held_out import in_part
from training.supervised.rows import Row, step_row

if TYPE_CHECKING:
    from training.supervised.batches import Batch

WeightedEpisode = tuple[Episode, float]
"""An episode and the loss weight of its steps."""


@dataclass(frozen=True, slots=True)
class CloningData:
    """The training and validation data of one training."""

    training: "StepSource"
    validation: "StepSource"
    settings: Settings
    """The format of most training episodes."""
    questions: list[Question]
    """Held-out questions that are answered in each evaluation."""


def load_data(config: CloningConfig, tokenizer: Any, context: int | None) -> CloningData:
    """Load the training and validation data of a configuration.

    Args:
        config: The configuration.
        tokenizer: The model's tokenizer.
        context: Context length of the model in tokens. None: no limit.

    Raises:
        UsageError: There are no demonstrations, or some steps are longer than `context`.
        RecordError: A file cannot be read.
    """
    learned, held_out = split(read_demonstrations(config.demonstrations), config.held_out, config.seed)
    episodes = [episode for episode, _ in learned]
    make_source = partial(
        StepSource, tokenizer=tokenizer, context=context, name=config.base, with_mistakes=config.learn_mistakes
    )
    return CloningData(
        training=make_source(
            learned,
            augment=word_replacement(episodes, config.replaced) if config.replaced > 0 else None,
            choice_weight=config.choice_weight,
            seed=config.seed,
        ),
        validation=make_source(held_out),
        settings=Counter(episode.settings for episode in episodes).most_common(1)[0][0],
        questions=rollout_questions([episode.question for episode, _ in held_out], config.eval_questions, config.seed),
    )


# ------------------------------------------------------------------------------------------------------------- episodes


def read_demonstrations(specs: Sequence[str]) -> list[WeightedEpisode]:
    """Read the episodes of several files, without those that failed.

    Args:
        specs: ``FILE`` or ``FILE:WEIGHT``.

    Raises:
        UsageError: A weight is not a positive number, or a file does not exist or has no episodes.
        RecordError: A file cannot be read.
    """
    episodes: list[WeightedEpisode] = []
    for spec in specs:
        path, weight = parse_demonstrations(spec)
        weighted = [(episode, weight) for episode in read_records(path, Episode) if episode.failure is None]
        if not weighted:
            raise UsageError(f"{path} contains no episodes to learn from")
        episodes += weighted
    if not episodes:
        raise UsageError("there are no demonstrations: pass a file of episodes with --demonstrations")
    return episodes


def parse_demonstrations(spec: str) -> tuple[Path, float]:
    """Parse ``FILE`` or ``FILE:WEIGHT``. If there is a file of this whole name, it is the file, with weight 1.

    Raises:
        UsageError: The weight is not a positive number, or the file does not exist.
    """
    name, colon, weight = spec.rpartition(":")
    if Path(spec).is_file() or not colon:
        name, weight = spec, "1"
    try:
        number = float(weight)
    except ValueError:
        name, number = spec, 1.0
    if not (math.isfinite(number) and number > 0):
        raise UsageError(f"--demonstrations {spec}: expected a weight above 0")
    if not Path(name).is_file():
        raise UsageError(f"--demonstrations {spec}: there is no file {name}")
    return Path(name), number


def split(episodes: Sequence[WeightedEpisode], share: float, seed: int) -> tuple[list[WeightedEpisode], list[WeightedEpisode]]:
    """Split episodes by question into training and held-out ones.

    At least one question is in training. Of two or more questions at least one is held out, if `share` is above 0.

    Raises:
        UsageError: The share is not from 0 to below 1.
    """
    if not 0 <= share < 1:
        raise UsageError(f"--held-out must be from 0 to below 1, got {share:g}")
    keys = sorted({_question_key(episode) for episode, _ in episodes}, key=lambda key: stable_hash("held out", seed, key))
    held_out = {key for key in keys if in_part(key, share, seed)}
    if share and not held_out and len(keys) > 1:
        held_out = {keys[0]}
    if len(held_out) == len(keys):
        held_out.discard(keys[-1])
    parts: tuple[list[WeightedEpisode], list[WeightedEpisode]] = ([], [])
    for episode, weight in episodes:
        parts[_question_key(episode) in held_out].append((episode, weight))
    return parts


def _question_key(episode: Episode) -> str:
    return clean_line(episode.question.text).casefold()


def rollout_questions(questions: Iterable[Question], number: int, seed: int) -> list[Question]:
    """A random sample of the distinct questions whose answers can be checked."""
    checkable = {question.text: question for question in questions if is_correct(question, "", ()) is not None}
    texts = sorted(checkable, key=lambda text: stable_hash("judged", seed, text))
    return [checkable[text] for text in texts[:number]]


def learnable_steps(episodes: Iterable[WeightedEpisode], *, with_mistakes: bool) -> Iterator[tuple[Episode, Step, float]]:
    """Yield each valid step with its episode and weight; mistakes are left out unless `with_mistakes`."""
    for episode, weight in episodes:
        skipped = frozenset() if with_mistakes else mistakes(episode)
        for number, step in enumerate(episode.steps):
            if step.problem is None and number not in skipped:
                yield episode, step, weight


# ----------------------------------------------------------------------------------------------------- rows and batches


@dataclass(frozen=True, slots=True)
class _PackedRow:
    """A row with its token ids as 32-bit integers, which take a fraction of the memory of a tuple."""

    ids: "array[int]"
    start: int
    """Index of the completion's first token."""
    token_weights: tuple[float, ...]

    @classmethod
    def of(cls, row: Row) -> "_PackedRow":
        return cls(array("i", row.ids), len(row.prompt), row.token_weights)

    def prompt(self) -> tuple[int, ...]:
        return tuple(self.ids[: self.start])

    def unpacked(self, weight: float) -> Row:
        return Row(self.prompt(), tuple(self.ids[self.start :]), weight, self.token_weights)


class StepSource:
    """Steps of episodes as rows, augmented anew in each epoch."""

    def __init__(
        self,
        episodes: Iterable[WeightedEpisode],
        tokenizer: Any,
        *,
        context: int | None,
        name: str,
        augment: Augment | None = None,
        choice_weight: float = 1.0,
        with_mistakes: bool = True,
        seed: int = 0,
    ) -> None:
        """Make the row of every step.

        Args:
            episodes: Episodes and the loss weights of their steps; weights are scaled to a mean of about 1 over all tokens.
            tokenizer: The model's tokenizer.
            context: Context length of the model in tokens. None: no limit.
            name: The model's name, for the error message.
            augment: Changes the examples. Default: no augmentation.
            choice_weight: See `training.supervised.rows.text_row`.
            with_mistakes: Whether to learn the steps that were taken back or found nothing.
            seed: The seed of the augmentation.

        Raises:
            UsageError: Some rows are longer than `context`.
        """
        self._tokenizer = tokenizer
        self._augment = augment
        self._seed = seed
        self._context = context
        self._choice_weight = choice_weight
        steps = list(learnable_steps(episodes, with_mistakes=with_mistakes))
        self._steps = [(episode, step) for episode, step, _ in steps]
        self._rows = [_PackedRow.of(step_row(step, tokenizer, choice_weight=choice_weight)) for _, step in self._steps]
        self._weights = _scaled([weight for _, _, weight in steps], self._rows)
        self.lengths = [len(row.ids) for row in self._rows]
        if context is not None and (number := sum(length > context for length in self.lengths)):
            raise UsageError(
                f"{number:,} of {len(self.lengths):,} steps of the demonstrations are longer than the {context:,} tokens that "
                f"{name} can read (the longest has {max(self.lengths):,}), and actions are not truncated: "
                "record with a smaller --view-height, or train a model with a longer context"
            )

    @property
    def action_tokens(self) -> int:
        """Number of tokens with a loss, in all rows."""
        return sum(len(row.ids) - row.start for row in self._rows)

    @property
    def longest_completion(self) -> int:
        """Length of the longest command or answer in tokens."""
        return max((len(row.ids) - row.start for row in self._rows), default=0)

    def prompts(self) -> list[tuple[int, ...]]:
        """The token ids of each row's prompt."""
        return [row.prompt() for row in self._rows]

    def row(self, index: int, epoch: int) -> Row:
        """The row of a step in an epoch. An augmented row that is longer than the context is replaced by the original."""
        if self._augment is not None:
            episode, step = self._steps[index]
            draw = random.Random(f"{self._seed} {epoch} {index}")
            changed = self._augment(replace(episode, steps=(step,)), draw)
            row = step_row(changed.steps[0], self._tokenizer, self._weights[index], self._choice_weight)
            if self._context is None or len(row.ids) <= self._context:
                return row
        return self._rows[index].unpacked(self._weights[index])

    def batch(self, indices: Sequence[int], epoch: int) -> "Batch":
        """Rows as tensors, padded on the right."""
        from training.supervised.batches import padded_rows

        return padded_rows([self.row(index, epoch) for index in indices])


def _scaled(weights: Sequence[float], rows: Sequence[_PackedRow]) -> list[float]:
    """Row weights, scaled so that the product of row and token weights has a mean of about 1."""
    mean = math.fsum(weights) / len(weights) if weights else 1.0
    token_weights = [weight for row in rows for weight in row.token_weights]
    mean *= math.fsum(token_weights) / len(token_weights) if token_weights else 1.0
    return [weight / mean for weight in weights]
