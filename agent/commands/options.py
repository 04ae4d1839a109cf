"""Options that several commands share: the policy, how its answers are chosen, and the format of episodes."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from agent.models.reward_model import RewardModelScore
from agent.models.shipped import LEARNED, REWARD_FOLDER
from agent.policies.registry import TEMPERATURE, find_kind, has_server, make_policy, names
from agent.policy import Policy
from agent.rollouts.best_of_n import Answering, best_of_n
from agent.rollouts.rollout import rollout
from agent.score import Score
from browser_env.errors import UsageError
from browser_env.records import Settings
from browser_env.records.files import Json

POLICY_HELP = (
    "Policy that browses and answers. scripted: rules without a model (the default); search-only: quotes the first search "
    "result; learned: the small model that ships with this package; hf:PATH_OR_ID: a causal language model of transformers, "
    "from a folder or the Hugging Face hub; openai:MODEL: a chat model behind an OpenAI-compatible server; served:PATH_OR_ID: "
    "a language model behind a completions server that takes token ids, such as vLLM."
)
"""Help of ``--policy``, which some commands take once and `webgpt bench` several times."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyOptions:
    """Options of the policy that ``--policy`` names, best-of-n sampling (§3.2) included."""

    temperature: float = TEMPERATURE
    """Sampling temperature of policies with a model; 0 always takes the likeliest token. The paper samples at 0.8 (3.2)."""
    base_url: Annotated[str | None, arg(metavar="URL")] = None
    """URL of the server of openai: and served: models, with its /v1. Default: OPENAI_BASE_URL, or OpenAI's for openai:."""
    free: bool = False
    """Disable constrained decoding of hf: and learned models; the model may write any text, as in the paper."""
    best_of: Annotated[int, arg(metavar="N")] = 1
    """Sample N answers and keep the one that the reward model scores highest (paper, 3.2: 4, 16 or 64)."""
    reward_model: Annotated[Path | None, arg(metavar="DIR")] = None
    """Reward model folder for --best-of, from `webgpt train rm`. Default: the one in this package, for learned only."""
    best_of_answers: bool = False
    """With --best-of, browse once and sample only the answer N times: faster, but all answers have the same references."""

    def __post_init__(self) -> None:
        if self.best_of < 1:
            raise UsageError(f"--best-of must be at least 1, got {self.best_of}")
        if self.best_of == 1 and (self.reward_model or self.best_of_answers):
            raise UsageError("--reward-model and --best-of-answers need --best-of N with N above 1")

    def make(self, spec: str) -> Policy:
        """Make the policy that a ``--policy`` value names.

        Raises:
            UsageError: There is no such policy, or an option does not apply to it.
        """
        self.check(spec)
        return make_policy(spec, temperature=self.temperature, base_url=self.base_url, free=self.free)

    def make_each(self, specs: Sequence[str]) -> list[Policy]:
        """Make several policies; ``--base-url`` and ``--free`` go only to those that take them.

        Raises:
            UsageError: One of them cannot be made, or none takes ``--free``.
        """
        kinds = [find_kind(spec) for spec in specs]
        if self.free and not any(kind is not None and kind.is_constrained for kind in kinds):
            raise UsageError(f"--free is for --policy {names(lambda kind: kind.is_constrained)}, and no policy is one")
        for spec in specs:
            self.check(spec)
        return [
            replace(
                self,
                base_url=self.base_url if has_server(spec) else None,
                free=self.free and kind is not None and kind.is_constrained,
            ).make(spec)
            for spec, kind in zip(specs, kinds, strict=True)
        ]

    def check(self, spec: str) -> None:
        """Check that best-of-n can be used with a policy.

        Raises:
            UsageError: All its samples are the same, or no reward model is given.
        """
        kind = find_kind(spec)
        if kind is None or self.best_of == 1:
            return
        if not kind.samples:
            raise UsageError(
                f"--best-of is for policies that sample ({names(lambda kind: kind.samples)}), and --policy {spec} does not"
            )
        if self.reward_model is None and spec != LEARNED:
            raise UsageError(
                f"--best-of with --policy {spec} needs --reward-model DIR to choose by; train one with webgpt train rm"
            )

    def answering(self) -> Answering:
        """The function that turns questions into episodes; loads the reward model that best-of-n needs."""
        if self.best_of == 1:
            return rollout
        score: Score
        if self.reward_model is None:
            from agent.models.small_model import SmallScore

            score = SmallScore(REWARD_FOLDER, name=LEARNED)
        else:
            score = RewardModelScore.load(self.reward_model)
        return partial(best_of_n, score=score, n=self.best_of, mode="answers" if self.best_of_answers else "episodes")

    def result_name(self, policy: str) -> str:
        """The name of a policy in results, best-of-n included."""
        mode = "answers" if self.best_of_answers else "of"
        return policy if self.best_of == 1 else f"{policy} best {mode} {self.best_of}"

    def best_of_config(self) -> dict[str, Json]:
        """The best-of-n entry of a configuration file; empty without best-of-n."""
        if self.best_of == 1:
            return {}
        return {
            "best_of": {
                "best_of": self.best_of,
                "reward_model": str(self.reward_model or LEARNED),
                "best_of_answers": self.best_of_answers,
            }
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeOptions:
    """Format and budgets of episodes. An option that is not given takes the value that the policy was trained with."""

    view_width: Annotated[int | None, arg(metavar="CELLS")] = None
    """Width of the page text in terminal cells. Default: as the policy was trained, or 80."""
    view_height: Annotated[int | None, arg(metavar="LINES")] = None
    """Height of the page text in lines. Default: as the policy was trained, or 40."""
    max_actions: Annotated[int | None, arg(metavar="N")] = None
    """Maximum number of browsing commands per episode. Default: as the policy was trained, or 100 (Appendix A)."""
    max_reference_tokens: Annotated[int | None, arg(metavar="N")] = None
    """Maximum total length of the references, titles included. Default: as the policy was trained, or 512 (Figure 1a)."""
    token_counter: Annotated[str | None, arg(metavar="NAME")] = None
    """Unit of --max-reference-tokens; only words is available."""
    blocked_domains: Annotated[tuple[str, ...] | None, arg(metavar="[DOMAIN ...]")] = None
    """Domains to leave out of results and links. Default: as the policy was trained, or reddit.com quora.com (Appendix A)."""
    censor: bool = False
    """Show an error instead of pages that share ten words in a row with the question or its reference answer (Appendix A)."""

    def __post_init__(self) -> None:
        if self.token_counter is not None:
            check_token_counter(self.token_counter)
        self.override(Settings())  # raises ValueError if a value is out of range

    def override(self, settings: Settings) -> Settings:
        """Settings in which the given options replace their values."""
        given = {name: value for name, value in asdict(self).items() if value is not None and name != "censor"}
        return replace(settings, **given, censor=self.censor or settings.censor)

    def for_policy(self, policy: Policy) -> Settings:
        """Settings of a policy's episodes: the given options, then those that it was trained with, then the paper's."""
        trained = getattr(policy, "settings", None)
        return self.override(trained if isinstance(trained, Settings) else Settings())


def settings_as_json(settings: Settings) -> Json:
    """Settings as configuration files have them."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(settings).items()}


def check_token_counter(name: str) -> None:
    """Check the name of a token counter.

    Raises:
        UsageError: There is no such token counter.
    """
    if name != "words":
        raise UsageError(f"--token-counter must be words, got {name!r}")


def check_at_least(flag: str, value: int | None, least: int) -> None:
    """Check a number that a flag gives; None passes.

    Raises:
        UsageError: It is too small.
    """
    if value is not None and value < least:
        raise UsageError(f"{flag} must be at least {least}, got {value}")
