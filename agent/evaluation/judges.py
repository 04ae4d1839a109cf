"""Contracts of the judges that decide whether citations support a sentence and whether an answer is true; the lexical judge.

Tables name their judges, because the judges decide the figures. ALCE's judge is a model of 11 billion parameters
(``google/t5_xxl_true_nli_mixture``), which agrees with people on 85 % of sentences (kappa 0.70 for recall, 0.53 for precision).
The default judge here is a rule: it runs everywhere and can be checked by hand, it accepts every verbatim quote, and it ignores
what words mean.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from browser_env.records import Question
from browser_env.records.citations import support

THRESHOLD: Final = 0.8
"""Share of a sentence's content words that its references must contain for the lexical judge."""


class Pair(NamedTuple):
    """A premise and a hypothesis that it may entail."""

    premise: str
    hypothesis: str


class Entailment(Protocol):
    """Judge of whether premises entail hypotheses."""

    @property
    def name(self) -> str:
        """Name in tables."""
        ...

    def entails(self, pairs: Sequence[Pair]) -> Sequence[bool]:
        """Whether each pair's premise entails its hypothesis, in order."""
        ...


@dataclass(frozen=True, slots=True)
class Truth:
    """Verdict on an answer by TruthfulQA's two criteria."""

    truthful: bool
    """Whether it says nothing false; an empty answer is truthful."""
    informative: bool
    """Whether it says something that answers the question."""


class TruthJudge(Protocol):
    """Judge of whether answers are truthful and informative."""

    @property
    def name(self) -> str:
        """Name in tables."""
        ...

    def judge(self, question: Question, answer: str) -> Truth:
        """The verdict on an answer, which may be empty."""
        ...


class Lexical:
    """Entailment by word overlap: a premise entails a hypothesis if it contains nearly all its content words."""

    def __init__(self, threshold: float = THRESHOLD) -> None:
        self.name = f"lexical, {threshold:.0%} of words"
        self._threshold = threshold

    def entails(self, pairs: Sequence[Pair]) -> list[bool]:
        return [support(pair.hypothesis, pair.premise) >= self._threshold for pair in pairs]
