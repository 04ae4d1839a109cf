"""Pretext tasks: training examples of browsing, made from pages alone before there are any demonstrations.

A question is made from a sentence of a page (`training.base_model.pretext_questions`), so the next action of a person is
known without a person: search for the name, open the result that contains the sentence, find the name, quote the sentence,
answer with it; do the same for a second name if two are asked for; give up if a name does not exist. The observations are
real: the environment's own functions make them.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final
from urllib.parse import urldefrag

from agent.models.tokens import Phase
from agent.question_sets.pydoc.definitions import Definition, definitions
from browser_env.actions import Action, Click, End, EndReason, Find, Quote, Search, format_action
from browser_env.backends import Backend
from browser_env.observation import observe, view_lines
from browser_env.pages.characters import LINK_FIELD, LINK_OPEN, clean_line
from browser_env.pages.layout import lay_out
from browser_env.pages.matching import Span, find_next, find_quote, normal_form, quote_text
from browser_env.pages.page import Page
from browser_env.records import Question, Reference, Settings
from browser_env.results import results_page
from browser_env.state import BrowserState, apply, count_action, open_page, shorten
from training.base_model.pretext_questions import (
    NAMED,
    PretextPair,
    PretextQuestion,
    definition_landmark,
    draw_pair,
    draw_question,
    ended,
    first_sentence,
)
from training.scripted_people.quoting import headed

KINDS: Final = {"quote": 0.44, "search": 0.08, "click": 0.1, "find": 0.19, "answer": 0.11, "end": 0.06, "nothing": 0.02}
"""Share of each kind of example. Quoting is the hardest task; *nothing* ends browsing for a name that does not exist."""
PAIRS: Final = 0.25
"""Share of the questions about a name that ask about a second name too."""


@dataclass(frozen=True, slots=True)
class TrainingExample:
    """One step of an episode as text: the observation, and the command or answer to learn."""

    observation: str
    completion: str
    phase: Phase


class PretextTasks:
    """Makes training examples from pages of documentation."""

    def __init__(self, web: Backend, urls: Sequence[str], settings: Settings) -> None:
        """Read the pages.

        Args:
            web: Fetches the pages and answers searches.
            urls: The pages to make examples from.
            settings: Format of the observations.

        Raises:
            ValueError: The pages define nothing.
        """
        self.settings = settings
        self._fetch = lru_cache(maxsize=None)(web.fetch)
        self._search = lru_cache(maxsize=2000)(lambda query: results_page(query, web.search(query)))
        self._definitions = [item for url in urls for item in definitions(self._fetch(url)) if item.sentences]
        self._on_page: dict[str, list[Definition]] = {}
        for definition in self._definitions:
            self._on_page.setdefault(definition.url, []).append(definition)
        if not self._definitions:
            raise ValueError("the pages define nothing that could be asked about")

    def examples(self, rng: random.Random, shortest_view: int | None = None) -> Iterator[TrainingExample]:
        """Draw training examples without end.

        Args:
            rng: Source of all randomness.
            shortest_view: Minimum number of lines of a view; the maximum is that of the settings. Default: the maximum.
        """
        longest = self.settings.view_height
        while True:
            kind = rng.choices(list(KINDS), list(KINDS.values()))[0]
            height = longest if shortest_view is None else rng.randint(shortest_view, longest)
            settings = replace(self.settings, view_height=height)
            if example := self._example(kind, draw_question(rng.choice(self._definitions), rng), settings, rng):
                yield example

    def _example(self, kind: str, question: PretextQuestion, settings: Settings, rng: random.Random) -> TrainingExample | None:
        """An example of a kind; None if this question has none."""
        if kind == "nothing":
            return self._missing_name(question.definition, rng)
        page = self._fetch(question.definition.url)
        pair = self._pair(question.definition, rng) if question.is_summary and rng.random() < PAIRS else None
        state = BrowserState(Question(id="pretext", text=pair.text if pair else question.text), settings)
        if pair and pair.is_second:
            if not (after_first := self._after_first(state, pair.other)):
                return None
            state = after_first
        if pair and pair.is_second and pair.other.url == page.url:
            if kind in ("search", "click"):
                return None
            state = replace(open_page(state, page, ""), past_actions=state.past_actions)
        else:
            if kind == "search":
                return _example(state, Search(question.query))
            # Searching takes most of the time, and only clicks need the results.
            results = self._search(question.query) if kind == "click" else results_page(question.query, ())
            state = count_action(open_page(state, results, f"Search {question.query}"))
            if kind == "click":
                return _click(state, page)
            state = count_action(open_page(state, page, f"Click {page.title}"))
        if kind == "find":
            return _find(state, question.landmark)
        return self._quote(kind, question, state, pair, rng)

    # -------------------------------------------------------------------------------------------------- quoting, answering

    def _quote(
        self, kind: str, question: PretextQuestion, state: BrowserState, pair: PretextPair | None, rng: random.Random
    ) -> TrainingExample | None:
        """An example of the quote, or of a step after it; None if the sentence cannot be quoted."""
        page = state.page
        sentence = _place(page, question)
        if sentence is None:
            return None
        span = headed(page, question.definition.short_name, sentence)
        if question.landmark and rng.random() < 0.8:
            state = count_action(apply(state, Find(question.landmark)).state)
        if not (scrolled := _scrolled_to(state, span, rng)):
            return None
        state = scrolled
        quote = Quote(quote_text(page.normal, span, state.layout.starts[state.visit.top]))
        if kind == "quote":
            if not pair and rng.random() < 0.15:
                state = self._with_other_reference(state, rng)
            return _example(state, quote)
        number = len(state.references)
        state = count_action(apply(state, quote).state)
        if len(state.references) == number:
            return None
        if pair and not pair.is_second:
            return _towards_second(state, pair.other) if kind == "end" else None
        if kind == "end":
            return TrainingExample(observe(state), "End: Answer", "browsing")
        subject = f"{question.definition.short_name}: " if question.wants_name and span != sentence else ""
        answer = ended(clean_line(page.text[slice(*sentence)]))  # the page's own words, quotation marks included
        return self._answer(state, f"{subject}{answer}", rng, first=pair.other_answer if pair else None)

    def _answer(self, state: BrowserState, answer: str, rng: random.Random, first: str | None) -> TrainingExample:
        """An example of the answer from the last reference, after the first answer if two are asked for."""
        number = len(state.references)
        if first is None and rng.random() < 0.3:
            other = self._with_other_reference(state, rng)
            references = other.references[::-1] if rng.random() < 0.5 else other.references
            number = references.index(state.references[0]) + 1
            state = replace(other, references=references)
        before = f"{first} [1] " if first else ""
        return TrainingExample(observe(replace(state, ending="answer")), f"{before}{answer} [{number}]", "answering")

    def _with_other_reference(self, state: BrowserState, rng: random.Random) -> BrowserState:
        """A state with an earlier reference about another subject, if one can be drawn."""
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

    # ------------------------------------------------------------------------------------------- two names, missing names

    def _pair(self, definition: Definition, rng: random.Random) -> PretextPair | None:
        """A question about a second definition too, mostly of the same page."""
        other = rng.choice(self._on_page[definition.url] if rng.random() < 0.7 else self._definitions)
        return draw_pair(definition, other, rng)

    def _after_first(self, state: BrowserState, first: Definition) -> BrowserState | None:
        """A state after the first definition was looked up and quoted; None if its sentence cannot be quoted."""
        page = self._fetch(first.url)
        sentence = find_quote(page.normal, first_sentence(first), 0)
        if isinstance(sentence, str):
            return None
        find = f"Find in page {shorten(definition_landmark(first))}"
        earlier = (f"Search {first.full_name}", f"Click {page.title}", find, "Quote")
        return replace(
            state,
            references=(_reference(page, headed(page, first.short_name, sentence)),),
            past_actions=earlier,
            actions_taken=len(earlier),
        )

    def _missing_name(self, definition: Definition, rng: random.Random) -> TrainingExample | None:
        """An example of giving up on a missing name, made of a module or class and the names of one or two definitions."""
        parts = [rng.choice(self._definitions).short_name for _ in range(rng.randint(1, 2))]
        last = "_".join(parts)
        name = f"{definition.owner}.{last}"
        results = self._search(name)
        if last in results.text:
            return None
        state = BrowserState(Question(id="pretext", text=rng.choice(NAMED).format(name=name)), self.settings)
        return _example(count_action(open_page(state, results, f"Search {name}")), End(EndReason.NONSENSE))


def _example(state: BrowserState, action: Action) -> TrainingExample:
    return TrainingExample(observe(state), format_action(action), "browsing")


def _click(state: BrowserState, page: Page) -> TrainingExample | None:
    """An example of opening the result that links to a page; None if it is not in view."""
    link_id = next((id_ for url, id_ in state.page.link_ids.items() if urldefrag(url)[0] == page.url), None)
    is_in_view = any(line.startswith(f"{LINK_OPEN}{link_id}{LINK_FIELD}") for line in view_lines(state))
    return _example(state, Click(link_id)) if link_id is not None and is_in_view else None


def _find(state: BrowserState, landmark: str | None) -> TrainingExample | None:
    """An example of finding a text; None if it is not on the page."""
    if landmark is None or not find_next(state.page.normal, landmark, 0):
        return None
    return _example(state, Find(landmark))


def _towards_second(state: BrowserState, second: Definition) -> TrainingExample:
    """An example of turning to the second definition after the first was quoted."""
    landmark = definition_landmark(second)
    if second.url == state.page.url and find_next(state.page.normal, landmark, 0):
        return _example(state, Find(landmark))
    return _example(state, Search(second.full_name))


def _place(page: Page, question: PretextQuestion) -> Span | None:
    """The span of the question's sentence, after the heading of its definition; None if the page does not have it."""
    heading = next((start for start, end in page.headings if page.text[start:end] == question.definition.heading), 0)
    return page.normal.find(normal_form(question.sentence), heading)


def _reference(page: Page, span: Span) -> Reference:
    return Reference(
        title=page.title, url=page.url, extract=page.text[slice(*span)], page=page.digest, start=span[0], end=span[1]
    )


def _scrolled_to(state: BrowserState, span: Span, rng: random.Random) -> BrowserState | None:
    """A state with a span at a random place in the view; None if the span is longer than the view.

    If the span is in view already, the view mostly stays where it is.
    """
    layout, height = lay_out(state.page, state.settings.view_width), state.settings.view_height
    first, last = layout.line_at(span[0]), layout.line_at(span[1] - 1)
    if last - first >= height:
        return None
    top = state.visit.top
    if not (top <= first and last < top + height) or rng.random() < 0.3:
        top = rng.randint(min(first, max(0, last - height + 1)), first)
    top = max(0, min(top, len(layout.lines) - height))
    return replace(state, visits=(*state.visits[:-1], replace(state.visit, top=top)))
