"""One's own questions: records as this project writes them, or plain text with one question a line."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from browser_env.errors import RecordError
from browser_env.records.question import Question
from browser_env.records.storage import read_records, text_lines


def own_questions(path: Path) -> Iterator[Question]:
    """The questions of a file, by its name: ``.jsonl`` and ``.json`` hold records, all others plain text.

    Raises:
        RecordError: The file cannot be read, a line is no question, or two questions have the same id.
    """
    if path.suffix not in (".jsonl", ".json"):
        for line in text_lines(path):
            if text := line.strip():
                yield Question(id=hashlib.sha256(text.encode()).hexdigest()[:12], text=text)
        return
    seen: set[str] = set()
    for question in read_records(path, Question):
        if question.id in seen:
            raise RecordError(f"{path}: two questions have the id {question.id!r}; give each its own")
        seen.add(question.id)
        yield question
