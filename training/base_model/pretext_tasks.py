"""Steps to learn from pages alone, before there are any demonstrations.

A sentence of a page is taken for an answer and some of its words, with or without the name of what it describes, for the
question (the inverse cloze task of Lee et al. 2019). What a person would do next is then known without a person: search for
the name, open the result that has the sentence, find the name, quote the sentence, answer with it; do the same for a second
name where two are asked for; give up where a name is nowhere. The observations are real ones, made by the environment's own
functions.
"""

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from urllib.parse import urldefrag

from agent.models.tokens import Phase
from agent.question_sets.pydoc.definitions import Definition, definitions
from browser_env.actions import Action, Click, End, EndReason, Find, Quote, Search, format_action
from browser_env.backends import Backend
from browser_env.observation import observe, view_lines
from browser_env.pages.characters import LINK_FIELD, LINK_OPEN, clean_line
from browser_env.pages.layout import lay_out
from browser_env.pages.matching import find_next, find_quote, normal_form, quote_text
from browser_env.pages.page import Page
from browser_env.pages.words import STOP_WORDS
from browser_env.records import Question, Reference, Settings
from browser_env.results import results_page
from browser_env.state import BrowserState, apply, count_action, open_page, shorten
from training.scripted_people.clues import PHRASE_WORDS
from training.scripted_people.quoting import headed

WORD = re.compile(r"[A-Za-z_][\w.]*\w|[A-Za-z]")
KINDS = {"quote": 0.44, "search": 0.08, "click": 0.1, "find": 0.19, "answer": 0.11, "end": 0.06, "nothing": 0.02}
"""What is learned, and how often: the quote is the hardest."""
PAIRS = 0.25
"""Share of the questions about a name that are about a second one too."""
ABOUT = (
    "{words} in {name}?",
    "What does {name} do about {words}?",
    "How does {name} treat {words}?",
    "{name}: {words}",
    "What is said of {words} in `{name}`?",
    "Tell me about {words}. I mean {name}.",
    "In `{name}`, what of {words}?",
)
NAMELESS = (
    "{words}?",
    "What is said of {words}?",
    "Where do I find {words}?",
    "Which one is about {words}?",
    "Explain {words}.",
)
WITHIN = (
    "Which one of {place} does {words}?",
    "What in `{place}` is there for {words}?",
    "I want {words}. What is it called in {place}?",
    "To get {words}, what of {place} do you need?",
    "What is the name of the one in {place} that has to do with {words}?",
)
"""For what is known by what it does and where it is."""
BOTH = (
    "What are {first} and {second}?",
    "How does `{first}` differ from `{second}`?",
    "{first} or {second}: what is which?",
    "Explain `{first}` and {second} to me.",
    "What does {first} do, and what {second}?",
)
NAMED = ("What is {name}?", "What does {name} do?", "Explain `{name}` to me.", "`{name}`?", "What is {name} for?")


@dataclass(frozen=True, slots=True)
class Pretext:
    """One step as text."""

    observation: str
    completion: str
    phase: Phase


class Pretexts:
    """Makes steps from the pages of a documentation."""

    def __init__(self, web: Backend, urls: Sequence[str], settings: Settings) -> None:
        """Read the pages.

        Args:
            web: Holds them, and is searched.
            urls: The pages that may be learned from.
            settings: The format of the observations.
        """
        self.web = web
        self.settings = settings
        self._fetch = lru_cache(maxsize=None)(web.fetch)
        self._search = lru_cache(maxsize=2000)(lambda query: results_page(query, web.search(query)))
        self._definitions = [found for url in urls for found in definitions(self._fetch(url)) if found.sentences]
        self._on_page: dict[str, list[Definition]] = {}
        for found in self._definitions:
            self._on_page.setdefault(found.url, []).append(found)
        if not self._definitions:
            raise ValueError("the pages define nothing that could be asked about")

    def steps(self, rng: random.Random, shortest_view: int | None = None) -> Iterator[Pretext]:
        """Steps without end.

        Args:
            rng: Draws them.
            shortest_view: Views have from so many lines to those of the settings. None: those of the settings.
        """
        longest = self.settings.view_height
        while True:
            kind = rng.choices(list(KINDS), list(KINDS.values()))[0]
            height = longest if shortest_view is None else rng.randint(shortest_view, longest)
            settings = replace(self.settings, view_height=height)
            if step := self._step(kind, _Case.draw(rng.choice(self._definitions), rng), settings, rng):
                yield step

    def _step(self, kind: str, case: "_Case", settings: Settings, rng: random.Random) -> Pretext | None:
        """One step of a kind; None: there is no such step of this case."""
        if kind == "nothing":
            return self._nothing(case.definition, rng)
        page = self._fetch(case.definition.url)
        pair = self._pair(case.definition, rng) if case.is_summary and rng.random() < PAIRS else None
        state = BrowserState(Question(id="pretext", text=pair.question if pair else case.question), settings)
        if pair and pair.is_second:
            if not (quoted := self._with_first(state, pair.other)):
                return None
            state = quoted
        if pair and pair.is_second and pair.other.url == page.url:
            if kind in ("search", "click"):
                return None
            state = replace(open_page(state, page, ""), past_actions=state.past_actions)
        else:
            if kind == "search":
                return _shown(state, Search(case.query))
            # Results are only seen where one of them is chosen, and searching is most of the time.
            results = self._search(case.query) if kind == "click" else results_page(case.query, ())
            state = count_action(open_page(state, results, f"Search {case.query}"))
            if kind == "click":
                return _click(state, page)
            state = count_action(open_page(state, page, f"Click {page.title}"))
        if kind == "find":
            return self._find(state, case.landmark)
        return self._quote(kind, case, state, pair, rng)

    def _quote(self, kind: str, case: "_Case", state: BrowserState, pair: "_Pair | None", rng: random.Random) -> Pretext | None:
        """The quote, or what comes behind it."""
        page = state.page
        sentence = self._place(page, case)
        if sentence is None:
            return None
        span = headed(page, case.definition.short_name, sentence)
        if case.landmark and rng.random() < 0.8:
            state = count_action(apply(state, Find(case.landmark)).state)
        if not (looking := _looking_at(state, span, rng)):
            return None
        state = looking
        told = clean_line(page.text[slice(*sentence)])  # the page's own words, quotation marks included
        quote = Quote(quote_text(page.normal, span, state.layout.starts[state.visit.top]))
        if kind == "quote":
            if not pair and rng.random() < 0.15:
                state = self._with_another(state, rng)
            return _shown(state, quote)
        number = len(state.references)
        state = count_action(apply(state, quote).state)
        if len(state.references) == number:
            return None
        if pair and not pair.is_second:
            return self._second(state, pair.other) if kind == "end" else None
        if kind == "end":
            return Pretext(observe(state), "End: Answer", "browsing")
        subject = f"{case.definition.short_name}: " if case.wants_name and span != sentence else ""
        return self._answer(state, f"{subject}{_ended(told)}", rng, first=pair.told if pair else None)

    def _find(self, state: BrowserState, landmark: str | None) -> Pretext | None:
        if landmark is None or not find_next(state.page.normal, landmark, 0):
            return None
        return _shown(state, Find(landmark))

    def _second(self, state: BrowserState, other: Definition) -> Pretext:
        """The first of two is quoted: on to the second."""
        landmark = _landmark(other)
        if other.url == state.page.url and find_next(state.page.normal, landmark, 0):
            return _shown(state, Find(landmark))
        return _shown(state, Search(other.full_name))

    def _pair(self, mine: Definition, rng: random.Random) -> "_Pair | None":
        """Another definition that is asked about too, mostly of the same page."""
        other = rng.choice(self._on_page[mine.url] if rng.random() < 0.7 else self._definitions)
        if other.short_name == mine.short_name or "module" in (mine.kind, other.kind):
            return None
        is_second = rng.random() < 0.6
        first, second = (other, mine) if is_second else (mine, other)
        question = rng.choice(BOTH).format(first=first.full_name, second=second.full_name)
        return _Pair(other, question, is_second)

    def _with_first(self, state: BrowserState, other: Definition) -> BrowserState | None:
        """The first of two was looked up and quoted; None: its sentence cannot be."""
        page, told = self._fetch(other.url), _first_sentence(other)
        sentence = find_quote(page.normal, told, 0)
        if isinstance(sentence, str):
            return None
        earlier = (f"Search {other.full_name}", f"Click {page.title}", f"Find in page {shorten(_landmark(other))}", "Quote")
        return replace(
            state,
            references=(_reference(page, headed(page, other.short_name, sentence)),),
            past_actions=earlier,
            actions_taken=len(earlier),
        )

    def _nothing(self, definition: Definition, rng: random.Random) -> Pretext | None:
        """The results for a name that is nowhere: at the place of one thing the name of another, or of two at once."""
        parts = [rng.choice(self._definitions).short_name for _ in range(rng.randint(1, 2))]
        last = "_".join(parts)
        name = f"{definition.owner}.{last}"
        results = self._search(name)
        if last in results.text:
            return None
        state = BrowserState(Question(id="pretext", text=rng.choice(NAMED).format(name=name)), self.settings)
        return _shown(count_action(open_page(state, results, f"Search {name}")), End(EndReason.NONSENSE))

    def _place(self, page: Page, case: "_Case") -> tuple[int, int] | None:
        """Where the sentence stands below its heading; None: somewhere else."""
        heading = next((start for start, end in page.headings if page.text[start:end] == case.definition.heading), 0)
        return page.normal.find(normal_form(case.sentence), heading)

    def _answer(self, state: BrowserState, told: str, rng: random.Random, first: str | None) -> Pretext:
        """The answer from the last reference; of a pair from the first one too."""
        number = len(state.references)
        if first is None and rng.random() < 0.3:
            other = self._with_another(state, rng)
            flipped = other.references[::-1] if rng.random() < 0.5 else other.references
            number = flipped.index(state.references[0]) + 1
            state = replace(other, references=flipped)
        before = f"{first} [1] " if first else ""
        return Pretext(observe(replace(state, ending="answer")), f"{before}{told} [{number}]", "answering")

    def _with_another(self, state: BrowserState, rng: random.Random) -> BrowserState:
        """With a reference that was quoted before, about something else."""
        other = rng.choice(self._definitions)
        page = self._fetch(other.url)
        span = find_quote(page.normal, rng.choice(other.sentences), 0)
        if isinstance(span, str) or page.url == state.page.url:
            return state
        earlier = (f"Search {other.full_name}", f"Click {page.title}", "Quote")
        return replace(
            state,
            references=(_reference(page, span), *state.references),
            past_actions=(*earlier, *state.past_actions),
            actions_taken=state.actions_taken + len(earlier),
        )


@dataclass(frozen=True, slots=True)
class _Case:
    """A sentence that answers, and the question that it answers."""

    definition: Definition
    sentence: str
    question: str
    query: str
    landmark: str | None
    """What is looked for on the page; None: nothing that stands there would be said."""
    is_summary: bool = False
    """Whether the sentence is the first one, and the question names what it describes."""
    wants_name: bool = False
    """Whether the question asks for the name."""

    @classmethod
    def draw(cls, definition: Definition, rng: random.Random) -> "_Case":
        first = _first_sentence(definition)
        sentence = first if rng.random() < 0.4 else rng.choice(definition.sentences)
        name = definition.full_name if rng.random() < 0.7 else definition.short_name
        landmark = _landmark(definition)
        if sentence == first and rng.random() < 0.6:
            question = rng.choice(NAMED).format(name=name)
            return cls(definition, sentence, question, name, landmark, is_summary=True)
        if rng.random() < 0.4:
            words = _some_words(sentence, rng)
            return cls(definition, sentence, rng.choice(ABOUT).format(name=name, words=words), name, landmark)
        if rng.random() < 0.2:
            words = _some_words(sentence, rng)
            return cls(definition, sentence, rng.choice(NAMELESS).format(words=words), words, None)
        stretch = _stretch(sentence, rng)
        phrase = " ".join(stretch[:PHRASE_WORDS])
        if rng.random() < 0.3:
            return cls(definition, sentence, rng.choice(NAMELESS).format(words=" ".join(stretch)), " ".join(stretch), phrase)
        question = rng.choice(WITHIN).format(place=definition.owner, words=" ".join(stretch))
        return cls(definition, sentence, question, definition.owner, phrase, wants_name=True)


@dataclass(frozen=True, slots=True)
class _Pair:
    """A question about two things, of which the case is one."""

    other: Definition
    question: str
    is_second: bool
    """Whether the other one comes first, and was quoted."""

    @property
    def told(self) -> str:
        """What is said of the other one."""
        return _ended(_first_sentence(self.other))


def _first_sentence(definition: Definition) -> str:
    return definition.summary or definition.sentences[0]


def _landmark(definition: Definition) -> str:
    """How the line begins that defines something."""
    if definition.kind in ("class", "exception"):
        return f"class {definition.short_name}("
    return f"{definition.short_name}(" if definition.kind in ("function", "method") else definition.short_name


def _ended(sentence: str) -> str:
    return sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."


def _reference(page: Page, span: tuple[int, int]) -> Reference:
    return Reference(
        title=page.title, url=page.url, extract=page.text[slice(*span)], page=page.digest, start=span[0], end=span[1]
    )


def _click(state: BrowserState, page: Page) -> Pretext | None:
    """The result that is the page; None: it is not in view."""
    number = next((id_ for url, id_ in state.page.link_ids.items() if urldefrag(url)[0] == page.url), None)
    in_view = any(line.startswith(f"{LINK_OPEN}{number}{LINK_FIELD}") for line in view_lines(state))
    return _shown(state, Click(number)) if number is not None and in_view else None


def _stretch(sentence: str, rng: random.Random) -> list[str]:
    """Words of a sentence in a row: half of the time all but the first, which is its verb."""
    parts = sentence.rstrip(".!?").split()
    if rng.random() < 0.5:
        return parts[1:]
    size = min(len(parts), rng.randint(3, 10))
    start = rng.randrange(len(parts) - size + 1)
    return parts[start : start + size]


def _some_words(sentence: str, rng: random.Random) -> str:
    """A few words of a sentence in a row, or some of its words in order with their endings changed here and there."""
    parts = sentence.rstrip(".!?").split()
    if rng.random() < 0.5:
        size = min(len(parts), rng.randint(3, 8))
        start = rng.randrange(len(parts) - size + 1)
        return " ".join(parts[start : start + size])
    telling = [word for word in WORD.findall(sentence) if word.casefold() not in STOP_WORDS]
    size = min(len(telling), rng.randint(2, 6))
    kept = sorted(rng.sample(range(len(telling)), size))
    return " ".join(_otherwise(telling[index], rng) for index in kept) or sentence


def _otherwise(word: str, rng: random.Random) -> str:
    if rng.random() < 0.75 or not word.isalpha() or len(word) < 4:
        return word
    if word.endswith("s"):
        return word[:-1]
    return word[:-1] + "ing" if word.endswith("e") else word + rng.choice(("s", "ed", "ing"))


def _looking_at(state: BrowserState, span: tuple[int, int], rng: random.Random) -> BrowserState | None:
    """With the span somewhere in view; where it was already, perhaps left as it is. None: it is longer than a view."""
    layout, height = lay_out(state.page, state.settings.view_width), state.settings.view_height
    first, last = layout.line_at(span[0]), layout.line_at(span[1] - 1)
    if last - first >= height:
        return None
    top = state.visit.top
    if not (top <= first and last < top + height) or rng.random() < 0.3:
        top = rng.randint(min(first, max(0, last - height + 1)), first)
    top = max(0, min(top, len(layout.lines) - height))
    return replace(state, visits=(*state.visits[:-1], replace(state.visit, top=top)))


def _shown(state: BrowserState, action: Action) -> Pretext:
    return Pretext(observe(state), format_action(action), "browsing")
