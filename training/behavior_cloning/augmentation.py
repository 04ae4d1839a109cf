"""Augmentations of demonstrations: word replacement and the copying task."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

from browser_env.records import Episode
from training.supervised.copying import SPAN, copying_row
from training.supervised.replacement import Replacement
from training.supervised.rows import Row

SHORTEST_COPIED = 16
"""Minimum number of tokens of a text of the copying task; the maximum is that of the demonstrated prompts."""

Augment = Callable[[Episode, random.Random], Episode]
"""Changes an episode of one step consistently; applied anew in each epoch."""


def word_replacement(episodes: Sequence[Episode], share: float) -> Augment:
    """An augmentation that replaces words, in a random share of the examples, by other words of the demonstrations."""
    replacement = Replacement(step.observation for episode in episodes for step in episode.steps)

    def augment(episode: Episode, draw: random.Random) -> Episode:
        if draw.random() >= share:
            return episode
        steps = []
        for step in episode.steps:
            action = step.completion if step.command is None else step.command
            observation, action = replacement([step.observation, action], draw)
            steps.append(replace(step, observation=observation, completion=action, command=None))
        return replace(episode, steps=tuple(steps))

    return augment


def copying_task(prompts: Sequence[Sequence[int]]) -> Callable[[random.Random], Row]:
    """A function that draws rows of the copying task over demonstrated prompts, given as token ids."""
    ids = {token for prompt in prompts for token in prompt}
    vocabulary = range(min(ids), max(ids) + 1)
    longest = max(SHORTEST_COPIED, max(map(len, prompts)) - SPAN[1])

    def draw_row(draw: random.Random) -> Row:
        return copying_row(prompts, vocabulary, draw.randint(SHORTEST_COPIED, longest), draw)

    return draw_row
