"""What a question asks about: the names it has, the place it looks in, and its other words.

The scripted policy reads questions with this. It knows how people ask about the parts of a program, and takes any other
question by its words.
"""

import re
from dataclasses import dataclass
from itertools import pairwise

from browser_env.pages.characters import clean_line
from browser_env.pages.words import STOP_WORDS, stem, words

PHRASE_SIZES = {4: 4, 3: 2, 2: 1}
"""Words of the phrases that are looked for as the question has them, and how many of each size."""
MAX_FINDS = 8
"""Finds worth trying on one page."""

_KIND = "attribute|class|constant|exception|function|method|property"
_NAME = r"`[^`\s]+`|[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+(?:\(\))?|[A-Za-z_]\w*\(\)"
_ANY_NAME = rf"(?:{_NAME}|[A-Za-z_]\w*)"
_NAMES = re.compile(_NAME)
_WORD_NAMES = re.compile(r"\b(?:[A-Za-z]\w*_\w+|[a-z]+[A-Z]\w*)\b")
_NAMELESS = re.compile(rf"\b(?:{_KIND}) (?:in|of|from) (?:the (?:class|module) )?({_ANY_NAME})")
_PART_OF = re.compile(rf"\b(?:{_KIND}) ({_ANY_NAME}) (?:in|of|from) ({_ANY_NAME})")
_IN_PLACE = re.compile(rf"\b(?:module|class) ({_ANY_NAME}),? .*?\b(?:{_KIND}) ({_ANY_NAME})")
_ON_INSTANCE = re.compile(rf"(`\w+`) .*\binstance of ({_ANY_NAME})")
_MODULE = re.compile(rf"\bmodule ({_ANY_NAME})|(?<![\w`])(?!the )({_ANY_NAME})(?= module\b| introduce the module)")
_WANTED = re.compile(rf"\b(?:which|what) (?:\w+ ){{0,3}}?(?:{_KIND})\b", re.IGNORECASE)
_CONDITIONAL = re.compile(
    r"\b(?:if|when|unless|while|without|case|raises?d?|returns?(?:ed)?|defaults?|called)\b", re.IGNORECASE
)

_PAIRED = re.compile(r"\b(?:both|compare|differ|each of them)\b", re.IGNORECASE)
_PLAIN = re.compile(
    r"(?:can you |explain|describe|how (?:can|do|does|is)\b|in |tell|what(?:'s| are| do| does| is)\b)", re.IGNORECASE
)

_DESCRIBING = frozenset(
    map(
        stem,
        """according argument behave behavior behaviour both called call case compare describe differ documentation each
        everything good instance introduce it know looking me module name need offer program provide purpose python python's
        stand tell there thing two want work would""".split(),  # noqa: SIM905 - a list of words reads best as text
    )
)
_KINDS = frozenset(map(stem, _KIND.split("|")))


@dataclass(frozen=True, slots=True)
class Topic:
    """One thing that a question asks about."""

    name: str | None
    """The definition it is about, with what it stands in as far as that is known: ``shutil.copytree``."""
    place: str | None = None
    """The module or class that a definition without a name is looked for in; with neither, the module itself is asked about."""
    keywords: tuple[str, ...] = ()
    """The other words that say something."""
    phrases: tuple[str, ...] = ()
    """Stretches of the question's own words, the most telling first."""
    wants_name: bool = False
    """Whether the answer is the name of a definition."""
    is_plain: bool = False
    """Whether the question asks what something is or does, so that its description answers it whatever else it says."""

    @property
    def last(self) -> str:
        """The name without what it stands in."""
        return (self.name or "").rpartition(".")[2]

    @property
    def owner(self) -> str:
        """What the name stands in; else the place."""
        return self.name.rpartition(".")[0] if self.name else self.place or ""

    @property
    def terms(self) -> frozenset[str]:
        """Stems of what the question wants to know."""
        return frozenset(map(stem, self.keywords))

    @property
    def queries(self) -> tuple[str, ...]:
        """What to search for: everything first, then what tells most."""
        about = self.name or self.place
        if about:
            return tuple(dict.fromkeys((" ".join((about, *self.keywords)), about)))
        longest = sorted(self.keywords, key=len, reverse=True)[:3]
        return tuple(dict.fromkeys((" ".join(self.keywords), " ".join(longest))))

    def finds(self, title: str) -> tuple[str, ...]:
        """What to look for on a page, the most telling first; the page's own title tells nothing."""
        inner = self.owner.removeprefix(title).removeprefix(".").rpartition(".")[2]
        start = (f"class {inner}(",) if inner else ()
        if self.name:
            return (*start, f"{self.last}(", f"{self.last}(", f"{self.last} =", self.last, self.last)
        telling = [word for word in self.keywords if word != title.casefold()]
        telling = [word.removesuffix("s") if len(word) > 4 else word for word in telling]  # a find for one finds many
        pairs = (f"{left} {right}" for left, right in pairwise(telling))
        rest = () if self.place else (*pairs, *sorted(telling, key=len, reverse=True))
        return tuple(dict.fromkeys((*start, *self.phrases, *rest)))[:MAX_FINDS]


def topics(question: str) -> tuple[Topic, ...]:
    """What a question asks about, in its order; never nothing."""
    question = clean_line(question)
    if match := _NAMELESS.search(question):
        rest = question[: match.start()] + " | " + question[match.end() :]
        return (Topic(None, _bare(match[1]), _keywords(rest), _phrases(rest), wants_name=True),)
    if match := _PART_OF.search(question):
        return (_named(f"{_bare(match[2])}.{_bare(match[1])}", question, match),)
    if (match := _IN_PLACE.search(question)) or (match := _ON_INSTANCE.search(question)):
        place, part = match.groups() if match.re is _IN_PLACE else (match[2], match[1])
        return (_named(f"{_bare(place)}.{_bare(part)}", question, match),)
    names = dict.fromkeys(_bare(match[0]) for match in _NAMES.finditer(question))
    for match in _MODULE.finditer(question) if len(names) <= 1 else ():
        place = _bare(match[1] or match[2])
        if place not in STOP_WORDS and not _keywords(question.replace(place, " ")):
            return (Topic(None, place),)
    dotted = [name for name in names if "." in name and not _PAIRED.search(question)]
    chosen = dotted or list(names) or list(dict.fromkeys(match[0] for match in _WORD_NAMES.finditer(question)))
    if not chosen:
        rest = _WANTED.sub("|", question)
        return (Topic(None, None, _keywords(question), _phrases(rest), wants_name=rest != question),)
    rest = _NAMES.sub(lambda match: " " if _bare(match[0]) in chosen else _bare(match[0]), question)
    for name in chosen:
        rest = re.sub(rf"\b{re.escape(name)}\b", " ", rest)
    return tuple(Topic(name, None, _asked(rest), is_plain=bool(_PLAIN.match(question))) for name in chosen)


def _named(name: str, question: str, match: re.Match[str]) -> Topic:
    rest = question
    for part in match.groups():
        rest = rest.replace(part, " ")
    return Topic(name, None, _asked(rest), is_plain=True)


def _bare(name: str) -> str:
    return name.strip("`").removesuffix("()")


def _asked(rest: str) -> tuple[str, ...]:
    """What is asked of a definition besides what it is."""
    keywords = _keywords(rest)
    if _CONDITIONAL.search(rest):
        conditional = [
            word for word in words(rest) if word in ("raise", "raised", "raises", "return", "returned", "returns", "default")
        ]
        return tuple(dict.fromkeys((*keywords, *conditional)))
    return keywords


def _keywords(text: str) -> tuple[str, ...]:
    skipped = _DESCRIBING | _KINDS
    return tuple(dict.fromkeys(word for word in words(text) if word not in STOP_WORDS and stem(word) not in skipped))


def _phrases(text: str) -> tuple[str, ...]:
    """Stretches of words as they stand in a text, those whose words say most first: long ones, then a few shorter ones."""
    found: dict[tuple[int, str], int] = {}
    for clause in re.split(r"[|?,;:]|\.(?:\s|$)", text):
        parts = clause.replace("`", "").split()
        for size in PHRASE_SIZES:
            for start in range(len(parts) - size + 1):
                phrase = parts[start : start + size]
                if weight := sum(len(word) for word in phrase if _keywords(word)):
                    found[size, " ".join(phrase)] = weight
    best = sorted(found, key=lambda phrase: (-phrase[0], -found[phrase]))
    return tuple(
        phrase for size, number in PHRASE_SIZES.items() for _, phrase in [found for found in best if found[0] == size][:number]
    )
