"""What decides a run of PPO, apart from the loop, so that the command line can ask for it without loading a model."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class PPOConfig:
    """What decides a run. Numbers are those of Table 7 unless the machine is too small for them, which is then said."""

    iterations: int = 20
    """How many; the paper stopped after 19, 30 and 18."""
    episodes: int = 32
    """Browsing episodes of an iteration. The paper takes 256 environments with 256 commands each."""
    group_size: int = 1
    """Episodes of each question in an iteration, of which `episodes` is a multiple. Each is rewarded with its score beyond the
    mean of the others', so how hard the question is tells nothing. 1: with its score, as in the paper."""
    answers: int = 16
    """Answers for each browsing episode, its own included: 1 + 15 answering-only episodes."""
    min_actions: int = 10
    """Each episode's budget of commands is drawn between this and the next, both included. The paper: 20."""
    max_actions: int = 30
    """See there. The paper: 100."""
    max_action_tokens: int = 64
    """A longer completion is several timesteps."""
    max_command_tokens: int = 128
    """Longest command that is sampled, in tokens."""
    max_answer_tokens: int = 256
    """Longest answer that is sampled, in tokens."""
    minibatches: int = 16
    """Steps of an epoch. The paper: 128, of 512 completions each."""
    epochs: int = 1
    """Passes over an iteration's episodes."""
    learning_rate: float = 3e-5
    """AdamW's step for the policy. The paper's most important setting: 0.004 of that of pre-training."""
    value_learning_rate: float = 1e-4
    """AdamW's step for the value network."""
    adam_eps: float = 1e-5
    """AdamW's epsilon (OpenAI's choice for PPO)."""
    max_grad_norm: float = 1.0
    """Gradients are scaled down to this norm."""
    kl_coefficient: float = 0.02
    """Of the penalty at each token for leaving the cloned policy."""
    kl_budget: float = 12.0
    """Training ends when the KL divergence of an episode is above this, in nats. The paper: 10.5, 6.8 and about 12."""
    clip: float = 0.2
    """How far from 1 a token's probability ratio counts."""
    value_clip: float = 0.2
    """How far from the old value a new one counts."""
    gamma: float = 1.0
    """Discount."""
    lam: float = 0.95
    """λ of the advantage estimates."""
    gae_level: Literal["action", "token"] = "action"
    """Where that λ acts: between actions as in the paper, or between tokens as in InstructGPT."""
    score_shift: float = 0.0
    """Taken from every score, unless scores are taken beside each other (`group_size`)."""
    score_scale: float = 1.0
    """Scores are multiplied by it. 1 keeps the unit in which the KL coefficient is meant."""
    no_answer_score: float | None = None
    """Score of an episode without an answer. None: the lowest that the run has seen."""
    temperature: float = 1.0
    """Of sampling, and of everything that is computed from logits."""
    free: bool = False
    """Let the policy write anything, as the paper's could, and not just what the environment can do."""
    value_only_iterations: int = 0
    """At first, train the value network alone for so many iterations."""
    separate_answers: bool = False
    """Train each answer in a row of its own, even if the architecture lets all answers to a prompt share it."""
    batch_size: int = 64
    """Prompts in flight when sampling; changes the speed alone."""
    batch_tokens: int = 8192
    """Tokens of a batch in training, padding included; changes the speed alone."""
    sampling_dtype: Literal["float32", "bfloat16"] | None = None
    """Sample with a copy of the policy in this type. None: with the policy itself."""
    checkpoint_every: int = 1
    """Iterations between checkpoints."""
    seed: int = 0
    """Of the questions' order, the budgets, the samples and the minibatches."""

    def __post_init__(self) -> None:
        whole = (
            "iterations",
            "episodes",
            "group_size",
            "answers",
            "min_actions",
            "max_action_tokens",
            "max_command_tokens",
            "max_answer_tokens",
        )
        for name in (*whole, "minibatches", "epochs", "batch_size", "batch_tokens", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("learning_rate", "value_learning_rate", "adam_eps", "max_grad_norm", "clip", "value_clip", "temperature"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")
        if self.episodes % self.group_size:
            raise ValueError(f"episodes must be a multiple of group_size, got {self.episodes} and {self.group_size}")
        if self.max_actions < self.min_actions:
            raise ValueError(f"max_actions must be at least min_actions, got {self.max_actions} and {self.min_actions}")
