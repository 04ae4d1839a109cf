"""The world of a run: the web, the questions and the rewards; and the tasks of each iteration."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from agent.rollouts.rollout import Task
from agent.score import Score
from browser_env.backends import Backend
from browser_env.records import Episode, Question, Settings
from browser_env.records.digests import stable_hash
from browser_env.state import TokenCounter, count_words
from training.ppo.config import PPOConfig

Gold = Callable[[Sequence[Episode]], Sequence[float]]
"""A judge of whole episodes whose scores are logged and never learned from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The environment of a run and its reward."""

    backend: Backend
    """The web."""
    questions: Sequence[Question]
    """Questions, each asked once in a pass; every pass shuffles them."""
    settings: Settings
    """Format of the episodes; the action budget is drawn for each episode."""
    score: Score
    """Score of answers, the reward at the end of an episode."""
    gold: Gold | None = None
    """A second judge for the log."""
    count_tokens: TokenCounter = count_words
    """Counts the tokens of references."""


def iteration_tasks(world: World, config: PPOConfig, iteration: int) -> list[Task]:
    """The tasks of an iteration, over all processes: shuffled questions with random action budgets (Appendix E)."""
    return [_task(world, config, iteration, index) for index in range(config.episodes)]


def _task(world: World, config: PPOConfig, iteration: int, index: int) -> Task:
    number = (iteration * config.episodes + index) // config.group_size
    pass_number, place = divmod(number, len(world.questions))
    order = list(range(len(world.questions)))
    random.Random(stable_hash(config.seed, "order", pass_number)).shuffle(order)
    draw = random.Random(stable_hash(config.seed, "episode", iteration, index))
    settings = replace(world.settings, max_actions=draw.randint(config.min_actions, config.max_actions))
    return Task(world.questions[order[place]], draw.getrandbits(31), settings)
