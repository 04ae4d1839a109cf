"""The gold sentence that a demonstration has to quote next, and its places on the page in view."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from agent.evaluation.metrics import NAMED
from agent.policies.topics import Topic
from browser_env.actions import ScrollUp
from browser_env.pages.matching import Span, normal_form
from browser_env.pages.page import Page
from browser_env.records import Question
from browser_env.state import BrowserState, apply
from training.scripted_people.clues import asked_topics
from training.scripted_people.quoting import definition_line, headed

MAX_LINES_ABOVE: Final = 4
"""Maximum number of lines between a definition and a sentence that are quoted together, unless the question asks for the
name."""


@dataclass(frozen=True, slots=True)
class Target:
    """A gold sentence to quote, with the topic that the question names for it."""

    index: int
    """Position among the gold sentences of the question, from 0."""
    url: str
    sentence: str
    topic: Topic


def next_target(state: BrowserState) -> Target | None:
    """The first gold sentence that no reference contains yet; None if all are quoted."""
    question = state.question
    sentences = [(page.url, sentence) for page in question.evidence for sentence in page.sentences]
    topics = asked_topics(question.text)
    for index, (url, sentence) in enumerate(sentences):
        if not _is_quoted(state, url, sentence):
            return Target(index, url, sentence, topics[index if len(topics) == len(sentences) else 0])
    return None


def asks_for_name(question: Question) -> bool:
    """Whether the answer is a name, which has to be quoted with its sentence."""
    return question.kind == NAMED


def _is_quoted(state: BrowserState, url: str, sentence: str) -> bool:
    wanted = normal_form(sentence)
    return any(reference.url == url and wanted in normal_form(reference.extract) for reference in state.references)


@dataclass(frozen=True, slots=True)
class TargetPlace:
    """One occurrence of a target on the page in view, in lines of the layout."""

    span: Span
    """Characters to quote."""
    start_line: int
    end_line: int
    heading_line: int | None
    """Line of the heading above the sentence; None if the page has none."""
    owner: str | None
    """Class on this page that the definition belongs to."""
    is_module: bool
    """Whether the sentence describes the module as a whole."""

    def is_in_view(self, state: BrowserState) -> bool:
        """Whether the whole sentence is in view."""
        top = state.visit.top
        return top <= self.start_line and self.end_line < top + state.settings.view_height

    def has_heading_in_view(self, state: BrowserState) -> bool:
        """Whether the heading above the sentence is in view; true if there is no heading."""
        if self.heading_line is None:
            return True
        return 0 <= self.heading_line - state.visit.top < state.settings.view_height

    def is_above(self, state: BrowserState) -> bool:
        """Whether the sentence begins above the view and scrolling up once shows it."""
        return self.start_line < state.visit.top and self.is_in_view(apply(state, ScrollUp(1)).state)


def target_places(state: BrowserState, target: Target) -> Iterator[TargetPlace]:
    """Occurrences of a target's sentence on the page in view.

    The occurrence under the definition that is asked about comes first, then those under other definitions of the same name: a
    class may describe a method in the words of a module's function, and then any of them is as good.
    """
    page = state.page
    owner, last = _definition_name(page, state.question, target)
    wanted = normal_form(target.sentence)
    best = page.normal.find(wanted, _definition_start(page, owner, last)) or page.normal.find(wanted)
    if best is None:
        return
    yield _place(state, best, owner, last)
    span = page.normal.find(wanted) if last and not owner else None
    while span is not None:
        heading = _heading_above(page, span[0])
        if span != best and heading is not None and re.match(definition_line(last), page.text[heading:]):
            yield _place(state, span, owner, last)
        span = page.normal.find(wanted, span[1])


def _definition_name(page: Page, question: Question, target: Target) -> tuple[str | None, str]:
    """Class and last part of the name that the sentence describes; the last part is empty for the module itself."""
    name = question.answers[-1] if asks_for_name(question) and question.answers else target.topic.name or target.topic.place
    if name == page.title:
        return None, ""
    parts = (name or page.title).removeprefix(page.title).strip(".").split(".")
    return (parts[-2] if len(parts) > 1 else None), parts[-1]


def _definition_start(page: Page, owner: str | None, last: str) -> int:
    """Offset of the definition by the page's anchors; 0 if there is no anchor."""
    anchors = (page.anchor(anchor) for anchor in (f"{owner or ''}-{last}", last, owner or last) if anchor != "-")
    return next((offset for offset in anchors if offset is not None), 0)


def _place(state: BrowserState, span: Span, owner: str | None, last: str) -> TargetPlace:
    page, layout, question = state.page, state.layout, state.question
    heading = _heading_above(page, span[0])
    with_definition = headed(page, last, span) if last else span
    # Where other sentences stand between the definition and this one, it is quoted alone. A quotation that begins like theirs
    # would as likely be one of them, and what the question says is in its own first words.
    is_first = not page.text[with_definition[0] : span[0]].partition("\n")[2].strip()
    is_near = layout.line_at(span[0]) - layout.line_at(with_definition[0]) <= MAX_LINES_ABOVE
    quoted = with_definition if asks_for_name(question) or (is_near and is_first) else span
    return TargetPlace(
        span=quoted,
        start_line=layout.line_at(quoted[0]),
        end_line=layout.line_at(quoted[1] - 1),
        heading_line=None if heading is None else layout.line_at(heading),
        owner=owner,
        is_module=not last,
    )


def _heading_above(page: Page, offset: int) -> int | None:
    """Offset of the last heading at or above a place."""
    return max((start for start, _ in page.headings if start <= offset), default=None)
