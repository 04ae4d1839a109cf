"""Training of policies: behavior cloning, reward models, PPO, and the reproduction of all stages in one run."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from training.behavior_cloning.config import CloningConfig
    from training.behavior_cloning.train import clone
    from training.objectives import advantages, comparison_loss, group_preference_loss, kl_rewards, policy_loss, value_loss
    from training.ppo.config import PPOConfig
    from training.ppo.train import train_ppo
    from training.ppo.trainer import PPO, PPOCallbacks
    from training.reward_model.config import RewardModelConfig
    from training.reward_model.train import train_reward_model
    from training.scripted_people.comparisons import add_comparisons, draw_others
    from training.scripted_people.demonstrations import add_demonstrations
    from training.scripted_people.labeler import Labeler
else:
    from browser_env.lazy import lazy_imports

    __getattr__, __dir__ = lazy_imports(
        __name__,
        {
            "training.behavior_cloning.config": ("CloningConfig",),
            "training.behavior_cloning.train": ("clone",),
            "training.objectives": (
                "advantages",
                "comparison_loss",
                "group_preference_loss",
                "kl_rewards",
                "policy_loss",
                "value_loss",
            ),
            "training.ppo.config": ("PPOConfig",),
            "training.ppo.train": ("train_ppo",),
            "training.ppo.trainer": ("PPO", "PPOCallbacks"),
            "training.reward_model.config": ("RewardModelConfig",),
            "training.reward_model.train": ("train_reward_model",),
            "training.scripted_people.comparisons": ("add_comparisons", "draw_others"),
            "training.scripted_people.demonstrations": ("add_demonstrations",),
            "training.scripted_people.labeler": ("Labeler",),
        },
    )

__all__ = [
    "PPO",
    "CloningConfig",
    "Labeler",
    "PPOCallbacks",
    "PPOConfig",
    "RewardModelConfig",
    "add_comparisons",
    "add_demonstrations",
    "advantages",
    "clone",
    "comparison_loss",
    "draw_others",
    "group_preference_loss",
    "kl_rewards",
    "policy_loss",
    "train_ppo",
    "train_reward_model",
    "value_loss",
]
