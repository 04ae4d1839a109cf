"""Scores of a reproduction's episodes by both reward models and the gold labeler, and the quality of these judges."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from agent.intervals import Estimate
from agent.models.reward_model import RewardModelScore
from agent.score import Scored
from browser_env.records import Episode
from training.reproduction.config import REWARD_MODEL_PART, VALIDATION_PART, ReproduceConfig
from training.reproduction.folders import Folders, model_folder, read_episodes
from training.reward_model.config import RewardModelConfig
from training.reward_model.data import GroupSource, held_out_of, read_preferences
from training.reward_model.measures import figures, labeler_agreement
from training.scripted_people.gold_score import gold_score_of

NO_ANSWER: Final = -10.0
"""Score of an episode without an answer, far below that of any answer."""


@dataclass(frozen=True, slots=True)
class EpisodeScores:
    """Scores of one episode."""

    question: str
    """Id of the question."""
    seed: int | None
    """Seed of the episode, which identifies the sample."""
    reward: float
    """Score by the reward model, `NO_ANSWER` if the episode has no answer."""
    validation: float
    """Score by the validation reward model, `NO_ANSWER` if the episode has no answer."""
    gold: float
    """Gold score, from 0 to 1."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement of the labelers with each other and of the reward models with the gold labeler."""

    labelers: float | None
    """Share of the pairs on which two labelers prefer the same answer, without ties. None: every pair is a tie."""
    rated_twice: int
    """Number of pairs that both labelers rated without a tie."""
    reward_model: Estimate | None
    """Accuracy of the reward model on held-out comparisons by the gold labeler, without ties. None: there are no such
    comparisons."""
    validation_reward_model: Estimate | None
    """The same accuracy of the validation reward model."""


def score_episodes(folders: Folders) -> None:
    """Score every tested episode and every sample, and write a file of scores for each file of episodes."""
    reward = RewardModelScore.load(model_folder(folders.reward_model))
    validation = RewardModelScore.load(model_folder(folders.validation_reward_model))
    samples = [path for stage in (folders.samples_cloned, folders.samples_ppo) for path in stage.glob("*.jsonl")]
    for path in sorted([*folders.benchmark.glob("episodes/*.jsonl"), *samples]):
        episodes = list(read_episodes(path))
        columns = _scores(episodes, reward), _scores(episodes, validation), map(gold_score_of, episodes)
        rows = (
            EpisodeScores(episode.question.id, episode.seed, *scores)
            for episode, *scores in zip(episodes, *columns, strict=True)
        )
        target = folders.score_file(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text("".join(f"{json.dumps(asdict(row))}\n" for row in rows))


def read_scores(folders: Folders, episodes: Path) -> list[EpisodeScores]:
    """Scores of the episodes in a file; empty if the file was not made."""
    path = folders.score_file(episodes)
    return [EpisodeScores(**json.loads(line)) for line in path.read_text().splitlines()] if path.is_file() else []


def measure_agreement(config: ReproduceConfig, folders: Folders) -> None:
    """Measure the labelers against each other and the reward models against the gold labeler, and write a file."""
    rated_twice = [group for path in (folders.comparison_file, folders.second_rating_file) for group in read_preferences(path)]
    labelers, number = labeler_agreement(rated_twice)
    agreement = Agreement(
        labelers=labelers,
        rated_twice=number,
        reward_model=_gold_accuracy(folders, folders.reward_model, config.reward_model(folders, REWARD_MODEL_PART)),
        validation_reward_model=_gold_accuracy(
            folders, folders.validation_reward_model, config.reward_model(folders, VALIDATION_PART)
        ),
    )
    folders.agreement_file.write_text(json.dumps(asdict(agreement)))


def read_agreement(folders: Folders) -> Agreement:
    """Read the file that `measure_agreement` writes."""
    values = json.loads(folders.agreement_file.read_text())
    accuracies = {name: values[name] and Estimate(**values[name]) for name in ("reward_model", "validation_reward_model")}
    return Agreement(**values | accuracies)


def _gold_accuracy(folders: Folders, stage: Path, config: RewardModelConfig) -> Estimate | None:
    """Accuracy of a reward model on the gold labeler's comparisons of the questions held out from its training."""
    model = RewardModelScore.load(model_folder(stage))
    held_out = held_out_of(read_preferences(folders.gold_comparison_file), config)
    if not held_out:
        return None
    source = GroupSource(held_out, model.tokenizer, context=None, name=model.name)
    return figures(held_out, source.scores(model)).accuracy


def _scores(episodes: Sequence[Episode], model: RewardModelScore) -> list[float]:
    answers = [Scored.of(episode) for episode in episodes]
    scores = iter(model([answer for answer in answers if answer is not None]))
    return [NO_ANSWER if answer is None else next(scores) for answer in answers]
