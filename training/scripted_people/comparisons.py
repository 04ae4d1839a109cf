"""Pairs of answers for a scripted labeler to compare, and the file of its comparisons, which can be resumed."""

import random
from collections.abc import Callable, Iterable, Iterator
from itertools import combinations
from pathlib import Path

from agent.evaluation.metrics import final_answer
from browser_env.records import ComparedAnswer, Comparison, Episode
from browser_env.records.digests import stable_hash
from browser_env.records.storage import append_record, drop_torn_line, read_records
from training.scripted_people.labeler import Labeler

Pair = tuple[Episode, Episode]
"""Two episodes to compare as answers to the question of the first one."""


def compared_answer(episode: Episode) -> ComparedAnswer:
    """An episode as a labeler sees it; the text is empty if it has no answer."""
    return ComparedAnswer(
        text=final_answer(episode),
        references=() if episode.failure else episode.references,
        actor=episode.actor,
        episode=episode.id,
    )


def draw_pairs(episodes: Iterable[Episode], max_pairs: int, seed: int) -> Iterator[Pair]:
    """Random pairs of episodes of the same question that differ in their answers or references.

    Args:
        episodes: Those without an answer are left out.
        max_pairs: Maximum number of pairs for each question.
        seed: Seed of the draw.
    """
    distinct: dict[str, dict[str, Episode]] = {}
    for episode in episodes:
        if episode.failure is None and final_answer(episode):
            content = f"{final_answer(episode)}\0{episode.references}"
            distinct.setdefault(episode.question.id, {}).setdefault(content, episode)
    for question_id, answers in distinct.items():
        pairs = list(combinations(answers.values(), 2))
        random.Random(stable_hash(seed, question_id)).shuffle(pairs)
        yield from pairs[:max_pairs]


def draw_others(episodes: Iterable[Episode], seed: int) -> Iterator[Pair]:
    """Pairs of each answer with an answer to another question, which quotes the text just before or after it on the page.

    Good answers to other questions are as well written as the right one and differ only in their subject, which is hard to
    learn from a policy's own answers. If several questions are about one definition, its sentences are compared.

    Args:
        episodes: The first of each question is used; those without an answer and a reference are left out.
        seed: Seed of the draw.
    """
    answered: dict[str, Episode] = {}
    for episode in episodes:
        if episode.failure is None and final_answer(episode) and episode.references:
            answered.setdefault(episode.question.id, episode)
    by_page: dict[str, list[Episode]] = {}
    for episode in answered.values():
        by_page.setdefault(episode.references[0].url, []).append(episode)
    rng = random.Random(stable_hash(seed, "others"))
    groups = [group for group in by_page.values() if len(group) > 1]
    single = [group[0] for group in by_page.values() if len(group) == 1]
    for group in [*groups, *([single] if len(single) > 1 else [])]:
        group.sort(key=lambda episode: (episode.references[0].start, episode.question.id))
        for index, episode in enumerate(group):
            yield episode, group[(index + rng.choice((-1, 1))) % len(group)]


def add_comparisons(
    path: Path, pairs: Iterable[Pair], labeler: Labeler, *, seed: int, on_done: Callable[[int], None] = lambda number: None
) -> None:
    """Add to a file the comparisons of some pairs that it does not contain yet.

    Args:
        path: File of comparisons; created if it does not exist.
        pairs: The pairs to compare.
        labeler: The labeler who compares them.
        seed: Decides the order in which the answers are shown.
        on_done: Called with 1 for each pair that is done.
    """
    drop_torn_line(path)
    path.touch()
    done = {comparison.id for comparison in read_records(path, Comparison)}
    for pair in pairs:
        comparison = labeler.compare(pair[0].question, [compared_answer(episode) for episode in pair], seed=seed)
        if comparison.id not in done:
            append_record(path, comparison)
        on_done(1)
