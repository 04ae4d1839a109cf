"""ELI5 (Fan et al. 2019): questions from the forum *Explain Like I'm Five*, cleaned as in the paper's Appendix B."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter

from agent.question_sets.published.files import jsonl_rows
from browser_env.errors import RecordError
from browser_env.records import Question

DELETED_TITLE: Final = "[deleted by user]"
DELETED_TEXTS: Final = frozenset(("[deleted]", "[removed]"))
QUESTION_WORDS: Final = (
    "explain eli5 which what whats whose who whos whom where wheres when whens how hows why whys am is isn isnt are aren arent "
    "was wasn wasnt were weren werent do don dont does doesn doesnt did didn didnt can cant could couldn couldnt have haven "
    "havent has hasn hasnt may might must mustn mustnt shall shant should shouldn shouldnt will wont would wouldn wouldnt"
)
"""Words that mark a text as phrased as a question, as a question mark does; the list is the paper's."""

_IS_QUESTION = re.compile(rf"\?|\b(?:{'|'.join(QUESTION_WORDS.split())})\b", re.IGNORECASE)
_URL = re.compile(r"_URL_(\d+)_")

Urls = list[str] | Mapping[str, list[str]]
"""URLs of a text: a list, or a table with the column ``url``, depending on the published file."""


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers to a question, as columns."""

    text: list[str] = field(default_factory=list)
    score: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the published file; fields that are not used are left out."""

    q_id: str
    title: str
    selftext: str = ""
    answers: Answers = Answers()
    title_urls: Urls = field(default_factory=list)
    selftext_urls: Urls = field(default_factory=list)
    answers_urls: Urls = field(default_factory=list)


def eli5(path: Path) -> Iterator[Question]:
    """The questions of a JSON Lines file; the answer with the most votes is the reference answer.

    Raises:
        RecordError: A line does not have ELI5's format, or lacks a URL that its text refers to.
    """
    for number, row in jsonl_rows(path, TypeAdapter(Row)):
        where = f"{path}:{number}"
        title = _with_urls(row.title, row.title_urls, where, "title_urls")
        text = question_text(title, _with_urls(row.selftext, row.selftext_urls, where, "selftext_urls"))
        if text is None:
            continue
        ranked = sorted(zip(row.answers.score, row.answers.text, strict=False), key=lambda answer: -answer[0])
        answers = tuple(_with_urls(answer, row.answers_urls, where, "answers_urls") for _, answer in ranked)
        best = answers[0] if answers else None
        yield Question(id=f"eli5-{row.q_id}", text=text, dataset="eli5", reference_answer=best, answers=answers)


def question_text(title: str, selftext: str) -> str | None:
    """The question that a post asks (Appendix B); None if it was deleted or is empty."""
    title, selftext = title.strip(), selftext.strip()
    if title == DELETED_TITLE or not title:
        return None
    text = f"{title}\n\n{selftext}" if selftext and selftext not in DELETED_TEXTS else title
    return text if _IS_QUESTION.search(text) else f"Explain: {text}"


def _with_urls(text: str, urls: Urls, where: str, name: str) -> str:
    """A text in which placeholders such as ``_URL_0_`` are replaced by the URLs."""
    url_list = urls if isinstance(urls, list) else urls.get("url", [])

    def replacement(token: re.Match[str]) -> str:
        if int(token[1]) >= len(url_list):
            raise RecordError(f"{where}: {name} has no URL for {token[0]}")
        return url_list[int(token[1])]

    return _URL.sub(replacement, text)
