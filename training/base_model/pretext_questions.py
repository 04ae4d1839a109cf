"""Questions of the pretext tasks: a sentence of a page is the answer, and some of its words are the question.

This is the inverse cloze task of Lee et al. 2019, with or without the name of the definition that the sentence describes.
"""

import random
import re
from dataclasses import dataclass

from agent.question_sets.pydoc.definitions import Definition
from browser_env.pages.words import STOP_WORDS
from training.scripted_people.clues import PHRASE_WORDS

WORD = re.compile(r"[A-Za-z_][\w.]*\w|[A-Za-z]")
ABOUT = (
    "{words} in {name}?",
    "What does {name} do about {words}?",
    "How does {name} treat {words}?",
    "{name}: {words}",
    "What is said of {words} in `{name}`?",
    "Tell me about {words}. I mean {name}.",
    "In `{name}`, what of {words}?",
)
"""Wordings with a name and words of the sentence."""
NAMELESS = (
    "{words}?",
    "What is said of {words}?",
    "Where do I find {words}?",
    "Which one is about {words}?",
    "Explain {words}.",
)
"""Wordings with words of the sentence only."""
WITHIN = (
    "Which one of {place} does {words}?",
    "What in `{place}` is there for {words}?",
    "I want {words}. What is it called in {place}?",
    "To get {words}, what of {place} do you need?",
    "What is the name of the one in {place} that has to do with {words}?",
)
"""Wordings that ask for a name, given its module or class and words of the sentence."""
BOTH = (
    "What are {first} and {second}?",
    "How does `{first}` differ from `{second}`?",
    "{first} or {second}: what is which?",
    "Explain `{first}` and {second} to me.",
    "What does {first} do, and what {second}?",
)
"""Wordings with two names."""
NAMED = ("What is {name}?", "What does {name} do?", "Explain `{name}` to me.", "`{name}`?", "What is {name} for?")
"""Wordings with a name only."""


@dataclass(frozen=True, slots=True)
class PretextQuestion:
    """A question and the sentence that answers it."""

    definition: Definition
    """Definition that contains the sentence."""
    sentence: str
    text: str
    """The question."""
    query: str
    """The query to search for."""
    landmark: str | None
    """The text to find on the page. None if nothing on the page is named in the question."""
    is_summary: bool = False
    """Whether the question names the definition and the sentence is its first one."""
    wants_name: bool = False
    """Whether the question asks for the name of the definition."""


def draw_question(definition: Definition, rng: random.Random) -> PretextQuestion:
    """Draw a question that a sentence of a definition answers."""
    first = first_sentence(definition)
    sentence = first if rng.random() < 0.4 else rng.choice(definition.sentences)
    name = definition.full_name if rng.random() < 0.7 else definition.short_name
    landmark = definition_landmark(definition)
    if sentence == first and rng.random() < 0.6:
        return PretextQuestion(definition, sentence, rng.choice(NAMED).format(name=name), name, landmark, is_summary=True)
    if rng.random() < 0.4:
        words = _some_words(sentence, rng)
        return PretextQuestion(definition, sentence, rng.choice(ABOUT).format(name=name, words=words), name, landmark)
    if rng.random() < 0.2:
        words = _some_words(sentence, rng)
        return PretextQuestion(definition, sentence, rng.choice(NAMELESS).format(words=words), words, None)
    stretch = _stretch(sentence, rng)
    words, phrase = " ".join(stretch), " ".join(stretch[:PHRASE_WORDS])
    if rng.random() < 0.3:
        return PretextQuestion(definition, sentence, rng.choice(NAMELESS).format(words=words), words, phrase)
    text = rng.choice(WITHIN).format(place=definition.owner, words=words)
    return PretextQuestion(definition, sentence, text, definition.owner, phrase, wants_name=True)


@dataclass(frozen=True, slots=True)
class PretextPair:
    """A question about two definitions, one of which the example is about."""

    other: Definition
    """The other definition."""
    text: str
    """The question."""
    is_second: bool
    """Whether the example is about the second definition, after the other one was quoted."""

    @property
    def other_answer(self) -> str:
        """The answer to the question about the other definition."""
        return ended(first_sentence(self.other))


def draw_pair(definition: Definition, other: Definition, rng: random.Random) -> PretextPair | None:
    """Draw a question about two definitions, in random order; None if their names do not distinguish them."""
    if other.short_name == definition.short_name or "module" in (definition.kind, other.kind):
        return None
    is_second = rng.random() < 0.6
    first, second = (other, definition) if is_second else (definition, other)
    return PretextPair(other, rng.choice(BOTH).format(first=first.full_name, second=second.full_name), is_second)


def first_sentence(definition: Definition) -> str:
    """The summary of a definition, or else the first sentence that can be evidence."""
    return definition.summary or definition.sentences[0]


def definition_landmark(definition: Definition) -> str:
    """The beginning of the line that defines a name."""
    if definition.kind in ("class", "exception"):
        return f"class {definition.short_name}("
    return f"{definition.short_name}(" if definition.kind in ("function", "method") else definition.short_name


def ended(sentence: str) -> str:
    """A sentence, with a full stop added if it has no end mark."""
    return sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."


def _stretch(sentence: str, rng: random.Random) -> list[str]:
    """Consecutive words of a sentence; half of the time all words but the first, the verb."""
    parts = sentence.rstrip(".!?").split()
    return parts[1:] if rng.random() < 0.5 else _consecutive(parts, 3, 10, rng)


def _some_words(sentence: str, rng: random.Random) -> str:
    """A few consecutive words of a sentence, or some of its content words in order, a few of them inflected."""
    if rng.random() < 0.5:
        return " ".join(_consecutive(sentence.rstrip(".!?").split(), 3, 8, rng))
    content = [word for word in WORD.findall(sentence) if word.casefold() not in STOP_WORDS]
    size = min(len(content), rng.randint(2, 6))
    indices = sorted(rng.sample(range(len(content)), size))
    return " ".join(_inflected(content[index], rng) for index in indices) or sentence


def _consecutive(parts: list[str], least: int, most: int, rng: random.Random) -> list[str]:
    size = min(len(parts), rng.randint(least, most))
    start = rng.randrange(len(parts) - size + 1)
    return parts[start : start + size]


def _inflected(word: str, rng: random.Random) -> str:
    """A word with another ending, one time in four."""
    if rng.random() < 0.75 or not word.isalpha() or len(word) < 4:
        return word
    if word.endswith("s"):
        return word[:-1]
    return word[:-1] + "ing" if word.endswith("e") else word + rng.choice(("s", "ed", "ing"))
