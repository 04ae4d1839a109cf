"""Ranking of pages: BM25, plus bonuses for titles and for names that headings define.

BM25 accounts for how rare a word is and in which column it occurs. It cannot tell that the page titled ``shutil`` documents
``shutil.copytree``, or that a page with the heading ``copytree(src, dst)`` defines the function that other pages mention.
"""

import math
import sqlite3
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from browser_env.offline_web.query import Query

COLUMN_WEIGHTS = (8.0, 3.0, 2.0, 1.0)
"""BM25 weights of title, headings, lead and text."""
TITLED, DEFINED = 10.0, 8.0
"""Bonuses to the BM25 score of a page: its title is a word of the question; one of its headings defines a word of it."""
NUM_HITS = 10
"""Maximum number of search results."""
NUM_CANDIDATES = 50
"""Number of pages taken from BM25 before bonuses are added."""
MAX_POSTINGS = 4_000
"""Maximum sum of the document frequencies of the words in a query. The rarest words come first and common words beyond the
limit are left out, which bounds the time of a search and changes few results."""
MAX_DEFINITIONS = 500
"""Names with more definitions than this are ignored."""
TITLE: Final = -1
"""Offset that marks a name as the title of a page."""

Named = Mapping[str, Mapping[int, list[int]]]
"""For each name and page, the offsets at which the page defines the name, in order."""

TOKENIZER: Final = "porter unicode61 remove_diacritics 2"
"""SQLite tokenizer of text and queries: letters and digits, without case and accents, stemmed."""
SET_UP: Final = f"""
PRAGMA temp_store = memory;
PRAGMA mmap_size = 268435456;
CREATE VIRTUAL TABLE temp.stemmer USING fts5 (word, tokenize='{TOKENIZER}');
CREATE VIRTUAL TABLE temp.stems USING fts5vocab (temp, stemmer, instance);
"""
"""Statements to run on a connection before `rank`; they create temporary tables that stem words as the index does."""


@dataclass(frozen=True, slots=True)
class Relevance:
    """The words and definitions that make a page relevant to a question, for its snippet."""

    weights: dict[str, float]
    """Inverse document frequency of each word of the question."""
    definitions: dict[int, float]
    """Weights of definitions of words of the question, by their offset in the page's text."""


def rank(connection: sqlite3.Connection, query: Query) -> list[tuple[str, Relevance]]:
    """Rank pages for a query; returns at most `NUM_HITS` URLs, best first, ties in alphabetical order."""
    (value,) = connection.execute("SELECT value FROM about WHERE key = 'num_pages'").fetchone()
    frequencies = _frequencies(connection, query.words)
    weights = {word: _rarity(frequency, int(value)) for word, frequency in frequencies.items() if frequency}
    scores = dict(_bm25(connection, query, frequencies))
    names = _NameBonuses(_named(connection, query))
    names.weigh_words(query, weights)
    names.weigh_names(query)

    least = min(scores.values(), default=0.0)
    totals = {page: scores.get(page, least) + names.bonus[page] for page in [*scores, *names.bonus]}
    cut = min(sorted(totals.values(), reverse=True)[:NUM_HITS], default=0.0)
    urls = {page: _url(connection, page) for page, total in totals.items() if total >= cut}
    best = sorted(urls, key=lambda page: (-totals[page], urls[page]))[:NUM_HITS]
    return [(urls[page], Relevance(weights, names.definitions[page])) for page in best]


class _NameBonuses:
    """Bonuses of pages whose titles or definitions are names in the query."""

    def __init__(self, named: Named) -> None:
        self._named = named
        self.bonus: defaultdict[int, float] = defaultdict(float)
        self.definitions: defaultdict[int, dict[int, float]] = defaultdict(dict)

    def weigh_words(self, query: Query, weights: Mapping[str, float]) -> None:
        """Add bonuses for single words, scaled by their rarity, and for names and compounds, without scaling."""
        for word in query.words:
            weight = weights.get(word, 1.0)
            for page, starts in self._pages(word).items():
                if TITLE in starts:
                    self.bonus[page] += TITLED * weight
                self._define(page, [word], DEFINED * weight**2)
        for name in (*query.names, *query.compounds):
            for page in self._pages(name):
                self._define(page, [name], DEFINED)

    def weigh_names(self, query: Query) -> None:
        """Add bonuses for dotted names; a longer prefix that is the title of a page gives a larger bonus."""
        for name in query.names:
            parts = name.split(".")
            for depth in range(1, len(parts) + 1):
                # For ``os.path.join``: a page with the title ``os.path`` that defines ``join``.
                for page, starts in self._pages(".".join(parts[:depth])).items():
                    if TITLE in starts:
                        self.bonus[page] += TITLED * depth
                        self._define(page, parts[depth:], DEFINED * (depth + 1))
            if len(parts) > 1:
                # For ``str.split``: a page that defines ``str`` and after it ``split``.
                for page in self._pages(parts[0]):
                    self._define(page, parts, DEFINED)

    def _pages(self, name: str) -> Mapping[int, list[int]]:
        return self._named.get(name, {})

    def _define(self, page: int, names: Sequence[str], weight: float) -> None:
        """Add a bonus to a page if it defines all names, one after another. An empty list of names needs no definitions."""
        place = TITLE
        for name in names:
            for key in (f"{name}()", name):
                starts = self._pages(key).get(page, [])
                following = bisect_right(starts, place)
                if following < len(starts):
                    place = starts[following]
                    break
            else:
                return
        self.bonus[page] += weight
        if place != TITLE:
            self.definitions[page][place] = max(weight, self.definitions[page].get(place, 0.0))


def _frequencies(connection: sqlite3.Connection, words: Iterable[str]) -> dict[str, int]:
    """Number of pages that contain each word in any of its forms."""
    frequencies = {}
    for word in words:
        connection.execute("DELETE FROM stemmer")
        connection.execute("INSERT INTO stemmer VALUES (?)", (word,))
        row = connection.execute("SELECT num_pages FROM frequencies WHERE term IN (SELECT term FROM stems)").fetchone()
        frequencies[word] = row[0] if row else 0
    return frequencies


def _bm25(connection: sqlite3.Connection, query: Query, frequencies: dict[str, int]) -> list[tuple[int, float]]:
    """The `NUM_CANDIDATES` best pages with their BM25 scores; higher is better."""
    searched: list[str] = []
    postings = 0
    for word in sorted(frequencies, key=lambda word: (frequencies[word], word)):
        postings += frequencies[word]
        if searched and postings > MAX_POSTINGS:
            break
        searched.append(word)
    return connection.execute(
        "SELECT rowid, -bm25(search, ?, ?, ?, ?) AS score FROM search WHERE search MATCH ? ORDER BY score DESC, rowid LIMIT ?",
        (*COLUMN_WEIGHTS, query.match(searched), NUM_CANDIDATES),
    ).fetchall()


def _named(connection: sqlite3.Connection, query: Query) -> Named:
    """Look up the titles and definitions of pages for each word of a question and each part of a name."""
    names = {*query.words, *query.names, *query.compounds}
    for name in query.names:
        parts = name.split(".")
        names.update(parts, (".".join(parts[:length]) for length in range(1, len(parts))))
    named: dict[str, dict[int, list[int]]] = {}
    for name in (*names, *(f"{name}()" for name in names)):
        rows = connection.execute(
            "SELECT page, start FROM names WHERE name = ? ORDER BY page, start LIMIT ?", (name, MAX_DEFINITIONS + 1)
        ).fetchall()
        if len(rows) <= MAX_DEFINITIONS:
            pages = named.setdefault(name, {})
            for page, start in rows:
                pages.setdefault(page, []).append(start)
    return named


def _rarity(frequency: int, num_pages: int) -> float:
    """Inverse document frequency, from 0 for a word on every page to 1 for a word on a single page."""
    return math.log(num_pages / frequency) / math.log(num_pages) if num_pages > 1 else 1.0


def _url(connection: sqlite3.Connection, page: int) -> str:
    (url,) = connection.execute("SELECT url FROM pages WHERE id = ?", (page,)).fetchone()
    return str(url)
