"""`webgpt data check`: check records and recordings."""

import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from recorder.data.checks import Ids, problems_of
from recorder.data.recorded import NAMES, LocatedRecord, Problem, Unfinished, read_sources


@dataclass(frozen=True, slots=True)
class Check:
    """Check records and recordings, and print each problem with its file and line.

    Records must be valid and consistent, with unique ids. Finished recordings of `webgpt record` and `webgpt compare` must
    match their digest and their events. Demonstrations must replay in the environment to exactly the text that was shown.

    Exit codes: 0 no problems, 1 problems found, 2 usage error.
    """

    sources: Annotated[tuple[Path, ...], Positional, arg(metavar="FILE|DIR...")]
    """Files of episodes, comparisons or questions, and folders of recordings."""

    def run(self) -> int:
        """Print the problems, and a summary on stderr."""
        counts: Counter[str] = Counter()
        ids = Ids()
        for entry in read_sources(self.sources):
            match entry:
                case Problem():
                    problems = [entry]
                case Unfinished():
                    problems = []
                    counts["unfinished recording"] += 1
                case LocatedRecord():
                    counts[NAMES[type(entry.record)]] += 1
                    problems = [Problem(entry.location, message) for message in problems_of(entry.record)]
                    problems += filter(None, [ids.problem(entry)])
            counts["problem"] += len(problems)
            for problem in problems:
                print(problem)
        kinds = [*NAMES.values(), "unfinished recording"]
        parts = [f"{counts[kind]:,} {kind}{'s' if counts[kind] != 1 else ''}" for kind in kinds if counts[kind]]
        verdict = f"problems: {counts['problem']:,}" if counts["problem"] else "no problems"
        print(f"{', '.join(parts) or 'no records'}; {verdict}", file=sys.stderr)
        return 1 if counts["problem"] else 0
