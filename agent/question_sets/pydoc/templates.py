"""Wordings of the questions about the documentation: several of each kind, with the name in different places and spellings."""

from collections.abc import Mapping
from typing import Final

from agent.question_sets.pydoc.definitions import DefinitionKind

DESCRIBE: Final[Mapping[DefinitionKind, tuple[str, ...]]] = {
    "function": (
        "What does {name} do?",
        "What does `{name}` do?",
        "What does the function {name} do?",
        "What is `{name}()` for?",
        "What is the function `{name}` used for?",
        "What does {name}() do according to Python's documentation?",
        "How does the documentation describe the function {name}?",
        "In Python's module `{owner}`, what does the function {short} do?",
        "Explain what `{name}` does.",
        "Can you tell me what {name} is good for?",
        "What happens in a call of `{name}`?",
    ),
    "method": (
        "What does {name} do?",
        "What does the method `{name}` do?",
        "What does the method {short} of `{owner}` do?",
        "What is the method {name} for?",
        "How does the documentation describe `{name}`?",
        "What does `{short}` do when it is called on an instance of {owner}?",
        "Explain what the method {name} does.",
        "What is `{name}()` used for?",
    ),
    "class": (
        "What is {name}?",
        "What is the class `{name}`?",
        "What is the class {name} for?",
        "What is `{name}` used for in Python?",
        "How does Python's documentation describe the class {name}?",
        "In the module `{owner}`, what is the class {short}?",
        "Explain what {name} is.",
    ),
    "exception": (
        "What does the exception {name} stand for?",
        "What is the exception `{name}`?",
        "How does the documentation describe {name}?",
        "In the module `{owner}`, what is the exception {short}?",
    ),
    "property": (
        "What is the property {name}?",
        "What is `{name}`?",
        "What does the attribute {short} of `{owner}` stand for?",
        "How does the documentation describe the attribute `{name}`?",
    ),
    "module": (
        "What is the module {name} about?",
        "What is the Python module `{name}` for?",
        "What does the module {name} provide?",
        "How does the documentation of `{name}` introduce the module?",
    ),
}

WHICH_THIRD: Final[tuple[str, ...]] = (
    "Which {kind} {place} {phrase}?",
    "What is the name of the {kind} {place} that {phrase}?",
    "I am looking for the {kind} {place} that {phrase}. What is it called?",
    "What is the {kind} {place} called that {phrase}?",
)
"""Wordings for a verb in the third person, such as *returns*."""
WHICH_BASE: Final[tuple[str, ...]] = (
    "Which {kind} {place} would you call to {phrase}?",
    "To {phrase}, which {kind} {place} do you need?",
    "Which {kind} {place} is there to {phrase}?",
    "I want to {phrase}. Which {kind} {place} should I call?",
)
"""Wordings for a verb in its base form, such as *return*."""

BEHAVIOR: Final[tuple[str, ...]] = (
    "What does {name} do {word} {condition}?",
    "What does `{name}` do {word} {condition}?",
    "What happens in `{name}` {word} {condition}?",
    "{Word} {condition}, what does {name} do?",
    "How does `{name}` behave {word} {condition}?",
    "According to the documentation of `{name}`, what happens {word} {condition}?",
)
RETURNS_WHAT: Final[tuple[str, ...]] = (
    "What does {name} return {word} {condition}?",
    "{Word} {condition}, what does `{name}` return?",
    "What is returned by `{name}()` {word} {condition}?",
)
RETURNS_WHEN: Final[tuple[str, ...]] = (
    "When does {name} return {value}?",
    "In which case does `{name}` return {value}?",
    "What has to be the case for {name} to return {value}?",
    "What does it mean when `{name}()` returns {value}?",
)
RAISES_WHAT: Final[tuple[str, ...]] = (
    "Which exception does {name} raise {word} {condition}?",
    "Which exception does `{name}` raise {word} {condition}?",
    "{Word} {condition}, which exception does {name} raise?",
)
RAISES_WHEN: Final[tuple[str, ...]] = (
    "When does {name} raise {value}?",
    "In which case does `{name}` raise {value}?",
    "What makes `{name}()` raise {value}?",
    "Why would {name} raise {value}?",
)
CALLED: Final[tuple[str, ...]] = (
    "When is {name} called?",
    "When does Python call `{name}`?",
    "In which case is the method `{name}` called?",
)
RAISED: Final[tuple[str, ...]] = (
    "When is {name} raised?",
    "In which case is the exception `{name}` raised?",
    "What does it mean that {name} was raised?",
)
DEFAULT: Final[tuple[str, ...]] = (
    "What is the default of `{condition}` in {name}?",
    "What does the argument {condition} of `{name}` default to?",
    "Which value does {name} use for {condition} if none is given?",
)
BY_DEFAULT: Final[tuple[str, ...]] = (
    "What does {name} do by default?",
    "What is the default behavior of `{name}`?",
    "How does {name} behave by default?",
)

PAIR: Final[tuple[str, ...]] = (
    "What do {first} and {second} do?",
    "What does `{first}` do, and what does `{second}` do?",
    "Compare `{first}` with {second}: what does each of them do?",
    "How do {first} and `{second}` differ in what they do?",
    "Explain both {first} and {second}.",
    "I use `{first}()` and `{second}()` in one program. What is each of them for?",
)

NO_SUCH_FUNCTION: Final[tuple[str, ...]] = (
    "What does {name} do?",
    "What does the function `{name}` do?",
    "What is `{name}()` used for in Python?",
    "Which exception does {name} raise if its argument is empty?",
    "In Python's module `{owner}`, what does the function {short} return?",
)
NO_SUCH_METHOD: Final[tuple[str, ...]] = (
    "What does {name} do?",
    "What does the method {short} of `{owner}` do?",
    "When does the method `{name}` return None?",
    "What is the attribute `{short}` of {owner} for?",
)
NO_SUCH_MODULE: Final[tuple[str, ...]] = (
    "What is the standard module `{short}` for?",
    "Which classes does Python's module {short} define?",
    "What does {short}.open do?",
)
NONSENSE: Final[tuple[str, ...]] = (
    "What color does {name} have on a Tuesday?",
    "How many spoons fit between `{name}` and the moon?",
    "Why is {name} sadder than a bicycle?",
    "Who married `{name}` before it was a river?",
    "Does {name} taste more of purple or of yesterday?",
    "When did the cheese of `{name}` win the election?",
    "How loud must {name} be folded until it is green?",
    "If seven is a fish, how tall is `{name}` in Latin?",
    "Where does {name} keep its umbrella when it sleeps?",
    "Which of the two left shoes of `{name}` is the louder one?",
)
MADE_UP_VERBS: Final = tuple(
    """align audit blend braid defer demote discount distil enlist fathom fortify gauge graft infer mingle nudge
    offset outline pamper prune quantize rank reconcile redact refine salvage summarize thicken transpose tune
    untangle vouch""".split()  # noqa: SIM905 - a list of words reads best as text
)
MADE_UP_NOUNS: Final = tuple(
    """anchor basket canopy cohort corridor dossier drift estuary forecast gallery harvest hinge invoice ledger
    magnet margin meadow notion orbit orchard palette parcel quarrel quota recipe ripple saddle tariff thicket
    tunnel vapor voltage""".split()  # noqa: SIM905 - a list of words reads best as text
)
"""Nouns that follow the verbs in made-up names; a name that occurs on a page is not used."""
