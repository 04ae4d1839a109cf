"""PPO from folders to a folder: loads the cloned policy and the reward model, trains, and saves the new policy."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.models.completion_limits import SamplingOptions
from agent.models.language_model import LanguageModel
from agent.models.reward_model import RewardModelScore
from agent.models.scalar_model import load_scalar_model
from agent.models.shipped import model_path
from agent.question_sets.selection import digest
from browser_env.backends import Backend
from browser_env.env import check_question
from browser_env.errors import UsageError
from browser_env.records import Question, Settings
from training.ppo.config import PPOConfig
from training.ppo.networks import ValueNetwork
from training.ppo.processes import make_accelerator
from training.ppo.trainer import PPO, PPOCallbacks, Result
from training.ppo.world import Gold, World
from training.runs import RUN, begin_run, save_model

if TYPE_CHECKING:
    from accelerate import Accelerator

"""Folder inside the model's folder for the configuration, the checkpoint, the figures and the examples."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PPORun:
    """The configuration of a run: everything that decides its result."""

    policy: str
    """Cloned policy: ``learned``, a folder or a hub name."""
    reward_model: str
    """Folder or hub name of the reward model, which scores answers and initializes the value network."""
    questions: str
    """Name of the question set."""
    questions_digest: str
    """Digest of the questions."""
    backend: str
    """Name of the web."""
    settings: Settings
    """Format of the episodes."""
    zero_value: bool = False
    """Whether the value network starts with the reward model's trunk and an output of 0."""
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
    callbacks: PPOCallbacks | None = None,
) -> Result:
    """Train a policy, or continue an interrupted training; the new policy is ``hf:OUT``.

    `PPORun` describes `policy`, `reward_model` and `zero_value`; `World` describes `backend`, `questions` and `gold`; `PPO`
    describes `accelerator`. `questions_name` stands in the configuration of the run. `settings` default to those that the
    policy was trained on, `config` to the defaults of `PPOConfig`. `weights` is the data type of the saved weights, as torch
    names it. `callbacks` report progress.

    Raises:
        UsageError: A question is invalid, a model cannot be loaded, or the two have different tokenizers.
    """
    config, accelerator = config or PPOConfig(), accelerator or make_accelerator()
    _check_questions(questions, questions_name)
    cloned, score, value = _load_models(policy, reward_model, zero_value, config, accelerator)
    settings = settings or cloned.settings or Settings()
    if accelerator.is_main_process:
        about = {"policy": policy, "reward_model": reward_model, "questions": questions_name, "backend": backend.name}
        run = PPORun(**about, questions_digest=digest(questions), settings=settings, zero_value=zero_value, ppo=config)
        begin_run(out / RUN, run)
    world = World(backend=backend, questions=questions, settings=settings, score=score, gold=gold)
    ppo = PPO(config, world, cloned.model, cloned.tokenizer, value, out / RUN, accelerator=accelerator)
    result = ppo.run(callbacks)
    _save(out, cloned, settings, weights, accelerator)
    return result


def _check_questions(questions: Sequence[Question], name: str) -> None:
    for question in questions:
        try:
            check_question(question.text)
        except ValueError as error:
            raise UsageError(f"{name}: question {question.id}: {error}") from error


def _load_models(
    policy: str, reward_model: str, zero_value: bool, config: PPOConfig, accelerator: "Accelerator"
) -> tuple[LanguageModel, RewardModelScore, ValueNetwork]:
    """The cloned policy in float32, the reward model, and a value network that is initialized from it."""
    import torch

    cloned = LanguageModel.load(
        model_path(policy), options=SamplingOptions(free=config.free), device="cpu", dtype=torch.float32
    )
    score = RewardModelScore.load(reward_model, device=str(accelerator.device))
    if score.tokenizer.get_vocab() != cloned.tokenizer.get_vocab():
        raise UsageError(f"{reward_model} and {policy} have different tokenizers: train the reward model from this policy")
    model: Any = load_scalar_model(model_path(reward_model))
    return cloned, score, ValueNetwork(model, score.normalization, starts_at_zero=zero_value)


def _save(out: Path, trained: LanguageModel, settings: Settings, weights: str, accelerator: "Accelerator") -> None:
    import torch

    if accelerator.is_main_process:
        save_model(out, trained.model, trained.tokenizer, settings, dtype=getattr(torch, weights))
    accelerator.wait_for_everyone()
