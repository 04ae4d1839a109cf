"""Questions made from the documentation of the running Python, each with the sentences that answer it.

The same pages give the same questions in the same order on every machine. A question is made from one or two definitions; its
gold evidence is a sentence of the definition's docstring, which the environment's text matching finds on the page. Uncertain
cases are left out: sentences that many modules share, definitions repeated under other names, descriptions that fit two
functions, and conditions that refer to earlier text.

Splits are made by module. Modules that share sentences (``os`` and ``posix``, ``bz2`` and ``lzma``) form a group, a group has
one split, and a sentence that is also on a page of another split is not used as evidence; so no answer to a test question is
seen in training. The index page, which has the first line of every module, belongs to no split.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Final

from agent.question_sets.pydoc.definitions import Definition, definitions
from agent.question_sets.pydoc.drafts import Draft, conditions, describe, made_up_name, pair, unanswerable, which
from agent.question_sets.pydoc.modules import Groups, PageIndex, is_module, library_of
from agent.question_sets.splits import Split
from browser_env.offline_web.collection import Collection
from browser_env.pages.matching import normal_form
from browser_env.records import Evidence, Question
from browser_env.records.digests import hash_number

DATASET: Final = "pydoc"
LEFT_OUT: Final = frozenset(("distutils", "encodings", "idlelib", "lib2to3", "pydoc_data", "turtledemo"))
"""Modules that no question is about: programs and tables inside the library, whose pages are repetitive or only of internal
use."""
PLATFORMS: Final = frozenset(("genericpath", "nt", "ntpath", "posix", "posixpath"))
"""Modules that ``os`` is built on; definitions that they share with it are asked about under its name."""


class PythonDocsQuestions:
    """Questions about the Python documentation of a collection."""

    def __init__(self, web: Collection) -> None:
        self._pages = [page for page in map(web.fetch, web.urls()) if is_module(page)]
        all_definitions = [definition for page in self._pages for definition in definitions(page)]
        self._groups = Groups(all_definitions)
        self._index = PageIndex(self._pages)
        asked_about = _without_copies(definition for definition in all_definitions if definition.library not in LEFT_OUT)
        self._neighbors: dict[tuple[str, bool], list[Definition]] = defaultdict(list)
        for definition in all_definitions:
            self._neighbors[_place(definition)].append(definition)
        self._definitions = [
            replace(definition, sentences=self._groups.own_sentences(definition)) for definition in asked_about
        ]

    def page_splits(self) -> dict[str, Split]:
        """The split of every module's page, by URL; a training may only use pages of its own split."""
        return {page.url: self._groups.split(library_of(page)) for page in self._pages}

    def questions(self, split: Split | None = None) -> tuple[Question, ...]:
        """The questions of a split, or all, in a random but fixed order."""
        asked_texts: set[str] = set()
        questions: list[Question] = []
        for draft in self._drafts():
            text = normal_form(draft.text).replace("'", "")
            if text not in asked_texts and self._has_unique_evidence(draft):
                asked_texts.add(text)
                if split in (None, self._split(draft.about[0])):
                    questions.append(_question(draft))
        return tuple(sorted(questions, key=lambda question: hash_number(question.id)))

    def _split(self, definition: Definition) -> Split:
        return self._groups.split(definition.library)

    def _drafts(self) -> Iterator[Draft]:
        for definition in self._definitions:
            yield from describe(definition)
            yield from which(definition, self._neighbors[_place(definition)])
            yield from conditions(definition)
            made_up = made_up_name(definition)
            if made_up not in self._index and made_up.replace("_", "") not in self._index:
                yield from unanswerable(definition, made_up)
        yield from self._pairs()

    def _pairs(self) -> Iterator[Draft]:
        """Questions about two functions of the same split, paired at random."""
        functions = defaultdict(list)
        for definition in self._definitions:
            if (
                definition.kind == "function"
                and hash_number("in a pair", definition.full_name) % 2
                and any(describe(definition))
            ):
                functions[self._split(definition)].append(definition)
        for row in functions.values():
            row.sort(key=lambda function: hash_number("pair", function.full_name))
            for first, second in pairwise(row):
                if first.library != second.library:
                    yield from pair(first, second)

    def _has_unique_evidence(self, draft: Draft) -> bool:
        """Whether each evidence sentence is found on its page, and on no page of another split."""
        for definition, sentence in zip(draft.about, draft.sentences, strict=False):
            pages = self._index.pages_with(sentence)
            if all(page.url != definition.url for page in pages):
                return False
            if any(self._groups.split(library_of(page)) != self._split(definition) for page in pages):
                return False
        return True


def _place(definition: Definition) -> tuple[str, bool]:
    """Key of the definitions among which a description must be unique."""
    return definition.owner, definition.kind == "function"


def _without_copies(all_definitions: Iterable[Definition]) -> list[Definition]:
    """Definitions without copies (same short name, same sentences); the one with the shortest full name is kept."""
    unique: dict[tuple[str, tuple[str, ...]], Definition] = {}
    for definition in all_definitions:
        key = (definition.short_name, definition.sentences)
        if key not in unique or _rank(definition) < _rank(unique[key]):
            unique[key] = definition
    return sorted(unique.values(), key=lambda definition: definition.full_name)


def _rank(definition: Definition) -> tuple[bool, int, str]:
    return definition.module in PLATFORMS, len(definition.full_name), definition.full_name


def _question(draft: Draft) -> Question:
    names = "+".join(definition.full_name for definition in draft.about)
    return Question(
        id=f"{DATASET}-{draft.kind}-{names}-{hash_number(draft.text):016x}"[:-8],
        text=draft.text,
        dataset=DATASET,
        kind=draft.kind,
        answers=tuple(dict.fromkeys(draft.answers)),
        evidence=tuple(
            Evidence(url=definition.url, sentences=(sentence,))
            for definition, sentence in zip(draft.about, draft.sentences, strict=False)
        ),
    )
