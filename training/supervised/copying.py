"""The copying task: what a small transformer must be able to do before demonstrations can teach it anything.

Browsing is mostly copying (a query out of the question, a quote out of the page, an answer out of the quotes), and a model that
is trained on demonstrations alone takes millions of tokens before it copies at all. Here spans of a text stand a second time
behind it, at random distances, and only the second time is learned. Texts are short at first and grow when copying
succeeds: spans over the full length from the start teach nothing, and a fixed distance teaches only that distance.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from training.supervised.rows import Row

FIRST_LENGTH, GROWTH, MASTERED = 16, 1.3, 0.8
"""Tokens of the first texts, what they grow by, and the share of right tokens at which they do."""
SPAN = (4, 32)
"""Tokens of a span that stands twice."""


@dataclass
class Curriculum:
    """How long the texts are at present."""

    longest: int
    """Tokens at which they stop growing."""
    length: float = FIRST_LENGTH
    accuracy: float = 0.0
    """Running share of tokens that were predicted right."""

    def observe(self, accuracy: float) -> None:
        """Note how one batch was predicted; grow when the present length is mastered."""
        self.accuracy += 0.1 * (accuracy - self.accuracy)
        if self.accuracy > MASTERED and not self.is_finished:
            self.length = min(self.length * GROWTH, self.longest)
            self.accuracy = 0.0

    @property
    def is_finished(self) -> bool:
        """Whether texts have their full length."""
        return self.length >= self.longest


def copying_row(texts: Sequence[Sequence[int]], vocabulary: range, length: int, rng: random.Random) -> Row:
    """A text and spans of it behind it, each as a completion but for its first token, which nothing foretells.

    Args:
        texts: Token ids of documents; half of the texts are a stretch of one, the other half random tokens.
        vocabulary: Ids that random tokens are drawn from.
        length: Tokens of the text; the spans add about half as many.
        rng: Draws everything.
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
    """Several spans behind one text, so that one pass learns more: ids, and which of them are learned."""
    first = copying_row(texts, vocabulary, length, rng)
    text = first.prompt[:-1]
    ids, learned = [*first.ids], [False] * len(first.prompt) + [True] * len(first.completion)
    while len(ids) < 1.5 * length:
        size = min(rng.randint(*SPAN), length)
        start = rng.randrange(length - size + 1)
        ids += text[start : start + size]
        learned += [False] + [True] * (size - 1)
    return ids, learned
