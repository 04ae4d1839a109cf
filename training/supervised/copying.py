"""The copying task: repeat a span of a text that occurs earlier in the prompt.

Browsing is mostly copying: a query from the question, a quote from the page, an answer from the quotes. A small transformer
that is trained on demonstrations alone takes millions of tokens before it copies at all. Here spans of a text are repeated
behind it, at random distances, and only the repetition has a loss. Texts are short at first and grow as copying succeeds: with
full-length texts from the start the model learns nothing, and with a fixed distance it learns only that distance.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from training.supervised.rows import Row

FIRST_LENGTH = 16
"""Length of the first texts in tokens."""
GROWTH = 1.3
"""Factor by which texts grow."""
MASTERED = 0.8
"""Accuracy above which texts grow."""
SPAN = (4, 32)
"""Minimum and maximum number of tokens of a repeated span."""


@dataclass
class Curriculum:
    """Curriculum of the copying task: the current length of its texts."""

    longest: int
    """Length in tokens at which texts stop growing."""
    length: float = FIRST_LENGTH
    accuracy: float = 0.0
    """Running average of the share of correctly predicted tokens."""

    def observe(self, accuracy: float) -> None:
        """Add the accuracy of a batch; lengthen the texts once the current length is mastered."""
        self.accuracy += 0.1 * (accuracy - self.accuracy)
        if self.accuracy > MASTERED and not self.is_finished:
            self.length = min(self.length * GROWTH, self.longest)
            self.accuracy = 0.0

    @property
    def is_finished(self) -> bool:
        """Whether texts have reached their full length."""
        return self.length >= self.longest


def copying_row(texts: Sequence[Sequence[int]], vocabulary: range, length: int, rng: random.Random) -> Row:
    """A text followed by a span of it; the completion is the span without its first token, which cannot be predicted.

    Args:
        texts: The token ids of documents. Half of the rows use a stretch of one, the other half random tokens.
        vocabulary: The token ids to draw random tokens from.
        length: Number of tokens of the text.
        rng: The source of randomness.
    """
    document = rng.choice(texts) if texts and rng.random() < 0.5 else ()
    if len(document) > length:
        start = rng.randrange(len(document) - length)
        text = tuple(document[start : start + length])
    else:
        text = tuple(rng.choices(vocabulary, k=length))
    size = min(rng.randint(*SPAN), length)
    start = rng.randrange(length - size + 1)
    span = text[start : start + size]
    return Row(text + span[:1], span[1:])


def copying_sequence(
    texts: Sequence[Sequence[int]], vocabulary: range, length: int, rng: random.Random
) -> tuple[list[int], list[bool]]:
    """A text followed by spans of it, half as long as the text together, so that one forward pass learns more.

    Returns:
        Token ids, and whether each has a loss.
    """
    first = copying_row(texts, vocabulary, length, rng)
    text = first.prompt[:-1]
    ids, learned = [*first.ids], [False] * len(first.prompt) + [True] * len(first.completion)
    while len(ids) < 1.5 * length:
        size = min(rng.randint(*SPAN), length)
        start = rng.randrange(length - size + 1)
        ids += text[start : start + size]
        learned += [False] + [True] * (size - 1)
    return ids, learned
