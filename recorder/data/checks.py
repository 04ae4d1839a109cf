"""Checks of records that could be read: offsets out of range, inconsistent parts, duplicate ids."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from browser_env.records import Comparison, Episode, Question, Reference
from browser_env.records.storage import Record
from recorder.comparisons.state import answer_name
from recorder.data.recorded import NAMES, LocatedRecord, Problem


@dataclass(slots=True)
class Ids:
    """The ids of the records checked so far."""

    seen: dict[tuple[type[Record], str], LocatedRecord] = field(default_factory=dict)
    """The first record of each kind and id."""

    def problem(self, located: LocatedRecord) -> Problem | None:
        """Return a problem if an earlier record has the same id."""
        first = self.seen.setdefault(identity(located.record), located)
        if first is located:
            return None
        name = f"{NAMES[type(located.record)]} {located.record.id!r}"
        if first.record == located.record:
            return Problem(
                located.location, f"duplicate of the {name} in {first.location}; webgpt data merge removes duplicates"
            )
        return Problem(located.location, f"differs from the {name} in {first.location}; ids must be unique")


def identity(record: Record) -> tuple[type[Record], str]:
    """Return the kind and the id of a record. The id of a question includes its data set, within which it is unique."""
    if isinstance(record, Question):
        return Question, f"{record.dataset}\0{record.id}"
    return type(record), record.id


def problems_of(record: Record) -> Iterator[str]:
    """Yield the problems of a record, one line each."""
    match record:
        case Episode():
            yield from _of_episode(record)
        case Comparison():
            yield from _of_comparison(record)
        case Question():
            if not record.text.strip():
                yield "the question is empty"


def _of_episode(episode: Episode) -> Iterator[str]:
    yield from _of_references("", episode.references)
    num_browsing = sum(step.phase == "browsing" for step in episode.steps)
    if num_browsing > episode.settings.max_actions:
        yield f"has {num_browsing} actions; the limit of its settings is {episode.settings.max_actions}"
    for number, step in enumerate(episode.steps, start=1):
        if step.phase == "answering" and number < len(episode.steps):
            yield f"step {number} is an answer, but is not the last step"
        if step.token_ids is not None and step.logprobs is not None and len(step.token_ids) != len(step.logprobs):
            yield f"step {number} has {len(step.token_ids)} tokens and {len(step.logprobs)} log-probabilities"
        if step.seconds is not None and step.seconds < 0:
            yield f"step {number} took {step.seconds} seconds"
    if episode.answer is not None and episode.ending in ("nonsense", "controversial"):
        yield f"has an answer, but its ending is {episode.ending}"


def _of_comparison(comparison: Comparison) -> Iterator[str]:
    for index, answer in enumerate(comparison.answers):
        yield from _of_references(f"answer {answer_name(index)}: ", answer.references)
    for index, annotation in enumerate(comparison.annotations or ()):
        name, answer = f"answer {answer_name(index)}", comparison.answers[index]
        if annotation.trust and len(annotation.trust) != len(answer.references):
            yield f"{name}: has {len(answer.references)} sources, but trust in {len(annotation.trust)}"
        end = 0
        for number, claim in enumerate(annotation.claims, start=1):
            if not end <= claim.start < claim.end <= len(answer.text):
                yield f"{name}: claim {number} ({claim.start} to {claim.end}) is outside the text or overlaps the one before"
            end = max(end, claim.end)
    if comparison.seconds is not None and comparison.seconds < 0:
        yield f"took {comparison.seconds} seconds"


def _of_references(prefix: str, references: Sequence[Reference]) -> Iterator[str]:
    for number, reference in enumerate(references, start=1):
        if reference.start < 0 or len(reference.extract) != reference.end - reference.start:
            span = f"from {reference.start} to {reference.end}"
            yield f"{prefix}reference [{number}] has {len(reference.extract)} characters, but its span is {span}"
