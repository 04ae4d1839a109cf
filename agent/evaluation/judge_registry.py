"""Registry of judges: the names that ``--judge`` and ``--truth-judge`` take, and how each judge is made."""

from collections.abc import Mapping
from typing import Final

from agent.evaluation.chat_judge import ChatJudge
from agent.evaluation.judges import Entailment, Lexical, TruthJudge
from agent.evaluation.language_inference import LanguageInference
from agent.evaluation.verdicts import CachedEntailment, Verdicts
from browser_env.errors import UsageError

GRAMMAR: Final = "lexical, hf:PATH_OR_ID or openai:MODEL"
"""Values that ``--judge`` takes."""


def make_entailment(
    spec: str, verdicts: Verdicts, *, base_url: str | None = None, environ: Mapping[str, str] | None = None
) -> Entailment:
    """Make the judge that a ``--judge`` value names; a model is loaded.

    Args:
        spec: ``lexical``, ``hf:`` and a natural language inference model, or ``openai:`` and a chat model.
        verdicts: File of the models' verdicts.
        base_url: URL of the chat server. Default: ``OPENAI_BASE_URL``, then OpenAI's.
        environ: As for `agent.policies.registry.make_policy`.

    Raises:
        UsageError: There is no such judge, or something that it needs is missing.
    """
    kind, _, name = spec.partition(":")
    match kind, name:
        case "lexical", "" if ":" not in spec:
            return Lexical()
        case "hf", name if name:
            return CachedEntailment(LanguageInference.load(name), verdicts)
        case "openai", name if name:
            return _chat_judge(spec, verdicts, base_url, environ)
        case _:
            raise UsageError(f"there is no judge {spec[:80]!r}; --judge takes {GRAMMAR}")


def make_truth_judge(
    spec: str, verdicts: Verdicts, *, base_url: str | None = None, environ: Mapping[str, str] | None = None
) -> TruthJudge:
    """Make the judge that a ``--truth-judge`` value names; arguments as for `make_entailment`.

    Raises:
        UsageError: There is no such judge, or something that it needs is missing.
    """
    if not spec.removeprefix("openai:") or not spec.startswith("openai:"):
        raise UsageError(f"there is no judge of truth {spec[:80]!r}; --truth-judge takes openai:MODEL")
    return _chat_judge(spec, verdicts, base_url, environ)


def _chat_judge(spec: str, verdicts: Verdicts, base_url: str | None, environ: Mapping[str, str] | None) -> ChatJudge:
    from agent.models.chat.chat_model import Chat
    from agent.policies.registry import make_policy

    chat = make_policy(spec, temperature=0, base_url=base_url, environ=environ)
    assert isinstance(chat, Chat)  # every policy named openai:MODEL is one
    return ChatJudge(chat, verdicts)
