"""Records of questions, episodes and comparisons, the files that store them, and citations in answers."""

from browser_env.records.comparison import Annotation, Claim, ComparedAnswer, Comparison, Ratings
from browser_env.records.episode import Ending, Episode, Phase, Reference, Settings, Step
from browser_env.records.question import Evidence, Question

__all__ = [
    "Annotation",
    "Claim",
    "ComparedAnswer",
    "Comparison",
    "Ending",
    "Episode",
    "Evidence",
    "Phase",
    "Question",
    "Ratings",
    "Reference",
    "Settings",
    "Step",
]
