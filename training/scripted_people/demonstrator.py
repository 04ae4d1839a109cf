"""A stand-in for the people who demonstrate: it knows where the answer stands, and browses there as a person would.

The paper's first policy learned from 6,209 demonstrations of people (§3.1, Table 4). Here are demonstrations without people,
for questions with gold evidence, so that everything can be run and measured; records say ``script``.

A small model learns from these, and it sees the observation alone. So every step can be told from what is shown: queries are
names and phrases of the question; what is looked for on a page is a name or a phrase of the question, chosen by one rule and
tried out on the page before it is said; the result that is opened, the sentence that is quoted are in view. What the
demonstrator knows decides only which of the sensible things to do lead to the answer. A share of episodes, the *noise*, makes
the mistakes that a model will make too, and recovers from them; `training.behavior_cloning.mistakes` tells which steps they
are.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from agent.evaluation.metrics import NAMED, UNANSWERABLE, final_answer, is_correct
from agent.policies.passages import hits
from agent.policies.topics import Topic, topics
from agent.policy import Completion, Prompt
from agent.rollouts.rollout import rollout
from browser_env.actions import Action, Back, Click, End, EndReason, Find, Quote, ScrollDown, ScrollUp, Search, format_action
from browser_env.backends import Backend
from browser_env.errors import PolicyError
from browser_env.observation import view_lines
from browser_env.pages.characters import clean_line
from browser_env.pages.matching import MAX_PLAIN_WORDS, Span, normal_form, quote_text
from browser_env.pages.page import Page
from browser_env.records import Episode, Question, Reference, Settings
from browser_env.records.digests import stable_hash
from browser_env.state import BrowserState, apply, shown
from training.scripted_people.clues import asked, named, phrases, queries
from training.scripted_people.quoting import definition_line, headed

NAME: Final = "script"
"""What records call every scripted person."""
NOISE: Final = 0.15
"""Share of the occasions for a detour that are taken, unless told otherwise."""
MAX_FINDS: Final = 3
"""How often one text is looked for in a row."""
MANY_FINDS: Final = 8
"""The same where nothing else leads to the sentence."""
MAX_SCROLLS: Final = 3
"""Views that are read on from where a find led."""
MAX_PLACES: Final = 4
"""Places of a page with the same sentence that are considered."""
MAX_LINES_ABOVE: Final = 4
"""Lines between a definition and a sentence that is quoted with it, unless the name is what is asked for."""
SECTION: Final = "Functions"
"""What stands over the functions of a page of Python's documentation, behind all of its classes."""


@dataclass(frozen=True, slots=True)
class Demonstrator:
    """A policy that knows the evidence of its questions.

    Args:
        noise: From 0, the shortest clean demonstration, to 1.
        seed: Other seeds take other detours.
        max_quote_words: Longer quotes are abbreviated as ``start━end``.
    """

    noise: float = NOISE
    seed: int = 0
    max_quote_words: int = MAX_PLAIN_WORDS

    @property
    def name(self) -> str:
        return NAME

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion | PolicyError]:
        return [self._complete(prompt.state) for prompt in prompts]

    def _complete(self, state: BrowserState) -> Completion | PolicyError:
        if not can_demonstrate(state.question):
            return PolicyError(f"question {state.question.id!r} has no gold evidence, and the demonstrator knows nothing else")
        if state.phase == "answering":
            return Completion(write_answer(state.question, state.references))
        return Completion(format_action(_Demonstration(self, state).act()))


def demonstrations(
    web: Backend,
    questions: Iterable[Question],
    settings: Settings,
    *,
    noise: float = NOISE,
    seed: int = 0,
    max_quote_words: int = MAX_PLAIN_WORDS,
    batch_size: int = 32,
) -> Iterator[Episode]:
    """Demonstrations of the questions that have gold evidence or no answer; those that went wrong are left out.

    Args:
        web: What is browsed.
        questions: Others are skipped.
        settings: What is shown, and the budgets.
        noise: See `Demonstrator`, like the next two.
        seed: Another one gives other demonstrations of the same questions.
        max_quote_words: See `Demonstrator`.
        batch_size: Episodes in flight; it changes the order, not the episodes.
    """
    policy = Demonstrator(noise, seed, max_quote_words)
    known = (question for question in questions if can_demonstrate(question))
    for episode in rollout(policy, web, known, settings, seed=seed, batch_size=batch_size, threads=1):
        if is_demonstration(episode):
            yield episode


def can_demonstrate(question: Question) -> bool:
    """Whether it is known where a question is answered, or that it is not."""
    return question.kind == UNANSWERABLE or any(page.sentences for page in question.evidence)


def is_demonstration(episode: Episode) -> bool:
    """Whether an episode ended well by the gold evidence, without an invalid command."""
    if episode.failure is not None or episode.ending is None or any(step.problem for step in episode.steps):
        return False
    return episode.ending != "max_actions" and bool(is_correct(episode.question, final_answer(episode), episode.references))


def write_answer(question: Question, references: Sequence[Reference]) -> str:
    """The quotes, each with its citation; the name in front where a name is asked for."""
    wants_name = _wants_name(question)
    sentences = (sentence for page in question.evidence for sentence in page.sentences)
    gold = [clean_line(sentence) for sentence in sentences]
    lines = []
    for number, reference in enumerate(references, start=1):
        text = clean_line(reference.extract)
        name = _HEADING_NAME.match(text)
        told = next((sentence for sentence in gold if sentence in text), text)
        subject = f"{name[1]}: " if wants_name and name and told != text else ""
        lines.append(f"{subject}{told}{'' if told.endswith(('.', '!', '?')) else '.'} [{number}]")
    return " ".join(lines)


_HEADING_NAME = re.compile(r"(?:class |async |def )*([A-Za-z_]\w*)")


def _wants_name(question: Question) -> bool:
    return question.kind == NAMED


@dataclass(frozen=True, slots=True)
class _Target:
    """A sentence to be quoted, and what the question says about it."""

    index: int
    url: str
    sentence: str
    topic: Topic


class _Demonstration:
    """One observation to act on, with everything that is known about it."""

    def __init__(self, demonstrator: Demonstrator, state: BrowserState) -> None:
        self.demonstrator = demonstrator
        self.state = state
        self.question = state.question

    def act(self) -> Action:
        if self.question.kind == UNANSWERABLE:
            return self._seek_nothing()
        target = self._target()
        if target is None:
            return End(EndReason.ANSWER)
        if self.state.page.url == target.url and self.state.page.kind == "page":
            return self._read(target)
        match self.state.page.kind:
            case "results" if self._searches():
                return self._choose(target)
            case "page" | "error" if self._searches() and self.state.page.text:
                return self._leave(target)
            case _:
                return self._search(target)

    # ------------------------------------------------------------------------------------------------------- questions

    def _target(self) -> _Target | None:
        """The next sentence that is not quoted yet."""
        pages = [(page.url, sentence) for page in self.question.evidence for sentence in page.sentences]
        about = asked(self.question.text)
        for index, (url, sentence) in enumerate(pages):
            if not any(
                reference.url == url and normal_form(sentence) in normal_form(reference.extract)
                for reference in self.state.references
            ):
                return _Target(index, url, sentence, about[index if len(about) == len(pages) else 0])
        return None

    def _takes(self, what: str, share: float = 1.0) -> bool:
        """Whether a detour is taken: the same answer at every step of the episode."""
        drawn = int(stable_hash(self.demonstrator.seed, self.question.id, what)[:8], 16) / 2**32
        return drawn < self.demonstrator.noise * share

    def _trail(self) -> Sequence[str]:
        """What was done since the last quote."""
        return _behind(self.state.past_actions, "Quote")

    def _searches(self) -> list[str]:
        return [action.removeprefix("Search ") for action in self._trail() if action.startswith("Search ")]

    # --------------------------------------------------------------------------------------------------------- results

    def _search(self, target: _Target) -> Action:
        """The next query, the best first; a weaker one before it as a detour."""
        options = list(queries(target.topic, self.question.text, target.sentence))
        if len(options) > 1 and self._takes(f"query {target.index}", 1.5):
            options[0], options[1] = options[1], options[0]
        done = self._searches()
        fresh = [query for query in options if shown(query) not in done]
        return Search(fresh[0]) if fresh else End(EndReason.ANSWER if self.state.references else EndReason.NONSENSE)

    def _choose(self, target: _Target) -> Action:
        page = self.state.page
        in_view = [hit.link_id for hit in hits(view_lines(self.state))]
        right = next((index for index, url in enumerate(page.link_urls) if url == target.url), None)
        if right is None:
            return self._search(target)
        if right not in in_view:
            return ScrollDown(1)
        others = [hit for hit in in_view if hit != right]
        has_clicked = any(action.startswith("Click ") for action in self._trail())
        if others and not has_clicked and self._takes(f"wrong result {target.index}", 0.5):
            return Click(others[0])
        return Click(right)

    def _leave(self, target: _Target) -> Action:
        """The wrong page: look for the name there, or see from the title that it is not here."""
        if target.topic.name and not self._finds() and self._takes(f"look {target.index}", 3.0):
            return Find(f"{target.topic.last}(")
        return Back() if len(self.state.visits) > 1 else self._search(target)

    # ------------------------------------------------------------------------------------------------------------ page

    def _finds(self) -> list[str]:
        """What was looked for since this page was opened."""
        here = _behind(self._trail(), "Click ")
        return [action.removeprefix("Find in page ") for action in here if action.startswith("Find in page ")]

    def _read(self, target: _Target) -> Action:
        places = list(islice(_Gold.places(self.state, target), MAX_PLACES))
        if not places:
            return Back() if len(self.state.visits) > 1 else End(EndReason.NONSENSE)
        for gold in places:
            if gold.is_in_view(self.state):
                return Quote(self._quotation(gold))
        actions = (self._look(target, gold) for gold in places)
        return next((action for action in actions if not isinstance(action, End)), End(EndReason.NONSENSE))

    def _look(self, target: _Target, gold: "_Gold") -> Action:
        finds = self._finds()
        here = _behind(self._trail(), "Click ")
        if not here and not gold.is_module and self._takes(f"glance {target.index}", 0.3):
            return ScrollDown(1)
        if gold.is_above(self.state):
            return ScrollUp(1)
        scrolls = self._scrolls_to(gold)
        if scrolls and (gold.is_module or (finds and self._is_at_definition(gold))):
            return ScrollDown(1)
        if not finds and scrolls == 1 and self._takes(f"read on {target.index}"):
            return ScrollDown(1)
        if (detour := self._find_detour(target, gold, finds)) is not None:
            return detour
        if (text := self._find_text(target, gold, finds)) is not None:
            return Find(text)
        return ScrollDown(1) if scrolls else End(EndReason.NONSENSE)

    def _is_at_definition(self, gold: "_Gold") -> bool:
        """Whether the sentence stands below the heading in view, or is being scrolled to."""
        return gold.has_heading_in_view(self.state) or self.state.past_actions[-1].startswith("Scroll down")

    def _scrolls_to(self, gold: "_Gold") -> int:
        """Views to scroll down until the sentence is in view; 0: it is not below, or too far."""
        state = self.state
        for number in range(1, MAX_SCROLLS + 1):
            state = apply(state, ScrollDown(1)).state
            if gold.is_in_view(state):
                return number
        return 0

    def _find_detour(self, target: _Target, gold: "_Gold", finds: Sequence[str]) -> Action | None:
        """A find that people try although a better one is known; only as the first on a page."""
        if finds or gold.is_module:
            return None
        name = target.topic.name
        if name and "." in name and self._takes(f"full name {target.index}", 0.4) and not _stands(self.state.page, name):
            return Find(name)
        if self._takes(f"phrase {target.index}", 0.7):
            options = phrases(self.question.text, target.sentence)
            return next((Find(text) for text in options if self._leads(gold, text) == 1), None)
        if gold.owner and name and self._takes(f"no class {target.index}", 0.7) and self._leads(gold, f"{target.topic.last}("):
            return Find(f"{target.topic.last}(")
        return None

    def _find_text(self, target: _Target, gold: "_Gold", finds: Sequence[str]) -> str | None:
        """What to look for: what stands in the class before what stands in the page, a name before a phrase."""
        owner = f"class {gold.owner}("
        if gold.owner and owner not in finds and _stands(self.state.page, owner):
            return owner
        names = named(target.topic, self.question.text)
        for texts in (names, phrases(self.question.text, target.sentence)):
            costs = [(cost, place) for place, text in enumerate(texts) if (cost := self._leads(gold, text))]
            if costs:
                return texts[min(costs)[1]]
            if texts and texts == names and not gold.owner and finds.count(SECTION) < MAX_FINDS - 1:
                # Methods of the same name stand above: see one, then go to where the functions begin.
                return SECTION if finds and _stands(self.state.page, SECTION) else names[0]
        return next((text for text in names if self._leads(gold, text, MANY_FINDS)), None)

    def _leads(self, gold: "_Gold", text: str, max_finds: int = MAX_FINDS) -> int:
        """How many finds and scrolls a text takes to bring the sentence into view; 0: it does not."""
        state, tops = self.state, set()
        for number in range(1, max_finds + 1):
            state = apply(state, Find(text)).state
            if state.past_actions[-1].endswith("(not found)") or (state.visit.top, state.visit.found) in tops:
                return 0
            tops.add((state.visit.top, state.visit.found))
            if gold.is_in_view(state):
                return number
            below = state
            for scrolls in range(1, MAX_SCROLLS) if gold.has_heading_in_view(state) else ():
                below = apply(below, ScrollDown(1)).state
                if gold.is_in_view(below):
                    return number + scrolls
            if gold.is_above(state):
                return number + 1
        return 0

    def _quotation(self, gold: "_Gold") -> str:
        """The text of the quote command."""
        longest = len(self.state.page.text) if self._takes(f"plain {gold.index}") else self.demonstrator.max_quote_words
        return quote_text(self.state.page.normal, gold.span, self.state.layout.starts[self.state.visit.top], longest)

    # --------------------------------------------------------------------------------------------------------- nothing

    def _seek_nothing(self) -> Action:
        """Look for what does not exist: a search, another one now and then, and an end.

        It is not looked for on the page where it would stand: a policy that is held to what is feasible cannot do so.
        """
        topic = topics(self.question.text)[0]
        name = topic.name or topic.place or ""
        state, done = self.state, self._searches()
        if not done:
            return Search(shown(name or " ".join(topic.keywords)).strip() or shown(self.question.text).strip())
        in_view = hits(view_lines(state))
        is_there = any(topic.last in f"{hit.title} {hit.snippet}" for hit in in_view)
        if topic.name and "." in name and not is_there and len(done) == 1 and self._takes("second query", 3.0):
            return Search(topic.last)
        return End(EndReason.NONSENSE)


@dataclass(frozen=True, slots=True)
class _Gold:
    """Where a target stands on the page in view."""

    index: int
    span: Span
    """What is to be quoted."""
    start_line: int
    end_line: int
    definition_line: int | None
    """Line of the heading above it; None: the page has none."""
    owner: str | None
    """The class on this page that the definition is a part of."""
    is_module: bool
    """Whether it tells of the page itself."""

    @classmethod
    def places(cls, state: BrowserState, target: _Target) -> Iterator["_Gold"]:
        """Where the sentence stands: under the definition that is asked about, then under others of the same name.

        A module's function may be told of in a class too, word by word; then the first one that comes along is as good.
        """
        page, question = state.page, state.question
        name = question.answers[-1] if _wants_name(question) and question.answers else target.topic.name or target.topic.place
        parts = (name or page.title).removeprefix(page.title).strip(".").split(".") if name != page.title else [""]
        owner, last = (parts[-2] if len(parts) > 1 else None), parts[-1]
        anchors = (page.anchor(anchor) for anchor in (f"{owner or ''}-{last}", last, owner or last) if anchor != "-")
        begin = next((place for place in anchors if place is not None), 0)
        wanted = normal_form(target.sentence)
        best = page.normal.find(wanted, begin) or page.normal.find(wanted)
        if best is None:
            return
        yield cls._at(state, target, best, owner, last)
        span = page.normal.find(wanted) if last and not owner else None
        while span is not None:
            heading = _heading(page, span[0])
            if span != best and heading is not None and re.match(definition_line(last), page.text[heading:]):
                yield cls._at(state, target, span, owner, last)
            span = page.normal.find(wanted, span[1])

    @classmethod
    def _at(cls, state: BrowserState, target: _Target, span: Span, owner: str | None, last: str) -> "_Gold":
        page, layout, question = state.page, state.layout, state.question
        heading = _heading(page, span[0])
        whole = headed(page, last, span) if last else span
        # Where other sentences stand between the two, it is quoted alone: a quotation that begins like theirs would be one of
        # them as likely, and what the question says is in its own first words.
        is_first = not page.text[whole[0] : span[0]].partition("\n")[2].strip()
        is_near = layout.line_at(span[0]) - layout.line_at(whole[0]) <= MAX_LINES_ABOVE
        if _wants_name(question) or (is_near and is_first):
            span = whole
        return cls(
            index=target.index,
            span=span,
            start_line=layout.line_at(span[0]),
            end_line=layout.line_at(span[1] - 1),
            definition_line=None if heading is None else layout.line_at(heading),
            owner=owner,
            is_module=not last,
        )

    def is_in_view(self, state: BrowserState) -> bool:
        top = state.visit.top
        return top <= self.start_line and self.end_line < top + state.settings.view_height

    def has_heading_in_view(self, state: BrowserState) -> bool:
        if self.definition_line is None:
            return True
        return 0 <= self.definition_line - state.visit.top < state.settings.view_height

    def is_above(self, state: BrowserState) -> bool:
        """Whether the sentence's beginning is just above the view."""
        return self.start_line < state.visit.top and self.is_in_view(apply(state, ScrollUp(1)).state)


def _heading(page: Page, offset: int) -> int | None:
    """Where the last heading above a place begins."""
    return max((start for start, _ in page.headings if start <= offset), default=None)


def _behind(actions: Sequence[str], start: str) -> Sequence[str]:
    """The actions behind the last one that starts so; all of them if none does."""
    last = max((index for index, action in enumerate(actions) if action.startswith(start)), default=-1)
    return actions[last + 1 :]


def _stands(page: Page, text: str) -> bool:
    return normal_form(text) in page.normal.text
