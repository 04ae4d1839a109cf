"""Registry of question sets: the names that ``--questions`` takes, and how each set is loaded.

A name is ``SET[:SPLIT]``. SET is a file of your own questions, ``pydoc``, ``NAME:PATH`` for a published file, or ``hf:NAME``
for a data set of the package `datasets`. SPLIT is *bc*, *rm*, *rl*, *validation* or *test* (`agent.question_sets.splits`).
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
from browser_env.records.question_file import read_questions

FILES: Final[Mapping[str, Callable[[Path], Iterator[Question]]]] = {
    "truthfulqa": truthfulqa,
    "eli5": eli5,
    "triviaqa": triviaqa,
    "nq": natural_questions,
    "squad": squad,
    "arc": arc,
}
"""Loaders of published files, by the name of the set."""
GRAMMAR: Final = f"FILE, pydoc, {', '.join(f'{name}:PATH' for name in FILES)} or hf:NAME, optionally followed by :SPLIT"
"""Values that ``--questions`` takes."""


def load_questions(spec: str, *, open_docs: Callable[[], Collection] = default_collection) -> Iterator[Question]:
    """Load a question set by its name; each question is yielded as soon as it is read.

    Args:
        spec: Name of the set, such as ``my.jsonl``, ``pydoc:test`` or ``truthfulqa:TruthfulQA.csv``.
        open_docs: Opens the Python documentation that ``pydoc`` asks about; not called for other sets.

    Raises:
        UsageError: There is no such set; raised before the first question.
        RecordError: A line cannot be read; raised after the questions before it.
        CollectionError: The Python documentation is not available.
    """
    name, split = _parse(spec)
    kind, colon, rest = name.partition(":")
    if kind == "pydoc" and not colon:
        return _python_docs(open_docs, split)
    if kind == "hf" and rest:
        return _of_split(hugging_face(rest), split)
    if kind in FILES and rest:
        return _of_split(_with_unique_ids(FILES[kind](_file(rest, spec))), split)
    if kind in FILES:
        raise UsageError(f"the set {kind!r} needs its published file; pass {kind}:PATH")
    return _of_split(read_questions(_file(name, spec)), split)


def _parse(spec: str) -> tuple[str, Split | None]:
    """The name of the set and its split. If a file of the whole name exists, its ending is not a split."""
    name, colon, split = spec.rpartition(":")
    if colon and split in SPLITS and not Path(spec).exists():
        return name, split
    return spec, None


def _file(path: str, spec: str) -> Path:
    if not Path(path).is_file():
        raise UsageError(f"there is no question set {spec[:200]!r} (no such file); pass {GRAMMAR}")
    return Path(path)


def _python_docs(open_docs: Callable[[], Collection], split: Split | None) -> Iterator[Question]:
    with open_docs() as web:
        docs = PythonDocsQuestions(web)
    yield from docs.questions(split)


def _of_split(questions: Iterable[Question], split: Split | None) -> Iterator[Question]:
    return (question for question in questions if split is None or split_of(question.id) == split)


def _with_unique_ids(questions: Iterable[Question]) -> Iterator[Question]:
    """Questions with unique ids: a repeated id gets a number."""
    seen: dict[str, int] = {}
    for question in questions:
        seen[question.id] = seen.get(question.id, 0) + 1
        number = seen[question.id]
        yield question if number == 1 else replace(question, id=f"{question.id}-{number}")
