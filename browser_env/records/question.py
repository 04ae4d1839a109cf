"""The record of a question with what is known of its answer."""

from browser_env.records.record import record


@record
class Evidence:
    """Where the answer to a question stands."""

    url: str
    """Address of the page."""
    sentences: tuple[str, ...]
    """Exact sentences of the page; the answer needs all of them."""


@record
class Question:
    """What is asked, and what is known of its answer."""

    id: str
    """Unique in its data set."""
    text: str
    dataset: str = "own"
    """Where it comes from."""
    reference_answer: str | None = None
    """An answer that is known to be right; pages that repeat it are censored when the setting says so."""
    kind: str | None = None
    """What sort of question it is in its data set: a category, or how it was made."""
    answers: tuple[str, ...] = ()
    """Acceptable answers and their variants."""
    incorrect_answers: tuple[str, ...] = ()
    """Answers that are known to be wrong (TruthfulQA)."""
    evidence: tuple[Evidence, ...] = ()
    """Where it is answered; each page is needed."""
