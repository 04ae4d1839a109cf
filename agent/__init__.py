"""Policies that browse and answer with citations: models, rollouts, question sets, evaluation and the command line."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.evaluation.benchmark import Benchmark
    from agent.evaluation.judges import Lexical
    from agent.evaluation.metrics import final_answer, is_correct
    from agent.models.language_model import LanguageModel
    from agent.models.reward_model import RewardModelScore
    from agent.policies.registry import make_policy
    from agent.policy import Completion, Policy, Prompt
    from agent.question_sets.registry import load_questions
    from agent.rollouts.best_of_n import best_of_n
    from agent.rollouts.rollout import rollout
    from agent.score import Score, Scored
else:
    from browser_env.lazy import lazy_imports

    __getattr__, __dir__ = lazy_imports(
        __name__,
        {
            "agent.evaluation.benchmark": ("Benchmark",),
            "agent.evaluation.judges": ("Lexical",),
            "agent.evaluation.metrics": ("final_answer", "is_correct"),
            "agent.models.language_model": ("LanguageModel",),
            "agent.models.reward_model": ("RewardModelScore",),
            "agent.policies.registry": ("make_policy",),
            "agent.policy": ("Completion", "Policy", "Prompt"),
            "agent.question_sets.registry": ("load_questions",),
            "agent.rollouts.best_of_n": ("best_of_n",),
            "agent.rollouts.rollout": ("rollout",),
            "agent.score": ("Score", "Scored"),
        },
    )

__all__ = [
    "Benchmark",
    "Completion",
    "LanguageModel",
    "Lexical",
    "Policy",
    "Prompt",
    "RewardModelScore",
    "Score",
    "Scored",
    "best_of_n",
    "final_answer",
    "is_correct",
    "load_questions",
    "make_policy",
    "rollout",
]
