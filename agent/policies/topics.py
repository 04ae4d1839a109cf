"""Topics of a question: the names in it, the module or class it is about, and its other content words.

Used by the scripted policy. It recognizes questions about definitions in a program; other questions are split into words.
"""

import re
from dataclasses import dataclass
from itertools import pairwise

from browser_env.pages.characters import clean_line
from browser_env.pages.words import STOP_WORDS, stem, words

PHRASE_SIZES = {4: 4, 3: 2, 2: 1}
"""Number of phrases of the question to find on a page, by their length in words."""
MAX_FINDS = 8
"""Maximum number of finds on a page."""

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
    """One subject of a question."""

    name: str | None
    """Name of the definition, qualified as far as the question says: ``shutil.copytree``; None if there is none."""
    place: str | None = None
    """Module or class in which a definition without a name is sought; without a name, None means no particular place."""
    keywords: tuple[str, ...] = ()
    """Content words of the question other than the name and the place."""
    phrases: tuple[str, ...] = ()
    """Phrases of the question, the most specific first."""
    wants_name: bool = False
    """Whether the answer is the name of a definition."""
    is_plain: bool = False
    """Whether the question asks what something is or does, so that its description is the answer."""

    @property
    def last(self) -> str:
        """The last part of the name."""
        return (self.name or "").rpartition(".")[2]

    @property
    def owner(self) -> str:
        """The module or class that contains the name, or else the place."""
        return self.name.rpartition(".")[0] if self.name else self.place or ""

    @property
    def terms(self) -> frozenset[str]:
        """Stems of the keywords."""
        return frozenset(map(stem, self.keywords))

    @property
    def queries(self) -> tuple[str, ...]:
        """Search queries: first with all keywords, then with the most specific words."""
        about = self.name or self.place
        if about:
            return tuple(dict.fromkeys((" ".join((about, *self.keywords)), about)))
        longest = sorted(self.keywords, key=len, reverse=True)[:3]
        return tuple(dict.fromkeys((" ".join(self.keywords), " ".join(longest))))

    def finds(self, title: str) -> tuple[str, ...]:
        """Texts to find on a page, the most specific first.

        Args:
            title: Title of the page, which is left out.
        """
        inner = self.owner.removeprefix(title).removeprefix(".").rpartition(".")[2]
        start = (f"class {inner}(",) if inner else ()
        if self.name:
            return (*start, f"{self.last}(", f"{self.last}(", f"{self.last} =", self.last, self.last)
        specific = [word for word in self.keywords if word != title.casefold()]
        # Finding the singular finds the plural too.
        specific = [word.removesuffix("s") if len(word) > 4 else word for word in specific]
        pairs = (f"{left} {right}" for left, right in pairwise(specific))
        rest = () if self.place else (*pairs, *sorted(specific, key=len, reverse=True))
        return tuple(dict.fromkeys((*start, *self.phrases, *rest)))[:MAX_FINDS]


def topics(question: str) -> tuple[Topic, ...]:
    """The topics of a question in order; at least one."""
    question = clean_line(question)
    if match := _NAMELESS.search(question):
        rest = question[: match.start()] + " | " + question[match.end() :]
        return (Topic(None, _bare(match[1]), _keywords(rest), _phrases(rest), wants_name=True),)
    if match := _PART_OF.search(question):
        return (_named_topic(f"{_bare(match[2])}.{_bare(match[1])}", question, match),)
    if (match := _IN_PLACE.search(question)) or (match := _ON_INSTANCE.search(question)):
        place, part = match.groups() if match.re is _IN_PLACE else (match[2], match[1])
        return (_named_topic(f"{_bare(place)}.{_bare(part)}", question, match),)
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
    return tuple(Topic(name, None, _definition_keywords(rest), is_plain=bool(_PLAIN.match(question))) for name in chosen)


def _named_topic(name: str, question: str, match: re.Match[str]) -> Topic:
    rest = question
    for part in match.groups():
        rest = rest.replace(part, " ")
    return Topic(name, None, _definition_keywords(rest), is_plain=True)


def _bare(name: str) -> str:
    return name.strip("`").removesuffix("()")


def _definition_keywords(rest: str) -> tuple[str, ...]:
    """Keywords of a question about a definition, without its names."""
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
    """Phrases of a text, long ones first; among those of equal length, the ones with the longest keywords first."""
    weights: dict[tuple[int, str], int] = {}
    for clause in re.split(r"[|?,;:]|\.(?:\s|$)", text):
        parts = clause.replace("`", "").split()
        for size in PHRASE_SIZES:
            for start in range(len(parts) - size + 1):
                phrase = parts[start : start + size]
                if weight := sum(len(word) for word in phrase if _keywords(word)):
                    weights[size, " ".join(phrase)] = weight
    ranked = sorted(weights, key=lambda phrase: (-phrase[0], -weights[phrase]))
    return tuple(
        phrase
        for size, number in PHRASE_SIZES.items()
        for _, phrase in [sized for sized in ranked if sized[0] == size][:number]
    )
