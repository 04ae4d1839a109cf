"""Configuration of a reproduction: the amounts of its two scales, and the configurations of its trainings."""

from dataclasses import dataclass
from typing import Final

from agent.models.shipped import SMALL
from browser_env.records import Settings
from training.base_model.config import SMALL_VIEW
from training.behavior_cloning.config import CloningConfig
from training.ppo.config import PPOConfig
from training.reproduction.folders import Folders, model_folder
from training.reward_model.config import RewardModelConfig
from training.supervised.optimization import Optimization

REWARD_MODEL_PART, VALIDATION_PART = "1/2", "2/2"
"""Parts of the questions that the reward model and the one that validates it learn from (Appendix I)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Amounts:
    """Numbers of questions, episodes and epochs."""

    demonstrated: int | None
    """Number of questions of the split bc to demonstrate. None: all of them."""
    demonstrations_each: int
    """Number of demonstrations of each question, each with other detours."""
    cloning_epochs: float
    """Number of passes over the demonstrations."""
    cloning_eval_every: int
    """Number of optimizer steps from one evaluation of the cloned policy to the next."""
    cloning_eval_questions: int
    """Number of held-out questions answered in each evaluation."""
    compared: int
    """Number of questions of the split rm whose sampled answers are compared."""
    answers_each: int
    """Number of answers sampled for each of these questions."""
    pairs_each: int
    """Maximum number of comparisons for each of these questions."""
    others: int
    """Number of questions of the split rm that are demonstrated in order to compare their answers with answers to other
    questions, in addition to those of the demonstrations."""
    reward_epochs: float
    """Number of passes over the comparisons."""
    ppo_iterations: int
    """Maximum number of iterations of PPO."""
    ppo_episodes: int
    """Number of episodes in each iteration of PPO."""
    ppo_group: int
    """Number of episodes of each question in an iteration of PPO."""
    ppo_answers: int
    """Number of answers of each episode of PPO, its own included."""
    tested: int
    """Number of questions of the split test that every policy answers."""
    sampled: int
    """Number of the test questions that are also sampled several times for best-of-n."""
    samples: int
    """Number of samples of each of these questions, the largest n."""
    deep: int
    """Number of the test questions that are sampled even more often."""
    deep_samples: int
    """Number of samples of each of these."""


SCALES: Final = {
    "smoke": Amounts(
        demonstrated=24,
        demonstrations_each=1,
        cloning_epochs=1,
        cloning_eval_every=1000,
        cloning_eval_questions=0,
        compared=12,
        answers_each=3,
        pairs_each=3,
        others=12,
        reward_epochs=1,
        ppo_iterations=1,
        ppo_episodes=4,
        ppo_group=2,
        ppo_answers=2,
        tested=12,
        sampled=6,
        samples=4,
        deep=3,
        deep_samples=4,
    ),
    "default": Amounts(
        demonstrated=None,
        demonstrations_each=2,
        cloning_epochs=1.75,
        cloning_eval_every=425,
        cloning_eval_questions=96,
        compared=300,
        answers_each=4,
        pairs_each=6,
        others=1600,
        reward_epochs=1.25,
        ppo_iterations=10,
        ppo_episodes=96,
        ppo_group=4,
        ppo_answers=2,
        tested=200,
        sampled=80,
        samples=16,
        deep=0,
        deep_samples=0,
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReproduceConfig:
    """Everything that decides the results of a reproduction, apart from the web."""

    amounts: Amounts
    base: str = SMALL
    """Base model: small, a folder or a name on the Hugging Face hub."""
    settings: Settings = SMALL_VIEW
    """Format of the observations of the trained policies."""
    noise: float = 0.1
    """Probability of detours of the demonstrator, 0 to 1."""
    temperature: float = 0.8
    """Sampling temperature of the tested policies and of best-of-n (§3.2)."""
    compared_temperature: float = 1.0
    """Sampling temperature of the answers that are compared. At lower temperatures a good policy's answers are too much alike,
    and PPO samples at 1 as well."""
    max_command_tokens: int = 96
    """Maximum length of a command; all but two of 14,365 demonstrated commands are shorter."""
    max_answer_tokens: int = 128
    """Maximum length of an answer, twice that of the longest demonstrated answer. A batch takes as long as its longest row, and
    without a limit one answer in twelve never ended."""
    replaced: float = 0.5
    """Share of the demonstrations in which words are replaced in each epoch."""
    reward_replaced: float = 0.9
    """Share of the comparisons in which words are replaced; answers are memorized sooner than commands."""
    cloning_rate: float = 1e-3
    """Learning rate of behavior cloning."""
    choice_weight: float = 5.0
    """Weight of the tokens that decide a command or a quote; see `CloningConfig`."""
    reward_rate: float = 1e-3
    """Learning rate of the reward models."""
    reward_batch: int = 8
    """Number of comparisons in an optimizer step of the reward models; with few comparisons, many small steps teach more."""
    ppo_rate: float = 7e-5
    """Learning rate of the policy in PPO."""
    ppo_value_rate: float = 3e-4
    """Learning rate of the value network in PPO."""
    no_answer_score: float = -0.5
    """Score of an episode without an answer in PPO, about that of a wrong answer. Some questions are best left unanswered,
    but a reward model sees only answers."""
    kl_budget: float = 12.0
    """KL divergence from the cloned policy, in nats an episode, at which PPO stops."""
    batch_size: int = 64
    """Number of episodes in progress at once."""
    seed: int = 0
    """Random seed of every stage."""

    def cloning(self, folders: Folders) -> CloningConfig:
        """Configuration of behavior cloning."""
        amounts = self.amounts
        return CloningConfig(
            base=self.base,
            demonstrations=(str(folders.demonstration_file),),
            optimization=Optimization(epochs=amounts.cloning_epochs, learning_rate=self.cloning_rate),
            eval_every=amounts.cloning_eval_every,
            eval_questions=amounts.cloning_eval_questions,
            replaced=self.replaced,
            choice_weight=self.choice_weight,
            seed=self.seed,
        )

    def reward_model(self, folders: Folders, part: str) -> RewardModelConfig:
        """Configuration of the reward model that learns from one part of the questions."""
        return RewardModelConfig(
            policy=str(model_folder(folders.cloned)),
            comparisons=(str(folders.comparison_file), str(folders.other_comparison_file)),
            optimization=Optimization(
                epochs=self.amounts.reward_epochs, batch_size=self.reward_batch, learning_rate=self.reward_rate
            ),
            replaced=self.reward_replaced,
            learning_curve=part == REWARD_MODEL_PART,
            part=part,
            seed=self.seed,
        )

    def ppo(self) -> PPOConfig:
        """Configuration of PPO."""
        amounts = self.amounts
        return PPOConfig(
            iterations=amounts.ppo_iterations,
            episodes=amounts.ppo_episodes,
            group_size=amounts.ppo_group,
            answers=amounts.ppo_answers,
            max_actions=self.settings.max_actions,
            max_command_tokens=self.max_command_tokens,
            max_answer_tokens=self.max_answer_tokens,
            learning_rate=self.ppo_rate,
            value_learning_rate=self.ppo_value_rate,
            no_answer_score=self.no_answer_score,
            kl_budget=self.kl_budget,
            seed=self.seed,
        )
