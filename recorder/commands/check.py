"""`webgpt data check`: whether what was recorded is whole."""

import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from recorder.data.checks import Ids, problems_of
from recorder.data.recorded import NAMES, Found, Problem, Unfinished, look


@dataclass(frozen=True, slots=True)
class Check:
    """Check records and recordings: one line on stdout for each problem, with its file and line.

    Every record is read strictly, its places and parts are held against each other, and ids must be unique. In the folder of
    `webgpt record` or `webgpt compare`, each finished recording is held against its digest and done again from its events; a
    demonstration must also replay in the environment to exactly the text that was shown.

    Exit codes: 0 everything is in order, 1 something is not, 2 usage.
    """

    sources: Annotated[tuple[Path, ...], Positional, arg(metavar="FILE|DIR...")]
    """Files of episodes, comparisons or questions, and folders of recordings."""

    def run(self) -> int:
        """Print what is wrong; a summary goes to stderr."""
        counts: Counter[str] = Counter()
        ids = Ids()
        for one in look(self.sources):
            match one:
                case Problem():
                    problems = [one]
                case Unfinished():
                    problems = []
                    counts["unfinished recording"] += 1
                case Found():
                    counts[NAMES[type(one.record)]] += 1
                    problems = [Problem(one.where, what) for what in problems_of(one.record)]
                    problems += filter(None, [ids.problem(one)])
            counts["problem"] += len(problems)
            for problem in problems:
                print(problem)
        kinds = [*NAMES.values(), "unfinished recording"]
        parts = [f"{counts[kind]:,} {kind}{'s' if counts[kind] != 1 else ''}" for kind in kinds if counts[kind]]
        verdict = f"problems: {counts['problem']:,}" if counts["problem"] else "all in order"
        print(f"{', '.join(parts) or 'no records'}; {verdict}", file=sys.stderr)
        return 1 if counts["problem"] else 0
