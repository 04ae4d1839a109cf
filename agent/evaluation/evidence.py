"""Gold evidence: the sentences of a page that answer a question, and whether the references of an answer contain them."""

from collections.abc import Sequence
from urllib.parse import urldefrag

from browser_env.pages.matching import normal_form, normalize
from browser_env.records import Evidence, Question, Reference
from browser_env.records.citations import cited_numbers


def has_evidence(question: Question) -> bool:
    """Whether any gold sentence is known for a question."""
    return any(page.sentences for page in question.evidence)


def cited_references(answer: str, references: Sequence[Reference]) -> list[Reference]:
    """The references that an answer cites, in order of mention."""
    return [references[number - 1] for number in cited_numbers(answer) if 1 <= number <= len(references)]


def evidence_share(evidence: Sequence[Evidence], cited: Sequence[Reference]) -> float:
    """Share of the gold sentences that a cited reference to their page contains, matched as Find and Quote match text.

    The punctuation at the end of a gold sentence may be missing.
    """
    is_cited = [
        any(normalize(reference.extract).find(needle) is not None for reference in cited if _is_page(reference.url, page.url))
        for page in evidence
        for needle in (normal_form(sentence.rstrip(" .:;!?…")) for sentence in page.sentences)
    ]
    return sum(is_cited) / len(is_cited)


def _is_page(url: str, other: str) -> bool:
    return urldefrag(url)[0] == urldefrag(other)[0]
