"""`webgpt label`: comparisons by a script that knows the gold evidence and errs about as often as people do."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, UseAppendAction, arg

from browser_env.command_line.progress import counting
from browser_env.errors import UsageError
from browser_env.records import Comparison, Episode
from browser_env.records.storage import read_records
from training.scripted_people.comparisons import Pair, add_comparisons, draw_others, draw_pairs
from training.scripted_people.labeler import ERROR, Labeler


@dataclass(frozen=True, slots=True)
class Label:
    """Compare answers with a script that knows the gold evidence, instead of people (`webgpt compare`).

    The inputs are files of episodes with several answers to each question (`webgpt sample --num N`). The script scores each
    answer by the priorities of the paper's labelers (unsupported information, the core question, additional help, citation
    errors, irrelevant information), adds a random error to each score, and rates the pair in five points with ties. The records
    have the labeler `script`. Running the command again on a larger file adds the missing comparisons.

    Exit codes: 0 done, 1 failure, 2 usage error, 130 interrupted.
    """

    episodes: Annotated[tuple[Path, ...], Positional, arg(metavar="EPISODES")]
    """Files of episodes, made by `webgpt sample`."""
    out: Annotated[Path, arg(metavar="FILE")]
    """Output file of comparisons, as JSON Lines."""
    pairs: Annotated[int, arg(metavar="N")] = 8
    """Maximum number of pairs of answers to each question."""
    others: Annotated[UseAppendAction[tuple[Path, ...]], arg(metavar="FILE", help_behavior_hint="(repeatable)")] = ()
    """File of good answers, made by `webgpt demonstrate`; the first answer to each question is used. It is compared with an
    answer to another question that quotes the text before or after it on the page: as well written, but off the subject. A
    small reward model does not learn without such comparisons, and thousands of them cost nothing."""
    error: float = ERROR
    """Standard deviation of the labeler's error in an answer's score, which is from 0 to 1. With the default two labelers
    agree on 75 % of the pairs that neither rates as a tie; with 0 the labeler never errs."""
    seed: int = 0
    """Random seed of the pairs; each seed is another labeler, who makes other errors."""

    def run(self) -> int:
        """Add the missing comparisons to the file and print its path."""
        pairs = self._pairs()
        with counting("comparing", len(pairs)) as advance:
            add_comparisons(self.out, pairs, Labeler(self.seed, self.error), seed=self.seed, on_done=advance)
        print(self.out)
        ratings = [comparison.ratings for comparison in read_records(self.out, Comparison)]
        ties = sum(rating is not None and not rating.overall for rating in ratings)
        questions = len({first.question.id for first, _ in pairs})
        print(f"{len(pairs):,} comparisons of answers to {questions:,} questions, {ties:,} of them ties", file=sys.stderr)
        return 0

    def _pairs(self) -> list[Pair]:
        if self.pairs < 1:
            raise UsageError(f"--pairs must be at least 1, got {self.pairs}")
        if not self.error >= 0:
            raise UsageError(f"--error must be at least 0, got {self.error:g}")
        pairs = list(draw_pairs(_episodes(self.episodes), self.pairs, self.seed))
        if not pairs:
            raise UsageError("no question has two different answers; sample several with webgpt sample --num N")
        return pairs + list(draw_others(_episodes(self.others), self.seed))


def _episodes(paths: Sequence[Path]) -> Iterator[Episode]:
    return (episode for path in paths for episode in read_records(path, Episode))
