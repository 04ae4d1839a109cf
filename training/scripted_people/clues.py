"""What of a question leads to its answer, for somebody who knows the answer: queries, names and phrases to look for.

All of it stands in the question, so a reader who does not know the answer could have said it too.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import count
from typing import Final

from agent.policies.topics import Topic, topics
from agent.question_sets.pydoc.templates import PAIR
from browser_env.pages.characters import clean_line
from browser_env.pages.words import STOP_WORDS, words

PHRASE_WORDS: Final = 5
"""Words of the question that are looked for on a page, and searched for; more where these lead nowhere."""
BUILT_INS: Final = "Python's built-ins"
"""How questions call the page that is titled ``builtins``."""


def asked(question: str) -> tuple[Topic, ...]:
    """What a question asks about; of a pair both, even if a name has no dot."""
    for wording in PAIR:
        pattern = re.escape(wording).replace(r"\{first\}", r"(\S+?)").replace(r"\{second\}", r"(\S+?)")
        if names := re.fullmatch(pattern, question):
            return tuple(Topic(name) for name in names.groups())
    return topics(question)


def queries(topic: Topic, question: str, sentence: str) -> Iterator[str]:
    """What to search for, the surest first, each once."""
    phrase = next(iter(phrases(question, sentence)), "")
    keywords = " ".join(topic.keywords)
    if topic.name:
        inner = topic.owner.rpartition(".")[2] or "builtins"
        whole = topic.name if "." in topic.name else f"builtins {topic.name}"
        found = (whole, f"{inner} {topic.last}", f"{topic.name} {keywords}", topic.last)
    else:
        place = topic.place or ("builtins" if BUILT_INS in question else "")
        if "." not in place and f"method of {place}" in question:
            place = f"builtins {place}"
        found = (place, f"{place} {phrase}", f"{place} {keywords}", phrase)
    return iter(dict.fromkeys(filter(None, (clean_line(query) for query in found))))


def named(topic: Topic, question: str) -> tuple[str, ...]:
    """How the line of a definition begins."""
    if not topic.name:
        return ()
    name = topic.last
    is_class = (name[0].isupper() and not name.isupper() and "_" not in name) or re.search(r"\b(class|exception)\b", question)
    return (f"class {name}(", f"{name}(", name) if is_class else (f"{name}(", f"class {name}(", name)


@lru_cache(maxsize=4096)
def phrases(question: str, sentence: str) -> tuple[str, ...]:
    """Words in a row that a question shares with a sentence, in the question's spelling: short first, then longer ones.

    They begin where the longest such row does, without the verb that the sentence begins with: what a reader of the question
    alone would pick.
    """
    own, told = _tokens(question), [token.casefold() for token in _tokens(sentence)]
    row = max(_rows([token.casefold() for token in own], told), key=lambda row: (row[2], -row[0]), default=(0, 0, 0))
    start, place, length = row
    if place == 0 and length > 2:
        start, length = start + 1, length - 1
    sizes = [size for size in (PHRASE_WORDS + more for more in (0, 1, 3, 6)) if size < length]
    found = [" ".join(own[start : start + size]) for size in (*sizes, length) if length]
    telling = sorted(
        {token for token in own if len(token) > 3 and token.casefold() in told and not set(words(token)) <= STOP_WORDS},
        key=lambda token: (-len(token), token),
    )
    return tuple(dict.fromkeys((*found, *telling)))


def _tokens(text: str) -> list[str]:
    return [token for part in clean_line(text).split() if (token := part.strip("`?.,:;"))]


def _rows(first: Sequence[str], second: Sequence[str]) -> Iterator[tuple[int, int, int]]:
    """Start in both and length of what two sequences have in common."""
    for start in range(len(first)):
        for place in range(len(second)):
            length = next(
                n
                for n in count()
                if start + n >= len(first) or place + n >= len(second) or first[start + n] != second[place + n]
            )
            if length:
                yield start, place, length
