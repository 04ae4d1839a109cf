"""The words of texts and of questions, as the full-text index sees them.

SQLite's own tokenizer splits what is indexed at everything that is no letter or digit, folds case and accents, and stems. This
module does what it cannot: Chinese, Japanese and Korean are written without spaces, so their runs are indexed as overlapping
pairs; and a question is not a query, so its words are taken out of it here and nothing of its punctuation reaches the query
language, in which ``foo-bar`` or a lone quotation mark would be an error.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from browser_env.pages.words import STOP_WORDS

MAX_QUERY = 2000
"""Characters of a question that are read."""
MAX_TERMS = 32
"""Words of a question that are looked for."""

_CJK = (
    "\u1100-\u11ff\u2e80-\u2fdf\u3005-\u3007\u3040-\u30ff\u3130-\u318f\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uac00-\ud7af\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
_CJK_RUN = re.compile(f"[{_CJK}]+")
_TOKEN = re.compile(rf"[{_CJK}]+|[^\W{_CJK}]+(?:\.[^\W{_CJK}]+)*")
_PART = re.compile(r"[^\W_]+")
_NAME = re.compile(r"[._]|[^\W_][A-Z]+[a-z]|[a-z][A-Z]")
"""A dot, an underscore or a capital inside a word."""
_DEFINITION = re.compile(
    r"(?:(?:abstract|async|class|classmethod|exception|function|method|property|static) )*([^\W\d][\w.]*)\s*([(=\[:]|$)"
)
_CONTRACTION = re.compile(r"['’](?:s|t|d|ll|m|re|ve)\b", re.IGNORECASE)

_STOP_WORDS = STOP_WORDS - {"re"}
"""They are looked for only where a question has no others. ``re`` is a module; as an ending it has gone before."""


@dataclass(frozen=True, slots=True)
class Query:
    """What a question looks for, in lower case."""

    words: tuple[str, ...]
    """Single words, the parts of names too; in question order, each once."""
    names: tuple[str, ...]
    """What looks like a name in a program: ``os.path.join``, ``disk_usage``, ``JSONDecodeError``, the ``any`` of ``any()``."""
    compounds: tuple[str, ...] = ()
    """Neighbours written as one: *disk usage* may be called ``disk_usage``, and *deep copy* ``deepcopy``."""

    def match(self, words: Iterable[str]) -> str:
        """Any of some words, and each name as a phrase too, in FTS5's query language."""
        phrases = (" ".join(_PART.findall(name)) for name in self.names)
        quoted = [f'"{phrase}"' for phrase in phrases if " " in phrase]
        quoted += [f'"{word}"*' if len(word) == 1 and _CJK_RUN.match(word) else f'"{word}"' for word in words]
        return " OR ".join(quoted)


def read_query(question: str) -> Query:
    """The words of a question, without stop words unless it has only these."""
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
    sought = [word for word in words if word in names or word not in _STOP_WORDS] or list(words)
    if len(sought) == 1 and not names:
        names[sought[0]] = None  # what is asked for by one word is what is called so
    return Query(tuple(sought[:MAX_TERMS]), tuple(names)[:MAX_TERMS], tuple(compounds)[:MAX_TERMS])


def index_text(text: str) -> str:
    """Text as it is indexed: compatibility variants folded, runs of Chinese, Japanese and Korean as pairs."""
    if text.isascii():
        return text
    text = unicodedata.normalize("NFKC", text)
    return _CJK_RUN.sub(lambda run: f" {' '.join(_pairs(run[0]))} {run[0][-1]} ", text)


def _pairs(run: str) -> list[str]:
    """Overlapping pairs; a single character stays alone."""
    return [run[index : index + 2] for index in range(max(len(run) - 1, 1))]


def defined_names(heading: str) -> tuple[str, ...]:
    """The names that a heading defines, in lower case: ``copytree`` and ``copytree()`` of ``copytree(src, dst)``.

    What is called or subclassed is more likely meant than an attribute of the same name. A dotted name is known by its last
    part too.
    """
    match = _DEFINITION.match(heading)
    if match is None:
        return ()
    name = match[1].rstrip(".").lower()
    names = dict.fromkeys((name, name.rpartition(".")[2]))
    return (*names, *(f"{name}()" for name in names)) if match[2] == "(" else tuple(names)
