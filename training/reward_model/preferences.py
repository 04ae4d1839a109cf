"""What people preferred, the loss that learns it, and how well a model predicts it.

One group of answers to a question carries everything: a pair (two answers), a tie (two of equal level) and a ranking of K.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from browser_env.errors import RecordError
from browser_env.pages.characters import END_OF_FIELD, clean, clean_line

if TYPE_CHECKING:
    pass


# --------------------------------------------------------------------------------------------------------------- groups


@dataclass(frozen=True, slots=True)
class Candidate:
    """One answer that was compared."""

    text: str
    """What was shown when it was asked for: question and references (`agent.models.reward_model.answering_text`)."""
    answer: str


@dataclass(frozen=True, slots=True)
class PreferenceGroup:
    """Answers to one question that somebody compared."""

    question: str
    """Its id or text; groups of a question are all trained on or all held out."""
    candidates: tuple[Candidate, ...]
    levels: tuple[float, ...]
    """How good each is; the higher is preferred, equal ones are tied. Only their order matters."""
    labeler: str = ""
    """Who said so."""

    def __post_init__(self) -> None:
        if len(self.candidates) < 2 or len(self.candidates) != len(self.levels):
            raise ValueError(f"a group has two or more candidates and a level for each, got {len(self.candidates)}")

    @property
    def is_tie(self) -> bool:
        """Whether nothing in it is preferred to anything."""
        return len(set(self.levels)) == 1


def preference(first: float, second: float) -> float:
    """1 if the first level is preferred, 0 if the second is, 0.5 for a tie."""
    return 0.5 + 0.5 * ((first > second) - (first < second))


def read_trl_preferences(path: Path) -> Iterator[PreferenceGroup]:
    """The pairs of a preference file in TRL's format: JSON Lines of ``chosen``, ``rejected`` and mostly ``prompt``.

    Each is a text or a list of messages; without a prompt, what both lists begin with is it. A prompt that ends like the
    observation of the answering phase is taken as it is, another one as a question without references.

    Raises:
        RecordError: The file cannot be read, or a line is no such pair.
    """
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if line.isspace():
                    continue
                try:
                    yield _trl_pair(json.loads(line))
                except (ValueError, KeyError, TypeError) as error:
                    problem = f"lacks {error}" if isinstance(error, KeyError) else clean_line(str(error))[:200]
                    raise RecordError(f"{path}:{number}: is no preference of TRL: {problem}") from error
    except OSError as error:
        raise RecordError(f"{path}: cannot be read: {error.strerror}") from error


def trl_preferences(group: PreferenceGroup) -> Iterator[dict[str, str]]:
    """The preferences of a group as rows of TRL's format; ties have none.

    The prompt is what was shown before the answer. Two answers with references of their own share the question alone: the
    references then begin what was chosen and what was rejected, so prompt and answer together are the same text either way.
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


def _trl_pair(row: Any) -> PreferenceGroup:
    chosen, rejected = _messages(row["chosen"]), _messages(row["rejected"])
    if "prompt" in row:
        prompt = "\n\n".join(_messages(row["prompt"]))
    else:
        if chosen[:-1] != rejected[:-1] or len(chosen) < 2:
            raise ValueError("there is no prompt, and chosen and rejected do not begin with the same messages")
        prompt = "\n\n".join(chosen[:-1])
    text = prompt if prompt.endswith(END_OF_FIELD) else f"{clean(prompt).strip()}{END_OF_FIELD}"
    candidates = tuple(Candidate(text, end.removesuffix(END_OF_FIELD)) for end in (chosen[-1], rejected[-1]))
    return PreferenceGroup(text.partition(END_OF_FIELD)[0], candidates, (1.0, 0.0))


def _messages(value: Any) -> list[str]:
    texts = [value] if isinstance(value, str) else [message["content"] for message in value]
    if not texts or not all(isinstance(text, str) for text in texts):
        raise ValueError("a side is neither a text nor a list of messages")
    return texts


# --------------------------------------------------------------------------------------------------------------- losses


# -------------------------------------------------------------------------------------------------------------- figures
