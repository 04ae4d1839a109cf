"""Seeded samples of a question set, and the digest that identifies one."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict

from browser_env.errors import UsageError
from browser_env.records import Question
from browser_env.records.digests import stable_hash


def choose(questions: Sequence[Question], limit: int | None, seed: int) -> list[Question]:
    """A random sample of questions, in their original order; a smaller sample of the same seed is part of it.

    Args:
        questions: The questions to choose from.
        limit: Size of the sample; None: all questions.
        seed: Random seed.

    Raises:
        UsageError: There is no question, or two have the same id.
    """
    if not questions:
        raise UsageError("the question set has no questions; pass another set")
    ids = [question.id for question in questions]
    if len(set(ids)) < len(ids):
        repeated = next(known for index, known in enumerate(ids) if known in ids[:index])
        raise UsageError(f"two questions have the id {repeated!r}; ids must be unique")
    if limit is None or limit >= len(questions):
        return list(questions)
    ranked = sorted(range(len(ids)), key=lambda index: stable_hash("sample", seed, ids[index]))
    return [questions[index] for index in sorted(ranked[:limit])]


def digest(questions: Sequence[Question]) -> str:
    """Digest of questions, in 16 hexadecimal digits; it identifies them and their order."""
    lines = (json.dumps(asdict(question), sort_keys=True) for question in questions)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
