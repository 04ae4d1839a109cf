"""Evaluation of a cloned policy: held-out loss, and the score of greedy rollouts."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from agent.evaluation.evidence import evidence_share
from agent.evaluation.metrics import final_answer, is_correct
from agent.models.completion_limits import SamplingOptions
from agent.models.language_model import LanguageModel
from agent.policy import Policy
from agent.rollouts.rollout import rollout
from browser_env.backends import Backend
from browser_env.errors import UsageError
from browser_env.records import Episode, Question, Settings
from training.behavior_cloning.data import StepSource
from training.behavior_cloning.report import CloningEvaluation

if TYPE_CHECKING:
    from training.supervised.averaging import Evaluate, Evaluation

BATCH_SIZE = 32
"""Number of episodes in progress at the same time in rollouts."""


class Judge:
    """Scores averaged weights, and stores the held-out loss of each evaluation."""

    def __init__(
        self,
        score: "Evaluate",
        validation: StepSource,
        batch_size: int,
        on_evaluation: Callable[[CloningEvaluation], None] | None = None,
    ) -> None:
        self._score = score
        self._validation = validation
        self._batch_size = batch_size
        self._on_evaluation = on_evaluation
        self._loss: float | None = None
        self._losses: dict[int, float | None] = {}

    def evaluate(self, model: Any) -> float:
        """The score of a model; its held-out loss is measured first."""
        self._loss = held_out_loss(model, self._validation, self._batch_size)
        return self._score(model)

    def record(self, evaluation: "Evaluation") -> None:
        """Store the last measured loss with an evaluation, and report both."""
        self._losses[evaluation.step] = self._loss
        if self._on_evaluation:
            self._on_evaluation(self.with_loss(evaluation))

    def with_loss(self, evaluation: "Evaluation") -> CloningEvaluation:
        """An evaluation with its held-out loss, if it was recorded here."""
        return CloningEvaluation(evaluation.step, evaluation.score, self._losses.get(evaluation.step))


def held_out_loss(model: Any, source: StepSource, batch_size: int) -> float | None:
    """Mean cross-entropy of action tokens, in nats. None: there are none."""
    import torch

    from training.supervised.token_losses import token_losses

    if not source.lengths:
        return None
    order = sorted(range(len(source.lengths)), key=lambda index: source.lengths[index])
    total, number = 0.0, 0
    with torch.inference_mode():
        for start in range(0, len(order), batch_size):
            batch = source.batch(order[start : start + batch_size], 0)
            losses = token_losses(model, {name: value.to(model.device) for name, value in batch.items()})
            total, number = total + float(losses.sum()), number + len(losses)
    return total / number


class RolloutScore:
    """The mean score of greedy rollouts on some questions, from 0 to 1."""

    def __init__(
        self, backend: Backend, questions: Sequence[Question], settings: Settings, tokenizer: Any, max_tokens: int
    ) -> None:
        """Prepare the rollouts.

        Args:
            backend: The web on which questions are answered.
            questions: The questions.
            settings: The format of the episodes.
            tokenizer: The tokenizer of the models to score.
            max_tokens: The maximum number of tokens of a command or answer.
        """
        self._backend = backend
        self._questions = questions
        self._settings = settings
        self._tokenizer = tokenizer
        self._max_tokens = max_tokens
        self._prepared: tuple[Any, Policy] | None = None

    def __call__(self, model: Any) -> float:
        """The mean of `episode_score` over the questions."""
        if self._prepared is None or self._prepared[0] is not model:  # preparing a large vocabulary takes seconds
            self._prepared = model, greedy_policy(model, self._tokenizer, self._max_tokens)
        policy = self._prepared[1]
        episodes = rollout(policy, self._backend, self._questions, self._settings, batch_size=BATCH_SIZE)
        return math.fsum(map(episode_score, episodes)) / len(self._questions)


def greedy_policy(model: Any, tokenizer: Any, max_tokens: int) -> Policy:
    """A policy at temperature 0, with constrained decoding if the tokenizer supports it."""
    options = SamplingOptions(temperature=0.0, max_command_tokens=max_tokens, max_answer_tokens=max_tokens)
    try:
        return LanguageModel(model, tokenizer, name="cloned", options=options)
    except UsageError:  # constrained decoding does not support the tokenizer
        return LanguageModel(model, tokenizer, name="cloned", options=replace(options, free=True))


def episode_score(episode: Episode) -> float:
    """The mean of the share of gold sentences that were quoted and of answer correctness (0 or 1).

    Answer correctness alone where no gold sentences are known.
    """
    references = () if episode.failure else episode.references
    is_right = is_correct(episode.question, final_answer(episode), references)
    correct = float(bool(is_right) and episode.failure is None)
    if not any(page.sentences for page in episode.question.evidence):
        return correct
    return (evidence_share(episode.question.evidence, references) + correct) / 2
