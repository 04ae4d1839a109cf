"""How good a cloned policy is: held-out loss, and the score of greedy rollouts."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from agent.evaluation.evidence import evidence_share
from agent.evaluation.metrics import final_answer, is_correct
from agent.models.completion_limits import SamplingOptions
from agent.models.language_model import LanguageModel
from agent.policy import Policy
from agent.rollouts.rollout import rollout
from browser_env.backends import Backend
from browser_env.errors import UsageError
from browser_env.records import Episode, Question, Settings
from training.behavior_cloning.demonstrations import StepSource

MakePolicy = Callable[[Any, Any], Policy]
"""A policy that takes the likeliest action of a model with its tokenizer."""


def held_out_loss(model: Any, source: StepSource, batch_size: int) -> float | None:
    """Mean cross-entropy of the tokens of actions, in nats; None if there are none."""
    import torch

    from training.supervised.trainers import token_losses

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


def greedy(max_tokens: int) -> MakePolicy:
    """A policy that takes the likeliest token, and no more than so many a command; held to what can be done, if it can be."""

    def make(model: Any, tokenizer: Any) -> Policy:
        options = SamplingOptions(temperature=0.0, max_command_tokens=max_tokens, max_answer_tokens=max_tokens)
        try:
            return LanguageModel(model, tokenizer, name="cloned", options=options)
        except UsageError:  # its tokenizer is of another kind
            return LanguageModel(model, tokenizer, name="cloned", options=replace(options, free=True))

    return make


class RolloutScore:
    """How well a model answers some questions, from 0 to 1."""

    def __init__(
        self,
        backend: Backend,
        questions: Sequence[Question],
        settings: Settings,
        tokenizer: Any,
        make_policy: MakePolicy,
        batch_size: int = 32,
    ) -> None:
        self._backend = backend
        self._questions = questions
        self._settings = settings
        self._tokenizer = tokenizer
        self._make_policy = make_policy
        self._batch_size = batch_size
        self._made: tuple[Any, Policy] | None = None

    def __call__(self, model: Any) -> float:
        """Mean of `episode_score` over the questions."""
        if self._made is None or self._made[0] is not model:  # a large vocabulary takes seconds to prepare
            self._made = model, self._make_policy(model, self._tokenizer)
        policy = self._made[1]
        episodes = rollout(policy, self._backend, self._questions, self._settings, batch_size=self._batch_size)
        return math.fsum(map(episode_score, episodes)) / len(self._questions)


def episode_score(episode: Episode) -> float:
    """Half for the share of the gold sentences that were quoted, half for a correct answer; all for it where none are known."""
    references = () if episode.failure else episode.references
    is_right = is_correct(episode.question, final_answer(episode), references)
    correct = float(bool(is_right) and episode.failure is None)
    if not any(page.sentences for page in episode.question.evidence):
        return correct
    return (evidence_share(episode.question.evidence, references) + correct) / 2
