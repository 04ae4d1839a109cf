"""What the commands that run episodes share: a question, its web, a policy's format, one episode that is kept in any case."""

from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from agent.models.reward_model import RewardModelScore
from agent.models.shipped import LEARNED, REWARD_FOLDER
from agent.policies.registry import can_sample
from agent.policy import Policy
from agent.rollouts.best_of_n import Answering, best_of_n
from agent.rollouts.rollout import rollout
from agent.score import Score
from browser_env.errors import UsageError
from browser_env.records import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """Settings of episodes as a command line gives them: what is not given is left to the policy."""

    view_width: Annotated[int | None, arg(metavar="CELLS")] = None
    """Terminal cells in a line of the view. None, here and below: what the policy was trained on, or else 80."""
    view_height: Annotated[int | None, arg(metavar="LINES")] = None
    """Lines of a page in view. None: as above, or else 40."""
    max_actions: Annotated[int | None, arg(metavar="N")] = None
    """Commands before browsing ends. None: as above, or else 100 (Appendix A)."""
    max_reference_tokens: Annotated[int | None, arg(metavar="N")] = None
    """Tokens of all references, titles included, at which browsing ends. None: as above, or else 512 (Figure 1a)."""
    token_counter: Annotated[str | None, arg(metavar="NAME")] = None
    """Name of what counts those tokens. None: as above, or else words."""
    blocked_domains: Annotated[tuple[str, ...] | None, arg(metavar="[DOMAIN ...]")] = None
    """Search hits and links to these and their subdomains are removed. None: as above, or else those of
    Appendix A, reddit.com and quora.com."""
    censor: bool = False
    """Replace pages that share ten words in a row with the question or its reference answer by an error (Appendix A)."""

    def __post_init__(self) -> None:
        self.over(Settings())  # says what is wrong with them

    def over(self, settings: Settings) -> Settings:
        """Some settings with what was given in their place."""
        given = {name: value for name, value in asdict(self).items() if value is not None and name != "censor"}
        return replace(settings, **given, censor=self.censor or settings.censor)

    def of(self, policy: Policy) -> Settings:
        """What a policy is asked with: what was given, or else what it was trained on, or else the paper's."""
        own = getattr(policy, "settings", None)
        return self.over(own if isinstance(own, Settings) else Settings())


@dataclass(frozen=True, slots=True, kw_only=True)
class BestOf:
    """Rejection sampling as a command line gives it (§3.2)."""

    best_of: Annotated[int, arg(metavar="N")] = 1
    """Sample so many and keep the one whose answer the reward model scores highest (paper, 3.2: 4, 16 or 64)."""
    reward_model: Annotated[Path | None, arg(metavar="DIR")] = None
    """The reward model that chooses, as `webgpt train rm` made it. None: the one that ships, for --policy learned."""
    best_of_answers: bool = False
    """Browse once and sample only answers: faster, but all have the same references."""

    def __post_init__(self) -> None:
        if self.best_of < 1:
            raise UsageError(f"--best-of must be at least 1, got {self.best_of}")
        if self.best_of == 1 and (self.reward_model or self.best_of_answers):
            raise UsageError("--reward-model and --best-of-answers are for --best-of N with N above 1")

    def check(self, spec: str) -> None:
        """Refuse a policy whose samples are all the same."""
        if self.best_of > 1 and not can_sample(spec):
            raise UsageError(
                f"--best-of is for policies that sample (learned, hf:, openai:, served:), and --policy {spec} does not"
            )
        if self.best_of > 1 and self.reward_model is None and spec != LEARNED:
            raise UsageError(
                f"--best-of with --policy {spec} needs a --reward-model that chooses: make one with webgpt train rm"
            )

    def name(self, policy: str) -> str:
        """What results call a policy that is asked like this."""
        what = "answers" if self.best_of_answers else "of"
        return policy if self.best_of == 1 else f"{policy} best {what} {self.best_of}"

    def as_json(self) -> dict[str, str | int]:
        """For a configuration."""
        return {
            "best_of": self.best_of,
            "reward_model": str(self.reward_model or LEARNED),
            "best_of_answers": self.best_of_answers,
        }

    def load(self) -> Answering:
        """How questions become episodes, with the reward model loaded if there is one."""
        if self.best_of == 1:
            return rollout
        score: Score
        if self.reward_model is None:
            from agent.models.small_model import SmallScore

            score = SmallScore(REWARD_FOLDER, name=LEARNED)
        else:
            score = RewardModelScore.load(self.reward_model)
        return partial(best_of_n, score=score, n=self.best_of, mode="answers" if self.best_of_answers else "episodes")
