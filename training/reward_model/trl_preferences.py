"""Preferences in TRL's format: JSON Lines with ``prompt``, ``chosen`` and ``rejected``."""

import json
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

from browser_env.errors import RecordError
from browser_env.pages.characters import END_OF_FIELD, clean, clean_line
from training.reward_model.preferences import Candidate, PreferenceGroup


def read_trl_preferences(path: Path) -> Iterator[PreferenceGroup]:
    """Read a file of preferences in TRL's format; ``prompt`` may be missing.

    Each column is a text or a list of messages. Without a prompt the messages that both lists begin with are the prompt. A
    prompt that ends like an observation of the answering phase is taken as it is, any other as a question without references.

    Raises:
        RecordError: The file cannot be read, or a line is not a preference.
    """
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if line.isspace():
                    continue
                try:
                    yield _group(json.loads(line))
                except (ValueError, KeyError, TypeError) as error:
                    problem = f"lacks {error}" if isinstance(error, KeyError) else clean_line(str(error))[:200]
                    raise RecordError(f"{path}:{number}: is not a preference in TRL's format: {problem}") from error
    except OSError as error:
        raise RecordError(f"{path}: cannot be read: {error.strerror}") from error


def trl_preferences(group: PreferenceGroup) -> Iterator[dict[str, str]]:
    """Yield the preferences of a group as rows in TRL's format, without ties.

    The prompt is the observation before the answer. For two answers with different references it is the question alone, and
    their references begin ``chosen`` and ``rejected``: prompt and completion together are the same text either way.
    """
    for first, second in combinations(range(len(group.candidates)), 2):
        if group.levels[first] == group.levels[second]:
            continue
        better, worse = (first, second) if group.levels[first] > group.levels[second] else (second, first)
        chosen, rejected = group.candidates[better], group.candidates[worse]
        prompt = chosen.text
        if chosen.text != rejected.text:
            prompt = f"{chosen.text.partition(END_OF_FIELD)[0]}{END_OF_FIELD}"
        yield {
            "prompt": prompt,
            "chosen": f"{chosen.text}{chosen.answer}".removeprefix(prompt),
            "rejected": f"{rejected.text}{rejected.answer}".removeprefix(prompt),
        }


def _group(row: dict[str, object]) -> PreferenceGroup:
    chosen, rejected = _messages(row["chosen"]), _messages(row["rejected"])
    if "prompt" in row:
        prompt = "\n\n".join(_messages(row["prompt"]))
    else:
        if chosen[:-1] != rejected[:-1] or len(chosen) < 2:
            raise ValueError("there is no prompt, and chosen and rejected do not begin with the same messages")
        prompt = "\n\n".join(chosen[:-1])
    text = prompt if prompt.endswith(END_OF_FIELD) else f"{clean(prompt).strip()}{END_OF_FIELD}"
    candidates = tuple(Candidate(text, messages[-1].removesuffix(END_OF_FIELD)) for messages in (chosen, rejected))
    return PreferenceGroup(text.partition(END_OF_FIELD)[0], candidates, (1.0, 0.0))


def _messages(column: object) -> list[str]:
    """The texts of a column; a ``TypeError`` or ``KeyError`` says that it has another type."""
    texts = [column] if isinstance(column, str) else [message["content"] for message in column]  # type: ignore[attr-defined]
    if not texts or not all(isinstance(text, str) for text in texts):
        raise ValueError("chosen, rejected and prompt must be texts or lists of messages")
    return texts
