"""Question sets by name: the one grammar of ``--questions``.

``SET[:SPLIT]``, where SET is a file of one's own, ``pydoc``, ``NAME:PATH`` for a published file, or ``hf:NAME`` for a data set
of the package `datasets`, and SPLIT is one of *bc*, *rm*, *rl*, *validation* and *test* (`agent.question_sets.splits`).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from agent.question_sets.published.arc import arc
from agent.question_sets.published.eli5 import eli5
from agent.question_sets.published.hugging_face import hugging_face
from agent.question_sets.published.trivia import natural_questions, squad, triviaqa
from agent.question_sets.published.truthfulqa import truthfulqa
from agent.question_sets.pydoc.questions import PythonDocsQuestions
from agent.question_sets.splits import SPLITS, Split, split_of
from browser_env.errors import UsageError
from browser_env.offline_web.collection import Collection
from browser_env.offline_web.default_collection import default_collection
from browser_env.records import Question
from browser_env.records.question_file import own_questions

FILES: Final[Mapping[str, Callable[[Path], Iterator[Question]]]] = {
    "truthfulqa": truthfulqa,
    "eli5": eli5,
    "triviaqa": triviaqa,
    "nq": natural_questions,
    "squad": squad,
    "arc": arc,
}
"""What reads the file of a published set."""
GRAMMAR: Final = f"FILE, pydoc, {', '.join(f'{name}:PATH' for name in FILES)} or hf:NAME, each with :SPLIT or without"
"""What ``--questions`` takes."""


def load_questions(spec: str, *, open_docs: Callable[[], Collection] = default_collection) -> Iterator[Question]:
    """The questions that a set's name stands for, each as soon as it is read.

    Args:
        spec: Such as ``my.jsonl``, ``pydoc:test`` or ``truthfulqa:TruthfulQA.csv``.
        open_docs: Opens the Python documentation that ``pydoc`` asks about; called only for that.

    Raises:
        UsageError: There is no such set; raised at once.
        RecordError: A line cannot be read; the questions before it have been yielded.
        CollectionError: The Python documentation cannot be had.
    """
    name, split = _parse(spec)
    kind, colon, rest = name.partition(":")
    if kind == "pydoc" and not colon:
        return _python_docs(open_docs, split)
    if kind == "hf" and rest:
        return _of_split(hugging_face(rest), split)
    if kind in FILES and rest:
        return _of_split(_with_own_ids(FILES[kind](_file(rest, spec))), split)
    if kind in FILES:
        raise UsageError(f"the set {kind!r} is read from its published file: {kind}:PATH")
    return _of_split(own_questions(_file(name, spec)), split)


def _parse(spec: str) -> tuple[str, Split | None]:
    """The set and its split. A file whose own name ends like a split is that file."""
    name, colon, split = spec.rpartition(":")
    if colon and split in SPLITS and not Path(spec).exists():
        return name, split
    return spec, None


def _file(path: str, spec: str) -> Path:
    if not Path(path).is_file():
        raise UsageError(f"there is no question set {spec[:200]!r}: no such file, and sets are {GRAMMAR}")
    return Path(path)


def _python_docs(open_docs: Callable[[], Collection], split: Split | None) -> Iterator[Question]:
    with open_docs() as web:
        made = PythonDocsQuestions(web)
    yield from made.questions(split)


def _of_split(questions: Iterable[Question], split: Split | None) -> Iterator[Question]:
    return (question for question in questions if split is None or split_of(question.id) == split)


def _with_own_ids(questions: Iterable[Question]) -> Iterator[Question]:
    """A question that a published file has twice gets a number."""
    seen: dict[str, int] = {}
    for question in questions:
        seen[question.id] = seen.get(question.id, 0) + 1
        number = seen[question.id]
        yield question if number == 1 else replace(question, id=f"{question.id}-{number}")
