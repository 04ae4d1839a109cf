"""Demonstrations as rows to learn: files and their weights, what is held out, and what changes examples on the fly."""

import math
import random
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.evaluation.metrics import is_correct
from browser_env.errors import UsageError
from browser_env.pages.characters import clean_line
from browser_env.records import Episode, Question, Settings, Step
from browser_env.records.digests import stable_hash
from browser_env.records.storage import read_records
from training.behavior_cloning.mistakes import mistakes
from training.supervised.held_out import in_part
from training.supervised.rows import Row, step_row

if TYPE_CHECKING:
    from torch import Tensor

    from training.supervised.trainers import ExtraRows

SHORTEST_COPIED = 16
"""Tokens of the shortest text of the copying task; the longest is as long as the longest demonstrated prompt."""

Augment = Callable[[Episode, random.Random], Episode]
"""Changes an episode of one step, consistently; called anew for every epoch."""


def read_demonstrations(specs: Sequence[str]) -> list[tuple[Episode, float]]:
    """Episodes with their weights, of several files.

    Args:
        specs: ``FILE`` or ``FILE:WEIGHT``; the weight multiplies the loss of the file's steps.

    Raises:
        UsageError: A weight is not above 0, or there is no file or no episode.
        RecordError: A file cannot be read.
    """
    episodes: list[tuple[Episode, float]] = []
    for spec in specs:
        path, weight = parse_demonstrations(spec)
        found = [(episode, weight) for episode in read_records(path, Episode) if episode.failure is None]
        if not found:
            raise UsageError(f"{path} holds no episodes to learn from")
        episodes += found
    if not episodes:
        raise UsageError("there is nothing to learn from: name a file of episodes with --demonstrations")
    return episodes


def parse_demonstrations(spec: str) -> tuple[Path, float]:
    """A file and its weight. A file whose own name ends like a weight is that file."""
    name, colon, weight = spec.rpartition(":")
    if Path(spec).is_file() or not colon:
        name, weight = spec, "1"
    try:
        number = float(weight)
    except ValueError:
        name, number = spec, 1.0
    if not (math.isfinite(number) and number > 0):
        raise UsageError(f"--demonstrations {spec}: a weight is a number above 0")
    if not Path(name).is_file():
        raise UsageError(f"--demonstrations {spec}: there is no file {name}")
    return Path(name), number


def split(
    episodes: Sequence[tuple[Episode, float]], share: float, seed: int
) -> tuple[list[tuple[Episode, float]], list[tuple[Episode, float]]]:
    """What is learned and what is held out, by question; at least one question is learned and, if any may, one held out."""
    if not 0 <= share < 1:
        raise UsageError(f"--held-out must be from 0 to below 1, got {share:g}")
    names = sorted({_question_key(episode) for episode, _ in episodes}, key=lambda name: stable_hash("held out", seed, name))
    kept = {name for name in names if in_part(name, share, seed)}
    if share and not kept and len(names) > 1:
        kept = {names[0]}
    if len(kept) == len(names):
        kept.discard(names[-1])
    learned = [one for one in episodes if _question_key(one[0]) not in kept]
    return learned, [one for one in episodes if _question_key(one[0]) in kept]


def _question_key(episode: Episode) -> str:
    return clean_line(episode.question.text).casefold()


def common_settings(episodes: Sequence[Episode]) -> Settings:
    """The settings of most of the episodes: what the policy is asked with."""
    return Counter(episode.settings for episode in episodes).most_common(1)[0][0]


def judged_questions(questions: Iterable[Question], number: int, seed: int) -> list[Question]:
    """A random sample of the questions of which it is known what answers them, each once."""
    known = {question.text: question for question in questions if is_correct(question, "", ()) is not None}
    return [known[text] for text in sorted(known, key=lambda text: stable_hash("judged", seed, text))][:number]


class StepSource:
    """The steps of some episodes as rows, each made when it is asked for."""

    def __init__(
        self,
        episodes: Iterable[tuple[Episode, float]],
        tokenizer: Any,
        *,
        context: int | None,
        name: str,
        augment: Augment | None = None,
        choice_weight: float = 1.0,
        with_mistakes: bool = True,
        seed: int = 0,
    ) -> None:
        """Make every row once, for its length; rows that nothing changes are kept.

        Args:
            episodes: With their weights; the weights of all tokens are scaled to a mean of about 1.
            tokenizer: Of the model.
            context: Tokens that the model reads; None: any number.
            name: Of the model, for the message.
            augment: Changes episodes of one step.
            choice_weight: See `training.supervised.rows.text_row`.
            with_mistakes: Whether the steps count that were taken back.
            seed: Of the changes.

        Raises:
            UsageError: Some rows are longer than the model reads.
        """
        self._tokenizer = tokenizer
        self._augment = augment
        self._seed = seed
        self._context = context
        self._choice_weight = choice_weight
        self._steps: list[tuple[Episode, Step]] = []
        self._rows: list[tuple[int, array[int], tuple[float, ...]]] = []
        weights: list[float] = []
        for episode, weight in episodes:
            skipped = frozenset() if with_mistakes else mistakes(episode)
            for number, step in enumerate(episode.steps):
                if step.problem is None and number not in skipped:
                    row = step_row(step, tokenizer, choice_weight=choice_weight)
                    self._steps.append((episode, step))
                    self._rows.append((len(row.prompt), array("i", row.ids), row.token_weights))
                    weights.append(weight)
        mean = math.fsum(weights) / len(weights) if weights else 1.0
        chosen = [one for *_, token_weights in self._rows for one in token_weights]
        mean *= math.fsum(chosen) / len(chosen) if chosen else 1.0
        self._weights = [weight / mean for weight in weights]
        self.lengths = [len(ids) for _, ids, _ in self._rows]
        if context is not None and (long := sum(length > context for length in self.lengths)):
            raise UsageError(
                f"{long:,} of {len(self.lengths):,} steps of the demonstrations are longer than the {context:,} tokens that "
                f"{name} reads (the longest has {max(self.lengths):,}), and no action is cut: "
                "record them with a smaller --view-height, or clone into a model that reads more"
            )

    @property
    def action_tokens(self) -> int:
        """Tokens that are learned, in all rows."""
        return sum(len(ids) - start for start, ids, _ in self._rows)

    @property
    def longest_completion(self) -> int:
        """Tokens of the longest command or answer."""
        return max((len(ids) - start for start, ids, _ in self._rows), default=0)

    def prompts(self) -> Iterator[tuple[int, ...]]:
        """What is read, row by row."""
        return (tuple(ids[:start]) for start, ids, _ in self._rows)

    def row(self, index: int, epoch: int) -> Row:
        """A row as it is in an epoch."""
        if self._augment is not None:
            episode, step = self._steps[index]
            draw = random.Random(f"{self._seed} {epoch} {index}")
            changed = self._augment(replace(episode, steps=(step,)), draw)
            row = step_row(changed.steps[0], self._tokenizer, self._weights[index], self._choice_weight)
            if self._context is None or len(row.ids) <= self._context:
                return row
        start, ids, token_weights = self._rows[index]
        return Row(tuple(ids[:start]), tuple(ids[start:]), self._weights[index], token_weights)

    def batch(self, indices: Sequence[int], epoch: int) -> "dict[str, Tensor]":
        """Rows as tensors, padded on the right."""
        from training.supervised.trainers import padded_rows

        return padded_rows([self.row(index, epoch) for index in indices])


def word_replacement(episodes: Sequence[Episode], share: float) -> Augment:
    """Replaces the words of a random share of the examples by other words of the demonstrations."""
    from training.supervised.replacement import Replacement

    replacement = Replacement(step.observation for episode in episodes for step in episode.steps)

    def augment(episode: Episode, draw: random.Random) -> Episode:
        if draw.random() >= share:
            return episode
        steps = []
        for step in episode.steps:
            said = step.completion if step.command is None else step.command
            observation, command = replacement([step.observation, said], draw)
            steps.append(replace(step, observation=observation, completion=command, command=None))
        return replace(episode, steps=tuple(steps))

    return augment


def copying_task(source: StepSource) -> "ExtraRows":
    """Rows of the copying task over what the demonstrations show."""
    from training.supervised.copying import SPAN, copying_row

    texts = list(source.prompts())
    ids = {token for text in texts for token in text}
    vocabulary = range(min(ids), max(ids) + 1)
    longest = max(SHORTEST_COPIED, max(map(len, texts)) - SPAN[1])

    def draw_row(draw: random.Random) -> Row:
        return copying_row(texts, vocabulary, draw.randint(SHORTEST_COPIED, longest), draw)

    return draw_row
