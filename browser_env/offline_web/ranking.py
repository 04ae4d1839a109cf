"""Which pages answer a question best: full-text ranking, corrected by what pages are called and what their headings define.

BM25 knows how rare a word is and where it stands. It does not know that the page titled ``shutil`` is the place for
``shutil.copytree``, or that a page with the heading ``copytree(src, dst)`` says what copytree is while others mention it.
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
"""BM25 weights of title, headings, the page's beginning, and its whole text."""
TITLED, DEFINED = 10.0, 8.0
"""What it adds to a page's BM25 score that its title is a word of the question, or that a heading of it defines one."""
NUM_HITS = 10
"""Results of a search."""
NUM_CANDIDATES = 50
"""Pages that BM25 proposes."""
MAX_POSTINGS = 4_000
"""Occurrences (of words in pages) that one query may visit. The rarest words come first; common ones are left out where the
rare ones have used it up, which changes few results and bounds the time."""
MAX_DEFINITIONS = 500
"""A name that is defined more often tells nothing about where."""
TITLE: Final = -1
"""Stands for the place of a name that is a page's title."""

Named = Mapping[str, Mapping[int, list[int]]]
"""From a name to pages, and for each the places in its text where it is defined, in order."""

TOKENIZER: Final = "porter unicode61 remove_diacritics 2"
"""How SQLite reads text and queries: letters and digits, without case and accents, stemmed."""
SET_UP: Final = f"""
PRAGMA temp_store = memory;
PRAGMA mmap_size = 268435456;
CREATE VIRTUAL TABLE temp.stemmer USING fts5 (word, tokenize='{TOKENIZER}');
CREATE VIRTUAL TABLE temp.stems USING fts5vocab (temp, stemmer, instance);
"""
"""What a connection needs before `rank`: a way to stem a word as the index does."""


@dataclass(frozen=True, slots=True)
class Sought:
    """What to show of a page that was found."""

    weights: dict[str, float]
    """How much each word of the question says: its inverse document frequency."""
    definitions: dict[int, float]
    """Offsets in the page's text at which a word of the question is defined, with the weight of that."""


def rank(connection: sqlite3.Connection, query: Query) -> list[tuple[str, Sought]]:
    """The addresses of the best pages, best first; equal ones in the order of their addresses."""
    (value,) = connection.execute("SELECT value FROM about WHERE key = 'num_pages'").fetchone()
    frequencies = _frequencies(connection, query.words)
    weights = {word: _rarity(frequency, int(value)) for word, frequency in frequencies.items() if frequency}
    scores = dict(_bm25(connection, query, frequencies))
    names = _Names(_named(connection, query))
    names.weigh_words(query, weights)
    names.weigh_names(query)

    least = min(scores.values(), default=0.0)
    totals = {page: scores.get(page, least) + names.bonus[page] for page in [*scores, *names.bonus]}
    cut = min(sorted(totals.values(), reverse=True)[:NUM_HITS], default=0.0)
    urls = {page: _url(connection, page) for page, total in totals.items() if total >= cut}
    best = sorted(urls, key=lambda page: (-totals[page], urls[page]))[:NUM_HITS]
    return [(urls[page], Sought(weights, names.definitions[page])) for page in best]


class _Names:
    """What pages gain by what they are called and what they define."""

    def __init__(self, named: Named) -> None:
        self._named = named
        self.bonus: defaultdict[int, float] = defaultdict(float)
        self.definitions: defaultdict[int, dict[int, float]] = defaultdict(dict)

    def weigh_words(self, query: Query, weights: Mapping[str, float]) -> None:
        """Words that are a title or are defined; common words say little by it. Two words that are one name say more."""
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
        """Names whole and in parts: the longer the part that is a page's title, the better."""
        for name in query.names:
            parts = name.split(".")
            for depth in range(1, len(parts) + 1):
                # The page called ``os.path`` that defines ``join``.
                for page, starts in self._pages(".".join(parts[:depth])).items():
                    if TITLE in starts:
                        self.bonus[page] += TITLED * depth
                        self._define(page, parts[depth:], DEFINED * (depth + 1))
            if len(parts) > 1:
                # With no page called so, the one that defines ``str`` and in it ``split``.
                for page in self._pages(parts[0]):
                    self._define(page, parts, DEFINED)

    def _pages(self, name: str) -> Mapping[int, list[int]]:
        return self._named.get(name, {})

    def _define(self, page: int, names: Sequence[str], weight: float) -> None:
        """Weigh that a page defines the last of some names inside the others; without a name, that it is called so."""
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
    """In how many pages each word stands, in any of its forms."""
    frequencies = {}
    for word in words:
        connection.execute("DELETE FROM stemmer")
        connection.execute("INSERT INTO stemmer VALUES (?)", (word,))
        row = connection.execute("SELECT num_pages FROM frequencies WHERE term IN (SELECT term FROM stems)").fetchone()
        frequencies[word] = row[0] if row else 0
    return frequencies


def _bm25(connection: sqlite3.Connection, query: Query, frequencies: dict[str, int]) -> list[tuple[int, float]]:
    """Pages and scores, higher is better."""
    sought: list[str] = []
    postings = 0
    for word in sorted(frequencies, key=lambda word: (frequencies[word], word)):
        postings += frequencies[word]
        if sought and postings > MAX_POSTINGS:
            break
        sought.append(word)
    return connection.execute(
        "SELECT rowid, -bm25(search, ?, ?, ?, ?) AS score FROM search WHERE search MATCH ? ORDER BY score DESC, rowid LIMIT ?",
        (*COLUMN_WEIGHTS, query.match(sought), NUM_CANDIDATES),
    ).fetchall()


def _named(connection: sqlite3.Connection, query: Query) -> Named:
    """What pages are called and define, for each word of a question and each part of a name."""
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
    """Inverse document frequency, from 0 for a word of every page to 1 for one of a single page."""
    return math.log(num_pages / frequency) / math.log(num_pages) if num_pages > 1 else 1.0


def _url(connection: sqlite3.Connection, page: int) -> str:
    (url,) = connection.execute("SELECT url FROM pages WHERE id = ?", (page,)).fetchone()
    return str(url)
