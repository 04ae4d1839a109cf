"""The settings of a PPO run, apart from the loop, so that the command line can parse them without importing torch."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class PPOConfig:
    """The settings of a PPO run. Fields name the paper's value; some defaults are smaller, to fit a small machine."""

    iterations: int = 20
    """Maximum number of iterations (the paper's runs stopped after 19, 30 and 18)."""
    episodes: int = 32
    """Number of browsing episodes per iteration (Table 7: 256 environments with 256 commands each). More make less noisy
    steps."""
    group_size: int = 1
    """Number of episodes of each question per iteration; must divide --episodes. 1: plain scores, as in the paper.
    Above 1, the reward is the score minus the mean score of the question's other episodes; 4 helps if --episodes is small."""
    answers: int = 16
    """Number of answers per browsing episode, its own included (Table 7: 16). More answers are cheaper than more browsing."""
    min_actions: int = 10
    """Smallest action budget of an episode, in commands (Appendix E: 20); see --max-actions."""
    max_actions: int = 30
    """Largest action budget of an episode, in commands (Appendix E: 100). Budgets are drawn between the two, both included."""
    max_action_tokens: int = 64
    """Maximum number of tokens of a timestep (Table 7: 64); a longer completion counts as several timesteps."""
    max_command_tokens: int = 128
    """Maximum number of tokens of a sampled command. It limits the length of quotes."""
    max_answer_tokens: int = 256
    """Maximum number of tokens of a sampled answer. A batch takes as long as its longest answer."""
    minibatches: int = 16
    """Number of optimizer steps per epoch (Table 7: 128, of 512 completions each). More make smaller and noisier steps."""
    epochs: int = 1
    """Number of passes over the experience of an iteration (Table 7: 1). More passes clip more tokens."""
    learning_rate: float = 3e-5
    """AdamW learning rate of the policy (Table 7: 0.004 times that of pre-training). The most important setting.
    Lower it if more than 2 % of tokens are clipped."""
    value_learning_rate: float = 1e-4
    """AdamW learning rate of the value network. Raise it if the explained variance stays near 0."""
    adam_eps: float = 1e-5
    """AdamW epsilon of both networks (1e-5 as in OpenAI's PPO code)."""
    max_grad_norm: float = 1.0
    """Gradient-norm clipping threshold of each network."""
    kl_coefficient: float = 0.02
    """Coefficient of the per-token KL penalty for leaving the cloned policy (Table 7: 0.02). Raise it if answers degenerate."""
    kl_budget: float = 12.0
    """KL divergence from the cloned policy, in nats per episode, at which training ends (the paper: 10.5, 6.8 and 12)."""
    clip: float = 0.2
    """Clipping range of a token's probability ratio around 1 (Table 7: 0.2)."""
    value_clip: float = 0.2
    """Clipping range of a value around its old value, in units of the score. Raise it if scores are much larger than 1."""
    gamma: float = 1.0
    """Discount per token (Table 7: 1). Below 1, early commands get less of the final score."""
    lam: float = 0.95
    """λ of generalized advantage estimation (Table 7: 0.95). Lower values rely more on the value network."""
    gae_level: Literal["action", "token"] = "action"
    """Where λ applies: between actions, as in the paper, or between tokens, as in InstructGPT."""
    score_shift: float = 0.0
    """Constant that is subtracted from every score; unused if --group-size is above 1."""
    score_scale: float = 1.0
    """Factor of every score. At 1 the KL coefficient has the meaning that it has in the paper."""
    no_answer_score: float | None = None
    """Score of an episode without an answer. Default: the lowest score of the run, so that the policy learns to answer always.
    Set it higher if questions may be declined."""
    temperature: float = 1.0
    """Softmax temperature of sampling and training."""
    free: bool = False
    """Disable constrained decoding; the model may emit any text, as the paper's could."""
    value_only_iterations: int = 0
    """Number of iterations at the start that train the value network alone. Raise it if the first steps lower the score."""
    separate_answers: bool = False
    """Train each answer in a row of its own instead of packed behind a shared prompt; slower, to compare the two."""
    batch_size: int = 64
    """Number of completions sampled at a time. Lower it if memory is short; the results do not change."""
    batch_tokens: int = 8192
    """Maximum number of tokens of a micro-batch, padding included. Lower it if memory is short; the results do not change."""
    sampling_dtype: Literal["float32", "bfloat16"] | None = None
    """Data type of a copy of the policy that samples faster. Default: sample with the trained weights themselves."""
    checkpoint_every: int = 1
    """Number of iterations between checkpoints. Raise it if writing them takes long."""
    seed: int = 0
    """Random seed of the order of questions, the action budgets, the samples and the minibatches."""

    def __post_init__(self) -> None:
        for name in AT_LEAST_1:
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ABOVE_0:
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")
        if self.episodes % self.group_size:
            raise ValueError(f"episodes must be a multiple of group_size, got {self.episodes} and {self.group_size}")
        if self.max_actions < self.min_actions:
            raise ValueError(f"max_actions must be at least min_actions, got {self.max_actions} and {self.min_actions}")


AT_LEAST_1 = (
    "iterations",
    "episodes",
    "group_size",
    "answers",
    "min_actions",
    "max_action_tokens",
    "max_command_tokens",
    "max_answer_tokens",
    "minibatches",
    "epochs",
    "batch_size",
    "batch_tokens",
    "checkpoint_every",
)
ABOVE_0 = ("learning_rate", "value_learning_rate", "adam_eps", "max_grad_norm", "clip", "value_clip", "temperature")
