"""Paths of the stages and files of a reproduction."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final, Literal, get_args

from agent.evaluation.benchmark import file_stem
from browser_env.records import Episode
from browser_env.records.storage import read_records

Trained = Literal["cloned", "ppo"]
"""A policy that the reproduction trains."""
Tested = Literal["cloned", "cloned greedy", "cloned free", "ppo", "ppo greedy", "scripted", "search-only"]
"""A policy that answers the split test: *greedy* ones always take the likeliest token, *free* ones have no constrained
decoding."""
TESTED: Final[tuple[Tested, ...]] = get_args(Tested)


@dataclass(frozen=True, slots=True)
class Folders:
    """One folder for each stage, in the order of the stages; each is named like its field."""

    root: Path
    demonstrations: Path
    cloned: Path
    answers: Path
    comparisons: Path
    reward_model: Path
    validation_reward_model: Path
    ppo: Path
    tested: Path
    samples_cloned: Path
    samples_ppo: Path
    scores: Path

    @classmethod
    def of(cls, root: Path) -> "Folders":
        """The folders of a reproduction in a given folder."""
        return cls(root, *(root / field.name for field in fields(cls)[1:]))

    @property
    def stages(self) -> tuple[Path, ...]:
        """The folders of the stages, in their order."""
        return tuple(getattr(self, field.name) for field in fields(self)[1:])

    @property
    def demonstration_file(self) -> Path:
        """Demonstrations of the split bc."""
        return self.demonstrations / "demonstrations.jsonl"

    @property
    def answer_file(self) -> Path:
        """Sampled answers to compare."""
        return self.answers / "answers.jsonl"

    @property
    def comparison_file(self) -> Path:
        """Comparisons of sampled answers by one labeler."""
        return self.comparisons / "comparisons.jsonl"

    @property
    def second_rating_file(self) -> Path:
        """The same pairs rated by a second labeler, to measure the agreement of the two."""
        return self.comparisons / "second_ratings.jsonl"

    @property
    def gold_comparison_file(self) -> Path:
        """The same pairs rated by the gold labeler, to measure reward models without labeling errors."""
        return self.comparisons / "gold.jsonl"

    @property
    def other_comparison_file(self) -> Path:
        """Comparisons of good answers with answers to other questions."""
        return self.comparisons / "others.jsonl"

    @property
    def benchmark(self) -> Path:
        """The benchmark of every policy on the split test, as `webgpt bench` writes it."""
        return self.tested / "benchmark"

    def tested_file(self, policy: Tested) -> Path:
        """Episodes of a policy on the split test."""
        return self.benchmark / "episodes" / f"{file_stem(policy)}.jsonl"

    def sample_file(self, policy: Trained, *, deep: bool = False) -> Path:
        """Samples of a policy for best-of-n; the deep ones are more samples of fewer questions."""
        stage = self.samples_cloned if policy == "cloned" else self.samples_ppo
        return stage / ("deep.jsonl" if deep else "samples.jsonl")

    def score_file(self, episodes: Path) -> Path:
        """Scores of the episodes in a file."""
        return self.scores / episodes.relative_to(self.root)

    @property
    def agreement_file(self) -> Path:
        """Agreement of the two labelers, and accuracy of each reward model on the gold labeler's comparisons."""
        return self.scores / "agreement.json"


def model_folder(stage: Path) -> Path:
    """Folder of the model that a training stage makes."""
    return stage / "model"


def read_episodes(path: Path) -> Iterable[Episode]:
    """The episodes of a file; none if the file does not exist."""
    return read_records(path, Episode) if path.is_file() else ()
