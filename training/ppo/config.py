"""The settings of a PPO run, apart from the loop, so that the command line can parse them without importing torch."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class PPOConfig:
    """The settings of a PPO run. Defaults are those of Table 7 of the paper, or smaller ones that name the paper's."""

    iterations: int = 20
    """Maximum number of iterations (the paper's runs stopped after 19, 30 and 18)."""
    episodes: int = 32
    """Browsing episodes per iteration (Table 7: 256 environments with 256 commands each). More episodes make less noisy steps
    and take proportionally longer."""
    group_size: int = 1
    """Episodes of each question per iteration; must divide --episodes. Above 1, the reward of an episode is its score minus the
    mean score of the question's other episodes, which removes the difficulty of the question. Default: plain scores, as in
    the paper; 4 helps if an iteration has few episodes."""
    answers: int = 16
    """Answers per browsing episode, its own included (Table 7: 16). Answers are cheaper than browsing."""
    min_actions: int = 10
    """Lower end of the range from which each episode's action budget is drawn (Appendix E: 20)."""
    max_actions: int = 30
    """Upper end of that range, inclusive (Appendix E: 100). More browsing makes episodes slower."""
    max_action_tokens: int = 64
    """Maximum tokens of a timestep (Table 7: 64); longer completions count as several timesteps."""
    max_command_tokens: int = 128
    """Maximum tokens of a sampled command; at least the length of the longest useful quote."""
    max_answer_tokens: int = 256
    """Maximum tokens of a sampled answer."""
    minibatches: int = 16
    """Optimizer steps per epoch (Table 7: 128, of 512 completions each)."""
    epochs: int = 1
    """Passes over the experience of an iteration (Table 7: 1)."""
    learning_rate: float = 3e-5
    """AdamW learning rate of the policy, the most important setting (Table 7: 0.004 times that of pre-training). Lower it if
    more than 2 % of tokens are clipped."""
    value_learning_rate: float = 1e-4
    """AdamW learning rate of the value network."""
    adam_eps: float = 1e-5
    """AdamW epsilon (OpenAI's PPO code: 1e-5)."""
    max_grad_norm: float = 1.0
    """Gradient-norm clipping threshold of both networks."""
    kl_coefficient: float = 0.02
    """Coefficient of the per-token KL penalty towards the cloned policy (Table 7: 0.02). Raise it if answers degenerate."""
    kl_budget: float = 12.0
    """KL divergence from the cloned policy, in nats per episode, at which training stops (the paper's runs: 10.5, 6.8 and about
    12)."""
    clip: float = 0.2
    """Clipping range of a token's probability ratio around 1 (Table 7: 0.2)."""
    value_clip: float = 0.2
    """Clipping range of a value around the value before the update, in units of the score."""
    gamma: float = 1.0
    """Discount per token (Table 7: 1)."""
    lam: float = 0.95
    """λ of generalised advantage estimation (Table 7: 0.95)."""
    gae_level: Literal["action", "token"] = "action"
    """Where λ applies: between actions, as in the paper, or between tokens, as in InstructGPT."""
    score_shift: float = 0.0
    """Constant that is subtracted from every score. Unused if --group-size is above 1."""
    score_scale: float = 1.0
    """Factor of every score. Default: 1, the unit in which the KL coefficient is meant."""
    no_answer_score: float | None = None
    """Score of an episode without an answer. Default: the lowest score of the run so far, which teaches the policy to answer
    every question; set it so that questions may be declined."""
    temperature: float = 1.0
    """Softmax temperature of sampling and training."""
    free: bool = False
    """Disable constrained decoding; the model may emit any text, as the paper's could."""
    value_only_iterations: int = 0
    """Number of iterations at the start that train the value network alone."""
    separate_answers: bool = False
    """Train each answer in a row of its own, even if the architecture allows answers to share their prompt. Slower; for
    comparison with packed rows."""
    batch_size: int = 64
    """Completions sampled at a time. Affects speed and memory only."""
    batch_tokens: int = 8192
    """Maximum tokens of a micro-batch in training, padding included. Affects speed and memory only."""
    sampling_dtype: Literal["float32", "bfloat16"] | None = None
    """Data type of a copy of the policy that samples, for speed. Default: sample with the trained policy itself."""
    checkpoint_every: int = 1
    """Iterations between checkpoints."""
    seed: int = 0
    """Seed of the order of questions, the action budgets, the samples and the minibatches."""

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
