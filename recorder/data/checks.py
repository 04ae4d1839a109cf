"""What is wrong with records that are well-formed: places out of range, parts that don't belong together, ids used twice."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from browser_env.records import Comparison, Episode, Question, Reference
from recorder.comparisons.state import answer_name
from recorder.data.recorded import NAMES, Found, Problem, Record


@dataclass(slots=True)
class Ids:
    """Which ids have been seen, and where."""

    seen: dict[tuple[type[Record], str], Found] = field(default_factory=dict)

    def problem(self, found: Found) -> Problem | None:
        """What is wrong with a record's id, if others had it before."""
        first = self.seen.setdefault(identity(found.record), found)
        if first is found:
            return None
        name = f"{NAMES[type(found.record)]} {found.record.id!r}"
        if first.record == found.record:
            return Problem(found.where, f"the {name} once more (first in {first.where}); webgpt data merge leaves one")
        return Problem(found.where, f"another {name} than in {first.where}; one id, one record")


def identity(record: Record) -> tuple[type[Record], str]:
    """What tells a record from all others; questions are numbered within their data set."""
    if isinstance(record, Question):
        return Question, f"{record.dataset}\0{record.id}"
    return type(record), record.id


def problems_of(record: Record) -> Iterator[str]:
    """What is wrong with a record, each in a line."""
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
        yield f"has {num_browsing} actions; its settings allow {episode.settings.max_actions}"
    for number, step in enumerate(episode.steps, start=1):
        if step.phase == "answering" and number < len(episode.steps):
            yield f"step {number} is an answer, and steps follow it"
        if step.token_ids is not None and step.logprobs is not None and len(step.token_ids) != len(step.logprobs):
            yield f"step {number} has {len(step.token_ids)} tokens and {len(step.logprobs)} log-probabilities"
        if step.seconds is not None and step.seconds < 0:
            yield f"step {number} took {step.seconds} seconds"
    if episode.answer is not None and episode.ending in ("nonsense", "controversial"):
        yield f"has an answer, and the question was called {episode.ending}"


def _of_comparison(comparison: Comparison) -> Iterator[str]:
    for index, answer in enumerate(comparison.answers):
        yield from _of_references(f"answer {answer_name(index)}: ", answer.references)
    for index, annotation in enumerate(comparison.annotations or ()):
        name, answer = f"answer {answer_name(index)}", comparison.answers[index]
        if annotation.trust and len(annotation.trust) != len(answer.references):
            yield f"{name}: trust in {len(annotation.trust)} sources; it has {len(answer.references)}"
        end = 0
        for number, claim in enumerate(annotation.claims, start=1):
            if not end <= claim.start < claim.end <= len(answer.text):
                yield f"{name}: claim {number} ({claim.start} to {claim.end}) is not behind the last one, or not in its text"
            end = max(end, claim.end)
    if comparison.seconds is not None and comparison.seconds < 0:
        yield f"took {comparison.seconds} seconds"


def _of_references(of: str, references: Sequence[Reference]) -> Iterator[str]:
    for number, reference in enumerate(references, start=1):
        if reference.start < 0 or len(reference.extract) != reference.end - reference.start:
            place = f"from {reference.start} to {reference.end}"
            yield f"{of}reference [{number}] is {len(reference.extract)} characters and stands {place}"
