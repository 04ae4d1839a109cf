"""Drafts of questions: text, accepted answers and evidence sentences, made from one or two definitions."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from agent.question_sets.pydoc import templates
from agent.question_sets.pydoc.definitions import Definition
from agent.question_sets.pydoc.wording import (
    VERBS,
    Conditional,
    VerbPhrase,
    conditionals,
    gives_away,
    is_clause,
    is_noun_phrase,
    summary_stems,
    verb_phrase,
)
from browser_env.records.digests import hash_number

MIN_STEMS = 3
"""Minimum number of content words in a description whose name is asked for."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Draft:
    """A question before its evidence is checked."""

    kind: str
    about: tuple[Definition, ...]
    """The definitions that it is about; the first decides the split."""
    text: str
    answers: tuple[str, ...] = ()
    sentences: tuple[str, ...] = ()
    """Evidence, one sentence for each definition; empty if there is no answer."""


def choose(options: Sequence[T], *key: str) -> T:
    """One of several options, by a hash of the key: the same in every process, and uniform over keys."""
    return options[hash_number(*key) % len(options)]


def describe(definition: Definition) -> Iterator[Draft]:
    """Questions such as *What does shutil.copytree do?*; summaries with a condition are left to `conditions`."""
    summary = definition.summary
    if summary is None or summary not in definition.sentences or next(conditionals(summary), None):
        return
    if definition.kind in ("function", "method") and verb_phrase(summary) is None:
        return
    has_noun_summary = definition.kind in ("class", "property", "module", "exception")
    if has_noun_summary and (summary[0].islower() or summary.partition(" ")[0].lower() in VERBS):
        return
    text = _ask(templates.DESCRIBE[definition.kind], definition, "describe")
    yield Draft("describe", (definition,), text, (summary,), (summary,))


def which(definition: Definition, neighbors: Sequence[Definition]) -> Iterator[Draft]:
    """Questions such as *Which function in shutil returns disk usage statistics about the given path?*.

    Args:
        definition: The definition that is asked for.
        neighbors: The definitions of the same place; no question is made if the description fits one of them too.
    """
    summary = definition.summary
    if summary is None or summary not in definition.sentences or definition.kind == "module":
        return
    stems = summary_stems(summary)
    others = (other for other in neighbors if other.full_name != definition.full_name)
    if len(stems) < MIN_STEMS or any(stems <= summary_stems(other.summary) for other in others):
        return
    phrase = _predicate(definition)
    if phrase is None:
        return
    key = ("which", definition.full_name)
    is_base = phrase.base is not None and (phrase.third is None or hash_number(*key, "form") % 3 == 0)
    options = templates.WHICH_BASE if is_base else templates.WHICH_THIRD
    kind = "attribute" if definition.kind == "property" else definition.kind
    description = str(phrase.base if is_base else phrase.third)
    text = choose(options, *key).format(kind=kind, place=_place(definition), phrase=description)
    if not gives_away(text.replace(definition.owner, ""), description, definition.short_name):
        answers = (definition.short_name, definition.name, definition.full_name)
        yield Draft("which", (definition,), text, answers, (summary,))


def conditions(definition: Definition) -> Iterator[Draft]:
    """Questions such as *What does os.makedirs do if the target directory already exists?*, one for each condition."""
    for sentence in definition.sentences:
        for case in conditionals(sentence):
            for text, answer in _ask_case(definition, case):
                yield Draft("condition", (definition,), text, (answer, sentence), (sentence,))


def pair(first: Definition, second: Definition) -> Iterator[Draft]:
    """Questions such as *What do shutil.copytree and textwrap.dedent do?*, whose answer needs both definitions."""
    if first.summary in first.sentences and second.summary in second.sentences:
        text = choose(templates.PAIR, "pair", first.full_name, second.full_name)
        sentences = (str(first.summary), str(second.summary))
        text = text.format(first=first.full_name, second=second.full_name)
        yield Draft("pair", (first, second), text, (" ".join(sentences),), sentences)


def unanswerable(definition: Definition, made_up: str) -> Iterator[Draft]:
    """Questions such as *What does shutil.prune_orchard do?*: about a made-up name, or nonsense about a real one."""
    key = ("unanswerable", definition.full_name)
    match hash_number(*key, "form") % 32:
        case 0 | 1 if definition.kind != "module":
            options, name, short = templates.NO_SUCH_FUNCTION, f"{definition.module}.{made_up}", made_up
        case 2:
            options, name, short = templates.NO_SUCH_MODULE, made_up, made_up.replace("_", "")
        case 3 if definition.kind in ("class", "method"):
            owner = definition.full_name if definition.kind == "class" else definition.owner
            options, name, short = templates.NO_SUCH_METHOD, f"{owner}.{made_up}", made_up
        case 4 | 5 if definition.kind in ("function", "class", "module"):
            options, name, short = templates.NONSENSE, definition.full_name, definition.short_name
        case _:
            return
    text = choose(options, *key).format(name=name, owner=name.rpartition(".")[0], short=short)
    yield Draft("unanswerable", (definition,), text)


def made_up_name(definition: Definition) -> str:
    """A name in the style of functions: ``prune_orchard``."""
    key = ("made up", definition.full_name)
    return f"{choose(templates.MADE_UP_VERBS, *key)}_{choose(templates.MADE_UP_NOUNS, *key, 'noun')}"


def _ask(options: Sequence[str], definition: Definition, *key: str, **fields: str) -> str:
    """A question in one of several wordings. A name that could be a plain word, such as ``all``, is set in backquotes."""
    if "." not in definition.full_name and definition.kind != "module":
        options = [option for option in options if "`{name}" in option]
    names = {"name": definition.full_name, "owner": definition.owner, "short": definition.short_name}
    return choose(options, *key, definition.full_name).format_map(names | fields)


def _place(definition: Definition) -> str:
    if definition.owner == "builtins":
        return "among Python's built-ins"
    return f"{'of' if definition.kind in ('method', 'property') else 'in'} {definition.owner}"


def _predicate(definition: Definition) -> VerbPhrase | None:
    """The summary as a verb phrase without a subject; None if it cannot be made one."""
    summary = (definition.summary or "").rstrip(".")
    if "?" in summary or ". " in summary or len(summary.split()) > 30:
        return None
    first, _, rest = summary.partition(" ")
    match definition.kind:
        case "function" | "method":
            return verb_phrase(summary)
        case "exception" if first in ("Raised", "Thrown"):
            return VerbPhrase(None, f"is {first.lower()} {rest}")
        case "class" | "exception" if is_noun_phrase(summary):
            return VerbPhrase(None, f"is {first.lower()} {rest}")
        case "property" if is_noun_phrase(summary):
            return VerbPhrase(None, f"holds {first.lower()} {rest}")
        case "class":
            phrase = verb_phrase(summary)
            return (
                VerbPhrase(None, phrase.third) if phrase and phrase.third and phrase.third.startswith(first.lower()) else None
            )
        case _:
            return None


def _ask_case(definition: Definition, case: Conditional) -> Iterator[tuple[str, str]]:
    """A question about a condition, and its short answer."""
    key = ("condition", case.form, case.condition)
    match case.form:
        case "raised" if definition.kind == "exception":
            options, answer = templates.RAISED, case.consequence
        case "called" if definition.kind == "method":
            options, answer = templates.CALLED, case.consequence
        case "returns" if definition.kind in ("function", "method"):
            options, answer = templates.RETURNS_WHEN, case.condition
            if case.word != "unless" and is_clause(case.condition) and hash_number(*key, "form") % 3 == 0:
                options, answer = templates.RETURNS_WHAT, case.consequence
        case "raises" if definition.kind in ("function", "method", "class"):
            options, answer = templates.RAISES_WHEN, case.condition
            if hash_number(*key, "form") % 2:
                options, answer = templates.RAISES_WHAT, case.consequence
        case "default" if definition.kind in ("function", "method", "class") and case.condition in definition.heading:
            options, answer = templates.DEFAULT, case.consequence
        case "by_default" if definition.kind in ("function", "method", "class"):
            options, answer = templates.BY_DEFAULT, case.consequence
        case "behavior" if definition.kind in ("function", "method", "class"):
            options, answer = templates.BEHAVIOR, case.consequence
            if case.consequence.partition(" ")[0] in ("return", "returns", "Return", "Returns"):
                options = templates.RETURNS_WHAT
        case _:
            return
    word = {"word": case.word, "Word": case.word.capitalize()}
    yield (
        _ask(options, definition, *key, **word, condition=case.condition, argument=case.condition, value=case.consequence),
        answer,
    )
