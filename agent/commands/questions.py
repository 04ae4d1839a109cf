"""`webgpt questions`: make a question set, or convert a published one."""

import random
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from agent.commands.options import check_at_least
from agent.question_sets.registry import load_questions
from browser_env.command_line.open_web import open_web
from browser_env.errors import WebGPTError
from browser_env.records import Question
from browser_env.records.files import replacing
from browser_env.records.storage import append_record


@dataclass(frozen=True, slots=True)
class Questions:
    """Make a question set, or convert a published one, and write it as JSON Lines, one question per line.

    A set is pydoc (questions made from the documentation of this Python, with the sentences that answer them), a file
    of your own (JSON Lines, or plain text with one question per line), a published file, as truthfulqa:PATH,
    eli5:PATH, triviaqa:PATH, nq:PATH, squad:PATH or arc:PATH, or a data set of the Hugging Face hub, as hf:NAME.
    Append :bc, :rm, :rl, :validation or :test to take one split of a set, as in pydoc:test.

    Exit codes: 0 done, 1 failure, 2 usage.
    """

    set: Annotated[str, Positional, arg(metavar="SET")]
    """Name of the set, or a file."""
    out: Annotated[Path, arg(metavar="FILE")]
    """File to write; an existing file is replaced at the end."""
    limit: Annotated[int | None, arg(metavar="N")] = None
    """Number of questions. Default: all."""
    seed: Annotated[int | None, arg(metavar="N")] = None
    """Random seed that shuffles the questions. Default: the order of the set."""
    collection: Annotated[Path | None, arg(metavar="FILE")] = None
    """Documentation that pydoc asks about, from `webgpt index pydoc`. Default: that of this Python."""

    def run(self) -> int:
        """Write the file; prints its path to stdout and a summary to stderr."""
        check_at_least("--limit", self.limit, 1)
        questions = load_questions(self.set, open_docs=lambda: open_web(self.collection))
        written = _write(islice(self._ordered(questions), self.limit), self.out)
        kinds = ", ".join(f"{number} {kind}" for kind, number in written.most_common())
        print(f"{written.total()} questions: {kinds}" if written else "0 questions", file=sys.stderr)
        print(self.out)
        return 0

    def _ordered(self, questions: Iterable[Question]) -> Iterator[Question]:
        if self.seed is None:
            return iter(questions)
        shuffled = list(questions)
        random.Random(self.seed).shuffle(shuffled)
        return iter(shuffled)


def _write(questions: Iterable[Question], out: Path) -> Counter[str]:
    """Write questions to a file and count them by kind.

    If a question cannot be read, those before it are still written; if it is the first, an existing file stays as it is.
    """
    written: Counter[str] = Counter()
    failure: WebGPTError | None = None
    with replacing(out) as unfinished:
        unfinished.write_bytes(b"")
        try:
            for question in questions:
                append_record(unfinished, question)
                written[question.kind or "of no kind"] += 1
        except WebGPTError as error:
            if not written:
                raise
            failure = error
    if failure is not None:
        raise failure
    return written
