"""English grammar for questions: turning a docstring's sentence into verb phrases, conditions and consequences.

Functions return None where they are uncertain: leaving out a question costs nothing, asking an ungrammatical one does.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

from browser_env.pages.words import STOP_WORDS, content_stems, stem, words

VERBS: Final = frozenset(
    """abort accept access acquire activate adapt add adjust advance allocate allow analyze announce append apply arrange
    ask assert assign associate attach authenticate begin bind block build cache calculate call cancel capture cast
    change check choose chop clean clear clone close collapse collect combine compare compile complete compress
    compute concatenate configure connect construct consume convert copy count create deactivate debug decode
    decompress decrease decrement define delegate delete demangle deserialize destroy detach detect determine disable
    disassemble discard disconnect dispatch display divide double draw drop dump duplicate emit enable encode end
    ensure enter enumerate erase escape establish evaluate examine execute exit expand extend extract fetch fill
    filter finalize find finish flush fold force format free generate get group guess handle hash hide identify
    implement import increase increment indicate initialize initiate insert inspect install instantiate instruct
    interpret interrupt invert invoke issue iterate join jump kill launch leave link list listen load locate lock log
    look lower make manage map mark match measure merge modify move multiply negate normalize notify obtain open
    output override pack parse partition pause perform permute pick place poll pop populate prepare prepend preserve
    prevent print process produce protect provide push put query quote raise read rebuild receive recompute record
    redraw refresh refuse register reinitialize release reload remove rename render reorder repeat replace report
    represent request reschedule reset resize resolve restart restore resume retrieve return reverse revert rewind
    rotate round run save scan schedule search seek select send separate serialize serve set shift show shuffle shut
    signal simulate skip sleep sort spawn specify split squeeze start step stop store strip submit substitute subtract
    swap switch synchronize take tell terminate test toggle tokenize transfer transform translate transmit traverse
    trigger truncate try turn undo unlink unlock unpack unregister unset update validate verify visit wait wake
    walk warn wrap write yield""".split()  # noqa: SIM905 - a list of words reads best as text
)
"""Verbs with which documentation begins a sentence about what something does."""
_ALSO_NOUNS: Final = frozenset(
    """display double end filter force format handle hash link list load log look map mark match measure process query quote
    report request release signal start stop store test time transfer update wait walk write""".split()  # noqa: SIM905
)
"""Words that are verbs only if an article or another determiner follows: *Process objects represent ...* begins with a noun."""
_DETERMINERS: Final = frozenset(
    """a all an and and/or any at data each every for from given if in its multiple new on one or out several some the this to
    two until up whether""".split()  # noqa: SIM905
)
_VERB_PHRASE = re.compile(r"(?:(?P<adverb>[A-Za-z]+ly) )?(?P<verb>[A-Za-z]+) (?P<rest>\S.*)")
_UNKNOWN_VERB = re.compile(r"(?:,|\band|\bor|\bthen) (\w+) (?=(?:the|a|an|it|its|them) )")
_SECOND_VERB = re.compile(r"(?:,| and| or| and/or| then| but)(?: then| also| \w+ly)? (\w+)(?= |$)")


@dataclass(frozen=True, slots=True)
class VerbPhrase:
    """A sentence without its subject, in two inflections: *return(s) disk usage statistics*."""

    base: str | None
    """*return ...*, as it follows *to*; None if another verb in it cannot be inflected."""
    third: str | None
    """*returns ...*, as it follows *which function*; None if another verb in it cannot be inflected."""


def third_person(verb: str) -> str:
    """The third person of a verb: *copies* for *copy*."""
    if verb.endswith("y") and verb[-2:-1] not in "aeou":
        return f"{verb[:-1]}ies"
    return f"{verb}es" if verb.endswith(("s", "x", "z", "ch", "sh", "do", "go")) else f"{verb}s"


_BASES: Final = {third_person(verb): verb for verb in VERBS}


def verb_phrase(sentence: str) -> VerbPhrase | None:
    """The verb phrase of a sentence such as ``Return the destination.``; None if it does not begin with a known verb."""
    match = _VERB_PHRASE.fullmatch(sentence.rstrip("."))
    if match is None:
        return None
    adverb = f"{match['adverb'].lower()} " if match["adverb"] else ""
    verb, rest = match["verb"].lower(), match["rest"]
    others = {other[1] for other in _SECOND_VERB.finditer(f" {rest}")}
    if any(other.lower() in VERBS and not other.islower() for other in others):
        return None
    if {other[1] for other in _UNKNOWN_VERB.finditer(rest)} - VERBS - _BASES.keys() - _DETERMINERS:
        return None  # it may be a verb that has to be inflected too
    if verb in _ALSO_NOUNS and rest.split()[0].lower() not in _DETERMINERS:
        return None
    if verb in VERBS:
        third = None if others & VERBS else f"{adverb}{third_person(verb)} {rest}"
        return None if others & _BASES.keys() else VerbPhrase(f"{adverb}{verb} {rest}", third)
    if verb in _BASES:
        base = None if others & _BASES.keys() else f"{adverb}{_BASES[verb]} {rest}"
        return None if others & VERBS else VerbPhrase(base, f"{adverb}{verb} {rest}")
    return None


def is_noun_phrase(sentence: str) -> bool:
    """Whether a sentence is only a noun phrase, as *A simple framework for writing command interpreters* is."""
    first, _, rest = sentence.partition(" ")
    head = re.split(r",? (?:that|which|who|whose|where|when|if|because|for|to|used)\b|[(,]", rest)[0]
    return first in ("A", "An", "The") and _FINITE.isdisjoint(head.lower().split())


# ---------------------------------------------------------------------------------------------------------- conditions

_FINITE = frozenset(
    """is are was were has have does do can cannot could will would isn't aren't wasn't weren't hasn't haven't doesn't don't
    can't exists exist contains contain matches match refers raises returns fails occurs equals needs uses supports succeeds
    appears points lies begins starts ends requires happens finds encounters receives reaches gets wants becomes differs
    holds takes changes evaluates""".split()  # noqa: SIM905
)
"""Finite verbs, one of which a clause must have."""
_UNRESOLVED = re.compile(
    r"(?:it|they|he|she|you|this|that|these|those|there|so|not|we|one|both|any|none|some|all|its|their|your)\b"
    r"|.*\b(?:this|these|those|above|below|former|latter|following|such|you|your|we|our|us|same|second case|first case)\b",
    re.IGNORECASE,
)
"""Words of a clause that refer to earlier text."""
_LEADING = re.compile(r"(If|When|Unless|Whenever|Once|After|Before) (.+)", re.DOTALL)
_ADVICE = re.compile(r"(?:then )?(?:see|use|refer|consult|note|and|or|but|call|you|consider|please|try|do not|don't)\b", re.I)
_RETURNS = re.compile(
    r"Returns? (?P<value>True|False|None|true|false|0|1|-1)(?:,)? (?P<word>if|when|unless|iff) (?P<condition>.+)", re.DOTALL
)
_EXCEPTION_NAME = r"(?P<exception>(?:\w+\.)*[A-Z]\w*(?:Error|Exception|Interrupt|Exit|Iteration|Empty|Full))"
_IN_CASE = r"(?: exception)?{verb} (?P<word>if|when|unless) (?P<condition>.+)"
_RAISES = re.compile(
    r"(?:^|.*\b(?:will|or|and|also|it|method|function|otherwise) )[Rr]aises? (?:an? |the )?"
    rf"`*{_EXCEPTION_NAME}`*{_IN_CASE.format(verb='')}"
)
_IS_RAISED = re.compile(
    rf"(?:An? |The |.*[,.] an? )?`*{_EXCEPTION_NAME}`*{_IN_CASE.format(verb=' (?:is|will be|gets) raised')}"
)
_CALLED = re.compile(
    r"(?:Is )?[Cc]alled (?:\w+ )?(?:by \S+ )?(?:when|if|whenever|before|after|once|just before|right after)\b .+"
)
_RAISED = re.compile(r"(?:Exception |Error )?[Rr]aised (?:\w+ )?(?:when|if|whenever|by|for|to|on|in)\b .+")
_TRAILING = re.compile(r"(?P<main>[A-Z].*?),? (?P<word>if|when|unless) (?P<condition>[^,;:()]+)")
_NOT_BEFORE_IF = frozenset(
    """even as only and or but determine check test tests see tell decide know indicate indicates specify specifies except just
    exactly whether checks determines indicating specifying checking testing determining ask asks says tells what especially
    particularly unless until than like used useful optional required flag occurs""".split()  # noqa: SIM905
)
_NOT_PLAIN = re.compile(r"\(| only | to be |\bor\b|\b(?:that|which|should|must)\b")
"""Words before an *if* that make it unclear what the condition belongs to."""
_NOT_CONSEQUENCE = re.compile(r"\b(?:should|must|you|users?|programmer)\b|\b(?:return|do|use)(?:s|es)? (?:that|this|so|it)\b")
"""Words of a consequence that address the reader or refer to earlier text."""
_DEFAULT = re.compile(
    r"(?:The )?(?:optional )?(?:argument |parameter )?[`'*]*(?P<argument>\w+)[`'*]*(?: argument| parameter)?,? "
    r"(?:which )?defaults? to (?P<value>[^,;]+)"
)
_BY_DEFAULT = re.compile(r"By default,? (?P<main>.+)")


@dataclass(frozen=True, slots=True)
class Conditional:
    """A condition in a sentence, and its consequence."""

    form: Literal["behavior", "returns", "raises", "called", "raised", "default", "by_default"]
    condition: str
    """The condition, as it follows *if* or *when*; for a default, the argument that has it."""
    word: Literal["if", "when", "unless"]
    consequence: str
    """The rest of the sentence, the returned value or the raised exception."""


def conditionals(sentence: str) -> Iterator[Conditional]:
    """The most certain condition of a sentence with *if*, *when*, *unless*, *raises* or a default, if there is any."""
    text = sentence.rstrip(".")
    if _RAISED.fullmatch(text):
        yield Conditional("raised", "", "when", text)
    elif _CALLED.fullmatch(text):
        yield Conditional("called", "", "when", text)
    elif match := _RETURNS.fullmatch(text):
        condition = re.split(r"[,;] |\.(?=\s)| (?:else|otherwise)\b", re.sub(r" ?\([^()]*\)", "", match["condition"]))[0]
        if not _UNRESOLVED.match(condition):
            yield Conditional("returns", condition, _word(match["word"]), match["value"])
    elif match := _RAISES.fullmatch(text) or _IS_RAISED.fullmatch(text):
        condition = re.split(r"[,;] ", match["condition"])[0]
        if is_clause(condition):
            yield Conditional("raises", condition, _word(match["word"]), match["exception"])
    elif match := _LEADING.fullmatch(text):
        if match[1] in ("If", "When", "Unless") and (parts := _split_clause(match[2])):
            condition, main = parts
            yield Conditional("behavior", condition, _word(match[1]), main)
    elif match := _BY_DEFAULT.fullmatch(text):
        if is_clause(match["main"], needs_subject=False) and not _ADVICE.match(match["main"]):
            yield Conditional("by_default", "", "when", match["main"])
    elif match := _DEFAULT.fullmatch(text):
        yield Conditional("default", match["argument"], "if", match["value"])
    elif match := _TRAILING.fullmatch(text):
        main, condition = match["main"], match["condition"]
        before = main.rsplit(maxsplit=1)[-1].lower()
        is_plain = before not in _NOT_BEFORE_IF and len(main.split()) >= 3 and not _NOT_PLAIN.search(main)
        if is_plain and is_clause(condition):
            yield Conditional("behavior", condition, _word(match["word"]), main)


def is_clause(text: str, *, needs_subject: bool = True) -> bool:
    """Whether a text is a self-contained clause: it has a verb and does not refer to earlier text."""
    row = [word.strip("`'\"()").lower() for word in text.split()]
    finite = [index for index, word in enumerate(row) if word in _FINITE]
    if not finite or (needs_subject and finite[0] == 0) or len(row) < 3 or len(row) > 25:
        return False
    if needs_subject and (_UNRESOLVED.match(text) or re.search(r"\b(?:if|when|unless|then)\b", text)):
        return False
    return _balanced(text) and ":" not in text


def _split_clause(text: str) -> tuple[str, str] | None:
    """A text split at the first comma that ends a clause; None if there is none, or the rest is not a consequence."""
    for comma in re.finditer(r",(?: then)? ", text):
        condition, main = text[: comma.start()], text[comma.end() :]
        if is_clause(condition) and re.search(r"\b(?:and|or|but) \w+$", condition) is None:
            is_consequence = len(main.split()) >= 2 and not _ADVICE.match(main) and not _NOT_CONSEQUENCE.search(main)
            return (condition, main) if is_consequence else None
    return None


def _word(text: str) -> Literal["if", "when", "unless"]:
    match text.strip().lower():
        case "when":
            return "when"
        case "unless":
            return "unless"
        case _:
            return "if"


def _balanced(text: str) -> bool:
    return (
        all(text.count(opening) == text.count(closing) for opening, closing in ("()", "[]"))
        and all(text.count(quote) % 2 == 0 for quote in '"`')
        and not re.search(r"(?:^|\s)'[^']*$", text)
    )


# --------------------------------------------------------------------------------------------------------------- names

TOO_MUCH: Final = 0.5
"""Minimum share of a description's words that are parts of the name for the description to give the name away."""
_SEPARATORS = re.compile(r"[\W_]+")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


@lru_cache(maxsize=65_536)
def summary_stems(summary: str | None) -> frozenset[str]:
    """Stems of the content words of a description."""
    return frozenset(content_stems(summary or ""))


def gives_away(question: str, description: str, name: str) -> bool:
    """Whether a question that asks for a name contains the name, in any spelling, or describes it mostly by its parts.

    A name of one word may not occur in an inflected form either. Parts of a longer name may occur as plain words: a question
    for ``disk_usage`` cannot avoid them. But *registers an archive format* gives away ``register_archive_format``.

    Args:
        question: The text of the question.
        description: The part of the question that describes the definition.
        name: The short name that is asked for.
    """
    question_words = words(question)
    joined = _SEPARATORS.sub("", name).casefold()
    if joined in {_SEPARATORS.sub("", token).casefold() for token in question.split()}.union(question_words):
        return True
    parts = {stem(part.casefold()) for part in _PART.findall(name)}
    stems = content_stems(description)
    if sum(word in parts for word in stems) >= TOO_MUCH * len(stems):
        return True
    content = [word for word in question_words if len(word) > 3 and word not in STOP_WORDS]
    return len(parts) == 1 and any(stem(word) in parts or word in joined or joined in word for word in content)
