"""Queries, names and phrases of a question that lead to its answer.

All of them are in the question, so a person who does not know the answer could have chosen them too.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import takewhile
from typing import Final

from agent.policies.topics import Topic, topics
from agent.question_sets.pydoc.templates import PAIR
from browser_env.pages.characters import clean_line
from browser_env.pages.words import STOP_WORDS, words

PHRASE_WORDS: Final = 5
"""Number of consecutive words of a question that are searched for first; longer phrases follow if these lead nowhere."""
BUILT_INS: Final = "Python's built-ins"
"""Name in questions of the page with the title ``builtins``."""


def asked_topics(question: str) -> tuple[Topic, ...]:
    """Topics that a question asks about; two for a question about two names, even if a name has no dot."""
    for wording in PAIR:
        pattern = re.escape(wording).replace(r"\{first\}", r"(\S+?)").replace(r"\{second\}", r"(\S+?)")
        if names := re.fullmatch(pattern, question):
            return tuple(Topic(name) for name in names.groups())
    return topics(question)


def queries(topic: Topic, question: str, sentence: str) -> Iterator[str]:
    """Distinct queries that lead to the sentence, the most reliable first."""
    phrase = next(iter(phrases(question, sentence)), "")
    keywords = " ".join(topic.keywords)
    if topic.name:
        inner = topic.owner.rpartition(".")[2] or "builtins"
        full_name = topic.name if "." in topic.name else f"builtins {topic.name}"
        candidates = (full_name, f"{inner} {topic.last}", f"{topic.name} {keywords}", topic.last)
    else:
        place = topic.place or ("builtins" if BUILT_INS in question else "")
        if "." not in place and f"method of {place}" in question:
            place = f"builtins {place}"
        candidates = (place, f"{place} {phrase}", f"{place} {keywords}", phrase)
    return iter(dict.fromkeys(filter(None, (clean_line(query) for query in candidates))))


def definition_starts(topic: Topic, question: str) -> tuple[str, ...]:
    """Possible beginnings of the line that defines the topic, the likeliest first; empty for a topic without a name."""
    if not topic.name:
        return ()
    name = topic.last
    is_class = (name[0].isupper() and not name.isupper() and "_" not in name) or re.search(r"\b(class|exception)\b", question)
    return (f"class {name}(", f"{name}(", name) if is_class else (f"{name}(", f"class {name}(", name)


@lru_cache(maxsize=4096)
def phrases(question: str, sentence: str) -> tuple[str, ...]:
    """Phrases that a question shares with a sentence, in the question's spelling: short ones first, then single words.

    They begin where the longest common phrase does, without the verb at the beginning of the sentence: a reader of the question
    alone would choose the same.
    """
    question_tokens, sentence_tokens = _tokens(question), [token.casefold() for token in _tokens(sentence)]
    common = _common_phrases([token.casefold() for token in question_tokens], sentence_tokens)
    start, answer_start, length = max(common, key=lambda phrase: (phrase[2], -phrase[0]), default=(0, 0, 0))
    if answer_start == 0 and length > 2:
        start, length = start + 1, length - 1
    sizes = [size for size in (PHRASE_WORDS + more for more in (0, 1, 3, 6)) if size < length]
    starts = [" ".join(question_tokens[start : start + size]) for size in (*sizes, length) if length]
    single = sorted(
        {
            token
            for token in question_tokens
            if len(token) > 3 and token.casefold() in sentence_tokens and not set(words(token)) <= STOP_WORDS
        },
        key=lambda token: (-len(token), token),
    )
    return tuple(dict.fromkeys((*starts, *single)))


def _tokens(text: str) -> list[str]:
    return [token for part in clean_line(text).split() if (token := part.strip("`?.,:;"))]


def _common_phrases(first: Sequence[str], second: Sequence[str]) -> Iterator[tuple[int, int, int]]:
    """Start in the first sequence, start in the second and length of every phrase that both contain."""
    for i in range(len(first)):
        for j in range(len(second)):
            pairs = zip(first[i:], second[j:], strict=False)
            length = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
            if length:
                yield i, j, length
