"""Reading of question files that users write: records, or plain text with one question per line."""

from collections.abc import Iterator
from pathlib import Path

from browser_env.errors import RecordError
from browser_env.records.digests import stable_hash
from browser_env.records.files import read_text_lines
from browser_env.records.question import Question
from browser_env.records.storage import read_records


def read_questions(path: Path) -> Iterator[Question]:
    """Read the questions of a file: records from ``.jsonl`` and ``.json`` files, lines of plain text from all others.

    Raises:
        RecordError: The file cannot be read, a line is not a valid question, or two questions have the same id.
    """
    if path.suffix not in (".jsonl", ".json"):
        for line in read_text_lines(path):
            if text := line.strip():
                yield Question(id=stable_hash(text)[:12], text=text)
        return
    seen: set[str] = set()
    for question in read_records(path, Question):
        if question.id in seen:
            raise RecordError(f"{path}: two questions have the id {question.id!r}; ids must be unique")
        seen.add(question.id)
        yield question
