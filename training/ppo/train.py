"""PPO from folders to a folder: loads the cloned policy and the reward model, trains, and saves what came of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.models.completion_limits import SamplingOptions
from agent.models.language_model import LanguageModel
from agent.models.reward_model import RewardModelScore
from agent.models.scalar_model import load_scalar_model
from agent.question_sets.selection import digest
from browser_env.backends import Backend
from browser_env.env import check_question
from browser_env.errors import UsageError
from browser_env.records import Episode, Question, Settings
from training.ppo.config import PPOConfig
from training.ppo.experience import OnProgress
from training.ppo.metrics import IterationMetrics
from training.ppo.networks import ValueNetwork
from training.ppo.trainer import PPO, Gold, Result, World, make_accelerator
from training.runs import begin_run, save_model

if TYPE_CHECKING:
    from accelerate import Accelerator

RUN = "run"
"""Folder in that of the model: configuration, checkpoint, figures and examples."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PPORun:
    """What a run is made of; all of it decides the result."""

    policy: str
    """Folder or hub name of the cloned policy."""
    reward_model: str
    """Folder or hub name of the reward model, which gives the score and is what the value network begins as."""
    questions: str
    """Name of the set."""
    questions_digest: str
    """Of the questions themselves."""
    backend: str
    """Name of the web."""
    settings: Settings
    """Format of the episodes."""
    zero_value: bool = False
    """The value network begins with the reward model's trunk and an output of 0."""
    ppo: PPOConfig = field(default_factory=PPOConfig)


def train_ppo(
    out: Path,
    *,
    policy: str,
    reward_model: str,
    backend: Backend,
    questions: Sequence[Question],
    questions_name: str,
    settings: Settings | None = None,
    config: PPOConfig | None = None,
    zero_value: bool = False,
    weights: str = "bfloat16",
    gold: Gold | None = None,
    accelerator: "Accelerator | None" = None,
    on_begin: Callable[[PPO], None] | None = None,
    on_iteration: Callable[[IterationMetrics, Episode], None] | None = None,
    on_progress: OnProgress | None = None,
) -> Result:
    """Train, or go on where an earlier start was stopped; the policy is then ``hf:OUT``.

    Args:
        out: Folder of the new policy.
        policy: Folder or hub name of the cloned policy.
        reward_model: Folder or hub name of the reward model, with the policy's tokenizer.
        backend: The web.
        questions: What is asked.
        questions_name: Where they come from, for the record.
        settings: Format of the episodes; None: what the policy was trained on.
        config: Of the loop; None: its defaults.
        zero_value: See `PPORun`.
        weights: Type of the weights on disk, as torch names it.
        gold: A judge for the log.
        accelerator: See `PPO`.
        on_begin: Told of the run before its first iteration.
        on_iteration: See `PPO.run`, like the next.
        on_progress: See there.

    Raises:
        UsageError: Something that was named is not there or does not fit.
    """
    import torch

    config = config or PPOConfig()
    accelerator = accelerator or make_accelerator()
    for question in questions:
        try:
            check_question(question.text)
        except ValueError as error:
            raise UsageError(f"{questions_name}: question {question.id}: {error}") from error
    cloned = LanguageModel.load(policy, options=SamplingOptions(free=config.free), device="cpu", dtype=torch.float32)
    score = RewardModelScore.load(reward_model, device=str(accelerator.device))
    if score.tokenizer.get_vocab() != cloned.tokenizer.get_vocab():
        raise UsageError(f"{reward_model} and {policy} have different tokenizers: train the reward model from this policy")
    trunk = Path(reward_model).expanduser()
    value: Any = load_scalar_model(str(trunk) if trunk.is_dir() else reward_model)
    settings = settings or cloned.settings or Settings()
    folder = out / RUN
    run = PPORun(
        policy=policy,
        reward_model=reward_model,
        questions=questions_name,
        questions_digest=digest(questions),
        backend=backend.name,
        settings=settings,
        zero_value=zero_value,
        ppo=config,
    )
    if accelerator.is_main_process:
        begin_run(folder, run)
    training = PPO(
        config,
        World(backend=backend, questions=questions, settings=settings, score=score, gold=gold),
        cloned.model,
        cloned.tokenizer,
        ValueNetwork(value, score.normalization, starts_at_zero=zero_value),
        folder,
        accelerator=accelerator,
    )
    if on_begin:
        on_begin(training)
    result = training.run(on_iteration, on_progress)
    if accelerator.is_main_process:
        save_model(out, training.policy.model, cloned.tokenizer, settings, dtype=getattr(torch, weights))
    accelerator.wait_for_everyone()
    return result
