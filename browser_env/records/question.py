"""The record of a question, with its known answers and evidence."""

from browser_env.records.record import record


@record
class Evidence:
    """A page that contains the answer to a question."""

    url: str
    """URL of the page."""
    sentences: tuple[str, ...]
    """Exact sentences of the page; the answer needs all of them."""


@record
class Question:
    """A question, with its known answers and evidence."""

    id: str
    """Identifier, unique in its data set."""
    text: str
    """The question as it is asked."""
    dataset: str = "own"
    """Name of the data set."""
    reference_answer: str | None = None
    """A correct answer; pages that repeat it are censored if `Settings.censor` is on."""
    kind: str | None = None
    """Category within the data set, such as a topic or the template that the question was made from."""
    answers: tuple[str, ...] = ()
    """Accepted answers and their variants."""
    incorrect_answers: tuple[str, ...] = ()
    """Answers that are known to be wrong (TruthfulQA)."""
    evidence: tuple[Evidence, ...] = ()
    """Pages that contain the answer; all of them are needed."""
