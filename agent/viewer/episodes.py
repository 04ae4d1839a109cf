"""Data of an episode's page: the verdict, the answer split at its citations, and the step that quoted each reference.

All of it is derived from the record by the same code as elsewhere (`browser_env.records.citations`,
`browser_env.pages.matching`), so that the page's script only draws.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from browser_env.actions import Quote, parse_action
from browser_env.pages.characters import ELLIPSIS_BAR, clean
from browser_env.pages.matching import normal_form
from browser_env.records import Episode, Evidence, Reference, Step
from browser_env.records.citations import Sentence, check_citations, citation_spans

Verdict = Literal["correct", "wrong", "answered", "no answer", "failed"]
"""*answered*: no correct answer is known."""
Flag = Literal["wrong", "unsupported", "budget", "no answer", "failed"]
"""Filters of the list. *budget*: a limit ended browsing; *unsupported*: the answer has no valid citation."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of an answer: prose, or one citation in brackets."""

    text: str
    citations: tuple[int, ...] = ()
    """Numbers in the brackets; empty for prose."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A sentence of an answer, or the text between two sentences."""

    parts: tuple[Part, ...]
    support: float | None
    """Share of its words that its references contain, 0 to 1; None for text between sentences."""
    is_cited: bool


@dataclass(frozen=True, slots=True)
class ReferenceView:
    """A reference and the step that quoted it."""

    title: str
    url: str
    extract: str
    page: str
    """Digest of the page."""
    start: int
    """Offset in the page's text, in code points."""
    end: int
    step: int | None
    """Index of the step that quoted it first; None: it is not known."""


@dataclass(frozen=True, slots=True)
class StepView:
    """A step of an episode's page."""

    phase: str
    observation: str
    command: str
    completion: str | None
    """The policy's full output; None if it is the command alone."""
    problem: str | None
    seconds: float | None
    tokens: int | None
    """Length of the completion in tokens; None: it is not recorded."""


@dataclass(frozen=True, slots=True)
class EpisodeView:
    """The data of an episode's page."""

    id: str
    actor: str
    backend: str
    seed: int | None
    question: str
    dataset: str
    reference_answer: str | None
    answers: tuple[str, ...]
    incorrect_answers: tuple[str, ...]
    evidence: tuple[Evidence, ...]
    ending: str | None
    failure: str | None
    steps: tuple[StepView, ...]
    segments: tuple[Segment, ...]
    """The answer; empty if there is none."""
    is_supported: bool
    references: tuple[ReferenceView, ...]


def answer_of(episode: Episode) -> str:
    """The answer without control characters; empty if there is none."""
    return clean(episode.answer or "").strip()


def view_of(episode: Episode) -> EpisodeView:
    """Derive the data of an episode's page."""
    question, answer = episode.question, answer_of(episode)
    check = check_citations(answer, episode.references)
    return EpisodeView(
        id=episode.id,
        actor=episode.actor,
        backend=episode.backend,
        seed=episode.seed,
        question=question.text,
        dataset=question.dataset,
        reference_answer=question.reference_answer,
        answers=question.answers,
        incorrect_answers=question.incorrect_answers,
        evidence=question.evidence,
        ending=episode.ending,
        failure=episode.failure,
        steps=tuple(map(_step, episode.steps)),
        segments=tuple(_segments(answer, check.sentences)),
        is_supported=check.is_supported,
        references=tuple(_reference(reference, episode.steps) for reference in episode.references),
    )


def judge(episode: Episode, correct: float | None) -> tuple[Verdict, tuple[Flag, ...]]:
    """The verdict on an episode, and the filters that apply to it.

    Args:
        episode: The record.
        correct: The benchmark's metric *correct*: 1 is correct, less is wrong; None: it is not known.
    """
    answer = answer_of(episode)
    is_wrong = correct is not None and correct < 1
    is_failed = episode.failure is not None
    is_unsupported = bool(answer) and not check_citations(answer, episode.references).is_supported
    flags: tuple[tuple[Flag, bool], ...] = (
        ("wrong", is_wrong),
        ("unsupported", is_unsupported),
        ("budget", episode.ending in ("max_actions", "max_references")),
        ("no answer", not answer),
        ("failed", is_failed),
    )
    verdict: Verdict
    if is_failed:
        verdict = "failed"
    elif correct is not None:
        verdict = "wrong" if is_wrong else "correct"
    else:
        verdict = "answered" if answer else "no answer"
    return verdict, tuple(flag for flag, holds in flags if holds)


def quoting_step(reference: Reference, steps: tuple[Step, ...]) -> int | None:
    """Index of the first step whose quote is in a reference; None if there is none."""
    extract = normal_form(reference.extract)
    for index, step in enumerate(steps):
        action = parse_action(step.completion if step.command is None else step.command)
        if isinstance(action, Quote) and step.problem is None:
            start = normal_form(action.text.partition(ELLIPSIS_BAR)[0])
            if start and (start in extract or extract in start):  # the budget may have cut the quote, so it may be longer
                return index
    return None


def _reference(reference: Reference, steps: tuple[Step, ...]) -> ReferenceView:
    return ReferenceView(
        title=reference.full_title,
        url=reference.url,
        extract=reference.extract,
        page=reference.page,
        start=reference.start,
        end=reference.end,
        step=quoting_step(reference, steps),
    )


def _step(step: Step) -> StepView:
    has_more = step.command is not None and step.command.strip() != step.completion.strip()
    return StepView(
        phase=step.phase,
        observation=step.observation,
        command=step.completion if step.command is None else step.command,
        completion=step.completion if has_more else None,
        problem=step.problem,
        seconds=step.seconds,
        tokens=None if step.token_ids is None else len(step.token_ids),
    )


def _segments(answer: str, sentences: tuple[Sentence, ...]) -> Iterator[Segment]:
    last = 0
    for sentence in sentences:
        if last < sentence.start:
            yield Segment(_parts(answer, last, sentence.start), None, is_cited=False)
        yield Segment(_parts(answer, sentence.start, sentence.end), sentence.support, is_cited=bool(sentence.citations))
        last = sentence.end
    if last < len(answer):
        yield Segment(_parts(answer, last, len(answer)), None, is_cited=False)


def _parts(answer: str, first: int, last: int) -> tuple[Part, ...]:
    parts: list[Part] = []
    for start, end, numbers in citation_spans(answer):
        if first <= start and end <= last:
            parts += [Part(answer[first:start])] * (first < start)
            parts.append(Part(answer[start:end], numbers))
            first = end
    parts += [Part(answer[first:last])] * (first < last)
    return tuple(parts)
