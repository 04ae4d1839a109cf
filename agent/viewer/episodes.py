"""What the page of an episode shows beyond its record: a verdict, the answer cut at its citations, the step of each quote.

Everything here is derived from the record by the code that everybody else uses (`browser_env.records.citations`,
`browser_env.pages.matching`), so that the page draws and never judges.
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
"""*answered* where nobody knows what is right."""
Flag = Literal["wrong", "unsupported", "budget", "no answer", "failed"]
"""What people look for: *budget* is browsing that a budget ended, *unsupported* an answer without a valid citation."""


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of an answer: prose, or the brackets of one citation."""

    text: str
    citations: tuple[int, ...] = ()
    """The numbers in the brackets; none: prose."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A sentence of an answer, or what stands between two."""

    parts: tuple[Part, ...]
    support: float | None
    """Share of its words that its references have, 0 to 1; None: it is no sentence."""
    is_cited: bool


@dataclass(frozen=True, slots=True)
class ReferenceView:
    """A reference, and where it came from."""

    title: str
    url: str
    extract: str
    page: str
    """Digest of the snapshot."""
    start: int
    """Offset in the snapshot's text, in code points."""
    end: int
    step: int | None
    """Index of the step that quoted it first; None: it cannot be told."""


@dataclass(frozen=True, slots=True)
class StepView:
    """A step as it is shown."""

    phase: str
    observation: str
    command: str
    completion: str | None
    """All that came back, where the command was read out of more; None: it is the command."""
    problem: str | None
    seconds: float | None
    tokens: int | None
    """Length of the completion in the policy's tokens."""


@dataclass(frozen=True, slots=True)
class EpisodeView:
    """An episode as its page shows it."""

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
    """The answer; empty: there is none."""
    is_supported: bool
    references: tuple[ReferenceView, ...]


def answer_of(episode: Episode) -> str:
    """The answer as people are shown it; empty if there is none."""
    return clean(episode.answer or "").strip()


def view_of(episode: Episode) -> EpisodeView:
    """What the page of an episode shows."""
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
    """The verdict on an episode, and what it can be filtered by.

    Args:
        episode: What happened.
        correct: What the benchmark says: 1 right, less is wrong, None: nobody knows.
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
    """Index of the first step whose quote stands in a reference."""
    extract = normal_form(reference.extract)
    for index, step in enumerate(steps):
        action = parse_action(step.completion if step.command is None else step.command)
        if isinstance(action, Quote) and step.problem is None:
            start = normal_form(action.text.partition(ELLIPSIS_BAR)[0])
            if start and (start in extract or extract in start):  # a quote that the budget cut is longer than what is left
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
