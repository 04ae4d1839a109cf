"""Groups of modules that share sentences, so that no split contains the answers of another."""

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
"""Salt of the hash that decides a group's split: of 3,000 salts, the one with split sizes nearest to their shares on Python
3.11."""
SHARED: Final = 0.2
"""Minimum share of a module's sentences that must occur in another module for the two to form a group."""


def is_module(page: Page) -> bool:
    """Whether a page documents a module; the index page does not."""
    return page.url.endswith(f"/{page.title}.html")


def library_of(page: Page) -> str:
    """The top-level module of a page: ``os`` for ``os.path``."""
    return page.title.partition(".")[0]


class Groups:
    """Top-level modules grouped by shared sentences. A group has the name of its first module, and one split."""

    def __init__(self, all_definitions: Sequence[Definition]) -> None:
        self._libraries: Mapping[str, set[str]] = defaultdict(set)
        for definition in all_definitions:
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
        """Sentences of a definition that no other group has."""
        return tuple(
            sentence
            for sentence in definition.sentences
            if len({self.group(library) for library in self._libraries[sentence]}) == 1
        )


class PageIndex:
    """Index of the pages that contain a sentence, matched as the environment's Find matches text."""

    def __init__(self, pages: Iterable[Page]) -> None:
        self._pages = tuple(pages)
        self._where: dict[str, int] = defaultdict(int)
        for number, page in enumerate(self._pages):
            for word in set(words(page.text)):
                self._where[word] |= 1 << number

    def __contains__(self, name: str) -> bool:
        """Whether any page has all the words of a name."""
        return bool(self._candidates(words(name)))

    def pages_with(self, sentence: str) -> list[Page]:
        """The pages that contain a sentence; its first and last word may be parts of longer words there."""
        wanted = normal_form(sentence)
        candidates = self._candidates(words(sentence)[1:-1])
        return [page for number, page in enumerate(self._pages) if candidates >> number & 1 and wanted in page.normal.text]

    def _candidates(self, sought: Sequence[str]) -> int:
        """The pages with all of some words, as a bit mask over page numbers."""
        candidates = (1 << len(self._pages)) - 1
        for word in sought:
            candidates &= self._where.get(word, 0)
        return candidates
