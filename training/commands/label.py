"""`webgpt label`: comparisons by a script that knows the gold evidence and errs as often as people do."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, UseAppendAction, arg

from browser_env.command_line.progress import counting
from browser_env.errors import UsageError
from browser_env.records import Comparison, Episode
from browser_env.records.storage import append_record, drop_torn_line, read_records
from training.scripted_people.labeler import ERROR, Labeler, compared, draw_others, draw_pairs


@dataclass(frozen=True, slots=True)
class Label:
    """Compare answers by a script that knows the evidence: what webgpt compare makes, without people.

    Takes episodes of webgpt sample with several answers to each question (--num). The script weighs what the paper's people
    were told to weigh (unsupported information, the core question, further help, citation errors, irrelevance), reads each
    answer with an error of its own, and rates in five points with ties. Records say `script`. The same command on a larger file
    adds to what is there.

    Exit codes: 0 done, 1 failure, 2 usage, 130 interrupted.
    """

    episodes: Annotated[tuple[Path, ...], Positional, arg(metavar="EPISODES")]
    """Files of episodes."""
    out: Annotated[Path, arg(metavar="FILE")]
    """The comparisons, as JSON Lines."""
    pairs: Annotated[int, arg(metavar="N")] = 8
    """Pairs of answers to each question at most."""
    others: Annotated[UseAppendAction[tuple[Path, ...]], arg(metavar="FILE", help_behavior_hint="(repeatable)")] = ()
    """Files of good answers (`webgpt demonstrate`), of which the first to each question is taken. It is compared with one to
    another question that quotes what is next on the page: as well written, and about something else. Thousands of these cost
    nothing, and a small reward model does not learn without them."""
    error: float = ERROR
    """Standard deviation of the error in an answer's score of 0 to 1. At the default two labelers agree on 75 % of the pairs
    that neither calls equal; 0 never errs."""
    seed: int = 0
    """Of the pairs that are drawn; each seed is a labeler of its own, who errs elsewhere."""

    def run(self) -> int:
        """Compare what is missing; the file's path goes to stdout."""
        if self.pairs < 1:
            raise UsageError(f"--pairs must be at least 1, got {self.pairs}")
        if not self.error >= 0:
            raise UsageError(f"--error must be at least 0, got {self.error:g}")
        drop_torn_line(self.out)
        done = {one.id for one in read_records(self.out, Comparison)} if self.out.exists() else set()
        found = (episode for path in self.episodes for episode in read_records(path, Episode))
        drawn = list(draw_pairs(found, self.pairs, self.seed))
        if not drawn:
            raise UsageError("no two answers to any question differ: sample several with webgpt sample --num")
        drawn += draw_others((episode for path in self.others for episode in read_records(path, Episode)), self.seed)
        labeler = Labeler(self.seed, self.error)
        with counting("comparing", len(drawn)) as advance:
            for pair in drawn:
                comparison = labeler.compare(pair[0].question, [compared(one) for one in pair], seed=self.seed)
                if comparison.id not in done:
                    append_record(self.out, comparison)
                advance(1)
        print(self.out)
        ties = sum(not one.ratings.overall for one in read_records(self.out, Comparison) if one.ratings)
        asked = len({pair[0].question.id for pair in drawn})
        print(f"{len(drawn):,} comparisons of answers to {asked:,} questions, {ties:,} of them ties", file=sys.stderr)
        return 0
