"""Which modules of a documentation tell the same things, so that no split sees another's answers."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Final

from agent.question_sets.pydoc.definitions import Definition
from agent.question_sets.splits import Split, split_of
from browser_env.pages.matching import normal_form
from browser_env.pages.page import Page
from browser_env.pages.words import words

SALT: Final = "pydoc-959"
"""Part of what decides a group's split: of 3,000 the one whose splits are nearest to their shares on Python 3.11."""
SHARED: Final = 0.2
"""Share of one module's sentences that another one has, from which on the two are a group."""


def is_module(page: Page) -> bool:
    """Whether a page is a module's, and not the index of all."""
    return page.url.endswith(f"/{page.title}.html")


def library_of(page: Page) -> str:
    """The module at the top, whose pages stay together: ``os`` for ``os.path``."""
    return page.title.partition(".")[0]


class Groups:
    """Top-level modules, grouped by the sentences they share. A group is called by its first name and has one split."""

    def __init__(self, everything: Sequence[Definition]) -> None:
        self._libraries: Mapping[str, set[str]] = defaultdict(set)
        for definition in everything:
            for sentence in definition.sentences:
                self._libraries[sentence].add(definition.library)
        totals = Counter(library for libraries in self._libraries.values() for library in libraries)
        common = Counter(pair for libraries in self._libraries.values() for pair in combinations(sorted(libraries), 2))
        self._parents: dict[str, str] = {}
        for (first, second), number in sorted(common.items()):
            if number > 1 and number >= SHARED * min(totals[first], totals[second]):
                first, second = sorted((self.group(first), self.group(second)))
                if first != second:
                    self._parents[second] = first

    def group(self, library: str) -> str:
        """The name of a module's group."""
        while library in self._parents:
            library = self._parents[library]
        return library

    def split(self, library: str) -> Split:
        """The split of a module."""
        return split_of(f"{SALT}:{self.group(library)}")

    def own_sentences(self, definition: Definition) -> tuple[str, ...]:
        """The sentences of a definition that no other group has."""
        return tuple(
            sentence
            for sentence in definition.sentences
            if len({self.group(library) for library in self._libraries[sentence]}) == 1
        )


class PageIndex:
    """Finds the pages on which a sentence stands, as the environment's own find would."""

    def __init__(self, pages: Iterable[Page]) -> None:
        self._pages = tuple(pages)
        self._where: dict[str, int] = defaultdict(int)
        for number, page in enumerate(self._pages):
            for word in set(words(page.text)):
                self._where[word] |= 1 << number

    def __contains__(self, name: str) -> bool:
        """Whether a page has all the words of a name."""
        return bool(self._candidates(words(name)))

    def pages_with(self, sentence: str) -> list[Page]:
        """The pages that have a sentence. Its first and last word may be the end and the beginning of longer ones."""
        wanted = normal_form(sentence)
        candidates = self._candidates(words(sentence)[1:-1])
        return [page for number, page in enumerate(self._pages) if candidates >> number & 1 and wanted in page.normal.text]

    def _candidates(self, row: Sequence[str]) -> int:
        found = (1 << len(self._pages)) - 1
        for word in row:
            found &= self._where.get(word, 0)
        return found
