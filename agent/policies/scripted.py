"""A policy without a model: it searches, opens promising results, finds and quotes sentences that answer, and repeats them.

It is the baseline for trained policies, so it decides only from what the observation shows: the view, the references and its
own past actions.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from agent.policies.passages import Hit, Sentence, hits, links, sentences
from agent.policies.topics import Topic, topics
from agent.policy import Completion, Prompt
from browser_env.actions import Action, Back, Click, End, EndReason, Find, Quote, ScrollDown, ScrollUp, Search, format_action
from browser_env.observation import scrollbar, view_lines
from browser_env.pages.characters import ELLIPSIS_BAR, clean_line
from browser_env.pages.matching import MAX_PLAIN_WORDS
from browser_env.pages.words import content_stems
from browser_env.records import Reference
from browser_env.state import BrowserState, shorten

THRESHOLDS = (0.6, 0.45)
"""Minimum score of a sentence to be quoted, after the first and after the second search."""
NAME_THRESHOLDS = (0.85, 0.6)
"""`THRESHOLDS` for questions that ask for a name; higher, because pages list many similar definitions."""
FALLBACK = 0.35
"""Score of the first sentence of the right definition when no sentence contains the topic's terms."""
NAMELESS = 0.55
"""Factor on the score of a sentence without a definition, for questions that ask for a name."""
MAX_PAGES = 3
"""Maximum number of results opened per search."""
MAX_SCROLLS = 2
"""Maximum number of views to scroll down after a definition."""


@dataclass(frozen=True, slots=True)
class Trail:
    """Past actions on the current topic: those since the last quote."""

    searches: int
    opened: tuple[str, ...]
    """Results opened since the last search, in the words of the past actions."""
    since_find: tuple[str, ...]
    """Actions since the last find on this page."""
    finds: tuple[str, ...]
    """Finds on this page, in the words of the past actions."""

    @classmethod
    def of(cls, past_actions: Sequence[str]) -> "Trail":
        """The trail since the last quote."""
        trail = after_last(past_actions, "Quote")
        return cls(
            searches=sum(action.startswith("Search ") for action in trail),
            opened=tuple(action for action in after_last(trail, "Search ") if action.startswith("Click ")),
            since_find=tuple(after_last(after_last(trail, "Click "), "Find in page ")),
            finds=tuple(action for action in after_last(trail, "Click ") if action.startswith("Find in page ")),
        )

    @property
    def scrolls(self) -> int:
        """Number of views scrolled down."""
        return sum(action.startswith("Scroll down") for action in self.since_find)

    @property
    def has_scrolled_up(self) -> bool:
        """Whether the view was scrolled up."""
        return any(action.startswith("Scroll up") for action in self.since_find)

    @property
    def is_reading_on(self) -> bool:
        """Whether the view is below the place that Find went to."""
        return self.scrolls > 0 and not self.has_scrolled_up


def after_last(actions: Sequence[str], prefix: str) -> Sequence[str]:
    """The actions after the last one that begins with a prefix; all actions if none does."""
    last = max((index for index, action in enumerate(actions) if action.startswith(prefix)), default=-1)
    return actions[last + 1 :]


class Scripted:
    """A `Policy` that browses by rules and answers with its quotes."""

    name = "scripted"

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion]:
        return [Completion(act(prompt.state)) for prompt in prompts]


def act(state: BrowserState) -> str:
    """The next command, or the answer."""
    if state.phase == "answering":
        return write_answer(state.references)
    return format_action(_browse(state))


def write_answer(references: Iterable[Reference]) -> str:
    """The quotes as an answer, each sentence with its citation; a signature in front of a sentence becomes its subject."""
    lines = []
    for number, reference in enumerate(references, start=1):
        quoted = list(sentences(reference.extract.split("\n")))
        if not quoted or not quoted[0].heading:
            # The extract's first line has lost its indentation, so it is parsed as one line.
            quoted = list(sentences([clean_line(reference.extract)]))
        subject = f"{quoted[0].heading}: " if quoted and quoted[0].heading else ""
        text = " ".join(f"{sentence.text} [{number}]" for sentence in quoted) or f"{clean_line(reference.extract)} [{number}]"
        lines.append(f"{subject}{text}")
    return "\n".join(lines)


def _browse(state: BrowserState) -> Action:
    question_topics = topics(state.question.text)
    answered = sum(action == "Quote" for action in state.past_actions)
    if answered >= len(question_topics):
        return End(EndReason.ANSWER)
    topic, trail = question_topics[answered], Trail.of(state.past_actions)
    if not trail.searches:
        return _search(topic.queries[0]) or End(EndReason.NONSENSE)
    match state.page.kind:
        case "results":
            return _choose(state, topic, trail)
        case "error":
            return Back() if len(state.visits) > 1 else End(EndReason.NONSENSE)
        case "page":
            return _read(state, topic, trail)


def _search(query: str) -> Search | None:
    return Search(query) if (query := shorten(query).strip()) else None


def _choose(state: BrowserState, topic: Topic, trail: Trail) -> Action:
    """Open the most promising result that is not opened yet, or search again, or end browsing."""
    fresh = [hit for hit in hits(view_lines(state)) if not _is_opened(hit, trail)]
    if fresh and len(trail.opened) < MAX_PAGES:
        best = max(enumerate(fresh), key=lambda ranked: _promise(ranked[1], topic) - 0.1 * ranked[0])[1]
        return Click(best.link_id)
    if trail.searches < len(topic.queries) and (search := _search(topic.queries[trail.searches])):
        return search
    return End(EndReason.ANSWER if state.references else EndReason.NONSENSE)


def _is_opened(hit: Hit, trail: Trail) -> bool:
    click = f"Click {shorten(hit.title)}"
    return any(action == click or action.startswith(f"{click} ") for action in trail.opened)


def _promise(hit: Hit, topic: Topic) -> float:
    """Score of a search result by its title and snippet; higher is more promising."""
    title = hit.title.casefold()
    owner = topic.owner.casefold()
    score = _coverage(topic.terms, content_stems(f"{hit.title} {hit.snippet}"))
    score += 2 * (owner == title) + 1.5 * owner.startswith(f"{title}.") + (title in topic.keywords)
    if topic.name:
        score += (topic.name.casefold() == title) + (f"{topic.last}(" in hit.snippet)
    return score


def _read(state: BrowserState, topic: Topic, trail: Trail) -> Action:
    """Quote the best sentence in view if its score suffices, or else look elsewhere on the page, or else go back."""
    lines = view_lines(state)
    in_view = list(sentences(lines, topic.last if trail.is_reading_on else None))
    scored = [(_score(sentence, topic, state.page.title, trail), sentence) for sentence in in_view]
    candidates = sorted((pair for pair in scored if pair[0] > 0), key=lambda pair: -pair[0])
    # An invalid quote is not in the past actions but counts as an action taken; the next best sentence is then tried.
    candidates = candidates[state.actions_taken - len(state.past_actions) :]
    best, sentence = candidates[0] if candidates else (0.0, None)
    thresholds = NAME_THRESHOLDS if topic.wants_name else THRESHOLDS
    if sentence and best >= thresholds[min(trail.searches, len(thresholds)) - 1]:
        return Quote(_quotation(sentence))
    if topic.wants_name and best >= NAMELESS * THRESHOLDS[0] and state.visit.top and not trail.has_scrolled_up:
        return ScrollUp(1)  # the name may be just above the view
    if topic.name and trail.is_reading_on and not sentence:
        return ScrollUp(trail.scrolls)
    if topic.name and sentence and best >= FALLBACK:
        goes_on = in_view[-1].definition == sentence.definition and scrollbar(state)[1] < 100
        if goes_on and trail.scrolls < MAX_SCROLLS and not trail.has_scrolled_up:
            return ScrollDown(1)
        if trail.is_reading_on:
            return ScrollUp(trail.scrolls)
        is_odd = best <= FALLBACK and not topic.is_plain and not topic.terms.intersection(content_stems(" ".join(lines)))
        return End(EndReason.NONSENSE) if is_odd else Quote(_quotation(sentence))
    link = links(lines).get(topic.last) if topic.name else None
    if link is not None and f"Click {topic.last}" not in trail.opened:
        return Click(link)
    finds = topic.finds(state.page.title)[len(trail.finds) :]
    return Find(finds[0]) if finds else Back()


def _score(sentence: Sentence, topic: Topic, title: str, trail: Trail) -> float:
    """Score of a sentence as an answer to the topic, from 0 to 1."""
    stems = content_stems(sentence.text)
    if sentence.text.endswith(":") or not stems:
        return 0.0
    if topic.name:
        return _fitness(sentence, topic, title, trail) * _named_score(sentence, topic, stems)
    if not topic.terms:  # the module itself
        return float(title == topic.place and sentence.definition is None and sentence.text != title and len(stems) > 1)
    if not _coverage(topic.terms, stems):
        return 0.0
    share = _coverage(topic.terms, content_stems(f"{title} {sentence.heading or ''} {sentence.text}"))
    if topic.wants_name:
        if sentence.definition and sentence.definition == topic.owner.rpartition(".")[2]:
            return 0.0  # it is the place itself, not a definition in it
        share *= _fitness(sentence, topic, title, trail) if sentence.definition else NAMELESS
    return share - (0.1 if len(stems) > MAX_PLAIN_WORDS / 2 else 0.0)


def _named_score(sentence: Sentence, topic: Topic, stems: Sequence[str]) -> float:
    if (sentence.definition or "").rpartition(".")[2] != topic.last:
        return 0.0
    if not topic.terms:
        return float(sentence.is_first)
    return max(_coverage(topic.terms, stems), FALLBACK if sentence.is_first else 0.0)


def _fitness(sentence: Sentence, topic: Topic, title: str, trail: Trail) -> float:
    """Degree to which a definition is in the place that the question names: 1 if it is, 0.5 if it may be, 0 if it is not."""
    if not topic.owner or topic.owner == title:
        is_method = sentence.owner or "(self" in (sentence.heading or "")
        return 1.0 if not topic.owner or not is_method else 0.5
    inner = topic.owner.rpartition(".")[2]
    is_page = topic.owner.startswith(f"{title}.") or title == "builtins"
    was_found = any(find == f"Find in page class {inner}(" for find in trail.finds)
    if sentence.owner == inner or (sentence.owner is None and was_found):
        return 1.0
    return 0.5 if is_page and sentence.owner is None else 0.0


def _coverage(terms: frozenset[str], stems: Iterable[str]) -> float:
    """Share of the terms that are among some stems, weighted by their length."""
    total = sum(map(len, terms))
    return sum(map(len, terms.intersection(stems))) / total if total else 0.0


def _quotation(sentence: Sentence) -> str:
    """The text to quote: with the heading if it is directly above, and abbreviated if it is long."""
    text = f"{sentence.heading} {sentence.text}" if sentence.is_first and sentence.heading else sentence.text
    parts = text.split()
    if len(parts) > MAX_PLAIN_WORDS:
        return f"{' '.join(parts[:6])}{ELLIPSIS_BAR}{' '.join(parts[-6:])}"
    return text
