"""Preparation of texts and queries for the full-text index.

SQLite's tokenizer splits text at everything but letters and digits, folds case and accents, and stems. This module does the
rest. Chinese, Japanese and Korean text has no spaces, so it is indexed as overlapping pairs of characters. Questions are
reduced to words, because punctuation such as ``foo-bar`` or a single quotation mark is an error in SQLite's query language.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from browser_env.pages.words import STOP_WORDS

MAX_QUERY = 2000
"""Maximum number of characters of a question that are used."""
MAX_TERMS = 32
"""Maximum number of words of a question that are searched for."""

_CJK = (
    "\u1100-\u11ff\u2e80-\u2fdf\u3005-\u3007\u3040-\u30ff\u3130-\u318f\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uac00-\ud7af\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
_CJK_RUN = re.compile(f"[{_CJK}]+")
_TOKEN = re.compile(rf"[{_CJK}]+|[^\W{_CJK}]+(?:\.[^\W{_CJK}]+)*")
_PART = re.compile(r"[^\W_]+")
_NAME = re.compile(r"[._]|[^\W_][A-Z]+[a-z]|[a-z][A-Z]")
"""A dot, an underscore or a capital letter inside a word, the mark of a name in a program."""
_DEFINITION = re.compile(
    r"(?:(?:abstract|async|class|classmethod|exception|function|method|property|static) )*([^\W\d][\w.]*)\s*([(=\[:]|$)"
)
_CONTRACTION = re.compile(r"['’](?:s|t|d|ll|m|re|ve)\b", re.IGNORECASE)

_STOP_WORDS = STOP_WORDS - {"re"}
"""Words that are searched for only if a question has no others. ``re`` is a module; as a contraction it was removed before."""


@dataclass(frozen=True, slots=True)
class Query:
    """The search terms of a question, in lower case."""

    words: tuple[str, ...]
    """Single words, including the parts of names; each once, in order."""
    names: tuple[str, ...]
    """Names in programs: ``os.path.join``, ``disk_usage``, ``JSONDecodeError``, or ``any`` in ``any()``."""
    compounds: tuple[str, ...] = ()
    """Adjacent words joined, because *disk usage* may mean ``disk_usage`` and *deep copy* ``deepcopy``."""

    def match(self, words: Iterable[str]) -> str:
        """Make an FTS5 query that matches any of the words, and each name as a phrase."""
        phrases = (" ".join(_PART.findall(name)) for name in self.names)
        quoted = [f'"{phrase}"' for phrase in phrases if " " in phrase]
        quoted += [f'"{word}"*' if len(word) == 1 and _CJK_RUN.match(word) else f'"{word}"' for word in words]
        return " OR ".join(quoted)


def read_query(question: str) -> Query:
    """Extract the search terms of a question; stop words are left out unless there is nothing else."""
    text = _CONTRACTION.sub(" ", unicodedata.normalize("NFKC", question[:MAX_QUERY]))
    words: dict[str, None] = {}
    names: dict[str, None] = {}
    compounds: dict[str, None] = {}
    before = ""
    for match in _TOKEN.finditer(text):
        token = match[0].lower()
        if _CJK_RUN.match(token):
            words.update(dict.fromkeys(_pairs(token)))
            continue
        words.update(dict.fromkeys(_PART.findall(token)))
        if _NAME.search(match[0]) or text.startswith("(", match.end()):
            names[token.strip("_")] = None
        if before and token not in _STOP_WORDS:
            compounds.update({f"{before}_{token}": None, f"{before}{token}": None})
        before = "" if token in _STOP_WORDS else token
    names.pop("", None)
    searched = [word for word in words if word in names or word not in _STOP_WORDS] or list(words)
    if len(searched) == 1 and not names:
        names[searched[0]] = None  # a single word is a name
    return Query(tuple(searched[:MAX_TERMS]), tuple(names)[:MAX_TERMS], tuple(compounds)[:MAX_TERMS])


def index_text(text: str) -> str:
    """Prepare a text for indexing: fold compatibility variants, and write Chinese, Japanese and Korean as pairs."""
    if text.isascii():
        return text
    text = unicodedata.normalize("NFKC", text)
    return _CJK_RUN.sub(lambda run: f" {' '.join(_pairs(run[0]))} {run[0][-1]} ", text)


def _pairs(run: str) -> list[str]:
    """Overlapping pairs of characters; a single character stays as it is."""
    return [run[index : index + 2] for index in range(max(len(run) - 1, 1))]


def defined_names(heading: str) -> tuple[str, ...]:
    """The names that a heading defines, in lower case: ``copytree`` and ``copytree()`` for ``copytree(src, dst)``.

    The form with parentheses lets ranking prefer functions and classes over attributes of the same name. A dotted name also
    defines its last part.
    """
    match = _DEFINITION.match(heading)
    if match is None:
        return ()
    name = match[1].rstrip(".").lower()
    names = dict.fromkeys((name, name.rpartition(".")[2]))
    return (*names, *(f"{name}()" for name in names)) if match[2] == "(" else tuple(names)
