"""`webgpt questions`: make or convert a question set, as one file of records."""

import random
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from agent.question_sets.registry import load_questions
from browser_env.command_line.open_web import open_web
from browser_env.errors import UsageError, WebGPTError
from browser_env.records import Question
from browser_env.records.files import replacing
from browser_env.records.storage import append_record

MAX_KINDS = 10
"""Kinds that are counted on stderr, the most frequent first."""


@dataclass(frozen=True, slots=True)
class Questions:
    """Make a question set, or read a published one, and write it as JSON Lines: one question a line, with what is known of it.

    A set is pydoc (questions made from the documentation of this Python, with the sentences that answer them), a file of your
    own (records, or plain text with a question a line), truthfulqa:PATH, eli5:PATH, triviaqa:PATH, nq:PATH, squad:PATH,
    arc:PATH or hf:NAME. Each takes a split behind it, as in pydoc:test. Splits are bc, rm, rl, validation and test.
    """

    set: Annotated[str, Positional, arg(metavar="SET")]
    """Which questions."""
    out: Annotated[Path, arg(metavar="FILE")]
    """Where to write them. A file that is there is replaced when all is read."""
    limit: Annotated[int | None, arg(metavar="N")] = None
    """How many. None: all."""
    seed: Annotated[int | None, arg(metavar="N")] = None
    """Take them in the random order of this seed. None: in the set's own order."""
    collection: Annotated[Path | None, arg(metavar="FILE")] = None
    """The documentation that pydoc asks about, as `webgpt index pydoc` wrote it. None: this Python's."""

    def run(self) -> int:
        """Write the file; its path goes to stdout, what is in it to stderr."""
        if self.limit is not None and self.limit < 1:
            raise UsageError(f"--limit must be at least 1, got {self.limit}")
        questions = load_questions(self.set, open_docs=lambda: open_web(self.collection))
        written = _write(islice(self._ordered(questions), self.limit), self.out)
        kinds = ", ".join(
            f"{number} {kind or 'of no kind'}" for kind, number in sorted(written.items(), key=lambda item: -item[1])
        )
        print(f"{written.total()} questions: {kinds}" if written else "0 questions", file=sys.stderr)
        print(self.out)
        return 0

    def _ordered(self, questions: Iterable[Question]) -> Iterator[Question]:
        if self.seed is None:
            return iter(questions)
        row = list(questions)
        random.Random(self.seed).shuffle(row)
        return iter(row)


def _write(questions: Iterable[Question], out: Path) -> Counter[str]:
    """Write questions to a file and count them by kind. If one cannot be read, the file has those before it."""
    written: Counter[str] = Counter()
    failure: WebGPTError | None = None
    with replacing(out) as unfinished:
        unfinished.write_bytes(b"")
        try:
            for question in questions:
                append_record(unfinished, question)
                written[question.kind or "of no kind"] += 1
        except WebGPTError as error:
            failure = error
    if failure is not None:
        raise failure
    return written
